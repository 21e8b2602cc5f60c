"""Hold the three functions this room takes from scipy, with the types scipy does not declare."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportArgumentType=false, reportUnknownMemberType=false
# scipy ships no types; what comes out is checked here once, so that the rest of the room stays strict.

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Float = NDArray[np.float64]


def normal_cdf(x: Float) -> Float:
    """Return the standard normal distribution function, same shape."""
    return np.asarray(special.ndtr(x), np.float64)


def normal_quantile(p: Float) -> Float:
    """Return the inverse of `normal_cdf`; ±infinity at 1 and 0, NaN outside."""
    return np.asarray(special.ndtri(p), np.float64)


def root_between(function: Callable[[float], float], low: float, high: float) -> float:
    """Return a zero of a continuous function whose values at both ends differ in sign, to 1e-6 of x.

    Source: Brent (1973), through scipy.
    """
    return float(optimize.brentq(function, low, high, xtol=1e-6))
