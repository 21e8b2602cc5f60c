"""What was known and decided at one instant of a replay."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import Any

import pandas as pd

from mia_kernel import frames
from mia_kernel.analytics.explain import RunFacts, waterfall, why, why_not
from mia_kernel.confluence.zones import levels_of, score_at, zones, zones_near
from mia_kernel.core.decisions import OK, STATUS_NAMES, Decision
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.desk.absorbed import absorbed
from mia_kernel.desk.market import (
    ANOMALY_COLUMNS,
    LARGE_COLUMNS,
    Battle,
    anomalies,
    battle_of,
    large_orders,
    regimes,
    timeframe_rows,
    volume_rows,
    zone_table,
)
from mia_kernel.desk.structure import structure
from mia_kernel.desk.tape import footprint, tape
from mia_kernel.measures.shelf import EXPORT_NAMES, MEASURES, Shelf
from mia_kernel.runtime import Run as Pass

PRICED = ("open", "high", "low", "close", "vwap", "vwap_sd", "atr")


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

    def frame(self) -> dict[str, Any]:
        """Return the frame of this instant, as the live views take it."""
        memory = frames.Memory(self._pass)
        memory.take(self._pass.recording.events, 0, self._pass.seen)
        return frames.build(self._pass, memory, live=False)

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

    @cached_property
    def measures(self) -> pd.DataFrame:
        """Every measure by name: value, status, unit, what it says, definition; components by the user's names."""
        reading = Shelf(self._pass.given).read(self.market, self.decision.ts_event)
        rows = [
            {
                "name": measure.name,
                "value": value if status == OK else None,
                "status": STATUS_NAMES[status],
                "unit": measure.unit,
                "says": measure.says,
                "definition": measure.source,
            }
            for measure, value, status in zip(
                MEASURES, reading.values.tolist(), reading.status.tolist(), strict=True
            )
        ]
        vector = self.decision.vector
        for name, component in EXPORT_NAMES.items():
            at = vector.names.index(component)
            status = STATUS_NAMES[int(vector.status[at])]
            says = f"the value of component {component}"
            rows.append(
                {
                    "name": name,
                    "value": vector.value(component),
                    "status": status,
                    "unit": "–",
                    "says": says,
                    "definition": "",
                }
            )
        return pd.DataFrame(rows).set_index("name")

    @cached_property
    def structure(self) -> pd.DataFrame:
        """VWAP and bands, profile, previous session and gamma levels in one object, with status per field."""
        rows = structure(self.market, self._pass.given, self.decision.ts_event)
        known = pd.array([row["as_of"] for row in rows], dtype="Int64")  # a float would round the nanoseconds
        return pd.DataFrame(rows).assign(as_of=_new_york(known)).set_index("field")

    @property
    def score(self) -> float:
        """The confluence score in [-1, 1]."""
        return self.decision.score.total

    @property
    def contributions(self) -> pd.DataFrame:
        """The weighed components, largest first: weight, value, contribution, status; they add up to the score."""
        lines = waterfall(self.decision, self._facts)
        return pd.DataFrame([asdict(line) for line in lines]).set_index("name")

    def battle(self, timeframe: str = "5m") -> Battle:
        """Return Battle Navale on a timeframe: its bars, what happened on them, and how it stands now."""
        return battle_of(self.market, timeframe, self.bars.get(timeframe, pd.DataFrame()))

    def footprint(self, timeframe: str = "5m", bars: int = 8) -> pd.DataFrame:
        """Return what traded at bid and ask by price in the last closed bars; empty where sides are unknown."""
        ends = self.bars[timeframe]["end"].tail(bars).to_numpy()
        flow = self.market.params.flow
        ratio, least, rows = flow.imbalance_ratio_min, flow.imbalance_contracts_min, flow.stacked_rows
        starts = self.bars[timeframe]["start"].tail(bars).to_numpy()
        return footprint(tape(self._pass.recording.events, self.ts_event), starts, ends, ratio, least, rows)

    def absorbed(self) -> pd.DataFrame:
        """Return the prices that absorbed aggression so far, known at the end of their 30 seconds; needs a book."""
        events = self._pass.recording.events
        return absorbed(tape(events, self.ts_event), events, self.ts_event)

    @property
    def large_orders(self) -> pd.DataFrame:
        """Aggregated orders from the threshold in force upwards, and inferred icebergs, oldest first."""
        return pd.DataFrame(large_orders(self.market), columns=list(LARGE_COLUMNS))

    @property
    def regimes(self) -> pd.DataFrame:
        """Volatility and market regime in words, allowed sides, and what they do to threshold, size, stop, target."""
        return pd.DataFrame(regimes(self.market, self._pass.settings.volatility)).set_index("name")

    @property
    def anomalies(self) -> pd.DataFrame:
        """The newest anomalies of volume, spread and flow, oldest first: when (New York), what, how large."""
        rows = pd.DataFrame(anomalies(self.market), columns=list(ANOMALY_COLUMNS))
        return rows.assign(ts=_new_york(rows["ts"].astype("Int64")))

    def volume_profile(self, anchor: str = "rth") -> pd.DataFrame:
        """Return volume by price since 09:30 (`rth`) or 18:00 (`eth`): price, volume, node, inside the value area."""
        return pd.DataFrame(volume_rows(self.market, anchor), columns=["price", "volume", "node", "in_area"])

    @property
    def timeframes(self) -> pd.DataFrame:
        """Five timeframes: strength, quality and weight in MTF confluence, golden rule, ball trend, outcome."""
        return pd.DataFrame(timeframe_rows(self.market)).set_index("timeframe")

    @property
    def levels(self) -> pd.DataFrame:
        """Every known level, lowest first: price in points, weight, strength, touches, since when and for how long."""
        rows = pd.DataFrame(self.market.level_rows())
        return rows.assign(since=_new_york(rows["since"])) if len(rows) else rows

    @property
    def zones(self) -> pd.DataFrame:
        """Clusters of levels as seen from the last price, lowest first; prices in points."""
        seen_from = self.market.price_ticks
        return zone_table(zones(levels_of(self.market, self.ts_event), seen_from), seen_from)

    def zones_near(self, price: float | None = None) -> pd.DataFrame:
        """Return strong and extreme zones within 20 ticks of a price in points (default: the last), nearest first."""
        at = self._ticks(price)
        return zone_table(zones_near(zones(levels_of(self.market, self.ts_event), at), at), at)

    def score_at(self, price: float | None = None) -> float:
        """Return how much the zones weigh at a price in points (default the last), in [0, 1]; 10 ticks away nothing."""
        at = self._ticks(price)
        return score_at(zones(levels_of(self.market, self.ts_event), at), at)

    def _ticks(self, price: float | None) -> float:
        return float(self.market.price_ticks) if price is None else price / TICK_POINTS

    def why(self) -> str:
        """Return the contributions, which add up to the score."""
        return why(self.decision, self._facts)

    def why_not(self) -> str:
        """Return every gate that blocked, what it required and what it found."""
        return why_not(self.decision, self._facts)

    @property
    def _facts(self) -> RunFacts:
        return RunFacts.from_header(self._pass.header())


def _new_york(stamps: Any) -> pd.Series:
    """Return ns UTC as the wall clock of New York, to the second."""
    return (
        pd.Series(pd.to_datetime(stamps, unit="ns", utc=True)).dt.tz_convert("America/New_York").dt.floor("s")
    )
