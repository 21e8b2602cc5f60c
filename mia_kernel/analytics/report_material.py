"""What a page is made of: a run's header, decisions, trades and what was found looking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.lookback_record import LookBack
from mia_kernel.analytics.say import Say, day_words, mark, plain
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.session import trading_days_of

NEW_YORK = ZoneInfo("America/New_York")
SOURCES = {
    "synthetic": mark("SYNTHETIC market: nothing on this page is a result"),
    "live": mark("live feed"),
}


@dataclass(frozen=True)
class Material:
    """What a page is made of.

    Parameters
    ----------
    header : mapping
        Of the run (names, weights, gates, source, fingerprints).
    table : DecisionTable
    trips : sequence of RoundTrip
    trailer : mapping
        Summary that closed the run; empty where it did not close by itself.
    bars : structured array or None
    chain : str or None
        Head of the journal's hash chain, None for a run in memory.
    look : LookBack or None
        Ghosts, fills and lessons; None where nothing can be known of them.
    window : sequence of Lesson
        Trades of the days before and of this one, made by the same method; empty: this run's own.
    earlier : sequence of str
        Keys of proposals that an earlier page made.
    checks : mapping
        What was verified: name to (verdict, sentence).
    chains : sequence of mapping
        What option chains said, see `chains_told`; empty where none was in force.
    states : sequence of mapping
        What could be traded from when on and why, see `halts`; empty for a run without a guardian.
    rejected : mapping
        Reason to the number of orders that were refused after the gate had permitted them.
    """

    header: Mapping[str, Any]
    table: DecisionTable
    trips: Sequence[RoundTrip]
    trailer: Mapping[str, Any]
    bars: Any = None
    chain: str | None = None
    look: LookBack | None = None
    window: Sequence[Lesson] = ()
    earlier: Sequence[str] = ()
    checks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    chains: Sequence[Mapping[str, Any]] = ()
    states: Sequence[Mapping[str, Any]] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)

    @property
    def source(self) -> Mapping[str, Any]:
        """The source as the header describes it; an older header holds only its name."""
        source = self.header["source"]
        if isinstance(source, Mapping):
            return source
        return {"name": source, "tag": self.header.get("source_tag", "replay")}

    @property
    def capital_cents(self) -> int:
        """Starting capital of the run."""
        return round(float(self.header["equity_usd"]) * 100)


def short_name(name: str) -> str:
    """Return the last part of a path, or a URI as it is: where a file lay on some machine is nobody's news."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def told_name(source: Mapping[str, Any], say: Say = plain) -> str:
    """Return what a reader would call a source: its file, or for a day of the store what it holds."""
    name = short_name(str(source["name"]))
    if not name.isdigit():
        return name
    carries = source.get("carries") or {}
    if carries.get("trades"):
        return say("stored trades")
    seconds = carries.get("bar_seconds")
    return say("stored bars of {seconds} s").format(seconds=seconds) if seconds else say("stored day")


def days_in_words(table: DecisionTable, say: Say = plain) -> str:
    """Return the trading day of a run, or its first and last."""
    ts = table.column("ts_event")
    if len(ts) == 0:
        return say("no decision")
    first, last = (day_words(int(day), say) for day in trading_days_of(ts[[0, -1]]))
    return first if first == last else say("{first} to {last}").format(first=first, last=last)


def source_words(tag: str, say: Say = plain) -> str:
    """Return what kind of market a page is about; a synthetic one is said loudly."""
    return say(SOURCES[tag]) if tag in SOURCES else say("Replay of recorded data")


def clock(ns: int) -> str:
    """Return a time as New York wall time with its offset."""
    when = datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone(NEW_YORK)
    return f"{when:%Y-%m-%d %H:%M:%S %Z}"
