"""The shelf: every measure of a run by name, read in one call.

Components keep their own names here too: what the user calls `sierra_pattern_strength` is the value of
`sierra_patterns` (`EXPORT_NAMES`), so nothing is computed twice under two words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mia_kernel.core.decisions import ABSENT, NOT_READY, OK, STALE, ByteArray, FloatArray
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import Given
from mia_kernel.measures import bars, book, flow, others, session, structure
from mia_kernel.measures.spec import Measure
from mia_kernel.state.memory import MarketState

GROUPS: dict[str, tuple[Measure, ...]] = {
    "bars": bars.MEASURES,
    "session": session.MEASURES,
    "book": book.MEASURES,
    "flow": flow.MEASURES,
    "others": others.MEASURES,
    "structure": structure.MEASURES,
}
MEASURES: tuple[Measure, ...] = tuple(measure for group in GROUPS.values() for measure in group)
NAMES: tuple[str, ...] = tuple(measure.name for measure in MEASURES)
_STARTS = np.cumsum([0, *(len(group) for group in GROUPS.values())])

EXPORT_NAMES = {
    "vwap_trend_signal": "vwap_trend",
    "sierra_pattern_strength": "sierra_patterns",
    "gamma_levels_proximity": "gamma_levels",
    "volume_confirmation": "volume_confirmation",
    "options_flow_bias": "options_flow",
    "order_book_imbalance": "order_book",
    "level_proximity_score": "level_proximity",
    "tick_momentum_score": "tick_momentum",
    "data_quality_score": "data_quality",
}
"""The user's word for a component's value -> the component."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Values at one instant in the order of `NAMES`; NaN where `status` is not OK."""

    ts_event: int
    values: FloatArray
    status: ByteArray


class Shelf:
    """The measures of one run.

    Parameters
    ----------
    given : Given
        What the run can give; a measure that needs more is absent.
    """

    def __init__(self, given: Given) -> None:
        self._absent = np.array([not all(given.has(n) for n in measure.needs) for measure in MEASURES])
        self._low = np.array([-np.inf if x.low is None else x.low for x in MEASURES])
        self._high = np.array([np.inf if x.high is None else x.high for x in MEASURES])

    def named(self, market: MarketState, ts: int) -> dict[str, float | None]:
        """Return every measure of the state at `ts` by name, None where it is not known."""
        reading = self.read(market, ts)
        return {name: None if x != x else x for name, x in zip(NAMES, reading.values.tolist(), strict=True)}

    def read(self, market: MarketState, ts: int) -> Reading:
        """Return every measure of the state at `ts` (after `market.advance(ts)`).

        Raises
        ------
        InvariantError
            If a measure lies outside its range: an error of ours, never hidden.
        """
        values = np.empty(len(MEASURES))
        _fill(market.array, values, _STARTS)
        status = np.full(len(MEASURES), OK, np.int8)
        status[np.isnan(values)] = NOT_READY
        status[np.isinf(values)] = STALE
        status[self._absent] = ABSENT
        values[status != OK] = np.nan
        wrong = np.flatnonzero((values < self._low - 1e-9) | (values > self._high + 1e-9))
        if len(wrong):
            name, value = NAMES[wrong[0]], values[wrong[0]]
            raise InvariantError(f"measure {name!r} is {value}, outside its range")
        return Reading(ts, values, status)


@kernel
def _fill(st: Any, out: Any, starts: Any) -> None:
    s = st[0]
    bars.fill(s, out, starts[0])
    session.fill(s, out, starts[1])
    book.fill(s, out, starts[2])
    flow.fill(s, out, starts[3])
    others.fill(s, out, starts[4])
    structure.fill(s, out, starts[5])
