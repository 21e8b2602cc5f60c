"""Label a signal by what became of it: which barrier it met first, net of every cost.

How it moves: entry is at the first row after the signal and the latency, at its open and slipped; then the
first of stop, target, 60 minutes, end of session. Where one row touches both the stop comes first. A target
needs a price beyond it, a stop slips. Source: domain §17; López de Prado 2018, ch. 3 and 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.kernel import kernel

NO_MARKET, STOP, TARGET, TIME, SESSION = range(5)
REASONS = ("no_market", "stop", "target", "time", "session")

HORIZON_NS = 3_600_000_000_000
LATENCY_NS = 50_000_000

LABEL_DTYPE = np.dtype(
    [
        ("first", np.int64),  # row of the path at whose open the entry is; −1 without a market
        ("last", np.int64),  # row at which it ended
        ("end_ts", np.int64),
        ("net_ticks", np.float64),  # after slippage and fees
        ("gross_ticks", np.float64),  # slippage in, fees out
        ("entry_ticks", np.int64),
        ("reason", np.int64),
    ],
    align=True,
)


@kernel
def barriers(
    path: Any,
    times: Any,
    sides: Any,
    stops: Any,
    targets: Any,
    horizon_ns: int,
    latency_ns: int,
    fee_ticks: float,
    out: Any,
) -> None:
    """Fill `out` with the label of each signal.

    Parameters
    ----------
    path : ndarray with ts, open, high, low, close, slippage, last_of_session
        Prices in ticks, one row per trade or bar; a bar carries the time of its END.
    times, sides, stops, targets : ndarrays of shape (n,)
        Signal times (ns UTC), sides ±1, distances in ticks.
    fee_ticks : float
        Fees of a round turn.
    out : ndarray of LABEL_DTYPE, shape (n,)
        A signal that had no row left in its own session is NO_MARKET with NaN results.
    """
    for j in range(len(times)):
        row = out[j]
        row["first"], row["last"], row["reason"] = -1, -1, NO_MARKET
        row["end_ts"], row["entry_ticks"] = times[j], 0
        row["net_ticks"] = row["gross_ticks"] = np.nan
        known = times[j] + latency_ns
        at: int = np.searchsorted(path["ts"], known, side="right")  # pyright: ignore[reportUnknownVariableType, reportAssignmentType]
        if at >= len(path) or (at > 0 and path[at - 1]["last_of_session"]):
            continue
        side = sides[j]
        entry = path[at]["open"] + side * path[at]["slippage"]
        stop, target = entry - side * stops[j], entry + side * targets[j]
        for i in range(at, len(path)):  # pyright: ignore[reportUnknownArgumentType]
            p = path[i]
            worst = p["low"] if side > 0 else p["high"]
            best = p["high"] if side > 0 else p["low"]
            reason, gross = NO_MARKET, 0.0
            if side * (worst - stop) <= 0:
                gap = min(side * (p["open"] - stop), 0) if i > at else 0
                reason, gross = STOP, side * (stop - entry) + gap - p["slippage"]
            elif side * (best - target) > 0:
                reason, gross = TARGET, side * (target - entry)
            elif p["last_of_session"] or i == len(path) - 1:
                reason, gross = SESSION, side * (p["close"] - entry) - p["slippage"]
            elif p["ts"] >= known + horizon_ns:
                reason, gross = TIME, side * (p["close"] - entry) - p["slippage"]
            if reason != NO_MARKET:
                row["first"], row["last"], row["end_ts"] = at, i, p["ts"]
                row["gross_ticks"], row["net_ticks"] = gross, gross - fee_ticks
                row["entry_ticks"], row["reason"] = entry, reason
                break


def concurrency(first: NDArray[np.int64], last: NDArray[np.int64], n_rows: int) -> NDArray[np.int64]:
    """Return how many labels live at each row of the path, both ends of a life included."""
    steps = np.zeros(n_rows + 1, np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    return np.cumsum(steps[:-1])


def uniqueness(first: NDArray[np.int64], last: NDArray[np.int64], n_rows: int) -> NDArray[np.float64]:
    """Return the mean of 1/concurrency over each label's life, in (0, 1].

    Parameters
    ----------
    first, last : ndarray of shape (n,)
        Rows of the path at which each label begins and ends.
    n_rows : int
        Length of the path.
    """
    share = _summed(1.0 / np.maximum(concurrency(first, last, n_rows), 1))
    return (share[last + 1] - share[first]) / (last - first + 1)


def attribution(
    first: NDArray[np.int64], last: NDArray[np.int64], closes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return |Σ r/concurrency| over each label's life, scaled to sum n; r are log returns of the closes."""
    count = np.maximum(concurrency(first, last, len(closes)), 1)
    returns = np.concatenate([[0.0], np.diff(np.log(closes))])
    summed = _summed(returns / count)
    raw = np.abs(summed[last + 1] - summed[first])
    return raw * len(raw) / raw.sum()


def _summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(values)])
