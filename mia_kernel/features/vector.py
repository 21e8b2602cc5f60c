"""The vector: every registered component at one instant, in registry order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import ABSENT, NOT_READY, OK, FeatureVector
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import OUT_DTYPE, Feature, Given, check_range, registry
from mia_kernel.state.memory import MarketState


class FeatureSet:
    """The components of one run.

    Parameters
    ----------
    given : Given
        What the run can give; a component that needs more is absent.
    """

    def __init__(self, given: Given) -> None:
        self.specs: tuple[Feature, ...] = tuple(registry().values())
        self.names: tuple[str, ...] = tuple(spec.name for spec in self.specs)
        self._present = [i for i, spec in enumerate(self.specs) if not spec.is_absent(given)]
        self._plain = {i: self.specs[i].make() for i in self._present if self.specs[i].make is not None}  # type: ignore[misc]
        self._low = np.array([spec.low for spec in self.specs])
        self._high = np.array([spec.high for spec in self.specs])
        self._out: NDArray[Any] = np.zeros(len(self.specs), OUT_DTYPE)
        self._calls = [(self.specs[i].run, i) for i in self._present if self.specs[i].run is not None]
        self._out["value"] = self._out["quality"] = np.nan
        self._out["status"] = ABSENT

    @property
    def plain(self) -> tuple[str, ...]:
        """Names of the components in plain Python: what they remember is not in the market state."""
        return tuple(self.names[i] for i in self._plain)

    def snapshot(self, market: MarketState, ts: int) -> FeatureVector:
        """Measure every component on the state at `ts` (after `market.advance(ts)`).

        Raises
        ------
        InvariantError
            If a component answers outside its range.
        """
        state, out = market.array, self._out
        for run, i in self._calls:
            run(state, out, i)  # type: ignore[misc]
        for i, component in self._plain.items():
            self._ask(out[i], component, state[0])
        n = len(self.specs)
        values, quality, status = np.empty(n), np.empty(n), np.empty(n, np.int8)
        wrong = _collect(out, self._low, self._high, values, quality, status)
        if wrong >= 0:
            check_range(self.specs[wrong], float(values[wrong]))
            raise InvariantError(f"component {self.names[wrong]!r} is ok without a number")
        return FeatureVector(self.names, values, quality, status, ts)

    def _ask(self, cell: Any, component: Any, record: Any) -> None:
        value = component.update_one(record)
        if value is None:
            cell["value"], cell["quality"], cell["status"] = np.nan, np.nan, NOT_READY
        else:
            cell["value"], cell["quality"], cell["status"] = float(value), 1.0, OK


@kernel
def _collect(out: Any, low: Any, high: Any, values: Any, quality: Any, status: Any) -> int:
    """Copy the answers out; return the first that is ok and outside its range, −1 without one."""
    wrong = -1
    for i in range(len(out)):
        value = out[i]["value"]
        values[i], quality[i], status[i] = value, out[i]["quality"], out[i]["status"]
        inside = low[i] - 1e-9 <= value <= high[i] + 1e-9
        if status[i] == OK and not inside and wrong < 0:
            wrong = i
    return wrong
