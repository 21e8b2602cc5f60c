"""Hold the functions this room takes from scipy, with the types scipy does not declare, and a root finder."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportArgumentType=false, reportUnknownMemberType=false
# scipy ships no types; what comes out is checked here once, so that the rest of the room stays strict.

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mia_kernel.core.errors import InvariantError

Float = NDArray[np.float64]

_X_TOLERANCE = 1e-7
_CREEPS, _MOST_STEPS = 40, 100


def normal_cdf(x: Float) -> Float:
    """Return the standard normal distribution function, same shape."""
    return np.asarray(special.ndtr(x), np.float64)


def normal_quantile(p: Float) -> Float:
    """Return the inverse of `normal_cdf`; ±infinity at 1 and 0, NaN outside."""
    return np.asarray(special.ndtri(p), np.float64)


def root_between(function: Callable[[float], float], low: float, high: float) -> float:
    """Return a zero of a continuous function whose values at both ends differ in sign, to 1e-6 of x.

    Regula falsi with the Illinois step, bisection where that creeps. Source: Dowell and Jarratt 1971. (Not
    scipy's brentq: loading its optimisers costs 24 MB for one function.)
    """
    at_low, at_high = function(low), function(high)
    if at_low == 0.0 or at_high == 0.0:
        return low if at_low == 0.0 else high
    if (at_low < 0) == (at_high < 0):
        raise InvariantError(f"no sign change between {low} and {high}")
    side = 0
    for step in range(_MOST_STEPS):
        x = 0.5 * (low + high) if step > _CREEPS else (low * at_high - high * at_low) / (at_high - at_low)
        value = function(x)
        if value == 0.0 or high - low < _X_TOLERANCE:
            return x
        if (value < 0) == (at_high < 0):
            if abs(high - x) < _X_TOLERANCE and side == -1:
                return x
            high, at_high = x, value
            at_low *= 0.5 if side == -1 else 1.0
            side = -1
        else:
            if abs(x - low) < _X_TOLERANCE and side == 1:
                return x
            low, at_low = x, value
            at_high *= 0.5 if side == 1 else 1.0
            side = 1
    return 0.5 * (low + high)
