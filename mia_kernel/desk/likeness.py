"""How like a real market is a recording: the figures by which the SYNTHETIC one is held beside the real one.

`mia.likeness("synthetic:1", "file.dbn")` gives one column per source. The figures of real recordings that the fit was
made with stand beside them (`real`), their files in `synthetic_fitted.toml`; a figure that a source cannot tell is NaN.
"""

from __future__ import annotations

import tomllib
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.synthetic_params import FITTED_FILE, fitted
from mia_kernel.core import events as ev
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import EventArray
from mia_kernel.core.session import session_at
from mia_kernel.desk import likeness_sessions
from mia_kernel.desk.likeness_sessions import minute_of_day

FloatArray = NDArray[np.float64]
View = Literal["session", "first_hour", "by_hour", "sessions"]
VIEWS: tuple[View, ...] = get_args(View)

FIGURES = {
    "spread_one_tick": "share of time at a spread of one tick",
    "level_1": "contracts resting at the best, time-weighted, mean of both sides",
    "level_2": "one tick behind the best",
    "level_5": "four ticks behind the best",
    "size_median": "contracts per trade, median",
    "size_p90": "90 % quantile",
    "size_p99": "99 % quantile",
    "arrival_cv": "deviation over mean of the times between instants with a trade: 1 if they came at random",
    "arrival_quick": "share of those times under 10 ms (needs a clock that fine)",
    "ofi_r2": "R² of ten-second mid moves on order-flow imbalance of the best level",
    "ofi_slope": "ticks per contract of that imbalance",
    "ofi_response": "that slope times the contracts at the best: comparable between books of any depth",
    "minute_sd": "standard deviation of one-minute changes in the day session, ticks",
    "largest_minute": "the largest of them in such deviations",
    "clustering": "correlation of neighbouring absolute one-minute changes in the day session",
    "nq_correlation": "correlation of five-minute returns with NQ",
}
"""Name of a figure to what it is."""
BY_HOUR = {
    "level": "contracts at the best, median of the minutes",
    "wide": "share of minutes that end at a spread above one tick",
    "volume": "share of the session's contracts",
    "minute_sd": "deviation of one-minute changes, ticks: mean absolute change × √(π/2)",
    "burst": "deviation of the log of the trades' rate that lasts seconds (`burst`)",
}
"""What is told of each hour after 18:00 New York."""
HOURS = 23
QUICK_NS = 10_000_000
"""A trade that comes sooner after the one before is taken for an answer to it."""
_NS = 1_000_000_000
_MINUTE_NS = 60 * _NS


def likeness(
    *sources: str, symbol: str | None = None, tz: str | None = None, view: View = "session"
) -> pd.DataFrame:
    """Return the figures of recordings beside those of real ones.

    Parameters
    ----------
    sources : str
        As for `mia.day`.
    view : str
        `session`: all rows. `first_hour`: from 18:00 to 19:00 New York, the one hour of which a real book order by
        order is at hand. `by_hour`: the shapes of a session. `sessions`: regimes, news and the VIX over many
        sessions; sources are minutes of many days, `synthetic` stands beside them without being named.

    Returns
    -------
    DataFrame
        One row per figure, a column per source, `real`, and what it is; by hour, a column per shape and source.

    Raises
    ------
    InputError
        For another view.
    """
    if view not in VIEWS:
        raise InputError("unknown view", field="view", value=view, rule=", ".join(VIEWS),
                         way_out="view='session'")  # fmt: skip
    stored = tomllib.loads(FITTED_FILE.read_text(encoding="utf-8"))
    rows = {source: open_recording(source, symbol=symbol, tz=tz).events for source in sources}
    if view == "sessions":
        return _sessions(rows, stored.get("sessions", {}))
    if view == "by_hour":
        return _hours(rows, stored.get("by_hour", {}))
    if view == "first_hour":
        rows = {source: events[minute_of_day(events["ts_event"]) < 60] for source, events in rows.items()}
    columns: dict[str, Any] = {source: pd.Series(figures(events)) for source, events in rows.items()}
    real = stored.get("likeness" if view == "session" else "first_hour", {})
    table = pd.DataFrame(columns, index=pd.Index(list(FIGURES)))
    table["real"] = [real.get(name, np.nan) for name in FIGURES]
    table["what"] = list(FIGURES.values())
    return table if view == "session" else table.loc[table["real"].notna()]


def _sessions(rows: dict[str, EventArray], real: dict[str, Any]) -> pd.DataFrame:
    names = list(likeness_sessions.FIGURES)
    told = {name: likeness_sessions.of_bars(_own(events)) for name, events in rows.items()}
    told["synthetic"] = likeness_sessions.of_generator(fitted(), likeness_sessions.SESSIONS)
    columns: dict[str, Any] = {name: pd.Series(values) for name, values in told.items()}
    table = pd.DataFrame(columns, index=pd.Index(names))
    table["real"] = [real.get(name, np.nan) for name in names]
    table["what"] = list(likeness_sessions.FIGURES.values())
    return table


def _hours(rows: dict[str, EventArray], real: dict[str, Any]) -> pd.DataFrame:
    told = {source: by_hour(events) for source, events in rows.items()}
    columns: dict[tuple[str, str], Any] = {}
    for name in BY_HOUR:
        for source, shapes in told.items():
            columns[name, source] = shapes[name]
        columns[name, "real"] = real.get(name, np.full(HOURS, np.nan))
    hours = [f"{(18 + hour) % 24:02d}:00" for hour in range(HOURS)]
    return pd.DataFrame(columns, index=pd.Index(hours, name="New York"))


def _own(events: EventArray) -> EventArray:
    return events[((events["flags"] & ev.WARM_UP) == 0) & (events["instrument"] == ev.PRIMARY)]


def figures(events: EventArray) -> dict[str, float]:
    """Return every figure that the rows can tell; warm-up is left out."""
    es = _own(events)
    trades = es[(es["kind"] == ev.TRADE) & (es["sz"] > 0)]
    books = es[es["kind"] == ev.BOOK]
    out: dict[str, float] = {}
    if len(trades) > 100:
        median, p90, p99 = np.quantile(trades["sz"], [0.5, 0.9, 0.99])
        wait = np.diff(instants(trades)).astype(np.float64)
        wait = wait[wait < _MINUTE_NS]
        out |= {"size_median": float(median), "size_p90": float(p90), "size_p99": float(p99)}
        if len(wait) > 100:
            out["arrival_cv"] = float(wait.std() / wait.mean())
            out["arrival_quick"] = float((wait < QUICK_NS).mean())
    if len(books) > 100:
        out |= _book(books)
    priced = trades if len(trades) else es[es["kind"] == ev.BAR]
    out |= _minutes(minute_closes(priced))
    rows = events[(events["flags"] & ev.WARM_UP) == 0]
    nq = rows[(rows["instrument"] == ev.SECOND) & (rows["px"] > 0)]
    if len(nq):
        both = [minute_closes(priced, 5), minute_closes(nq, 5)]
        pair = pd.concat(both, axis=1, join="inner").to_numpy(np.float64)
        steps = np.diff(np.log(pair), axis=0)
        if len(steps) > 60:
            out["nq_correlation"] = float(np.corrcoef(steps[:, 0], steps[:, 1])[0, 1])
    return out


def minute_closes(rows: EventArray, minutes: int = 1) -> pd.Series:
    """Return the last price of each stretch of minutes that has one, by such stretches since 1970."""
    stretch = (rows["ts_event"] - (rows["kind"] == ev.BAR)) // (minutes * _MINUTE_NS)
    return pd.Series(rows["px"].astype(np.float64), index=stretch).groupby(level=0).last()


def instants(trades: EventArray) -> NDArray[np.int64]:
    """Return the instants at which trades happened, each once: the prints of one order share theirs."""
    return np.unique(trades["ts_event"])


def level_means(books: EventArray) -> FloatArray:
    """Return the contracts of each level, mean of both sides, weighted by time (a silence counts a minute at most)."""
    both = (books["b"].astype(np.float64) + books["a"]) / 2
    return np.asarray((both * _stay(books)[:, None]).sum(axis=0), np.float64)


def _stay(books: EventArray) -> FloatArray:
    stay = np.minimum(np.diff(books["ts_event"], append=books["ts_event"][-1]).astype(np.float64), 60.0 * _NS)
    return stay / max(float(stay.sum()), 1.0)


def ofi_response(books: EventArray, seconds: int = 10) -> tuple[int, float, float]:
    """Return (windows, R², ticks per contract) of mid moves on order-flow imbalance of the best level.

    What happened over a silence of a minute or more is no answer to a flow that was not seen: left out.
    """
    near = np.diff(books["ts_event"]) < _MINUTE_NS
    bid, ask = books["bid"].astype(np.int64), books["ask"].astype(np.int64)
    qb, qa = books["b"][:, 0].astype(np.float64), books["a"][:, 0].astype(np.float64)
    flow = (bid[1:] >= bid[:-1]) * qb[1:] - (bid[1:] <= bid[:-1]) * qb[:-1]
    flow -= (ask[1:] <= ask[:-1]) * qa[1:] - (ask[1:] >= ask[:-1]) * qa[:-1]
    window = books["ts_event"][1:] // (seconds * _NS)
    edges = np.flatnonzero(np.r_[True, window[1:] != window[:-1]])
    x = np.add.reduceat(flow * near, edges)
    y = np.add.reduceat(np.diff(0.5 * (bid + ask)) * near, edges)
    if x.std() == 0 or y.std() == 0:
        return len(x), float("nan"), float("nan")
    return len(x), float(np.corrcoef(x, y)[0, 1] ** 2), float((x * y).sum() / (x * x).sum())


def _book(books: EventArray) -> dict[str, float]:
    out = {"spread_one_tick": float(_stay(books)[books["ask"] - books["bid"] == 1].sum())}
    means = level_means(books)
    out |= {f"level_{k + 1}": float(means[k]) for k in (0, 1, 4)}
    windows, r2, slope = ofi_response(books)
    if windows > 60 and not np.isnan(slope):
        out |= {"ofi_r2": r2, "ofi_slope": slope, "ofi_response": slope * float(means[0])}
    return out


def _minutes(closes: pd.Series) -> dict[str, float]:
    if len(closes) < 60:
        return {}
    minute = closes.index.to_numpy().astype(np.int64)
    row = session_at(int(minute[len(minute) // 2]) * _MINUTE_NS)
    if row is None:
        return {}
    inside = (minute * _MINUTE_NS >= row["rth_open_ns"]) & (minute * _MINUTE_NS < row["rth_close_ns"])
    steps: FloatArray = np.diff(closes.to_numpy(np.float64)[inside])
    if len(steps) < 60 or steps.std() == 0:
        return {}
    size = np.abs(steps)
    return {
        "minute_sd": float(steps.std()),
        "largest_minute": float(size.max() / steps.std()),
        "clustering": float(np.corrcoef(size[:-1], size[1:])[0, 1]),
    }


def by_hour(events: EventArray) -> dict[str, FloatArray]:
    """Return the shapes of `BY_HOUR`, each of shape (23,); NaN for an hour that the rows cannot tell."""
    es = _own(events)
    out = {name: np.full(HOURS, np.nan) for name in BY_HOUR}
    quotes = es[((es["kind"] == ev.BOOK) | (es["kind"] == ev.QUOTE)) & (es["bid"] > 0) & (es["ask"] > 0)]
    if len(quotes):
        end = (quotes["ts_event"] - 1) // _MINUTE_NS
        last = quotes[np.flatnonzero(np.r_[end[1:] != end[:-1], True])]
        hour = minute_of_day(last["ts_event"] - 1) // 60
        best = (last["b"][:, 0].astype(np.float64) + last["a"][:, 0]) / 2
        wide = (last["ask"] - last["bid"] > 1).astype(np.float64)
        out["level"] = _each_hour(best, hour, lambda values: float(np.median(values)))
        out["wide"] = _each_hour(wide, hour, lambda values: float(values.mean()))
    trades = es[es["kind"] == ev.TRADE]
    out["burst"] = np.array([burst(part) for part in _hourly(trades["ts_event"])])
    priced = trades if len(trades) else es[es["kind"] == ev.BAR]
    if len(priced) == 0:
        return out
    hour = minute_of_day(priced["ts_event"] - (priced["kind"] == ev.BAR)) // 60
    size = priced["sz"].astype(np.float64)
    if size.sum() > 0:
        out["volume"] = _each_hour(size, hour, lambda values: float(values.sum() / size.sum()))
    closes = minute_closes(priced)
    minute = closes.index.to_numpy().astype(np.int64)
    near = np.diff(minute) == 1
    steps = np.abs(np.diff(closes.to_numpy(np.float64)))[near]
    of_step = minute_of_day(minute[1:][near] * _MINUTE_NS) // 60
    out["minute_sd"] = _each_hour(steps, of_step, lambda values: float(values.mean() * np.sqrt(np.pi / 2)))
    return out


def _hourly(ts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    hour = minute_of_day(ts) // 60
    return [ts[hour == h] for h in range(HOURS)]


def burst(ts: NDArray[np.int64]) -> float:
    """Return how far the rate of trades strays from second to second, in logs; NaN under 200 of them.

    Counts of one-second bins whose rate is lognormal have ln(1 + cov(k)/mean²) = s²·φ^k at a lag of k seconds (a Cox
    process). What is left a minute apart is not of seconds and is taken off: s = √(mean of lags 1 to 3 − of 55 to 65).
    """
    if len(ts) < 200:
        return float("nan")
    return float(np.sqrt(max(lasting(ts, range(1, 4)) - lasting(ts, range(55, 66)), 0.0)))


def lasting(ts: NDArray[np.int64], lags: range) -> float:
    """Return the mean of ln(1 + cov(k)/mean²) of trades per second over some lags, in seconds."""
    count = np.bincount((ts - ts.min()) // _NS).astype(np.float64)
    away, square = count - count.mean(), count.mean() ** 2
    told = [float((away[k:] * away[:-k]).mean()) / square for k in lags if k < len(count)]
    return float(np.mean(np.log1p(np.maximum(told, -0.9)))) if told else 0.0


def _each_hour(values: FloatArray, hour: NDArray[np.int64], tell: Any) -> FloatArray:
    parts = [values[hour == h] for h in range(HOURS)]
    return np.array([tell(part) if len(part) else np.nan for part in parts])
