"""What the mentor says, as records: an advice with the evidence it stands on, and what it looks at to find one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from mia_kernel.analytics.adherence import Rule
from mia_kernel.analytics.lessons import Lesson

Level = Literal["info", "success", "warning", "critical"]
Mood = Literal["excellent", "good", "neutral", "concerned", "critical"]

MOST_PER_DAY = 3
COOL_DOWN_NS = 4 * 3_600_000_000_000


class Kind(StrEnum):
    """What an advice is."""

    DAILY_REPORT = "DAILY_REPORT"
    LESSON_LEARNED = "LESSON_LEARNED"
    PERFORMANCE_ALERT = "PERFORMANCE_ALERT"
    HABIT_WARNING = "HABIT_WARNING"
    IMPROVEMENT_SUGGESTION = "IMPROVEMENT_SUGGESTION"
    CELEBRATION = "CELEBRATION"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an advice stands on; `interval` is None where the statistic has none (a count, a broken rule)."""

    statistic: str
    value: float
    n: int
    interval: tuple[float, float] | None
    trade_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing the mentor says. `key` is the same for the same finding every evening, `priority` 1 is read first."""

    key: str
    ts_event: int
    kind: Kind
    level: Level
    title: str
    message: str
    evidence: Evidence
    actionable: bool
    priority: int
    expires_ts: int

    @property
    def id(self) -> str:
        """A short name of this advice at this time."""
        return hashlib.sha256(f"{self.key} {self.ts_event}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Day:
    """What the mentor looks at: figures, lessons and rules of a day (or of `days`), and the lessons of the window."""

    end_ts: int
    figures: Mapping[str, Any]
    lessons: Sequence[Lesson]
    rules: Sequence[Rule]
    window: Sequence[Lesson] = field(default=())
    earlier: Sequence[str] = field(default=())
    days: int = 1


def choose(
    found: Sequence[Advice], sent: Mapping[str, int], now_ns: int, sent_today: int = 0
) -> list[Advice]:
    """Return what may be sent now: three a day, four hours between two of a kind; critical ones always.

    Parameters
    ----------
    found : sequence of Advice
        In order of importance.
    sent : mapping
        Kind to the time it was last sent, ns.
    now_ns : int
    sent_today : int
    """
    chosen: list[Advice] = []
    last = dict(sent)
    for advice in found:
        if advice.expires_ts <= now_ns:
            continue
        free = (
            sent_today + len(chosen) < MOST_PER_DAY
            and now_ns - last.get(advice.kind, -COOL_DOWN_NS) >= COOL_DOWN_NS
        )
        if advice.level == "critical" or free:
            chosen.append(advice)
            last[advice.kind] = now_ns
    return chosen
