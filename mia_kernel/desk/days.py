"""A recorded day and a run over it: replay, tables, state at any instant, what-if.

How it moves: a `Day` only names its source and reads it on first use; a `Run` has gone through the whole engine in this
process. Tables are made when they are asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mia_kernel import frames
from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.speech import speech
from mia_kernel.adapters.window import instant, with_window
from mia_kernel.analytics.control import SEED, SETS, Control, random_control
from mia_kernel.analytics.distribution import distributions
from mia_kernel.analytics.halts import rejections, states_in
from mia_kernel.analytics.lookback import look_back
from mia_kernel.analytics.lookback_record import LookBack
from mia_kernel.analytics.report import DayReport, Material, day_report
from mia_kernel.core.errors import SettingsError
from mia_kernel.core.events import BAR, PRIMARY, SECOND, TRADE, Recording, SourceInfo
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import RoundTrip
from mia_kernel.desk.heat import BookHeat, book_heat
from mia_kernel.desk.laws import LawBook
from mia_kernel.desk.moment import Moment
from mia_kernel.desk.rerun import Rerun
from mia_kernel.desk.timeline import Timeline
from mia_kernel.features.spec import registry
from mia_kernel.measures.shelf import MEASURES, Reading, Shelf
from mia_kernel.measures.shelf import NAMES as MEASURE_NAMES
from mia_kernel.runtime import Run as Pass
from mia_kernel.settings import Settings, changed, load


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
        settings = changed(self.settings, arguments) if arguments else self.settings
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
        self.window = (start, end)
        self.changed = dict(changed)
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

    @property
    def trips(self) -> Sequence[RoundTrip]:
        """The closed positions themselves, money in exact cents; `round_trips` is their table."""
        return self._pass.round_trips

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
        return day_report(
            Material(
                done.header(), done.table, done.round_trips, self.summary, bars,
                look=self.look_back, chains=done.chains.rows, states=states_in(self.recording.objects),
                rejected=rejections(done.reports),
            ),
            speech(self.settings.lang),
        )  # fmt: skip

    def write(self, path: str | Path | None = None) -> Path:
        """Replay once more into a journal and return where it lies.

        Parameters
        ----------
        path : str or Path, optional
            Default: a temporary folder of its own, so that a sample does not become the home's newest journal.
        """
        target = Path(path) if path else Path(tempfile.mkdtemp(prefix="mia-")) / f"{self.digest[:16]}.sqlite"
        again = Pass(self.settings, self.recording, target)
        again.drive()
        again.close()
        return target

    @cached_property
    def look_back(self) -> LookBack:
        """What the rows tell afterwards: ghosts of refused signals, fills taken apart, a lesson per trade."""
        return look_back(self._pass)

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

        The first look keeps checkpoints along the day; every look restores the last one before its instant and
        feeds the rows between: the same code, the same bytes.

        Raises
        ------
        InputError
            If `when` has no time zone or lies before the first decision.
        """
        return self._timeline.at(instant(when))

    def rerun(
        self,
        *,
        weights: str | Mapping[str, float] | None = None,
        limits: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Rerun:
        """Replay the same rows with other weights, limits or parameters: a what-if, and every what-if is a trial.

        What is not named stays as it is in this run, its window included.

        Parameters
        ----------
        weights : str or mapping, optional
            As for `Day.replay`.
        limits : mapping, optional
            Settings of the risk room without its name, for example ``{"daily_loss_usd": 300}``.
        params : mapping, optional
            Dotted setting to value.
        """
        of_risk = {f"risk.{name}": value for name, value in (limits or {}).items()}
        changed = {**self.changed, **of_risk, **(params or {})}
        start, end = self.window
        return Rerun(self, self.day.replay(weights=weights, params=changed, start=start, end=end))

    @cached_property
    def _timeline(self) -> Timeline:
        return Timeline(self.settings, self.recording, self._pass.table.column("ts_event"))


def _index(ts: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(ts, unit="ns", utc=True), name="ts_event").tz_convert(
        "America/New_York"
    )
