"""Speak to a notebook: a recorded day, a run over it, the state at any instant.

    day = mia.day("replay:2019-08-09")
    run = day.replay(weights="mia14")
    run.at("2019-08-09T09:45:15-05:00").why_not()

Replay runs here, in the notebook's own process; a running loop is another process and is never touched by
a kernel that restarts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.journal_reader import verify as verify_journal
from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.distribution import distributions
from mia_kernel.analytics.explain import RunFacts, waterfall, why, why_not
from mia_kernel.analytics.report import DayReport, Material, day_report
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.confluence.zones import levels_of, zones
from mia_kernel.core.decisions import Decision
from mia_kernel.core.errors import CorruptError, InputError, OutsideError
from mia_kernel.core.events import Recording, SourceInfo
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.features.spec import registry
from mia_kernel.runtime import Run as Pass
from mia_kernel.runtime import instant, with_window
from mia_kernel.settings import Settings, load
from mia_kernel.state.levels import NAMES as LEVEL_NAMES

PRICED = ("open", "high", "low", "close", "vwap", "vwap_sd", "atr")
TRIP_COLUMNS = ("id", "symbol", "side", "qty", "entry_ts", "entry_ticks", "exit_ts", "exit_ticks")


def day(
    source: str,
    *,
    symbol: str | None = None,
    extra: Sequence[str] = (),
    settings: Settings | None = None,
    tz: str | None = None,
) -> Day:
    """Name a recorded day; nothing is read before it is needed.

    Parameters
    ----------
    source : str
        `synthetic:SEED`, `replay:DAY`, or a path of any readable format.
    symbol : str, optional
        Which contract of several; default the one of most volume.
    extra : sequence of str
        Further sources merged by time, as `--with`.
    """
    return Day(source, symbol=symbol, extra=tuple(extra), settings=settings or load().settings, tz=tz)


@dataclass(frozen=True)
class Day:
    """A recorded day, read on first use."""

    name: str
    symbol: str | None
    extra: tuple[str, ...]
    settings: Settings
    tz: str | None = None

    @cached_property
    def recording(self) -> Recording:
        """The rows, object events and what is known about the source."""
        return open_recording(self.name, self.extra, symbol=self.symbol, tz=self.tz, home=self.settings.home)

    @property
    def source(self) -> SourceInfo:
        """Where the rows come from, with its tag."""
        return self.recording.source

    def replay(
        self,
        *,
        weights: str | None = None,
        start: str | None = None,
        end: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """Take the day through the whole engine in this process.

        Parameters
        ----------
        weights : str, optional
            A preset (`mia14`, `mia11`, `bars`) or a file of weights.
        start, end : str, optional
            ISO times; what lies before `start` only warms the state up.
        params : mapping, optional
            Dotted setting to value, for example ``{"risk.daily_loss_usd": 300}``.
        """
        arguments = dict(params or {})
        if weights is not None:
            arguments["confluence.weights"] = weights
        settings = load(self.settings.profile, arguments=arguments).settings if arguments else self.settings
        return Run(self, settings, start=start, end=end)


class Run:
    """A finished replay: decisions, round trips, digest, and the state at any instant of it."""

    def __init__(self, of: Day, settings: Settings, *, start: str | None, end: str | None) -> None:
        self.day = of
        self.settings = settings
        self.recording = with_window(of.recording, start, end)
        self._pass = Pass(settings, self.recording)
        self._pass.drive()

    @property
    def digest(self) -> str:
        """One hash over every decision: two replays of the same rows share it."""
        return self._pass.digest.hexdigest()

    @property
    def source(self) -> SourceInfo:
        """Where the rows come from, with its tag."""
        return self.recording.source

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The keys of `mia replay --json`."""
        return self._pass.summary()

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """One row per decision point, indexed by event time (New York)."""
        columns = self._pass.table.columns()
        return pd.DataFrame(columns, index=_index(columns.pop("ts_event")))

    @cached_property
    def round_trips(self) -> pd.DataFrame:
        """One row per closed position; prices in points, money in USD."""
        return pd.DataFrame(self.summary["round_trips"])

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables by name: `bars` (finest timeframe the source gives, prices in ticks) and `decisions`."""
        bars: Any = np.array(self._pass.bars) if self._pass.bars else np.zeros(0)
        table = pd.DataFrame({name: bars[name] for name in bars.dtype.names or ()})
        if len(table):
            table.index = _index(bars["end"])
        return {"bars": table, "decisions": self.decisions}

    def performance(self) -> dict[str, Any]:
        """Return the figures of the run, every one with its n and interval where it has one."""
        return self.summary["performance"]

    def report(self) -> DayReport:
        """Return the content of the daily page: verdict, tables, and the frame that the views draw."""
        done = self._pass
        bars = np.array(done.bars) if done.bars else None
        return day_report(Material(done.header(), done.table, done.round_trips, self.summary, bars))

    def distributions(self) -> pd.DataFrame:
        """Return how each component was spread over the run's decisions, one row each; is its sign a side?"""
        rows = pd.DataFrame(distributions(self._pass.table)).set_index("component")
        rows.insert(0, "signed", [registry()[name].signed for name in rows.index])
        return rows

    def refusals(self) -> dict[str, int]:
        """Return how often each blocking gate refused, most often first."""
        return self.summary["refusals"]

    def at(self, when: str | datetime | int) -> Moment:
        """Return the exact state after every row stamped at or before `when`.

        The day is replayed up to that instant: the same code, the same bytes.

        Raises
        ------
        InputError
            If `when` has no time zone or lies before the first decision.
        """
        ts = instant(when)
        events = self.recording.events
        stop = int(np.searchsorted(np.maximum.accumulate(events["ts_event"]), ts, side="right"))
        again = Pass(self.settings, self.recording)
        again.feed(0, stop)
        again.settle(ts)
        if again.last is None:
            first = self.decisions.index[0] if len(self.decisions) else "none"
            raise InputError(
                "no decision was taken yet at that instant",
                field="when",
                value=str(when),
                way_out=f"first: {first}",
            )
        return Moment(ts, again)

    def rerun(self, *, weights: str | None = None, params: Mapping[str, Any] | None = None) -> Run:
        """Replay the same rows with other weights or parameters."""
        return self.day.replay(weights=weights, params=params)


class Moment:
    """What was known and decided at one instant."""

    def __init__(self, ts: int, taken: Pass) -> None:
        self.ts_event = ts
        self._pass = taken
        self.market = taken.engine.rooms.market

    @property
    def decision(self) -> Decision:
        """The last decision taken at or before the instant."""
        assert self._pass.last is not None
        return self._pass.last

    @property
    def book(self) -> pd.DataFrame:
        """Ten levels a side: price in points and size; empty where the source has no book."""
        return pd.DataFrame(self.market.book_levels())

    @property
    def bars(self) -> dict[str, pd.DataFrame]:
        """Closed bars per timeframe, newest last (the last 256 of each); prices and distances in points."""
        frames = {name: pd.DataFrame(rows) for name, rows in self.market.bar_rows().items()}
        for frame in frames.values():
            priced = [name for name in PRICED if name in frame]
            frame[priced] = frame[priced] * TICK_POINTS
        return frames

    @property
    def profile(self) -> dict[str, float | None]:
        """VWAP and bands, POC, value area and previous session in points, None where not known yet."""
        return self.market.profile_view()

    @property
    def features(self) -> dict[str, float | None]:
        """Every component's value, None where it is not ok."""
        vector = self.decision.vector
        return {name: vector.value(name) for name in vector.names}

    @property
    def score(self) -> float:
        """The confluence score in [-1, 1]."""
        return self.decision.score.total

    @property
    def contributions(self) -> pd.DataFrame:
        """The weighed components, largest first: weight, value, contribution, status; they add up to the score."""
        lines = waterfall(self.decision, self._facts)
        return pd.DataFrame([asdict(line) for line in lines]).set_index("name")

    @property
    def levels(self) -> pd.DataFrame:
        """Every known level, lowest first; prices in points."""
        return pd.DataFrame(self.market.level_rows())

    @property
    def zones(self) -> pd.DataFrame:
        """Clusters of levels as seen from the last price, lowest first; prices in points."""
        found = zones(levels_of(self.market, self.ts_event), self.market.price_ticks)
        half = TICK_POINTS / 2
        rows = [
            {
                "low": zone.low_2 * half,
                "centre": zone.centre_2 * half,
                "high": zone.high_2 * half,
                "score": zone.score,
                "quality": zone.quality,
                "bias": ("resistance", "inside", "support")[zone.direction + 1],
                "levels": ", ".join(LEVEL_NAMES[slot] for slot in zone.slots),
            }
            for zone in found
        ]
        return pd.DataFrame(rows, columns=["low", "centre", "high", "score", "quality", "bias", "levels"])

    def why(self) -> str:
        """Return the contributions, which add up to the score."""
        return why(self.decision, self._facts)

    def why_not(self) -> str:
        """Return every gate that blocked, what it required and what it found."""
        return why_not(self.decision, self._facts)

    @property
    def _facts(self) -> RunFacts:
        return RunFacts.from_header(self._pass.header())


def review(journal: str | Path = "", *, settings: Settings | None = None) -> DayReport:
    """Read a journal and return the content of its daily page.

    Parameters
    ----------
    journal : str or Path, optional
        Default: the newest in MIA_HOME.

    Raises
    ------
    InputError
        If there is no journal.
    CorruptError
        If a record of it does not match its hash: nothing is reported from a damaged journal.
    """
    settings = settings or load().settings
    found = [Path(journal)] if journal else settings.journals()
    if not found:
        raise InputError(
            "no journal there", path=str(settings.journal_folder), way_out="make one with `mia replay`"
        )
    with JournalReader(found[0]) as reader:
        checked = verify_journal(found[0])
        if not checked.ok:
            raise CorruptError(
                f"{found[0]}: row {checked.first_bad}: {checked.reason}; way out: restore a backup"
            )
        header = reader.header
        table = DecisionTable(reader.names, reader.gate_codes, header["gate_levels"])
        for decision in reader.decisions():
            table.append(decision)
        trailer = reader.trailer or {}
        return day_report(
            Material(header, table, reader.round_trips(), trailer, reader.bars(), checked.head.hash)
        )


def _index(ts: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(ts, unit="ns", utc=True), name="ts_event").tz_convert(
        "America/New_York"
    )


class Desk:
    """A running loop, seen from a notebook."""


def attach() -> NoReturn:
    """Attach to a running loop.

    Raises
    ------
    OutsideError
        Always in this version: the loop does not serve frames to notebooks yet. Replay works in-process.
    """
    raise OutsideError(
        "no running loop can be attached in this version; the terminal view of `mia run --dry-run` shows it live, "
        "and mia.day(SOURCE).replay() runs the same engine here"
    )
