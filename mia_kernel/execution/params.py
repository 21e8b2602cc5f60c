"""How orders are placed and what a simulated fill costs (domain: Contracts, Orders)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SimulatorParams(BaseModel):
    """Costs and delays of simulated fills."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_ms: float = Field(
        default=100.0, ge=0.0, description="Delay of a command on its way to the venue, ms"
    )
    slippage_rth_ticks: int = Field(
        default=1, ge=0, description="Slippage of market and stop fills in RTH, ticks"
    )
    slippage_eth_ticks: int = Field(default=2, ge=0, description="The same outside RTH, ticks")
    slippage_news_ticks: int = Field(default=2, ge=0, description="Slippage around high-impact news, ticks")
    news_minutes: float = Field(default=2.0, ge=0.0, description="Half width of the news window, minutes")
    es_fee_per_side_usd: float = Field(
        default=2.25, ge=0.0, description="All fees of one ES contract and side, USD"
    )
    mes_fee_per_side_usd: float = Field(default=0.62, ge=0.0, description="The same for MES, USD")
    max_entry_distance_ticks: int = Field(
        20, ge=1, description="Entries further from the mid are refused, ticks"
    )
    queue_levels: int = Field(default=5, ge=1, le=10, description="Book levels a queue position is read from")

    def fee_cents(self, symbol: str) -> int:
        """Fee of one contract and side in cents."""
        usd = {"ES": self.es_fee_per_side_usd, "MES": self.mes_fee_per_side_usd}[symbol]
        return round(100 * usd)


class ExecutionParams(BaseModel):
    """How an entry is placed, and the venue of dry-run and replay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry_timeout_s: float = Field(
        default=30.0, gt=0.0, description="An entry unfilled after this is cancelled, s"
    )
    entry_through_ticks: int = Field(
        default=0, ge=0, le=2, description="How far through the opposite touch the entry limit lies, ticks"
    )
    simulator: SimulatorParams = Field(
        default=SimulatorParams(), description="Costs and delays of simulated fills"
    )
