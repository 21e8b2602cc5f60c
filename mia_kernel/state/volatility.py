"""What a volatility regime means for trading: one table, read by the strategy and by the risk room.

Source: domain reference, Regimes (volatility): Battle Navale threshold, size, stop, target, max position.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.state.regime import VOLATILITY_NAMES


class VolatilityRow(BaseModel):
    """One regime's consequences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    battle_threshold: float = Field(gt=0.0, le=1.0, description="Battle Navale threshold, score")
    size: float = Field(ge=0.0, description="Size factor (in use never above 1), ratio")
    stop: float = Field(gt=0.0, description="Factor of the stop distance, ratio")
    target: float = Field(gt=0.0, description="Factor of the target distance, ratio")
    max_position: float = Field(ge=0.0, description="Largest position, ES contracts")


def _row(threshold: float, size: float, stop: float, target: float, most: float) -> VolatilityRow:
    return VolatilityRow(battle_threshold=threshold, size=size, stop=stop, target=target, max_position=most)


class VolatilityParams(BaseModel):
    """The table by regime; `transition` holds for 30 minutes after a change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: VolatilityRow = Field(default=_row(0.20, 1.2, 0.8, 0.9, 4), description="VIX < 15 and quiet")
    normal: VolatilityRow = Field(default=_row(0.25, 1.0, 1.0, 1.0, 3), description="between the others")
    high: VolatilityRow = Field(default=_row(0.35, 0.8, 1.5, 1.5, 2), description="VIX > 25 or ratio > 1.5")
    extreme: VolatilityRow = Field(default=_row(0.50, 0.5, 2.0, 2.0, 1), description="VIX > 35 or ratio > 2")
    transition: VolatilityRow = Field(default=_row(0.30, 0.7, 1.2, 1.1, 2), description="just changed")

    def rows(self) -> tuple[VolatilityRow, ...]:
        """Return the rows by code of the volatility regime."""
        return tuple(getattr(self, name) for name in VOLATILITY_NAMES)
