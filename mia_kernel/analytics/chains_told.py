"""Keep what chains said during a run: one row for each time a level of theirs moved.

How it moves: the runtime hands over every view the engine takes; a row is kept where the chain changed, a level
moved by a tick (zero gamma by a point) or appeared or went. The rows go into the journal under `OPTIONS` and from
there onto the day's page. Prices are ticks of the traded future; unknown is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.events import OptionView
from mia_kernel.core.instrument import TICK_POINTS

OPTIONS = "options"
"""Kind of the journal's records."""

LEVELS = (
    "call_wall_ticks",
    "put_wall_ticks",
    "gamma_flip_ticks",
    "call_wall_0dte_ticks",
    "put_wall_0dte_ticks",
    "pin_ticks",
    "expected_high_ticks",
    "expected_low_ticks",
)
_KEPT = (
    *LEVELS,
    "dealer_gamma_position",
    "total_gamma_exposure_usd",
    "put_call_volume_ratio",
    "put_call_reference",
    "vol_skew_25_delta",
    "term_structure_slope",
)
# Zero gamma follows the clock a little every minute; a point is what a chart can show.
_STEP_TICKS = {"gamma_flip_ticks": 4.0}


class ChainsTold:
    """The rows of one run, in order of time."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._last: tuple[Any, ...] = ()

    def add(self, view: OptionView, write: Callable[[str, int, Any], None] | None = None) -> None:
        """Take a view; keep its row, and write it into the record, where it says something new."""
        levels = (_rounded(name, view.figures.get(name)) for name in LEVELS)
        now = (view.source, view.as_of, view.figures.get("dealer_gamma_position"), *levels)
        if now == self._last:
            return
        self._last = now
        row = {
            "ts": view.ts_recv,
            "source": view.source,
            "as_of": view.as_of,
            "valid_until": view.valid_until,
            "zero_dte": bool(view.zero_dte),
            "quality": view.quality,
            **{name: view.figures.get(name) for name in _KEPT},
        }
        self.rows.append(row)
        if write is not None:
            write(OPTIONS, view.ts_recv, row)


def _rounded(name: str, value: float | None) -> float | None:
    return None if value is None else round(value / _STEP_TICKS.get(name, 1.0))


def series(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the levels of rows as columns in points of the future, `ts` in ns UTC; empty without a row."""
    if not rows:
        return {}
    columns: dict[str, NDArray[Any]] = {"ts": np.array([row["ts"] for row in rows], np.int64)}
    for name in LEVELS:
        # None becomes NaN.
        columns[name.removesuffix("_ticks")] = np.array([row[name] for row in rows], np.float64) * TICK_POINTS
    return columns
