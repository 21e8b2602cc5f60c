"""The compiled components in one call.

Twenty calls from Python were measured at 18 µs a decision warm and 43 µs between other work, one call at
a quarter of it: most of that was the way into a kernel. A test holds this list to the registry; a
component that is not in it (a user's own) is called by itself.
"""

from __future__ import annotations

from typing import Any

from mia_kernel.core.kernel import kernel
from mia_kernel.features.data_quality import data_quality
from mia_kernel.features.delta_divergence import delta_divergence
from mia_kernel.features.es_nq_correlation import es_nq_correlation
from mia_kernel.features.gamma_levels import gamma_levels
from mia_kernel.features.level_proximity import level_proximity
from mia_kernel.features.market_regime import market_regime
from mia_kernel.features.mtf_confluence import mtf_confluence
from mia_kernel.features.options_flow import options_flow
from mia_kernel.features.order_book import order_book
from mia_kernel.features.order_flow_imbalance import order_flow_imbalance
from mia_kernel.features.pullback_quality import pullback_quality
from mia_kernel.features.session_context import session_context
from mia_kernel.features.sierra_patterns import sierra_patterns
from mia_kernel.features.smart_money import smart_money
from mia_kernel.features.tick_momentum import tick_momentum
from mia_kernel.features.volatility_regime import volatility_regime
from mia_kernel.features.volume_confirmation import volume_confirmation
from mia_kernel.features.vwap_trend import vwap_trend

ROSTER = (
    data_quality, delta_divergence, es_nq_correlation, gamma_levels, level_proximity, market_regime,
    mtf_confluence, options_flow, order_book, order_flow_imbalance, pullback_quality, session_context,
    sierra_patterns, smart_money, tick_momentum, volatility_regime, volume_confirmation, vwap_trend,
)  # fmt: skip
"""In the order of `measure_roster`'s `row`."""


@kernel
def measure_roster(st: Any, cells: Any, row: Any) -> None:
    """Let every component write its row of `cells`; one whose `row` is negative is absent and not asked."""
    if row[0] >= 0:
        data_quality(st, cells, row[0])
    if row[1] >= 0:
        delta_divergence(st, cells, row[1])
    if row[2] >= 0:
        es_nq_correlation(st, cells, row[2])
    if row[3] >= 0:
        gamma_levels(st, cells, row[3])
    if row[4] >= 0:
        level_proximity(st, cells, row[4])
    if row[5] >= 0:
        market_regime(st, cells, row[5])
    if row[6] >= 0:
        mtf_confluence(st, cells, row[6])
    if row[7] >= 0:
        options_flow(st, cells, row[7])
    if row[8] >= 0:
        order_book(st, cells, row[8])
    if row[9] >= 0:
        order_flow_imbalance(st, cells, row[9])
    if row[10] >= 0:
        pullback_quality(st, cells, row[10])
    if row[11] >= 0:
        session_context(st, cells, row[11])
    if row[12] >= 0:
        sierra_patterns(st, cells, row[12])
    if row[13] >= 0:
        smart_money(st, cells, row[13])
    if row[14] >= 0:
        tick_momentum(st, cells, row[14])
    if row[15] >= 0:
        volatility_regime(st, cells, row[15])
    if row[16] >= 0:
        volume_confirmation(st, cells, row[16])
    if row[17] >= 0:
        vwap_trend(st, cells, row[17])
