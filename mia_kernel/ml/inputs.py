"""Say what a model sees of a signal: eight features and, where asked for, groups of measures.

How it moves: at a signal `Inputs.row` reads vector, score and state, turns everything to the signal's side
(so a mirrored market gives the same row) and lays it out as `Schema` says. Missing stays missing: the value's
column holds 0 and its mask column 1. Training and serving take their rows from this one place, so there is no
second definition to drift away. Source: domain §17.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import FeatureVector, Score
from mia_kernel.core.errors import SettingsError
from mia_kernel.features.spec import Given
from mia_kernel.measures.shelf import GROUPS, MEASURES, Shelf
from mia_kernel.measures.spec import Measure
from mia_kernel.state.memory import MarketState

Row = NDArray[np.float32]

EIGHT = (
    "momentum_flow",
    "trend_alignment",
    "volume_profile",
    "support_resistance",
    "confluence_score",
    "market_regime_score",
    "volatility_regime",
    "time_factor",
)
MOST_MISSING = 2
"""More of the eight missing is no opinion."""

VERSION = 1
"""Of the definitions below; a model made under another one is refused by its schema hash."""

RTH = 1
SWAPPED = ("buy", "sell", "bid", "ask")
"""Measures named after one side of the market have no value of their own on the other: left out."""

OF_THE_ACCOUNT = ("execution", "slippage", "fill", "position", "pnl", "win", "drawdown", "trades_today")
"""Words of measures that know what became of earlier trades: an outcome is never a feature."""


def eligible(measure: Measure) -> bool:
    """Return whether a measure can be turned to a signal's side and knows nothing of an outcome."""
    words = measure.name.split("_")
    named = any(word in words for word in SWAPPED) or any(word in measure.name for word in OF_THE_ACCOUNT)
    return measure.mirror in ("odd", "even") and not named


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a row: a value and a mask column for each name, values first."""

    groups: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns in order."""
        return self.names + tuple(f"{name}:missing" for name in self.names)

    @property
    def hash(self) -> str:
        """What a model was made for: names, order and version of the definitions."""
        text = json.dumps({"version": VERSION, "names": self.names}, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def schema_of(groups: Sequence[str] = ()) -> Schema:
    """Return the schema of the eight features and the named groups of measures.

    Raises
    ------
    SettingsError
        If no group has that name.
    """
    for group in groups:
        if group not in GROUPS:
            raise SettingsError(
                "no such group of measures", field="groups", value=group, rule=", ".join(GROUPS)
            )
    names = [m.name for group in groups for m in GROUPS[group] if eligible(m)]
    return Schema(tuple(groups), EIGHT + tuple(names))


class Inputs:
    """Makes rows of one schema from the state of one run.

    Parameters
    ----------
    schema : Schema
    given : Given
        What the run can give.
    """

    def __init__(self, schema: Schema, given: Given) -> None:
        self.schema = schema
        place = {measure.name: i for i, measure in enumerate(MEASURES)}
        chosen = [place[name] for name in schema.names[len(EIGHT) :]]
        self._at = np.array(chosen, np.int64)
        self._odd = np.array([MEASURES[i].mirror == "odd" for i in chosen], np.bool_)
        self._shelf = Shelf(given) if len(self._at) else None

    def row(
        self, market: MarketState, vector: FeatureVector, score: Score, side: int, ts: int
    ) -> NDArray[np.float32]:
        """Return the row of a signal on `side`.

        Returns
        -------
        ndarray of shape (2·len(schema.names),), float32
            Values (0 where missing), then masks (1 where missing).
        """
        n = len(self.schema.names)
        values = np.full(n, np.nan)
        values[: len(EIGHT)] = eight(market.array[0], vector, score, side)
        if self._shelf is not None:
            more = self._shelf.read(market, ts).values[self._at]
            values[len(EIGHT) :] = np.where(self._odd, side * more, more)
        return laid_out(values)


def laid_out(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return values with NaN for missing as a row: values with 0 there, then masks."""
    known = np.isfinite(values)
    out = np.zeros(2 * len(values), np.float32)
    out[: len(values)] = np.where(known, values, 0.0)
    out[len(values) :] = ~known
    return out


def missing_of_eight(row: Row) -> int:
    """Return how many of the eight features are missing in a row."""
    half = len(row) // 2
    return int(row[half : half + len(EIGHT)].sum())


def eight(s: Any, vector: FeatureVector, score: Score, side: int) -> list[float]:
    """Return the eight features turned to `side`, NaN where missing.

    A mean of two components is taken over those that are known; it is missing only where both are.
    """
    value = vector.value
    return [
        side * _mean(value("tick_momentum"), value("volume_confirmation")),
        side * _mean(value("vwap_trend"), value("mtf_confluence")),
        side * _place_in_value(s),
        side * _known(value("level_proximity")),
        side * score.total,
        side * _known(value("market_regime")),
        float(s["regime"]["atr_percentile"]),
        _elapsed(s),
    ]


def _known(value: float | None) -> float:
    return np.nan if value is None else value


def _mean(first: float | None, second: float | None) -> float:
    known = [x for x in (first, second) if x is not None]
    return sum(known) / len(known) if known else np.nan


def _place_in_value(s: Any) -> float:
    """Return clip((C − POC)/((VAH − VAL)/2), ±1) of the RTH profile, NaN before it has a value area."""
    area = s["profile"]["anchor"][RTH]
    half = (int(area["vah"]) - int(area["val"])) / 2
    if not area["has_area"] or not s["clock"]["has_price"] or half <= 0:
        return np.nan
    place = (int(s["clock"]["price"]) - int(area["poc_2"]) / 2) / half
    return min(max(place, -1.0), 1.0)


def _elapsed(s: Any) -> float:
    row, now = s["session"], int(s["clock"]["now"])
    length = int(row["close_ns"]) - int(row["open_ns"])
    if length <= 0:
        return np.nan
    return min(max((now - int(row["open_ns"])) / length, 0.0), 1.0)
