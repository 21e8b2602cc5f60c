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
from typing import Any

import numpy as np
import pandas as pd

from mia_kernel import frames
from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.journal_reader import verify as verify_journal
from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.control import SEED, SETS, Control, random_control
from mia_kernel.analytics.distribution import distributions
from mia_kernel.analytics.report import DayReport, Material, day_report
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.errors import CorruptError, InputError, SettingsError
from mia_kernel.core.events import BAR, PRIMARY, SECOND, TRADE, Recording, SourceInfo
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.desk.attached import Desk
from mia_kernel.desk.heat import BookHeat, book_heat
from mia_kernel.desk.laws import LawBook
from mia_kernel.desk.moment import Moment
from mia_kernel.features.spec import registry
from mia_kernel.measures.shelf import MEASURES, Reading, Shelf
from mia_kernel.measures.shelf import NAMES as MEASURE_NAMES
from mia_kernel.runtime import Run as Pass
from mia_kernel.runtime import instant, with_window
from mia_kernel.settings import Settings, load

SAME_TRIP = ["symbol", "side", "qty", "entry_ts", "entry", "exit_ts", "exit"]
"""Round trips that agree in these are the same trade."""


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
        weights: str | Mapping[str, float] | None = None,
        start: str | None = None,
        end: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """Take the day through the whole engine in this process.

        Parameters
        ----------
        weights : str or mapping, optional
            A preset (`mia14`, `mia11`, `bars`), a file of weights, or component to weight.
        start, end : str, optional
            ISO times; what lies before `start` only warms the state up.
        params : mapping, optional
            Dotted setting to value, for example ``{"risk.daily_loss_usd": 300}``.
        """
        arguments = dict(params or {})
        if weights is not None:
            arguments["confluence.weights"] = weights if isinstance(weights, str) else dict(weights)
        settings = load(self.settings.profile, arguments=arguments).settings if arguments else self.settings
        return Run(self, settings, start=start, end=end, changed=arguments)

    def book_heat(self, when: str | int | None = None, *, minutes: float = 30.0) -> BookHeat:
        """Return what rested in the book over the `minutes` before `when` (ISO time or ns UTC; default the end)."""
        events = self.recording.events
        end = instant(when) if when is not None else int(events["ts_event"].max())
        return book_heat(events, end - int(minutes * 60e9), end)

    def laws(self, *names: str) -> pd.DataFrame:
        """Hold components to the laws on this day: one row per law, `broken` with the first instant that breaks it.

        Parameters
        ----------
        names : str
            Components, a cell's own among them; every one without.

        Raises
        ------
        SettingsError
            If a name is not registered.
        """
        known = registry()
        for name in names:
            if name not in known:
                raise SettingsError(f"no component is called {name!r}", way_out="known: " + ", ".join(known))
        findings = LawBook(self.settings, self.recording).check(names)
        return pd.DataFrame([asdict(finding) for finding in findings]).set_index(["component", "law"])


class Run:
    """A finished replay: decisions, round trips, digest, and the state at any instant of it."""

    def __init__(
        self, of: Day, settings: Settings, *, start: str | None, end: str | None, changed: Mapping[str, Any]
    ) -> None:
        self.day = of
        self.settings = settings
        self.recording = with_window(of.recording, start, end)
        self._start, self._end, self._changed, self._trials = start, end, dict(changed), 0
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

    @cached_property
    def measures(self) -> pd.DataFrame:
        """Every measure at every decision, indexed as `decisions`; NaN where it was not known.

        The rows are replayed once more to read them: a run does not carry what nobody asks for.
        """
        taken: list[Reading] = []
        again = Pass(self.settings, self.recording)
        shelf = Shelf(again.given)
        again.watch(lambda market, ts: taken.append(shelf.read(market, ts)))
        again.drive()
        values = np.array([reading.values for reading in taken]).reshape(len(taken), len(MEASURES))
        return pd.DataFrame(values, index=self.decisions.index, columns=pd.Index(MEASURE_NAMES))

    @cached_property
    def beside(self) -> pd.DataFrame:
        """Last prices of ES and NQ in points at every decision, NaN before the first; empty without NQ."""
        events = self.recording.events
        out: dict[str, Any] = {}
        for name, instrument in (("es", PRIMARY), ("nq", SECOND)):
            rows = events[(events["instrument"] == instrument) & np.isin(events["kind"], (TRADE, BAR))]
            if len(rows) == 0:
                return pd.DataFrame(columns=["es", "nq"])
            clock = np.maximum.accumulate(rows["ts_event"])
            at = np.searchsorted(clock, self._pass.table.column("ts_event"), side="right") - 1
            out[name] = np.where(at < 0, np.nan, rows["px"][at] * TICK_POINTS)
        return pd.DataFrame(out, index=self.decisions.index)

    def frame(self) -> dict[str, Any]:
        """Return the frame of the end of the run, as the live views take it."""
        memory = frames.Memory(self._pass)
        memory.take(self.recording.events)
        return frames.build(self._pass, memory, live=False)

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

    def random_control(self, *, sets: int = SETS, seed: int = SEED) -> Control:
        """Return the run's allowed entries beside `sets` random sets of as many, with the same exits and costs."""
        return random_control(
            self.recording.events, self._pass.table, self.settings.costs, sets=sets, seed=seed
        )

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

    def rerun(
        self, *, weights: str | Mapping[str, float] | None = None, params: Mapping[str, Any] | None = None
    ) -> Rerun:
        """Replay the same rows with other weights or parameters: a what-if, and every what-if is a trial.

        What is not named stays as it is in this run, its window included.
        """
        self._trials += 1
        changed = {**self._changed, **(params or {})}
        other = self.day.replay(weights=weights, params=changed, start=self._start, end=self._end)
        return Rerun(self, other, trial=self._trials)


class Rerun:
    """A what-if beside the run it was asked of; what it has beyond that is what a `Run` has.

    `trial` is its number among the what-ifs of that run: the more were tried, the less the best one proves.
    """

    def __init__(self, base: Run, run: Run, *, trial: int) -> None:
        self.base = base
        self.run = run
        self.trial = trial

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)

    @property
    def appeared(self) -> pd.DataFrame:
        """Round trips that the base run did not make."""
        return _missing_from(self.base.round_trips, self.run.round_trips)

    @property
    def disappeared(self) -> pd.DataFrame:
        """Round trips of the base run that are no longer made."""
        return _missing_from(self.run.round_trips, self.base.round_trips)

    @property
    def difference_usd(self) -> float:
        """Net result of the what-if less that of the base run."""
        return float(self.run.performance()["net_usd"] - self.base.performance()["net_usd"])


def _missing_from(known: pd.DataFrame, trips: pd.DataFrame) -> pd.DataFrame:
    if not len(known) or not len(trips):
        return trips
    seen = pd.MultiIndex.from_frame(known.loc[:, SAME_TRIP])
    return trips.loc[~pd.MultiIndex.from_frame(trips.loc[:, SAME_TRIP]).isin(seen)]


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


def attach(home: str | Path | None = None) -> Desk:
    """Attach to the loop that runs in MIA_HOME; it may start later, and a restarted kernel attaches again.

    Parameters
    ----------
    home : str or Path, optional
        Default: that of the settings.
    """
    return Desk(Path(home) if home is not None else load().settings.home)
