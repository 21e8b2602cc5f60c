"""What may be risked: every limit of the catastrophe monitor and every requirement of the validator.

Source: domain reference, Time (phases), Regimes, Signal validator, Risk.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.risk.gamma_factors import GammaFactors


class GateParams(BaseModel):
    """What the ordered validator requires of an entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_data_quality: float = Field(default=0.80, ge=0.0, le=1.0, description="Least data quality, share")
    min_coverage: float = Field(default=0.60, ge=0.0, le=1.0, description="Least coverage of weights, share")
    min_grade: Literal["WEAK", "GOOD", "STRONG", "PREMIUM"] = Field(
        default="WEAK", description="Least confluence grade, name"
    )
    phase_threshold_mode: Literal["advise", "enforce"] = Field(
        default="advise", description="Whether the phase's minimum percent only advises, mode"
    )
    ball_gate: Literal["veto", "require", "off"] = Field(
        default="veto", description="What an established ball trend does to a signal, mode"
    )
    require_battle_navale: bool = Field(
        default=True, description="Whether an entry needs the Battle Navale score on its side, yes or no"
    )
    max_spread_ticks: float = Field(default=2.0, gt=0.0, description="Widest spread for an entry, ticks")
    min_rvol: float = Field(default=1.2, ge=0.0, description="Relative volume below which to warn, ratio")
    min_confidence: float = Field(
        default=0.60, ge=0.0, le=1.0, description="Signal confidence below which to warn, share"
    )
    min_signal_gap_s: float = Field(
        default=300.0, ge=0.0, description="Time since the last signal to note, s"
    )
    ml_mode: Literal["advise", "require", "off"] = Field(
        default="advise", description="What the ML opinion may do, mode"
    )
    ml_threshold: float = Field(default=0.70, ge=0.0, le=1.0, description="Least ML score to approve, share")
    ml_threshold_rule: Literal["fixed", "cost_aware"] = Field(
        default="fixed",
        description="Whether the ML score must reach `ml_threshold` or what pays for the signal's costs, mode",
    )
    min_reward_risk: float = Field(
        default=1.5, ge=0.0, description="Least planned reward to risk before costs, ratio"
    )
    min_reward_risk_after_fees: float = Field(
        default=1.2, ge=0.0, description="Least planned reward to risk after fees without slippage, ratio"
    )
    max_entry_distance_ticks: float = Field(
        default=20.0, gt=0.0, description="Largest distance of the entry from the mid, ticks"
    )
    entry_hours: Literal["continuous", "rth_only"] = Field(
        default="continuous", description="Whether entries keep to 09:35-15:45 New York, mode"
    )


class RiskParams(BaseModel):
    """Money at risk: sizing, limits, and what regimes and phases make of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gates: GateParams = Field(default=GateParams(), description="Requirements of the validator")
    gamma: GammaFactors = Field(default=GammaFactors(), description="Factors by phase of the gamma cycle")
    equity_usd: float = Field(default=50_000.0, gt=0.0, description="Simulated equity at the start, USD")

    kelly_fraction: float = Field(
        default=0.25, ge=0.0, le=1.0, description="Part of Kelly's share used, share"
    )
    fixed_risk_percent: float = Field(
        default=0.5, ge=0.0, le=5.0, description="Risk per trade until enough trips are known, % of equity"
    )
    min_trips_for_kelly: int = Field(default=50, ge=1, description="Round trips needed for Kelly, count")
    wilson_z: float = Field(default=1.645, gt=0.0, description="One-sided 95 % bound of the win rate, sd")
    max_risk_percent: float = Field(default=1.0, gt=0.0, le=5.0, description="Risk per trade, % of equity")
    max_risk_usd: float = Field(default=500.0, gt=0.0, description="Risk per trade, USD")
    max_size_multiplier: float = Field(
        default=2.0, gt=0.0, description="Cap of the product of multipliers, ratio"
    )
    mes_fallback: bool = Field(default=True, description="Trade MES where one ES is too much, yes or no")

    daily_loss_usd: float = Field(default=500.0, gt=0.0, description="Loss of the trading day, USD")
    hard_daily_loss_usd: float = Field(default=1000.0, gt=0.0, description="Loss that kills the day, USD")
    weekly_loss_usd: float = Field(default=1500.0, gt=0.0, description="Loss of the trading week, USD")
    max_drawdown_percent: float = Field(default=5.0, gt=0.0, description="Fall from the equity peak, %")
    min_balance_usd: float = Field(default=1000.0, ge=0.0, description="Least equity, USD")
    share_of_remaining_daily_loss: float = Field(
        default=0.30, gt=0.0, le=1.0, description="Trade risk of what is left of the daily loss, share"
    )
    open_risk_share: float = Field(
        default=0.50, gt=0.0, le=1.0, description="Open risk of the daily loss limit, share"
    )
    max_position: float = Field(default=2.0, gt=0.0, description="Largest position, ES contracts")
    max_concurrent: int = Field(default=3, ge=1, le=4, description="Round trips open at once, count")
    max_trades_per_hour: int = Field(
        default=10, ge=1, le=32, description="Round trips opened per hour, count"
    )
    max_trades_per_day: int = Field(default=20, ge=1, description="Round trips opened per trading day, count")
    max_consecutive_losses: int = Field(default=5, ge=1, description="Losses in a row before a pause, count")
    loss_pause_minutes: float = Field(
        default=60.0, ge=0.0, description="Pause after losses in a row, minutes"
    )
    max_spread_ticks: float = Field(
        default=3.0, gt=0.0, description="Spread beyond which nothing enters, ticks"
    )
    max_slippage_ticks: float = Field(default=4.0, gt=0.0, description="Worst single fill, ticks")
    max_mean_slippage_ticks: float = Field(default=2.0, gt=0.0, description="Mean of the last 5 fills, ticks")
    slippage_pause_minutes: float = Field(default=30.0, ge=0.0, description="Pause after bad fills, minutes")
    max_rvol: float = Field(default=10.0, gt=0.0, description="1m volume against normal, ratio")
    volume_pause_minutes: float = Field(
        default=5.0, ge=0.0, description="No entry for so long after abnormal volume, minutes"
    )
    news_minutes: float = Field(default=15.0, ge=0.0, description="No entry around high-impact news, minutes")
    close_buffer_minutes: float = Field(
        default=15.0, ge=0.0, description="No entry before RTH end and before the daily break, minutes"
    )
    flat_before_break_minutes: float = Field(
        default=5.0, ge=0.0, description="Flat so long before the daily break, minutes"
    )
    flat_before_weekend_minutes: float = Field(
        default=15.0, ge=0.0, description="Flat so long before a weekend or holiday, minutes"
    )
    flat_lead_minutes: float = Field(
        default=0.5, ge=0.0, description="Start flattening so long before it must be done, minutes"
    )
    hold_overnight: bool = Field(default=False, description="Keep positions over the daily break, yes or no")
    max_vix: float = Field(
        default=30.0, gt=0.0, description="VIX above which nothing enters while it explodes"
    )
    extreme_vix: float = Field(default=35.0, gt=0.0, description="VIX above which one contract is the most")
    stale_book_rth_ms: float = Field(default=3000.0, gt=0.0, description="Oldest book in RTH, ms")
    stale_book_eth_ms: float = Field(default=15000.0, gt=0.0, description="Oldest book outside RTH, ms")
    duplicate_window_s: float = Field(default=1.0, ge=0.0, description="Same order again within, s")
    max_orders_per_second: int = Field(default=5, ge=1, description="Orders sent per second, count")
    max_orders_per_hour: int = Field(default=60, ge=1, le=256, description="Orders sent per hour, count")
    max_rejections_per_minute: int = Field(
        default=10, ge=1, le=32, description="Rejections before the kill, count"
    )
    profit_target_usd: float | None = Field(
        default=None, description="Profit at which the day ends, USD; none: not applied"
    )

    @property
    def equity_cents(self) -> int:
        """Simulated equity at the start in cents."""
        return round(100 * self.equity_usd)
