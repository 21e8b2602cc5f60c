"""What the strategies are told: entry rule, stop and target distances, care of a position.

Source: domain reference, Battle Navale score, Balls, Signal, Stops and targets.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class StrategyParams(BaseModel):
    """Entry, stop, target, trailing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry_rule: Literal["battle_navale+confluence_entry", "battle_navale", "confluence_entry"] = Field(
        default="battle_navale+confluence_entry", description="What must be true for an entry, name"
    )
    min_grade: Literal["WEAK", "GOOD", "STRONG", "PREMIUM"] = Field(
        default="WEAK", description="Least grade the confluence rule takes, name"
    )
    stop_trend_ticks: float = Field(default=8.0, gt=0.0, description="Stop distance in a trend, ticks")
    stop_range_ticks: float = Field(default=4.0, gt=0.0, description="Stop distance in a range, ticks")
    stop_default_ticks: float = Field(default=6.0, gt=0.0, description="Stop distance elsewhere, ticks")
    strong_base_quality: float = Field(
        default=0.8, ge=0.0, le=1.0, description="Governing base quality that allows a nearer stop, share"
    )
    strong_base_factor: float = Field(default=0.8, gt=0.0, description="What it makes of the distance, ratio")
    base_gap_ticks: int = Field(
        default=2, ge=0, description="Least distance of the stop beyond the base, ticks"
    )
    reward_trend: float = Field(default=2.5, gt=0.0, description="Target against stop in a trend, ratio")
    reward_range: float = Field(default=1.5, gt=0.0, description="Target against stop in a range, ratio")
    reward_default: float = Field(default=2.0, gt=0.0, description="Target against stop elsewhere, ratio")
    extended_target_factor: float = Field(
        default=0.7, gt=0.0, le=1.0, description="Target distance in an extended ball trend, ratio"
    )
    trail: bool = Field(default=True, description="Trail the stop behind the newest ball, yes or no")
    trail_gap_ticks: int = Field(
        default=3, ge=1, description="Distance of the trailed stop to the ball, ticks"
    )
    exit_on_ball_break: bool = Field(
        default=True, description="Close a position when the ball trend of its side breaks, yes or no"
    )
