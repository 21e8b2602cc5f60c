"""Hold trades against their like: by pattern, phase, hour and regime, each with n and interval, and what follows.

How it moves: lessons are grouped by one field at a time; a group says its win rate, expectancy and excursion with
intervals, and "too few" under 30. Proposals come from stated rules over groups of 30 and more; they carry the trade
ids, the statistic and the interval they stand on, expire with their window, and are never applied by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mia_kernel.analytics.bootstrap import mean_interval, wilson
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.performance import MIN_GROUP_TRIPS

LIST_FROM = 10
"""A group is listed from so many trades."""

DAY_NS = 86_400_000_000_000
WINDOWS_DAYS = (7, 30, 90)
EXPIRES_DAYS = 7
"""A proposal that was not renewed for so long is gone: the data no longer say it."""

VETO_MAE_R = 0.6
PROMOTE_R = 0.25
SIZE_FACTOR = 0.85

Action = Literal["veto", "promote", "reduce"]


def _regime(value: str | None) -> str:
    return "unknown" if value is None else value


GROUPINGS: dict[str, Callable[[Lesson], str]] = {
    "pattern": lambda row: f"{_regime(row.signal_type)} {row.direction}",
    "phase": lambda row: row.session_phase,
    "hour": lambda row: f"{row.hour:02d}:00",
    "weekday": lambda row: row.weekday,
    "grade": lambda row: row.grade,
    "volatility_regime": lambda row: _regime(row.volatility_regime),
    "market_regime": lambda row: _regime(row.market_regime),
    "exit": lambda row: row.exit_reason,
}
"""What trades are compared by."""


@dataclass(frozen=True, slots=True)
class Group:
    """Trades that share one thing. R is planned risk at entry; intervals are 95 %, None under 10 trades."""

    by: str
    name: str
    n: int
    wins: int
    win_rate: float
    win_rate_interval: tuple[float, float] | None
    expectancy_r: float | None
    expectancy_interval: tuple[float, float] | None
    median_mae_r: float | None
    net_usd: float
    trade_ids: tuple[str, ...]

    @property
    def too_few(self) -> bool:
        """Whether nothing may be advised from it."""
        return self.n < MIN_GROUP_TRIPS


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change the trades suggest, for a person to decide: what, for which group, on what evidence, until when."""

    action: Action
    by: str
    group: str
    statistic: str
    value: float
    n: int
    interval: tuple[float, float] | None
    trade_ids: tuple[str, ...]
    expires_ts: int

    @property
    def key(self) -> str:
        """What names it from evening to evening."""
        return f"{self.action}:{self.by}:{self.group}"


def groups(lessons: Sequence[Lesson], by: str) -> list[Group]:
    """Return the groups of one grouping, largest first.

    Parameters
    ----------
    lessons : sequence of Lesson
    by : str
        A key of GROUPINGS.
    """
    found: dict[str, list[Lesson]] = {}
    for row in lessons:
        found.setdefault(GROUPINGS[by](row), []).append(row)
    made = [_group(by, name, members) for name, members in found.items()]
    return sorted(made, key=lambda group: (-group.n, group.name))


def all_groups(lessons: Sequence[Lesson]) -> dict[str, list[Group]]:
    """Return every grouping by name."""
    return {by: groups(lessons, by) for by in GROUPINGS}


def window(lessons: Sequence[Lesson], end_ts: int, days: int) -> list[Lesson]:
    """Return the lessons whose trades were closed in the `days` days up to `end_ts`."""
    return [row for row in lessons if end_ts - days * DAY_NS < row.exit_ts <= end_ts]


def like(window: Sequence[Lesson]) -> dict[str, Group]:
    """Return the groups of trades by pattern, by the name that `pattern_of` gives a trade of theirs."""
    return {group.name: group for group in groups(window, "pattern")}


def pattern_of(row: Lesson) -> str:
    """Return the name of a trade's pattern: strategy and side."""
    return GROUPINGS["pattern"](row)


def windows(lessons: Sequence[Lesson], end_ts: int) -> list[Group]:
    """Return all trades of the last 7, 30 and 90 days up to `end_ts` as groups; an empty window is left out."""
    found = []
    for days in WINDOWS_DAYS:
        members = [row for row in lessons if end_ts - days * DAY_NS < row.exit_ts <= end_ts]
        if members:
            found.append(_group("window", str(days), members))
    return found


def proposals(lessons: Sequence[Lesson], end_ts: int) -> list[Proposal]:
    """Return what the groups of 30 and more suggest at `end_ts`; empty where they suggest nothing.

    Notes
    -----
    Veto: median MAE over 0.6 R. Promote: expectancy over +0.25 R with its whole interval above 0. Reduce the size to
    0.85: expectancy under 0. Exits are results, not plans, so nothing is proposed by them.
    """
    made: list[Proposal] = []
    for by, rows in all_groups(lessons).items():
        if by == "exit":
            continue
        for group in rows:
            if not group.too_few:
                made += _proposed(group, end_ts + EXPIRES_DAYS * DAY_NS)
    return made


def expired(earlier: Sequence[str], now: Sequence[Proposal]) -> list[str]:
    """Return the keys of earlier proposals that the data no longer support."""
    alive = {proposal.key for proposal in now}
    return [key for key in earlier if key not in alive]


def strengths(groups: Mapping[str, Sequence[Group]]) -> list[Group]:
    """Return the groups of 30 and more whose whole interval lies above 0, best first."""
    rows = [g for by, found in groups.items() if by != "exit" for g in found if not g.too_few]
    good = [g for g in rows if g.expectancy_interval is not None and g.expectancy_interval[0] > 0]
    return sorted(good, key=lambda g: -(g.expectancy_r or 0.0))


def weaknesses(groups: Mapping[str, Sequence[Group]]) -> list[Group]:
    """Return the groups of 30 and more whose whole interval lies under 0, worst first."""
    rows = [g for by, found in groups.items() if by != "exit" for g in found if not g.too_few]
    bad = [g for g in rows if g.expectancy_interval is not None and g.expectancy_interval[1] < 0]
    return sorted(bad, key=lambda g: g.expectancy_r or 0.0)


def trade_name(row: Lesson) -> str:
    """Return what names a trade across journals: its entry in UTC and its number."""
    return f"{np.datetime64(row.ts_event, 'ns').astype('datetime64[s]')}Z#{row.trade_id}"


def _group(by: str, name: str, members: Sequence[Lesson]) -> Group:
    wins = sum(row.outcome == "win" for row in members)
    in_r = np.array([row.result_r for row in members if row.result_r is not None], np.float64)
    mae = [row.mae_r for row in members if row.mae_r is not None]
    return Group(
        by=by,
        name=name,
        n=len(members),
        wins=wins,
        win_rate=wins / len(members),
        win_rate_interval=wilson(wins, len(members)),
        expectancy_r=float(in_r.mean()) if len(in_r) else None,
        expectancy_interval=mean_interval(in_r),
        median_mae_r=float(np.median(mae)) if mae else None,
        net_usd=round(sum(round(row.pnl_net * 100) for row in members)) / 100,
        trade_ids=tuple(trade_name(row) for row in members),
    )


def _proposed(group: Group, expires_ts: int) -> list[Proposal]:
    made: list[Proposal] = []

    def add(action: Action, statistic: str, value: float, interval: tuple[float, float] | None) -> None:
        made.append(
            Proposal(
                action, group.by, group.name, statistic, value, group.n, interval, group.trade_ids, expires_ts
            )
        )

    if group.median_mae_r is not None and group.median_mae_r > VETO_MAE_R:
        add("veto", "median MAE (R)", group.median_mae_r, None)
    expectancy, interval = group.expectancy_r, group.expectancy_interval
    if expectancy is not None and interval is not None:
        if expectancy > PROMOTE_R and interval[0] > 0:
            add("promote", "expectancy (R)", expectancy, interval)
        elif expectancy < 0:
            add("reduce", "expectancy (R)", expectancy, interval)
    return made
