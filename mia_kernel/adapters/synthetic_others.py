"""NQ and VIX beside the SYNTHETIC ES: correlated by construction, so that cross and regime have their input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.synthetic_params import SyntheticParams
from mia_kernel.adapters.synthetic_path import EXPONENTIAL, NORMAL, FloatArray, draw
from mia_kernel.core import events as ev
from mia_kernel.core.instrument import VIX

NS = 1_000_000_000
_SECOND_LAG_NS = 250_000_000
_INDEX_FROM, _INDEX_TO = 555, 1335  # VIX is computed 03:15 to 16:15 New York, in minutes after 18:00


def nq_rows(
    rng: np.random.Generator,
    params: SyntheticParams,
    anchor_ns: int,
    seconds: NDArray[np.int64],
    es_ticks: FloatArray,
    sigma: FloatArray,
    start_ticks: float,
) -> ev.EventArray:
    """Return NQ trades that follow ES with `nq_beta` and leave `nq_correlation` of it on one-minute returns.

    Parameters
    ----------
    anchor_ns : int
        18:00 New York, the zero of `seconds`.
    seconds, es_ticks, sigma : ndarray of shape (n,)
        Per open second: time, ES mid in ticks, ES sigma in ticks per √minute.
    start_ticks : float
        First NQ price.
    """
    ratio = start_ticks / es_ticks[0]
    own = np.sqrt(1.0 / params.nq_correlation**2 - 1.0) / np.sqrt(60.0)
    drift = np.cumsum(sigma * own * draw(NORMAL, rng.random(len(seconds))))
    path = start_ticks + params.nq_beta * ratio * (es_ticks - es_ticks[0] + drift)
    busy = (seconds >= 930 * 60) & (seconds < 1320 * 60)
    chance = np.minimum(1.0, params.nq_trades_per_minute / 60.0 * np.where(busy, 1.0, 0.2))
    u = rng.random((4, len(seconds)))
    # The last second of every minute always trades, so that each minute has a close.
    at = np.flatnonzero((u[0] < chance) | (seconds % 60 == 59))
    rows = ev.empty(len(at))
    rows["ts_event"] = anchor_ns + seconds[at] * NS + _SECOND_LAG_NS + (u[1][at] * 0.7 * NS).astype(np.int64)
    rows["kind"], rows["instrument"], rows["flags"] = ev.TRADE, ev.SECOND, ev.SIDE_FEED
    rows["px"] = np.rint(path[at])
    rows["sz"] = 1 + (2.0 * draw(EXPONENTIAL, u[2][at])).astype(np.int64)
    rows["side"] = np.where(u[3][at] < 0.5, 1, -1)
    return rows


def vix_rows(
    rng: np.random.Generator,
    params: SyntheticParams,
    anchor_ns: int,
    seconds: NDArray[np.int64],
    es_ticks: FloatArray,
    start_points: float,
) -> tuple[ev.EventArray, float]:
    """Return VIX rows every `vix_seconds` from 03:15 to 16:15 New York, and the last value in points."""
    inside = (seconds >= _INDEX_FROM * 60) & (seconds < _INDEX_TO * 60) & (seconds % params.vix_seconds == 0)
    at = np.flatnonzero(inside)
    percent = 100.0 * (es_ticks[at] / es_ticks[0] - 1.0)
    noise = draw(NORMAL, rng.random(len(at))).tolist()
    wander, own = 0.0, []
    for shock in noise:
        wander = 0.995 * wander + 0.012 * shock
        own.append(wander)
    level = np.maximum(9.0, start_points + params.vix_slope * percent + np.array(own))
    rows = ev.empty(len(at))
    rows["ts_event"] = anchor_ns + seconds[at] * NS + _SECOND_LAG_NS
    rows["kind"], rows["instrument"] = ev.TRADE, ev.VIX
    rows["px"] = np.rint(level / float(VIX.tick_size))
    return rows, float(level[-1]) if len(at) else start_points
