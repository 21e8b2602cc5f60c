"""The control: would random entries with the same exits have done as well.

How it moves: the entries that were allowed are taken again with nothing but their bracket (first of stop,
target, end of session; costs on), and so are a thousand sets of as many entries at random decision points at
which the market, the clock and the feed would have let an entry pass, with as many longs and shorts and the
same stops and targets. The draws are the only random numbers here, from a stated seed, and nothing trades.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import FAILED
from mia_kernel.core.events import BAR, BAR_HIGH, BAR_LOW, BAR_OPEN, PRIMARY, TRADE, EventArray
from mia_kernel.core.kernel import kernel
from mia_kernel.core.session import session_row, trading_day_of
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import TICK_CENTS

SEED = 20_260_101
SETS = 1_000
PASSING = ("data_quality", "market_open", "phase_size", "entry_hours", "close_buffer", "news", "stale_book",
           "spread_limit")  # fmt: skip
"""Gates that do not ask what the entry is, only whether now is a time for one."""

PATH_DTYPE = np.dtype(
    [("ts", np.int64), ("open", np.int32), ("high", np.int32), ("low", np.int32), ("close", np.int32),
     ("slippage", np.int32), ("last_of_session", np.uint8)]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Control:
    """The strategy's entries under their bracket alone, beside random ones. Per contract, net of costs.

    `share_at_least` is the share of random sets that did at least as well, the strategy itself counted among
    them: the one-sided p-value of "entries no better than random". None where nothing was entered.
    """

    entries: int
    candidates: int
    seed: int
    strategy_usd: float | None
    random_usd: NDArray[np.float64]
    share_at_least: float | None


def path_of(events: EventArray, costs: CostParams) -> NDArray[Any]:
    """Return what the traded price did, row by row: trades, or bars where the source sends bars."""
    rows = events[
        (events["instrument"] == PRIMARY) & np.isin(events["kind"], (TRADE, BAR)) & (events["sz"] > 0)
    ]
    path = np.zeros(len(rows), PATH_DTYPE)
    path["ts"] = np.maximum.accumulate(rows["ts_event"]) if len(rows) else 0
    bars = rows["kind"] == BAR
    path["close"] = rows["px"]
    for name, at in (("open", BAR_OPEN), ("high", BAR_HIGH), ("low", BAR_LOW)):
        path[name] = np.where(bars, rows["b"][:, at], rows["px"])
    mark_sessions(path, costs)
    return path


def mark_sessions(path: NDArray[Any], costs: CostParams) -> None:
    """Write slippage by the hour into a path, and mark the last row of each session."""
    at = 0
    while at < len(path):
        row = session_row(trading_day_of(int(path["ts"][at])))
        end = int(row["close_ns"]) if row is not None else int(path["ts"][at])
        stop = max(int(np.searchsorted(path["ts"], end, side="right")), at + 1)
        part = path[at:stop]
        rth = np.zeros(len(part), bool)
        if row is not None and row["has_rth"]:
            rth = (part["ts"] >= row["rth_open_ns"]) & (part["ts"] < row["rth_close_ns"])
        part["slippage"] = np.where(rth, costs.slippage_rth_ticks, costs.slippage_eth_ticks)
        part["last_of_session"][-1] = 1
        at = stop


def random_control(
    events: EventArray, table: DecisionTable, costs: CostParams, *, sets: int = SETS, seed: int = SEED
) -> Control:
    """Return the strategy's allowed entries beside random sets of as many.

    Parameters
    ----------
    events : EVENT array of the run
    table : DecisionTable
    costs : CostParams
    sets, seed : int
    """
    allowed = [d.signal for _, d in table.signals if d.signal and d.verdict is not None and d.verdict.allowed]
    gates = [table.gate_codes.index(code) for code in PASSING if code in table.gate_codes]
    passing = ~(table.column("gate_outcome")[:, gates] == FAILED).any(axis=1)
    times = table.column("ts_event")[passing]
    if not allowed or len(times) == 0:
        return Control(len(allowed), len(times), seed, None, np.zeros(0), None)
    path = path_of(events, costs)
    side = np.array([signal.side for signal in allowed], np.int64)
    stop = np.array([abs(s.entry_ticks - s.stop_ticks) for s in allowed], np.int64)
    target = np.array([abs(s.target_ticks - s.entry_ticks) for s in allowed], np.int64)
    fee = 2 * costs.es_fee_per_side_usd
    own = _outcomes(path, np.array([s.ts_event for s in allowed], np.int64), side, stop, target)
    rng = np.random.default_rng(seed)
    drawn = times[rng.integers(0, len(times), (sets, len(allowed)))]
    ticks = np.empty(sets)
    for i in range(sets):
        order = rng.permutation(len(allowed))
        ticks[i] = _outcomes(path, drawn[i], side[order], stop[order], target[order]).sum()
    value, n = TICK_CENTS[0] / 100, len(allowed)
    strategy = float(own.sum()) * value - fee * n
    random_usd = ticks * value - fee * n
    at_least = (1 + int((random_usd >= strategy - 1e-9).sum())) / (1 + sets)
    return Control(n, len(times), seed, strategy, random_usd, at_least)


@kernel
def _outcomes(path: Any, times: Any, sides: Any, stops: Any, targets: Any) -> Any:
    """Return the ticks each entry made: in at the next row, out at stop, target or the session's end.

    In one bar the worse comes first. A target needs a price beyond it, a stop slips.
    """
    out = np.zeros(len(times))
    for j in range(len(times)):
        at = np.searchsorted(path["ts"], times[j], side="right")
        if at >= len(path):
            continue
        side = sides[j]
        entry = path[at]["open"] + side * path[at]["slippage"]
        stop, target = entry - side * stops[j], entry + side * targets[j]
        for i in range(at, len(path)):
            row = path[i]
            worst = row["low"] if side > 0 else row["high"]
            best = row["high"] if side > 0 else row["low"]
            if side * (worst - stop) <= 0:
                through = min(side * (row["open"] - stop), 0) if i > at else 0
                out[j] = side * (stop - entry) + through - row["slippage"]
                break
            if side * (best - target) > 0:
                out[j] = side * (target - entry)
                break
            if row["last_of_session"] or i == len(path) - 1:
                out[j] = side * (row["close"] - entry) - row["slippage"]
                break
    return out
