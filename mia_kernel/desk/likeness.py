"""How like a real market is a recording: the figures by which the SYNTHETIC one is held beside the real one.

`mia.likeness("synthetic:1", "file.dbn")` gives one column per source. The figures of real recordings that the fit was
made with stand beside them (`real`), each with its file; a figure that a source cannot tell is NaN.
"""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.synthetic_params import FITTED_FILE
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.core.session import session_at

FloatArray = NDArray[np.float64]

FIGURES = {
    "spread_one_tick": "share of time at a spread of one tick",
    "level_1": "contracts resting at the best, time-weighted, mean of both sides",
    "level_2": "one tick behind the best",
    "level_5": "four ticks behind the best",
    "size_median": "contracts per trade, median",
    "size_p90": "90 % quantile",
    "size_p99": "99 % quantile",
    "ofi_r2": "R² of ten-second mid moves on order-flow imbalance of the best level",
    "ofi_slope": "ticks per contract of that imbalance",
    "minute_sd": "standard deviation of one-minute changes in the day session, ticks",
    "clustering": "correlation of neighbouring absolute one-minute changes in the day session",
    "nq_correlation": "correlation of one-minute returns with NQ",
}
"""Name of a figure to what it is."""
_NS = 1_000_000_000


def likeness(*sources: str, symbol: str | None = None, tz: str | None = None) -> pd.DataFrame:
    """Return the figures of recordings beside those of real ones.

    Parameters
    ----------
    sources : str
        As for `mia.day`.

    Returns
    -------
    DataFrame
        One row per figure: a column per source, `real` and `real_file`, and what it is.
    """
    columns: dict[str, Any] = {}
    for source in sources:
        recording = open_recording(source, symbol=symbol, tz=tz)
        columns[source] = pd.Series(figures(recording.events))
    stored = tomllib.loads(FITTED_FILE.read_text(encoding="utf-8")).get("likeness", {})
    table = pd.DataFrame(columns, index=pd.Index(list(FIGURES)))
    table["real"] = [stored.get(name, np.nan) for name in FIGURES]
    table["what"] = list(FIGURES.values())
    return table


def figures(events: EventArray) -> dict[str, float]:
    """Return every figure that the rows can tell; warm-up is left out."""
    rows = events[(events["flags"] & ev.WARM_UP) == 0]
    es = rows[rows["instrument"] == ev.PRIMARY]
    trades = es[(es["kind"] == ev.TRADE) & (es["sz"] > 0)]
    books = es[es["kind"] == ev.BOOK]
    out: dict[str, float] = {}
    if len(trades) > 100:
        median, p90, p99 = np.quantile(trades["sz"], [0.5, 0.9, 0.99])
        out |= {"size_median": float(median), "size_p90": float(p90), "size_p99": float(p99)}
    if len(books) > 100:
        out |= _book(books)
    priced = trades if len(trades) else es[es["kind"] == ev.BAR]
    closes = minute_closes(priced)
    out |= _minutes(closes)
    nq = rows[(rows["instrument"] == ev.SECOND) & (rows["px"] > 0)]
    if len(nq):
        pair = pd.concat([closes, minute_closes(nq)], axis=1, join="inner").to_numpy(np.float64)
        steps = np.diff(np.log(pair), axis=0)
        if len(steps) > 60:
            out["nq_correlation"] = float(np.corrcoef(steps[:, 0], steps[:, 1])[0, 1])
    return out


def minute_closes(rows: EventArray) -> pd.Series:
    """Return the last price of each minute that has one, by minutes since 1970."""
    minute = (rows["ts_event"] - (rows["kind"] == ev.BAR)) // (60 * _NS)
    return pd.Series(rows["px"].astype(np.float64), index=minute).groupby(level=0).last()


def _book(books: EventArray) -> dict[str, float]:
    stay = np.diff(books["ts_event"], append=books["ts_event"][-1]).astype(np.float64)
    stay = np.minimum(stay, 60.0 * _NS) / max(float(np.minimum(stay, 60.0 * _NS).sum()), 1.0)
    both = (books["b"].astype(np.float64) + books["a"]) / 2
    out = {"spread_one_tick": float(stay[books["ask"] - books["bid"] == 1].sum())}
    out |= {f"level_{k + 1}": float((both[:, k] * stay).sum()) for k in (0, 1, 4)}
    bid, ask = books["bid"].astype(np.int64), books["ask"].astype(np.int64)
    qb, qa = books["b"][:, 0].astype(np.float64), books["a"][:, 0].astype(np.float64)
    flow = (bid[1:] >= bid[:-1]) * qb[1:] - (bid[1:] <= bid[:-1]) * qb[:-1]
    flow -= (ask[1:] <= ask[:-1]) * qa[1:] - (ask[1:] >= ask[:-1]) * qa[:-1]
    window = books["ts_event"][1:] // (10 * _NS)
    edges = np.flatnonzero(np.r_[True, window[1:] != window[:-1]])
    x = np.add.reduceat(flow, edges)
    y = np.add.reduceat(np.diff(0.5 * (bid + ask)), edges)
    if len(x) > 60 and x.std() > 0 and y.std() > 0:
        out["ofi_r2"] = float(np.corrcoef(x, y)[0, 1] ** 2)
        out["ofi_slope"] = float((x * y).sum() / (x * x).sum())
    return out


def _minutes(closes: pd.Series) -> dict[str, float]:
    if len(closes) < 60:
        return {}
    minute = closes.index.to_numpy().astype(np.int64)
    row = session_at(int(minute[len(minute) // 2]) * 60 * _NS)
    if row is None:
        return {}
    inside = (minute * 60 * _NS >= row["rth_open_ns"]) & (minute * 60 * _NS < row["rth_close_ns"])
    steps: FloatArray = np.diff(closes.to_numpy(np.float64)[inside])
    if len(steps) < 60:
        return {}
    size = np.abs(steps)
    return {"minute_sd": float(steps.std()), "clustering": float(np.corrcoef(size[:-1], size[1:])[0, 1])}
