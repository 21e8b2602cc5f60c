"""Costs: what a fill takes, known to the sizing before and charged by the simulated venue after.

Figures belong to a statement and its date; these are the domain reference's (Contracts, costs), to be
replaced by the reader's own.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CostParams(BaseModel):
    """Fees per contract and side, and the slippage market and stop fills are expected to have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    es_fee_per_side_usd: float = Field(default=2.25, ge=0.0, description="All fees of one ES side, USD")
    mes_fee_per_side_usd: float = Field(default=0.62, ge=0.0, description="All fees of one MES side, USD")
    slippage_rth_ticks: int = Field(default=1, ge=0, description="Market and stop slippage in RTH, ticks")
    slippage_eth_ticks: int = Field(default=2, ge=0, description="The same outside RTH, ticks")
    slippage_news_ticks: int = Field(default=2, ge=0, description="The same around news, ticks")
    news_minutes: float = Field(default=2.0, ge=0.0, description="Half width of the news window, minutes")

    def fee_cents(self, symbol: str) -> int:
        """Return the fee of one contract and side in cents.

        Raises
        ------
        KeyError
            If the symbol is not traded here (ES or MES).
        """
        return round(100 * {"ES": self.es_fee_per_side_usd, "MES": self.mes_fee_per_side_usd}[symbol])
