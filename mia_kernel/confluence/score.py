"""Score: one number, every contribution kept.

How it moves: the static weights of the set are multiplied by group for market regime, volatility and phase,
renormalised over all of them, and each component that is ok adds weight times value. What is missing adds 0
and its weight is not handed on. Coverage is taken over the static weights: it says what is known, not which
regime reigns. Source: domain §15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.confluence.weights import load_weights
from mia_kernel.core.decisions import GOOD, NO_TRADE, OK, PREMIUM, STRONG, WEAK, FeatureVector, Score
from mia_kernel.core.kernel import kernel
from mia_kernel.state.memory import MarketState

LEVELS, TREND, FLOW, OTHER = range(4)
GROUPS = {
    "gamma_levels": LEVELS,
    "level_proximity": LEVELS,
    "vwap_trend": TREND,
    "es_nq_correlation": TREND,
    "pullback_quality": TREND,
    "sierra_patterns": TREND,
    "mtf_confluence": TREND,
    "volume_confirmation": FLOW,
    "order_book": FLOW,
    "tick_momentum": FLOW,
    "delta_divergence": FLOW,
    "smart_money": FLOW,
}
"""Components of no group here are `OTHER`: options flow, session context, a user's own."""

# By group: trend, range, other.
BY_MARKET = np.array([[0.8, 1.3, 1.0], [1.2, 0.8, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
# By group: low, normal, high, extreme.
BY_VOLATILITY = np.array(
    [[1.1, 1.0, 0.9, 0.8], [1.0, 1.0, 1.0, 0.9], [0.8, 1.0, 1.4, 1.8], [1.0, 1.0, 1.0, 1.0]]
)
# Flow by phase: asia london pre open morning lunch afternoon power post; closed phases 1.
FLOW_BY_PHASE = np.array([0.9, 1.1, 1.0, 1.2, 1.0, 0.8, 1.0, 1.1, 0.7, 1.0, 1.0, 1.0])
CLIP_LOW, CLIP_HIGH = 0.5, 2.0

# percent bounds, grade, size multiplier; lower bounds are inclusive on the unrounded value
SCALES: dict[str, tuple[tuple[float, int, float], ...]] = {
    "standard": ((85.0, PREMIUM, 1.5), (70.0, STRONG, 1.0), (60.0, WEAK, 0.5)),
    "launch": ((85.0, PREMIUM, 1.5), (75.0, STRONG, 1.0), (65.0, GOOD, 0.75), (55.0, WEAK, 0.5)),
}


class ConfluenceParams(BaseModel):
    """How components are weighed and graded (domain §15)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: str | dict[str, float] = Field(
        default="mia14", description="preset mia14, mia11 or bars, a file, or component = weight (name)"
    )
    coverage_floor: float = Field(
        default=0.60, ge=0, le=1, description="coverage under it is NO_TRADE (share)"
    )
    dynamic_weights: bool = Field(default=True, description="multiply groups by regime and phase (yes/no)")
    grade_scale: Literal["standard", "launch"] = Field(
        default="standard", description="scale of grades (name)"
    )


class Scorer:
    """Weighs vectors with one weight set.

    Parameters
    ----------
    params : ConfluenceParams
    names : sequence of str
        Components of the vectors, in order.
    """

    def __init__(self, params: ConfluenceParams, names: Sequence[str]) -> None:
        self.params = params
        self.set = load_weights(params.weights, names)
        self.static_weights: dict[str, float] = dict(self.set.static)
        self._static = np.array([self.set.static.get(name, 0.0) for name in names])
        self._groups = np.array([GROUPS.get(name, OTHER) for name in names], np.int64)
        scale = SCALES[params.grade_scale]
        self._bounds = np.array([row[0] for row in scale])
        self._grades = np.array([row[1] for row in scale], np.int64)
        self._sizes = {grade: size for _, grade, size in scale} | {NO_TRADE: 0.0}
        self._heads = np.zeros(4)

    @property
    def preset_id(self) -> str:
        """Hash of the weights in use."""
        return self.set.preset_id

    @property
    def weights_view(self) -> Mapping[str, float]:
        """Normalised static weights by component."""
        return self.static_weights

    def size_multiplier(self, grade: int) -> float:
        """Return what a grade does to the risk budget; 0 for NO_TRADE."""
        return self._sizes[grade]

    @property
    def compiled(self) -> tuple[Any, ...]:
        """What a kernel needs to `weigh`: static weights, groups, whether dynamic, floor, bounds, grades."""
        return (
            self._static,
            self._groups,
            self.params.dynamic_weights,
            self.params.coverage_floor,
            self._bounds,
            self._grades,
        )

    def score(self, vector: FeatureVector, market: MarketState) -> Score:
        """Weigh one vector in the regime the market is in."""
        n = len(self._static)
        contributions, weights = np.empty(n), np.empty(n)
        grade = weigh(
            market.array, vector.values, vector.quality, vector.status,
            contributions, weights, self._heads, *self.compiled,
        )  # fmt: skip
        total, percent, coverage, quality = self._heads.tolist()
        side = 1 if total > 0 else (-1 if total < 0 else 0)
        return Score(total, percent, coverage, quality, int(grade), side, contributions, weights)


@kernel
def multiplier(group: int, market: int, volatility: int, phase: int) -> float:
    """Return what regime and phase make of a group's weight, clipped to [0.5, 2]; unknown counts as 1.

    `market` is a code of state.regime (0-3 trends, 4 range, else other), −1 unknown.
    """
    column = 0 if 0 <= market <= 3 else (1 if market == 4 else 2)
    product = BY_MARKET[group, column] if market >= 0 else 1.0
    if 0 <= volatility <= 3:
        product *= BY_VOLATILITY[group, volatility]
    if group == FLOW and 0 <= phase < 12:
        product *= FLOW_BY_PHASE[phase]
    return min(max(product, CLIP_LOW), CLIP_HIGH)


@kernel
def weigh(
    st: Any, values: Any, quality: Any, status: Any, contributions: Any, weights: Any, heads: Any,
    static: Any, groups: Any, dynamic: bool, floor: float, bounds: Any, grades: Any,
) -> int:  # fmt: skip
    """Weigh a vector: fill contributions, weights and the four heads of `Score`; return the grade."""
    s = st[0]
    r, phase = s["regime"], s["clock"]["phase"]
    total_weight = 0.0
    for i in range(len(static)):
        factor = multiplier(groups[i], r["market"], r["volatility_base"], phase) if dynamic else 1.0
        weights[i] = static[i] * factor
        total_weight += weights[i]
    total, coverage, weighed_quality = 0.0, 0.0, 0.0
    for i in range(len(static)):
        weights[i] /= total_weight
        contributions[i] = 0.0
        if status[i] == OK and static[i] > 0.0:
            contributions[i] = weights[i] * values[i]
            total += contributions[i]
            coverage += static[i]
            weighed_quality += weights[i] * quality[i]
    percent = 50.0 * (1.0 + abs(total))
    heads[0], heads[1], heads[2] = total, percent, coverage
    heads[3] = weighed_quality / coverage if coverage > 0.0 else np.nan
    # A sum of shares such as 0.6 may miss its own floor by the last bit.
    if coverage < floor - 1e-12:
        return NO_TRADE
    for i in range(len(bounds)):
        if percent >= bounds[i]:
            return grades[i]
    return NO_TRADE
