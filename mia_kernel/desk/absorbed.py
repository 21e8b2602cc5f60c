"""Absorption at a price: much was sold into it or bought out of it, it was refilled, and the market stayed.

Over windows of 30 seconds, each known at its end. A price absorbed where its aggressive volume reaches the 99th
percentile of that minute of the day, the mid moved by at most a tick, and what waited there was refilled at least once
over. Refills are inferred from the sizes that were shown, so a cancellation counts against them. The score is −log₁₀ p,
p the share of the cells before of about the same volume that stayed as still and were refilled as much.

Source: domain §6.3. Five earlier sessions make a minute of the day; with fewer the percentile is that of the session so
far, and the row says so.
"""

from __future__ import annotations

from bisect import insort
from typing import Any

import numpy as np
import pandas as pd

from mia_kernel.core.events import BOOK, DEPTH, PRIMARY, EventArray
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.session import session_row, trading_day_of

WINDOW_NS = 30_000_000_000
SHARE, MOST_MID_2, LEAST_REFILL = 0.99, 2, 1.0
SESSIONS, CELLS = 5, 100
MATCHED, MATCHED_LEAST = 199, 99
COLUMNS = (
    "ts", "price", "side", "volume", "shown", "refilled", "mid_move_ticks", "threshold", "reference", "score",
)  # fmt: skip
BY_MINUTE, BY_SESSION = "minute of day", "session so far"


def absorbed(trades: Any, events: EventArray, until: int) -> pd.DataFrame:
    """Return where aggression was absorbed in the windows that ended at or before `until`.

    Parameters
    ----------
    trades : DataFrame
        `ts`, `px` (ticks), `sz`, `side` of the aggressor, as `desk.tape.tape` gives them.
    events : EventArray
        The rows the trades came from; without ten levels of a book the table is empty.

    Returns
    -------
    DataFrame
        `ts` (end of the window, ns UTC), `price` in points, `side` (+1 selling was absorbed), its aggressive `volume`,
        `shown` at the window's start, `refilled` (contracts, inferred), `mid_move_ticks`, the `threshold` its volume
        reached and its `reference`, `score` (None under 99 cells before).
    """
    cells = _cells(trades, events, until)
    if len(cells) == 0:
        return pd.DataFrame(columns=list(COLUMNS))
    ratio = (cells["refilled"] / cells["volume"]).to_numpy()
    volume, still, ts = (
        cells["volume"].to_numpy(),
        np.abs(cells["moved_2"].to_numpy()),
        cells["ts"].to_numpy(),
    )
    thresholds = _thresholds(cells)
    rows: list[dict[str, Any]] = []
    for i in np.flatnonzero((still <= MOST_MID_2) & (ratio >= LEAST_REFILL)):
        threshold, reference = thresholds[int(ts[i])]
        if threshold is None or volume[i] < threshold:
            continue
        cell = cells.iloc[i]
        rows.append(
            {
                "ts": int(cell["ts"]),
                "price": float(cell["px"] * TICK_POINTS),
                "side": -int(cell["side"]),
                "volume": int(cell["volume"]),
                "shown": int(cell["shown"]),
                "refilled": int(cell["refilled"]),
                "mid_move_ticks": float(cell["moved_2"] / 2),
                "threshold": threshold,
                "reference": reference,
                "score": _score(volume, still, ratio, ts, int(i)),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cells(trades: Any, events: EventArray, until: int) -> Any:
    """Return aggressive volume by window, price and side, with what was shown there before and after."""
    rows = events[(events["instrument"] == PRIMARY) & (events["kind"] == BOOK)]
    rows = rows[(rows["bid"] > 0) & (rows["ask"] > rows["bid"])]
    sided = trades[trades["side"] != 0]
    if len(rows) == 0 or len(sided) == 0:
        return pd.DataFrame()
    keys = [sided["ts"] // WINDOW_NS, sided["px"], sided["side"]]
    cells = (
        sided["sz"]
        .groupby([key.rename(name) for key, name in zip(keys, ("w", "px", "side"), strict=True)])
        .sum()
    )
    table = cells.rename("volume").reset_index()
    table["ts"] = (table["w"] + 1) * WINDOW_NS
    clock = np.maximum.accumulate(rows["ts_event"])
    before = np.searchsorted(clock, table["ts"] - WINDOW_NS, side="right") - 1
    after = np.searchsorted(clock, table["ts"], side="right") - 1
    table = table[(before >= 0) & (table["ts"] <= until)]
    start, end = rows[before[table.index]], rows[after[table.index]]
    table["moved_2"] = _mid_2(end) - _mid_2(start)
    table["shown"] = _shown(start, table["px"].to_numpy(), table["side"].to_numpy())
    table["refilled"] = (
        table["volume"] + _shown(end, table["px"].to_numpy(), table["side"].to_numpy()) - table["shown"]
    )
    table["day"] = table["w"].map({w: trading_day_of(int(w) * WINDOW_NS) for w in table["w"].unique()})
    sessions = {day: session_row(int(day)) for day in table["day"].unique()}
    anchor = table["day"].map(
        {day: int(row["anchor_ns"]) for day, row in sessions.items() if row is not None}
    )
    table["minute"] = (table["w"] * WINDOW_NS - anchor) // (2 * WINDOW_NS)
    return table.reset_index(drop=True)


def _mid_2(rows: EventArray) -> Any:
    return rows["bid"].astype(np.int64) + rows["ask"]


def _shown(rows: EventArray, px: Any, side: Any) -> Any:
    """Return what waited at a price for an aggressor of `side`, 0 beyond the best price and the ten levels."""
    behind = np.where(side < 0, rows["bid"] - px, px - rows["ask"])
    level = np.clip(behind, 0, DEPTH - 1)
    at = np.arange(len(rows))
    size = np.where(side < 0, rows["b"][at, level], rows["a"][at, level]).astype(np.int64)
    return np.where((behind >= 0) & (behind < DEPTH), size, 0)


def _thresholds(cells: Any) -> dict[int, tuple[float | None, str]]:
    """Return for each window the 99th percentile its cells are held against, and of what it is."""
    found: dict[int, tuple[float | None, str]] = {}
    by_minute: dict[
        int, dict[int, list[int]]
    ] = {}  # minute of the day -> session -> volumes of earlier windows
    so_far: list[int] = []  # of this session, ascending
    today = None
    for (day, ts, minute), volumes in cells.groupby(["day", "ts", "minute"], sort=True)["volume"]:
        if day != today:
            today, so_far = day, []
        alike = by_minute.setdefault(int(minute), {})
        earlier = [sizes for one, sizes in alike.items() if one < day]
        if len(earlier) >= SESSIONS:
            found[int(ts)] = float(np.quantile(np.concatenate(earlier), SHARE)), BY_MINUTE
        else:
            found[int(ts)] = (_quantile(so_far), BY_SESSION) if len(so_far) >= CELLS else (None, "")
        for size in volumes.tolist():
            insort(so_far, size)
            alike.setdefault(int(day), []).append(size)
    return found


def _quantile(ascending: list[int]) -> float:
    """Return the percentile of sorted values, between two of them by the share of the way, as `np.quantile` does."""
    at = SHARE * (len(ascending) - 1)
    low = int(at)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (at - low) * (ascending[high] - ascending[low])


def _score(volume: Any, still: Any, ratio: Any, ts: Any, i: int) -> float | None:
    """Return −log₁₀ of the share of matched cells before that stayed as still and were refilled as much."""
    before = np.flatnonzero(ts < ts[i])
    if len(before) < MATCHED_LEAST:
        return None
    nearest = before[np.argsort(np.abs(np.log(volume[before] / volume[i])), kind="stable")[:MATCHED]]
    alike = (still[nearest] <= still[i]) & (ratio[nearest] >= ratio[i])
    return float(-np.log10((1 + alike.sum()) / (1 + len(nearest))))
