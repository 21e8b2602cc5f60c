"""Sizing: how many contracts, and which limit says so. The smallest limit wins and is named.

    budget = equity · min(share · m, 1 %),  contracts = min over limits of floor(limit / risk per contract)

`share` is a quarter of Kelly's share at the one-sided Wilson lower bound of the win rate, or a fixed 0.5 %
while too few round trips are known. All multipliers act before the caps, rounding is downward only, and 0
is a valid answer. Source: domain reference, Sizing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mia_kernel.core.decisions import Signal
from mia_kernel.risk.params import RiskParams
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import ES_EQUIVALENT, SYMBOLS, TICK_CENTS


@dataclass(frozen=True, slots=True)
class Record:
    """Own net round trips of the strategy: `n` with scratches, sums in cents, losses as positive money."""

    n: int
    wins: int
    losses: int
    win_cents: int
    loss_cents: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What one signal wants and what the account has."""

    equity_usd: float
    stop_ticks: int  # distance, > 0
    is_rth: bool
    day_net_usd: float
    open_risk_usd: float
    es_position: float  # signed, ES contracts
    max_position: float  # ES contracts, regime and VIX counted in
    max_position_name: str
    multiplier: float  # m, clipped
    record: Record


@dataclass(frozen=True, slots=True)
class Sizing:
    """The answer: contracts of a symbol, the limit that bound, every limit in contracts of that symbol."""

    symbol: str
    qty: int
    binding: str
    limits: Mapping[str, float]
    risk_per_contract_usd: float
    share: float
    share_name: str


def wilson_lower(wins: int, n: int, z: float = 1.645) -> float:
    """Return the one-sided lower bound of a win rate.

    Examples
    --------
    >>> round(wilson_lower(112, 200), 4)
    0.5018
    """
    p = wins / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n)


def kelly(p: float, payoff: float) -> float:
    """Return Kelly's share f = p − (1 − p)/b; negative where there is no edge.

    Examples
    --------
    >>> round(kelly(0.5018, 1.2), 4)
    0.0866
    """
    return p - (1 - p) / payoff


def break_even(signal: Signal, is_rth: bool, costs: CostParams) -> float:
    """Return the chance of winning that pays for the round turn: (1 + c)/(1 + b), at most 1.

    b is target over stop, c fees and slippage of the stop over the stop, all in ticks of ES. 1 where stop or
    target lie on the wrong side: nothing could pay for that.
    """
    stop = signal.side * (signal.entry_ticks - signal.stop_ticks)
    target = signal.side * (signal.target_ticks - signal.entry_ticks)
    if stop <= 0 or target <= 0:
        return 1.0
    slippage = costs.slippage_rth_ticks if is_rth else costs.slippage_eth_ticks
    cost = 2 * costs.fee_cents("ES") / TICK_CENTS[0] + slippage
    return min((1 + cost / stop) / (1 + target / stop), 1.0)


def risk_share(record: Record, params: RiskParams) -> tuple[float, str]:
    """Return the share of equity one trade may risk before multipliers, and how it was found."""
    fixed = params.fixed_risk_percent / 100
    if record.n < params.min_trips_for_kelly:
        return fixed, "fixed"
    if record.wins == 0:
        return 0.0, "kelly"
    if record.losses == 0:
        # No loss yet: the payoff ratio is unknown, and unknown is not infinite.
        return fixed, "fixed"
    payoff = (record.win_cents / record.wins) / (record.loss_cents / record.losses)
    lower = wilson_lower(record.wins, record.n, params.wilson_z)
    return params.kelly_fraction * max(kelly(lower, payoff), 0.0), "kelly"


def risk_per_contract_usd(symbol: str, stop_ticks: int, is_rth: bool, costs: CostParams) -> float:
    """Return what one contract loses at its stop: distance, fees of both sides, expected stop slippage."""
    tick = TICK_CENTS[SYMBOLS.index(symbol)]
    slippage = costs.slippage_rth_ticks if is_rth else costs.slippage_eth_ticks
    return ((stop_ticks + slippage) * tick + 2 * costs.fee_cents(symbol)) / 100


def budgets_usd(ask: Ask, share: float, params: RiskParams) -> dict[str, float]:
    """Return every limit of money in USD, by name."""
    left = params.daily_loss_usd + min(ask.day_net_usd, 0.0)
    return {
        "risk_budget": ask.equity_usd * share * ask.multiplier,
        "risk_per_trade": min(ask.equity_usd * params.max_risk_percent / 100, params.max_risk_usd),
        "open_risk": params.open_risk_share * params.daily_loss_usd - ask.open_risk_usd,
        "share_of_remaining_daily_loss": params.share_of_remaining_daily_loss * left,
    }


def size(ask: Ask, params: RiskParams, costs: CostParams) -> Sizing:
    """Return how many contracts of ES, or of MES where ES gives none and the fallback is on.

    The limits of the answer are those of the symbol traded; where both give 0 those of ES are shown.
    """
    answer = _size(SYMBOLS[0], ask, params, costs)
    if answer.qty == 0 and params.mes_fallback:
        smaller = _size(SYMBOLS[1], ask, params, costs)
        if smaller.qty > 0:
            return smaller
    return answer


def _size(symbol: str, ask: Ask, params: RiskParams, costs: CostParams) -> Sizing:
    share, share_name = risk_share(ask.record, params)
    risk = risk_per_contract_usd(symbol, ask.stop_ticks, ask.is_rth, costs)
    limits = {name: floor_ratio(usd, risk) for name, usd in budgets_usd(ask, share, params).items()}
    weight = ES_EQUIVALENT[SYMBOLS.index(symbol)]
    limits[ask.max_position_name] = floor_ratio(ask.max_position - abs(ask.es_position), weight)
    binding = min(limits, key=lambda name: limits[name])
    return Sizing(
        symbol=symbol,
        qty=int(limits[binding]),
        binding=binding,
        limits=limits,
        risk_per_contract_usd=risk,
        share=share,
        share_name=share_name,
    )


def floor_ratio(limit: float, per_contract: float) -> float:
    """Return floor(limit / per_contract), never negative.

    Parts in a million of slack keep 0.3·400/40 from becoming 2 by a rounding of the last bit.
    """
    return float(max(0, math.floor(limit / per_contract * (1 + 1e-9) + 1e-9)))
