"""Factors by phase of the gamma cycle: the user's own, off until he turns them on; nothing shows that they help.

How it moves: the phase comes from the exchange calendar alone (`core.option_calendar`). On, the size factor multiplies
the position before the caps and the confidence factor the signal's confidence, never the score. Off, both are 1.
`mia.options.cycle_held` shows the factor measured on one's own history beside each. Source: domain §12.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.core.option_calendar import gamma_cycle


def _factor(default: float, what: str, phase: str) -> float:
    return Field(default=default, ge=0.0, le=2.0, description=f"{what} in {phase}, ratio")


class GammaFactors(BaseModel):
    """Factors of size and confidence by phase, and whether they are applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: bool = Field(default=False, description="Apply the factors, yes or no")
    size_post_expiry: float = _factor(1.0, "Size", "post_expiry")
    size_expiry_week: float = _factor(0.8, "Size", "expiry_week")
    size_gamma_peak: float = _factor(1.2, "Size", "gamma_peak")
    size_gamma_moderate: float = _factor(1.0, "Size", "gamma_moderate")
    size_normal: float = _factor(1.0, "Size", "normal")
    confidence_post_expiry: float = _factor(1.05, "Confidence", "post_expiry")
    confidence_expiry_week: float = _factor(0.70, "Confidence", "expiry_week")
    confidence_gamma_peak: float = _factor(1.30, "Confidence", "gamma_peak")
    confidence_gamma_moderate: float = _factor(1.10, "Confidence", "gamma_moderate")
    confidence_normal: float = _factor(1.00, "Confidence", "normal")

    def of(self, phase: str) -> tuple[float, float]:
        """Return the factors of size and confidence of a phase, whether applied or not."""
        return float(getattr(self, f"size_{phase}")), float(getattr(self, f"confidence_{phase}"))

    def at(self, ts: int) -> tuple[float, float]:
        """Return the factors of size and confidence at an instant (ns UTC); 1 and 1 while they are off.

        Raises
        ------
        DataError
            If they are on and the exchange calendar does not know the instant.
        """
        return self.of(gamma_cycle(ts).phase.name) if self.on else (1.0, 1.0)
