"""Sum the gamma of a whole book at many spots: the two loops that must be fast.

How it moves: with carry and volatility held, a leg's gamma at spot S' is (w/S')·φ((ln S' − c)/s), so a book is
four columns: c, 1/s, w, and the side it adds to. On a grid even in ln S' neighbouring values of exp(−x²/2) are
ratios of ratios, so a step costs two multiplications and no exponential. Beyond nine standard deviations a leg
adds nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.kernel import kernel

Float = NDArray[np.float64]

WIDTH = 9.0
_FEW = 12


@kernel
def profile(
    low: float,
    step: float,
    centre: Float,
    inverse: Float,
    weight: Float,
    is_call: NDArray[np.bool_],
    out: Float,
) -> None:
    """Add Σ w·exp(−x²/2), x = (ln S' − c)/s, of calls to out[0] and of puts to out[1].

    The log spots are low, low + step, …, one for each column of `out`. Relative error below 1e-11.
    """
    n = out.shape[1]
    for i in range(len(centre)):
        d = step * inverse[i]
        x = (low - centre[i]) * inverse[i]
        first = max(0, math.ceil((-WIDTH - x) / d))
        last = min(n, math.floor((WIDTH - x) / d) + 1)
        if first < last:
            row = out[0, first:last] if is_call[i] else out[1, first:last]
            _add_bell(row, x + first * d, d, weight[i])


@kernel
def _add_bell(row: Float, x: float, d: float, w: float) -> None:
    """Add w·exp(−(x + j·d)²/2) to row[j]: g(j+1) = g(j)·q(j), q(j+1) = q(j)·exp(−d²), four steps at once."""
    n = len(row)
    if n < _FEW:
        # A narrow bell: the ratios would over- or underflow, and there is little to save.
        for j in range(n):
            row[j] += w * math.exp(-0.5 * (x + j * d) * (x + j * d))
        return
    e = math.exp(-d * d)
    q0 = math.exp(-x * d - 0.5 * d * d)
    q1, q2, q3 = q0 * e, q0 * e * e, q0 * e * e * e
    g0 = w * math.exp(-0.5 * x * x)
    g1 = g0 * q0
    g2 = g1 * q1
    g3 = g2 * q2
    e2 = e * e
    e6 = e2 * e2 * e2
    q0, q1, q2, q3 = (
        q0 * q0 * q0 * q0 * e6,
        q1 * q1 * q1 * q1 * e6,
        q2 * q2 * q2 * q2 * e6,
        q3 * q3 * q3 * q3 * e6,
    )
    e16 = e6 * e6 * e2 * e2
    whole = n // 4 * 4
    for j in range(0, whole, 4):
        row[j] += g0
        row[j + 1] += g1
        row[j + 2] += g2
        row[j + 3] += g3
        g0 *= q0
        g1 *= q1
        g2 *= q2
        g3 *= q3
        q0 *= e16
        q1 *= e16
        q2 *= e16
        q3 *= e16
    if whole < n:
        row[whole] += g0
    if whole + 1 < n:
        row[whole + 1] += g1
    if whole + 2 < n:
        row[whole + 2] += g2


@kernel
def _exp_neg(y: float) -> float:
    """Return exp(−min(y, 40.9)) for y ≥ 0 by a polynomial squared seven times: the library's does not vectorise.

    Relative error below 1e-10.
    """
    u = 0.16 - (y if y < 40.9 else 40.9) * 0.0078125
    p = 1 / 720 + u * (1 / 5040 + u * (1 / 40320))
    p = 1.0 + u * (1.0 + u * (1 / 2 + u * (1 / 6 + u * (1 / 24 + u * (1 / 120 + u * p)))))
    p = p * 0.8521437889662113  # exp(−0.16)
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@kernel
def at_spot(log_spot: float, centre: Float, inverse: Float, weight: Float, out: Float) -> float:
    """Write w·exp(−x²/2) of every leg at one spot into `out` and return their sum."""
    for i in range(len(out)):
        x = (log_spot - centre[i]) * inverse[i]
        out[i] = weight[i] * _exp_neg(0.5 * x * x)
    # Four sums in turn: one alone would wait for each addition. The order is fixed, so are the bits.
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    whole = len(out) // 4 * 4
    for i in range(0, whole, 4):
        s0 += out[i]
        s1 += out[i + 1]
        s2 += out[i + 2]
        s3 += out[i + 3]
    for i in range(whole, len(out)):
        s0 += out[i]
    return (s0 + s1) + (s2 + s3)


@kernel
def by_bucket(values: Any, bucket: NDArray[np.int64], out: Float) -> None:
    """Add each value to the sum of its bucket."""
    for i in range(len(values)):
        out[bucket[i]] += values[i]
