"""The SYNTHETIC market: a seeded ES with book and trades, its NQ and its VIX. Nothing in it is real.

How it moves: a seed picks a normal trading day and every random number of it; `synthetic_path` makes the
value, `synthetic_book` the orders that chase it, `synthetic_others` NQ and VIX. A whole earlier session
comes first, flagged WARM_UP, so that every measure is warm when the session begins. It exists to run every
part of the workbench without a vendor's file; its parameters are fitted to real recordings
(`synthetic_params.fitted`), and still a result on it says nothing about ES.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.synthetic_book import UNIFORMS, fill_book, size_table
from mia_kernel.adapters.synthetic_others import NS, nq_rows, vix_rows
from mia_kernel.adapters.synthetic_params import SyntheticParams, fitted, matched
from mia_kernel.adapters.synthetic_path import (
    EXPONENTIAL,
    FloatArray,
    Path,
    draw,
    following,
    make_path,
    shape,
)
from mia_kernel.core import events as ev
from mia_kernel.core.contract import calendar_front, may_enter
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import Carries, EventArray, Recording, SourceInfo
from mia_kernel.core.instrument import ES
from mia_kernel.core.session import SessionRow, interruptions, session_row, sessions

SCHEME = "synthetic:"
MATCHED = "matched-"
"""`synthetic:matched-SEED`: the market whose book is fitted too (`synthetic_params.matched`)."""
DEFAULT_SEED = 1
_FIRST_DAY, _LAST_DAY = 20240101, 20251231
_HEAVY_BOOKS, _HEAVY_TRADES, _HEAVY_LEVELS = 1_000_000, 250_000, 5
_LATENCY_FLOOR_NS = 300_000


def parse_seed(uri: str) -> int:
    """Return the seed of `synthetic:[SEED]`.

    Raises
    ------
    InputError
        If the rest is no whole number ≥ 0.
    """
    rest = uri.removeprefix(SCHEME).strip()
    if rest == "":
        return DEFAULT_SEED
    if not (rest.isascii() and rest.isdigit()):
        raise InputError(
            "the seed of a synthetic source is no number",
            field="source",
            value=uri,
            rule="synthetic:, synthetic:SEED or synthetic:matched-SEED with a whole number of at least 0",
            way_out="synthetic:7",
        )
    return int(rest)


def open_synthetic(uri: str) -> Recording:
    """Return the session of `synthetic:[SEED]` or `synthetic:matched-[SEED]`; InputError for any other seed."""
    rest = uri.removeprefix(SCHEME).strip()
    if rest.startswith(MATCHED):
        seed = parse_seed(SCHEME + rest.removeprefix(MATCHED))
        made = synthetic_recording(seed, params=matched())
        name = made.source.name.replace("SYNTHETIC market", "SYNTHETIC market, book matched")
        return replace(made, source=replace(made.source, name=name))
    return synthetic_recording(parse_seed(uri))


def synthetic_days(seed: int) -> tuple[int, int]:
    """Return (warm-up day, day) of a seed: two full normal sessions in a row, far from expiry and outages."""
    good = _normal_pairs()
    return good[(seed * 7919) % len(good)]


@lru_cache(maxsize=1)
def _normal_pairs() -> tuple[tuple[int, int], ...]:
    table = sessions()
    stops = [stop.start_ns for stop in interruptions()]
    normal = (table["early_close"] == 0) & (table["cash_holiday"] == 0)
    inside = (table["trading_day"] >= _FIRST_DAY) & (table["trading_day"] <= _LAST_DAY)
    for stop in stops:
        normal &= ~((table["open_ns"] <= stop) & (stop < table["close_ns"]))
    return tuple(
        (int(table["trading_day"][i - 1]), int(table["trading_day"][i]))
        for i in np.flatnonzero(inside & normal)
        if normal[i - 1]
        and may_enter(calendar_front("ES", int(table["trading_day"][i])), int(table["trading_day"][i]))
    )


def synthetic_recording(
    seed: int,
    day: int | None = None,
    *,
    warm_up: bool = True,
    scale: float = 1.0,
    params: SyntheticParams | None = None,
) -> Recording:
    """Return a SYNTHETIC session with book, trades, NQ and VIX; the same seed gives the same bytes.

    Parameters
    ----------
    seed : int
        At least 0.
    day : int, optional
        Trading day (yyyymmdd); by default the seed picks a normal one.
    warm_up : bool
        Put the whole session before in front, its rows flagged WARM_UP.
    scale : float
        Multiplies the number of events, not the moves.
    params : SyntheticParams, optional
        Shapes and strengths.

    Raises
    ------
    InputError
        If the seed is negative, `scale` not positive, or the exchange is closed on `day`.
    """
    if seed < 0 or scale <= 0:
        raise InputError(
            "seed and scale must not be negative, scale not 0", field="seed, scale", value=(seed, scale)
        )
    settings = params or fitted()
    earlier, chosen = synthetic_days(seed)
    if day is not None:
        row = _session(day)
        earlier, chosen = int(row["previous_day"]), day
    rng = _generator(seed, chosen)
    es_points, vix_points = _first_prices(rng, settings)
    start = es_points / float(ES.tick_size)
    parts: list[EventArray] = []
    for trading_day in (earlier, chosen) if warm_up else (chosen,):
        rows, start, vix_points = _one_session(
            rng, settings, _session(trading_day), start, vix_points, round(settings.book_updates * scale)
        )
        if trading_day != chosen:
            rows["flags"] |= ev.WARM_UP
        parts.append(rows)
    events = np.concatenate(parts)
    events["seq"] = np.arange(1, len(events) + 1)
    return Recording(events, _info(seed, chosen, scale, warm_up), others=_other_infos(seed))


def first_rows(seed: int, seconds: int, params: SyntheticParams) -> EventArray:
    """Return the book and trades of ES in the first seconds of a SYNTHETIC session, without NQ, VIX and warm-up."""
    day = synthetic_days(seed)[1]
    row = _session(day)
    rng = _generator(seed, day)
    es_points, _ = _first_prices(rng, params)
    opened = _open_seconds(row)
    path = make_path(rng, params, opened, es_points / float(ES.tick_size))
    at = _times(rng, path.rate, params.book_updates)
    has_trade = _trading(rng, params, path, at)
    at, has_trade = following(rng, params, at, has_trade, opened)
    at, has_trade = at[at < seconds], has_trade[at < seconds]
    return _book(rng, params, row, opened, path, at, has_trade, levels=ev.DEPTH, sweeps=True)


def heavy_day(seed: int, *, params: SyntheticParams | None = None) -> EventArray:
    """Return a SYNTHETIC session of exactly 1,000,000 five-level book updates and 250,000 trades, for benches."""
    settings = params or fitted()
    day = synthetic_days(seed)[1]
    rng = _generator(seed, day)
    es_points, _ = _first_prices(rng, settings)
    row = _session(day)
    seconds = _open_seconds(row)
    path = make_path(rng, settings, seconds, es_points / float(ES.tick_size))
    at = _times(rng, path.rate, _HEAVY_BOOKS)
    has_trade = np.zeros(_HEAVY_BOOKS, np.uint8)
    # The events with the smallest of a million numbers trade: exactly a quarter, more where trading is busy.
    lot = rng.random(_HEAVY_BOOKS) / path.trading[np.minimum(at.astype(np.int64), len(seconds) - 1)]
    has_trade[np.argsort(lot, kind="stable")[:_HEAVY_TRADES]] = 1
    rows = _book(rng, settings, row, seconds, path, at, has_trade, levels=_HEAVY_LEVELS, sweeps=False)
    rows["ts_recv"] = _arrivals(rng, settings, rows["ts_event"])
    rows["seq"] = np.arange(1, len(rows) + 1)
    return rows


def _one_session(
    rng: np.random.Generator,
    params: SyntheticParams,
    row: SessionRow,
    start: float,
    vix_points: float,
    books: int,
) -> tuple[EventArray, float, float]:
    """Return the rows of one session, the ES ticks and the VIX points it ends with."""
    seconds = _open_seconds(row)
    path = make_path(rng, params, seconds, start)
    at = _times(rng, path.rate, books)
    has_trade = _trading(rng, params, path, at)
    at, has_trade = following(rng, params, at, has_trade, seconds)
    es = _book(rng, params, row, seconds, path, at, has_trade, levels=ev.DEPTH, sweeps=True)
    anchor = int(row["anchor_ns"])
    mids = _mids(es, anchor, seconds)
    nq = nq_rows(rng, params, anchor, seconds, mids, path.sigma, float(round(mids[0] * params.nq_points)))
    vix, vix_last = vix_rows(rng, params, anchor, seconds, mids, vix_points)
    for rows in (es, nq, vix):
        rows["ts_recv"] = _arrivals(rng, params, rows["ts_event"])
    return ev.merge([es, nq, vix]), float(mids[-1]), vix_last


def _trading(
    rng: np.random.Generator, params: SyntheticParams, path: Path, at: FloatArray
) -> NDArray[np.uint8]:
    """Return which events trade: `trade_share` of them, more where trading is busy."""
    trading = path.trading[np.minimum(at.astype(np.int64), len(path.trading) - 1)]
    return (rng.random(len(at)) < params.trade_share * trading / trading.mean()).astype(np.uint8)


def _book(
    rng: np.random.Generator,
    params: SyntheticParams,
    row: SessionRow,
    seconds: NDArray[np.int64],
    path: Path,
    at: FloatArray,
    has_trade: NDArray[np.uint8],
    *,
    levels: int,
    sweeps: bool,
) -> EventArray:
    count = len(has_trade)
    second = np.minimum(at.astype(np.int64), len(seconds) - 1)
    ts = int(row["anchor_ns"]) + seconds[second] * NS + ((at - second) * NS).astype(np.int64)
    room = count + int(has_trade.sum()) * (4 if sweeps else 1)
    rows = ev.empty(room)
    uniforms = rng.random((count, UNIFORMS))
    used = fill_book(
        rows, ts, has_trade, second, path.value, path.depth, uniforms,
        np.array(params.level_contracts), size_table(params.size_points), EXPONENTIAL, levels, sweeps,
        shape(params.spread_closes, seconds / 60.0), shape(params.spread_refills, seconds / 60.0), params.order_share,
    )  # fmt: skip
    return rows[:used].copy()


def _times(rng: np.random.Generator, rate: FloatArray, count: int) -> FloatArray:
    """Return `count` ascending times in seconds of the session, dense where the rate is high."""
    spent = np.cumsum(draw(EXPONENTIAL, rng.random(count + 1)))
    share = spent[:-1] / spent[-1]
    cumulative = np.concatenate(([0.0], np.cumsum(rate)))
    return np.interp(share, cumulative / cumulative[-1], np.arange(len(cumulative), dtype=np.float64))


def _open_seconds(row: SessionRow) -> NDArray[np.int64]:
    """Seconds after 18:00 New York at which this session trades: no second of a pause."""
    anchor = int(row["anchor_ns"])
    first, last = (int(row["open_ns"]) - anchor) // NS, (int(row["close_ns"]) - anchor) // NS
    seconds = np.arange(first, last, dtype=np.int64)
    paused = (seconds >= (int(row["pause_start_ns"]) - anchor) // NS) & (
        seconds < (int(row["pause_end_ns"]) - anchor) // NS
    )
    return seconds[~paused]


def _mids(es: EventArray, anchor: int, seconds: NDArray[np.int64]) -> FloatArray:
    """ES mid in ticks at the end of each open second."""
    books = es[es["kind"] == ev.BOOK]
    ends = anchor + (seconds + 1) * NS
    at = np.maximum(np.searchsorted(books["ts_event"], ends) - 1, 0)
    return 0.5 * (books["bid"][at].astype(np.float64) + books["ask"][at])


def _arrivals(
    rng: np.random.Generator, params: SyntheticParams, ts_event: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Arrival times: a floor plus an exponential delay, never overtaking."""
    delay = draw(EXPONENTIAL, rng.random(len(ts_event))) * params.latency_us * 1_000.0
    return np.maximum.accumulate(ts_event + _LATENCY_FLOOR_NS + delay.astype(np.int64))


def _first_prices(rng: np.random.Generator, params: SyntheticParams) -> tuple[float, float]:
    es, vix = rng.random(2).tolist()
    points = params.start_points_low + es * (params.start_points_high - params.start_points_low)
    return float(round(points)), params.vix_start_low + vix * (params.vix_start_high - params.vix_start_low)


def _generator(seed: int, day: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, day]))


def _session(day: int) -> SessionRow:
    row = session_row(day)
    if row is None:
        raise InputError(
            "the exchange is closed on this day", field="day", value=day, way_out="choose another day"
        )
    return row


def _info(seed: int, day: int, scale: float, warm_up: bool) -> SourceInfo:
    notes = [
        "SYNTHETIC: fitted in its parameters, real in nothing; no result on it says anything about a market"
    ]
    if warm_up:
        notes.append("the session before is warm-up: no entries")
    if scale != 1.0:
        notes.append(f"events scaled by {scale:g}")
    return SourceInfo(
        tag="synthetic",
        adapter="synthetic",
        name=f"SYNTHETIC market, seed {seed}, as of {day}",
        symbol="ES",
        contract=calendar_front("ES", day).code,
        zone="UTC",
        adjustment="contract",
        carries=Carries(book=True, quotes=True, trades=True, aggressor="feed"),
        notes=tuple(notes),
    )


def _other_infos(seed: int) -> tuple[SourceInfo, ...]:
    def info(symbol: str, carries: Any) -> SourceInfo:
        return SourceInfo(
            tag="synthetic", adapter="synthetic", name=f"SYNTHETIC {symbol}, seed {seed}", symbol=symbol,
            zone="UTC", adjustment="contract", carries=carries,
        )  # fmt: skip

    return info("NQ", Carries(trades=True, aggressor="feed")), info("VIX", Carries(trades=True))
