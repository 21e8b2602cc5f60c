"""What a component is, and the registry that knows them all.

A component answers one question about the market state with value, quality and status. Compiled ones are
kernels `f(st, cells, at)`: the state as a one-element array, and the row of `cells` they write (arrays, since
handing numba a lone record copies all of it). A user's own may be a class with `update_one(state)` that
returns a number or None. Either way `@feature(...)` above it is all that registering takes. A component of
the confluence score is a component that a weight set names; there is no second registry.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np

from mia_kernel.core.decisions import NOT_READY, OK
from mia_kernel.core.errors import InvariantError, SettingsError
from mia_kernel.core.events import Carries
from mia_kernel.core.kernel import Record, kernel

Need = Literal["book", "flow", "trades", "second", "vix", "options", "calendar"]
NEEDS = ("book", "flow", "trades", "second", "vix", "options", "calendar")

OUT_DTYPE = np.dtype([("value", np.float64), ("quality", np.float64), ("status", np.int8)], align=True)

PACKAGE = "mia_kernel.features"
_INFRASTRUCTURE = ("roster", "spec", "stats", "vector")


@dataclass(frozen=True, slots=True)
class Given:
    """What a run can give: what its source carries, and what runs beside it."""

    carries: Carries
    second: bool = False
    vix: bool = False
    options: bool = False
    calendar: bool = False

    def has(self, need: Need) -> bool:
        """Return whether it gives `need`."""
        carries = self.carries
        return {
            "book": carries.book or carries.quotes,
            "flow": carries.aggressor in ("feed", "tick_rule"),
            "trades": carries.trades,
            "second": self.second,
            "vix": self.vix,
            "options": self.options,
            "calendar": self.calendar,
        }[need]


class Look:
    """The market at one decision point, as a component in plain Python reads it; nothing here can be written.

    `state.measure("net_delta")` is any measure of `docs/features.md` or None while it is not known,
    `state["profile"]` the named part of the market record, `state.ts` the instant in ns UTC.
    """

    __slots__ = ("_measures", "_read", "_record", "ts")

    def __init__(self, record: Any, ts: int, read: Callable[[], Mapping[str, float | None]]) -> None:
        self._record, self.ts, self._read = record, ts, read
        self._measures: Mapping[str, float | None] | None = None

    def __getitem__(self, part: str) -> Any:
        """Return a part of the market record; prices are integer ticks."""
        return self._record[part]

    def measure(self, name: str) -> float | None:
        """Return a measure by name, None while it is not known.

        Raises
        ------
        SettingsError
            If there is no measure of that name.
        """
        if self._measures is None:
            self._measures = self._read()
        if name not in self._measures:
            near = difflib.get_close_matches(name, self._measures, 3) or ["see docs/features.md"]
            raise SettingsError(f"no measure is called {name!r}", way_out=", ".join(near))
        return self._measures[name]


class PlainComponent(Protocol):
    """A component in plain Python: one answer per decision point.

    One that remembers something also says how: `to_bytes()` and `restore(bytes)`, so that a stored run goes on.
    """

    def update_one(self, state: Look) -> float | None:
        """Return the value, None while it is not ready."""
        ...


@dataclass(frozen=True, slots=True)
class Feature:
    """One registered component.

    `signed` values change their sign in a mirrored market, the others keep it. `run` is the compiled
    kernel, or None where `make` builds a plain Python component.
    """

    name: str
    low: float
    high: float
    needs: tuple[Need, ...]
    signed: bool
    run: Callable[[Any, Any, int], None] | None
    make: Callable[[], PlainComponent] | None
    doc: str
    where: str

    def is_absent(self, given: Given) -> bool:
        """Return whether the run cannot give what this component needs."""
        return not all(given.has(need) for need in self.needs)


_registry: dict[str, Feature] = {}
_scanned = False
T = TypeVar("T", bound=Callable[..., Any])


def feature(
    name: str, *, range: tuple[float, float] = (-1.0, 1.0), needs: tuple[Need, ...] = (), signed: bool = True
) -> Callable[[T], T]:
    """Register the component below.

    Parameters
    ----------
    name : str
        Component id: file name, weight set key and JSON key.
    range : (float, float)
        Values never leave it; a value outside raises at the decision.
    needs : tuple of str
        Inputs the source must carry, else the component is absent: book, flow (volume by aggressor), trades,
        second, vix, options, calendar.
    signed : bool
        Whether a mirrored market gives the negated value.

    Raises
    ------
    SettingsError
        A second component of that name, an unknown need, or no docstring; both places are named. A notebook
        cell that is run anew replaces what it defined before.
    """

    def register(component: T) -> T:
        where = _place(component)
        known = _registry.get(name)
        if known is not None and known.where != where and not _in_cells(known.where, where):
            raise SettingsError(
                f"component {name!r} exists twice: {known.where} and {where}", way_out="rename one"
            )
        doc = inspect.getdoc(component)
        if not doc:
            raise SettingsError(
                f"component {name!r} has no docstring", path=where, way_out="say what it measures"
            )
        unknown = [need for need in needs if need not in NEEDS]
        if unknown:
            rule = f"one of {', '.join(NEEDS)}"
            raise SettingsError(f"component {name!r} needs {unknown[0]!r}", path=where, rule=rule)
        is_class = inspect.isclass(component)
        _registry[name] = Feature(
            name, range[0], range[1], needs, signed,
            None if is_class else component, cast("Any", component) if is_class else None, doc, where,
        )  # fmt: skip
        return component

    return register


def registry() -> dict[str, Feature]:
    """Return every component by name, sorted; the folder is scanned once."""
    global _scanned
    if not _scanned:
        for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__):
            if module.name not in _INFRASTRUCTURE:
                importlib.import_module(f"{PACKAGE}.{module.name}")
        _scanned = True
    return dict(sorted(_registry.items()))


def forget(name: str) -> None:
    """Take a component out again (a cell that defined it is run anew, a test ends)."""
    _registry.pop(name, None)


def _in_cells(*places: str) -> bool:
    return all(place.startswith("__main__.") for place in places)


def _place(component: Any) -> str:
    source = getattr(component, "py_func", component)
    return f"{source.__module__}.{source.__qualname__}"


@kernel
def put(out: Record, value: float, quality: float) -> None:
    """Answer with a value; NaN means not ready."""
    if value == value:
        out["value"], out["quality"], out["status"] = value, quality, OK
    else:
        out["value"], out["quality"], out["status"] = np.nan, np.nan, NOT_READY


@kernel
def refuse(out: Record, status: int) -> None:
    """Answer without a value."""
    out["value"], out["quality"], out["status"] = np.nan, np.nan, status


def check_range(spec: Feature, value: float) -> None:
    """Hold a component to its declared range.

    Raises
    ------
    InvariantError
        If the value lies outside; a component that leaves its range would distort every score.
    """
    if not spec.low - 1e-9 <= value <= spec.high + 1e-9:
        raise InvariantError(f"component {spec.name!r} answered {value}, outside [{spec.low}, {spec.high}]")
