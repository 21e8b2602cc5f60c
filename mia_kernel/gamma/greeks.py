"""Price and differentiate European options on a forward: Black's formula over arrays.

How it moves: everything is a function of forward F, discount D, volatility σ and time T, element by element;
s = σ√T, d1 = ln(F/K)/s + s/2. The greeks are with respect to spot S at fixed carry b = F/S.
Source: Black (1976).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma.numeric import normal_cdf

Float = NDArray[np.float64]

_INV_SQRT_2PI = 0.3989422804014327
_LOW, _HIGH = 1e-4, 9.99


def d1_of(forward: Float, strike: Float, s: Float) -> Float:
    """Return d1 = ln(F/K)/s + s/2."""
    return np.log(forward / strike) / s + 0.5 * s


def spot_gamma(spot: float, forward: Float, discount: Float, strike: Float, s: Float) -> Float:
    """Return Γ = D·b·φ(d1)/(S·s), the same for call and put. Source: Black (1976) at fixed carry."""
    d1 = d1_of(forward, strike, s)
    return discount * forward / spot * _INV_SQRT_2PI * np.exp(-0.5 * d1 * d1) / (spot * s)


def spot_delta(spot: float, forward: Float, discount: Float, strike: Float, s: Float, right: Float) -> Float:
    """Return D·b·N(d1) for a call (right +1), D·b·(N(d1) − 1) for a put (right −1)."""
    d1 = d1_of(forward, strike, s)
    return discount * forward / spot * right * normal_cdf(right * d1)


def spot_vanna(spot: float, forward: Float, discount: Float, strike: Float, s: Float, root_t: Float) -> Float:
    """Return ∂Δ/∂σ = −D·b·φ(d1)·d2/σ, per unit of volatility."""
    d1 = d1_of(forward, strike, s)
    phi = _INV_SQRT_2PI * np.exp(-0.5 * d1 * d1)
    return -discount * forward / spot * phi * (d1 - s) / (s / root_t)


def black(forward: Float, discount: Float, strike: Float, s: Float, right: Float) -> Float:
    """Return the price D·right·(F·N(right·d1) − K·N(right·d2))."""
    d1 = d1_of(forward, strike, s)
    return discount * right * (forward * normal_cdf(right * d1) - strike * normal_cdf(right * (d1 - s)))


def implied_volatility(
    price: Float, forward: Float, discount: Float, strike: Float, years: Float, right: Float
) -> Float:
    """Return σ that gives a price, NaN where none in [0.0001, 9.99] does.

    Newton steps kept inside a shrinking bracket: at most 80 passes over the array. The price of a leg in the
    money is first turned into that of its twin by parity, which loses fewer digits.
    """
    intrinsic = discount * np.maximum(right * (forward - strike), 0.0)
    side = np.where(right * (forward - strike) > 0, -right, right)
    target = np.where(side == right, price, price - intrinsic)
    root_t = np.sqrt(years)
    low, high = np.full(len(price), _LOW), np.full(len(price), _HIGH)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fits = (target > black(forward, discount, strike, low * root_t, side)) & (
            target < black(forward, discount, strike, high * root_t, side)
        )
        sigma = np.clip(np.sqrt(2 * np.abs(np.log(forward / strike)) / years), 0.05, 3.0)
        for _ in range(80):
            s = sigma * root_t
            miss = black(forward, discount, strike, s, side) - target
            high, low = np.where(miss > 0, sigma, high), np.where(miss > 0, low, sigma)
            d1 = d1_of(forward, strike, s)
            vega = discount * forward * _INV_SQRT_2PI * np.exp(-0.5 * d1 * d1) * root_t
            newton = sigma - miss / vega
            ahead = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
            still = np.abs(ahead - sigma) > 1e-11 * sigma
            sigma = ahead
            if not np.any(still & fits):
                break
    return np.where(fits, sigma, np.nan)
