"""What was known, wished, permitted and done at one decision point.

How it moves: features fill a `FeatureVector`, confluence turns it into a `Score`, a strategy may wish a
`Signal`, the gate answers with `Gate` rows and a `Verdict`, execution makes intents, and `Decision` joins
all of it into the journal line. Arrays stay arrays: names and weights stand once in the run's header, and
sentences are made when somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.layout import CODES, HEADS, Layout, layout

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ByteArray = NDArray[np.int8]

# Status of a component (domain: component value).
OK, NOT_READY, STALE, ABSENT = range(4)
STATUS_NAMES = ("ok", "not_ready", "stale", "absent")

# Grades, worst first. GOOD exists on the `launch` scale only.
NO_TRADE, WEAK, GOOD, STRONG, PREMIUM = range(5)
GRADE_NAMES = ("NO_TRADE", "WEAK", "GOOD", "STRONG", "PREMIUM")

# What a decision row carries beside the vector; prices in ticks, money in USD, codes as numbers.
CONTEXT_NAMES = (
    "vwap_ticks",
    "vwap_sd_ticks",
    "poc_ticks",
    "vah_ticks",
    "val_ticks",
    "session_high_ticks",
    "session_low_ticks",
    "atr_5m_ticks",
    "vix",
    "volatility_regime",
    "market_regime",
    "phase",
    "spread_ticks",
    "data_quality",
    "battle_score",
    "ball_trend",
    "position",
    "day_net_usd",
    "open_usd",
    "equity_usd",
    "cumulative_delta",
    "obi_signal",
)

# How a gate weighs and how it ended.
BLOCKING, WARNING, INFO = range(3)
LEVEL_NAMES = ("blocking", "warning", "info")
PASSED, FAILED, NOT_APPLICABLE, UNKNOWN = range(4)
OUTCOME_NAMES = ("passed", "failed", "not_applicable", "unknown")

CODE_PARTS = frozenset(("status", "gate_outcome"))


@dataclass(frozen=True, slots=True)
class FeatureVector:
    """Every registered component at one instant, in registry order.

    `values` and `quality` are NaN where they are unknown; `status` says why. A value is a number exactly
    where its status is OK.
    """

    names: tuple[str, ...]
    values: FloatArray
    quality: FloatArray
    status: ByteArray
    ts_event: int

    def __post_init__(self) -> None:
        finite, known = np.isfinite(self.values), self.status == OK
        if (
            finite.tobytes() != known.tobytes()
        ):  # one vector per decision: a comparison of bytes is the fastest
            wrong = int(np.flatnonzero(finite != known)[0])
            raise InvariantError(
                f"component {self.names[wrong]!r} has value {self.values[wrong]} "
                f"with status {STATUS_NAMES[int(self.status[wrong])]}; a value is finite exactly when its status is ok"
            )

    def value(self, name: str) -> float | None:
        """Return the value of a component, None where it is not ok."""
        at = self.names.index(name)
        return float(self.values[at]) if self.status[at] == OK else None


@dataclass(frozen=True, slots=True)
class Score:
    """The weighed vector. `total` is the sum of `contributions` (vector order, 0 where not ok).

    `weights` are those in force (after dynamic multipliers), `coverage` the share of the *static* weights
    whose components are ok, `percent` is 50·(1 + |total|), `side` the sign of `total`.
    """

    total: float
    percent: float
    coverage: float
    quality: float
    grade: int
    side: int
    contributions: FloatArray
    weights: FloatArray


@dataclass(frozen=True, slots=True)
class Signal:
    """A wish: prices in ticks, `side` +1 long or -1 short, `confidence` in [0, 1] or None."""

    ts_event: int
    side: int
    strategy: str
    strength: float
    confidence: float | None
    entry_ticks: int
    stop_ticks: int
    target_ticks: int
    grade: int
    reason: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a model said about a signal. `probability` is P(win), `ml_score` what the gate compares.

    Without an opinion the three numbers are None and `reason` says why (`no_model`, `expired`, `schema`,
    `missing_features`, `inside_training_data` ...). Not part of the digest beyond what the gate made of it.
    """

    model_id: str
    probability: float | None
    ml_score: float | None
    agreement: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """One question asked before an order: what was required, what was found."""

    code: str
    level: int
    outcome: int
    required: float | None
    actual: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A permission: `qty` contracts of `symbol` (0 = denied), the binding limit and all others by name.

    `limits` holds the contracts each limit allows, `risk_cents` the planned risk of `qty` contracts: what the
    stop costs with fees and expected slippage. R is measured in it.
    """

    allowed: bool
    code: str
    symbol: str
    qty: int
    binding: str
    limits: Mapping[str, float]
    size_multiplier: float
    message: str
    risk_cents: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The journal line of one decision point, trade or no trade.

    `numbers` and `codes` hold all that was measured and asked, as `layout` says; `vector`, `score` and the
    others are cut out of them when somebody looks. The gates lie in the order of the run header's gate codes
    (NaN = unknown). `context` holds the surroundings a reader wants beside the decision (VWAP, value area,
    ATR, regimes, position, P&L ...) in the order of CONTEXT_NAMES, NaN = unknown; it is not part of the
    digest.
    """

    sequence: int
    event_sequence: int
    ts_event: int
    price_ticks: int
    layout: Layout
    numbers: FloatArray
    codes: ByteArray
    signal: Signal | None = None
    verdict: Verdict | None = None
    intents: tuple[Any, ...] = ()
    fills: tuple[Any, ...] = ()
    opinion: Opinion | None = None

    @property
    def vector(self) -> FeatureVector:
        """The components, checked: a value is finite exactly when its status is ok."""
        return FeatureVector(
            self.layout.names, self.part("values"), self.part("quality"), self.part("status"), self.ts_event
        )

    @property
    def score(self) -> Score:
        """The weighed vector."""
        total, percent, coverage, quality = self.numbers[:HEADS].tolist()
        grade, side = self.codes[:CODES].tolist()
        return Score(
            total, percent, coverage, quality, grade, side, self.part("contributions"), self.part("weights")
        )

    @property
    def gate_outcome(self) -> ByteArray:
        """How each gate ended."""
        return self.part("gate_outcome")

    @property
    def gate_required(self) -> FloatArray:
        """What each gate asked for."""
        return self.part("gate_required")

    @property
    def gate_actual(self) -> FloatArray:
        """What each gate found."""
        return self.part("gate_actual")

    @property
    def context(self) -> FloatArray | None:
        """The surroundings, None for a row that was stored without."""
        return self.part("context") if self.layout.context else None

    @property
    def grade_name(self) -> str:
        return GRADE_NAMES[int(self.codes[0])]

    def part(self, name: str) -> Any:
        """Return a part by its name in the layout, as a view."""
        array: Any = self.codes if name in CODE_PARTS else self.numbers
        return array[self.layout.parts[name]]


def decision_of(
    *,
    vector: FeatureVector,
    score: Score,
    gate_outcome: ByteArray,
    gate_required: FloatArray,
    gate_actual: FloatArray,
    context: FloatArray | None = None,
    **rest: Any,
) -> Decision:
    """Return a decision from its parts; `rest` are the other fields of `Decision`."""
    heads = (score.total, score.percent, score.coverage, score.quality)
    surroundings = np.empty(0) if context is None else context
    numbers = np.concatenate(
        (heads, vector.values, vector.quality, score.contributions, score.weights, gate_required, gate_actual,
         surroundings)
    )  # fmt: skip
    codes = np.concatenate((np.array((score.grade, score.side), np.int8), vector.status, gate_outcome))
    shape = layout(tuple(vector.names), len(gate_outcome), len(surroundings))
    return Decision(layout=shape, numbers=numbers, codes=codes, ts_event=vector.ts_event, **rest)
