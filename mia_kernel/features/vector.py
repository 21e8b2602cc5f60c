"""The vector: every registered component at one instant, in registry order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import ABSENT, NOT_READY, OK, STATUS_NAMES, FeatureVector
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.kernel import kernel
from mia_kernel.features.roster import ROSTER, measure_roster
from mia_kernel.features.spec import OUT_DTYPE, Feature, Given, Look, PlainComponent, check_range, registry
from mia_kernel.state.memory import MarketState

Measures = Callable[[MarketState, int], Mapping[str, float | None]]


class FeatureSet:
    """The components of one run.

    Parameters
    ----------
    given : Given
        What the run can give; a component that needs more is absent.
    read : callable, optional
        Measures by name of a state at an instant, for components in plain Python.
    """

    def __init__(self, given: Given, read: Measures | None = None) -> None:
        self._read = read or _no_measures
        self.specs: tuple[Feature, ...] = tuple(registry().values())
        self.names: tuple[str, ...] = tuple(spec.name for spec in self.specs)
        self._present = [i for i, spec in enumerate(self.specs) if not spec.is_absent(given)]
        self._plain = {i: self.specs[i].make() for i in self._present if self.specs[i].make is not None}  # type: ignore[misc]
        self._low = np.array([spec.low for spec in self.specs])
        self._high = np.array([spec.high for spec in self.specs])
        self._out: NDArray[Any] = np.zeros(len(self.specs), OUT_DTYPE)
        runs = {self.specs[i].run: i for i in self._present if self.specs[i].run is not None}
        self._rows = np.array([runs.pop(run, -1) for run in ROSTER], np.int64)
        self._calls = list(runs.items())  # compiled ones that are not ours
        self._out["value"] = self._out["quality"] = np.nan
        self._out["status"] = ABSENT

    def to_bytes(self) -> bytes:
        """Return what components in plain Python remember; compiled ones remember nothing of their own.

        Raises
        ------
        InvariantError
            If one has attributes of its own and does not say how to store them.
        """
        kept = {self.names[i]: _memory(self.names[i], component) for i, component in self._plain.items()}
        return json.dumps({name: memory.hex() for name, memory in kept.items()}).encode()

    def restore(self, state: bytes) -> None:
        """Give the components in plain Python back what they remembered.

        Raises
        ------
        InvariantError
            If the state is of other components.
        """
        kept: dict[str, str] = json.loads(state)
        names = [self.names[i] for i in self._plain]
        if sorted(kept) != sorted(names):
            raise InvariantError(f"the stored run had plain components {sorted(kept)}, this one has {names}")
        for i, component in self._plain.items():
            memory = bytes.fromhex(kept[self.names[i]])
            if memory:
                cast("Any", component).restore(memory)

    def measure(self, market: MarketState, ts: int) -> None:
        """Let every component write its cell for the state at `ts` (after `market.advance(ts)`)."""
        state, out = market.array, self._out
        measure_roster(state, out, self._rows)
        for run, i in self._calls:
            run(state, out, i)  # type: ignore[misc]
        if self._plain:
            look = Look(_read_only(state), ts, lambda: self._read(market, ts))
            for i, component in self._plain.items():
                self._ask(out[i], component, look)

    @property
    def compiled(self) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
        """What a kernel needs to `collect`: the cells, and the lowest and highest value of each."""
        return self._out, self._low, self._high

    def snapshot(self, market: MarketState, ts: int) -> FeatureVector:
        """Measure every component on the state at `ts`, and return the vector.

        Raises
        ------
        InvariantError
            If a component answers outside its range.
        """
        self.measure(market, ts)
        n = len(self.specs)
        values, quality, status = np.empty(n), np.empty(n), np.empty(n, np.int8)
        self.refuse(collect(*self.compiled, values, quality, status))
        return FeatureVector(self.names, values, quality, status, ts)

    def refuse(self, wrong: int) -> None:
        """Raise InvariantError for the component at `wrong`, which `collect` found; do nothing for −1."""
        if wrong < 0:
            return
        value, status = self._out[wrong]["value"], int(self._out[wrong]["status"])
        check_range(self.specs[wrong], float(value))
        raise InvariantError(
            f"component {self.names[wrong]!r} has value {value} with status {STATUS_NAMES[status]}; "
            "a value is finite exactly when its status is ok"
        )

    def _ask(self, cell: Any, component: PlainComponent, look: Look) -> None:
        value = component.update_one(look)
        if value is None:
            cell["value"], cell["quality"], cell["status"] = np.nan, np.nan, NOT_READY
        else:
            cell["value"], cell["quality"], cell["status"] = float(value), 1.0, OK


def _no_measures(_market: MarketState, _ts: int) -> Mapping[str, float | None]:
    return {}


def _memory(name: str, component: PlainComponent) -> bytes:
    store = getattr(component, "to_bytes", None)
    if store is not None:
        return store()
    if getattr(component, "__dict__", None):
        remembered = ", ".join(vars(component))
        raise InvariantError(
            f"no snapshot: component {name!r} remembers {remembered}; way out: give it to_bytes() and restore(bytes)"
        )
    return b""


def _read_only(state: NDArray[Any]) -> Any:
    locked = state.view()
    locked.flags.writeable = False
    return locked[0]


@kernel
def collect(cells: Any, low: Any, high: Any, values: Any, quality: Any, status: Any) -> int:
    """Copy the answers out; return the first that breaks a rule, −1 without one.

    A value is finite exactly when its status is OK, and lies inside its component's range.
    """
    wrong = -1
    for i in range(len(cells)):
        value = cells[i]["value"]
        values[i], quality[i], status[i] = value, cells[i]["quality"], cells[i]["status"]
        inside = low[i] - 1e-9 <= value <= high[i] + 1e-9
        sound = inside if status[i] == OK else not np.isfinite(value)
        if not sound and wrong < 0:
            wrong = i
    return wrong
