"""What the ML filter may do and how long a model is trusted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class MlParams(BaseModel):
    """Serving of the champion model; whether its opinion may block stands in `risk.gates.ml_mode`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(default="filter", description="name of the model whose champion is served (name)")
    expires_days: float = Field(default=30.0, gt=0, description="age at which a model has no opinion (days)")
    cache_entries: int = Field(default=500, ge=0, description="answers remembered (count)")
    cache_ttl_s: float = Field(default=60.0, ge=0, description="how long, in event time (s)")
