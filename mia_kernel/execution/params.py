"""How orders are placed and how the simulated venue answers (domain: Orders)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SimulatorParams(BaseModel):
    """Delay and queue of simulated fills; fees and slippage are costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_ms: float = Field(default=100.0, ge=0.0, description="Delay of a command on its way, ms")
    max_entry_distance_ticks: int = Field(
        default=20, ge=1, description="An entry further from the mid is refused by the venue, ticks"
    )
    queue_levels: int = Field(
        default=5, ge=1, le=10, description="Book levels a queue position is read from, count"
    )


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
        default=SimulatorParams(), description="Delay and queue of simulated fills"
    )
