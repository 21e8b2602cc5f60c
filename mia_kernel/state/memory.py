"""Memory: the thin hand over the market record, for the engine and for people.

How it moves: the engine asks for the session, applies rows and lets time pass; everything else here only
reads. `to_bytes` and `restore` copy the record: a snapshot is complete because parameters live in it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import CONTEXT_NAMES, FloatArray
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import DEPTH, Carries, EventArray, ImportedLevel, OptionView
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.session import session_row, trading_day_of
from mia_kernel.state import (
    bars,
    battle,
    book,
    cross,
    flow,
    headfake,
    iceberg,
    ledger,
    levels,
    market,
    micro,
    options,
    profile,
    quality,
    regime,
    season,
)
from mia_kernel.state.bars import NEVER, TIMEFRAME_NAMES, TIMEFRAMES


class MarketState:
    """Everything that is remembered of one run.

    Parameters
    ----------
    params : StateParams
    carries : Carries
        What the source gives; a bar source sets the base timeframe.
    equity_cents : int
        Equity the account starts with.
    calendar : ndarray, optional
        Economic events of the user's file by time (`ts`, `impact`); without one nothing is known of them.
    """

    def __init__(
        self,
        params: market.StateParams,
        carries: Carries,
        *,
        equity_cents: int,
        calendar: NDArray[Any] | None = None,
    ) -> None:
        self.params = params
        self.carries = carries
        self.calendar = calendar
        self.array: NDArray[Any] = np.zeros(1, market.MARKET_DTYPE)
        bars_only = carries.bars and not (carries.trades or carries.book or carries.quotes)
        seconds = carries.bar_seconds if bars_only and carries.bar_seconds else TIMEFRAMES[0]
        if seconds not in TIMEFRAMES:
            raise InvariantError(
                f"bars of {seconds} s fit none of the timeframes {TIMEFRAMES}; resample them first"
            )
        self.base_tf = TIMEFRAMES.index(seconds)
        self._session_until = -1
        self._prepare(bars_only, equity_cents)

    def _prepare(self, bars_only: bool, equity_cents: int) -> None:
        record, p = self.array, self.params
        book.init(record["book"], p.book)
        flow.init(record["flow"], p.flow)
        profile.init(record["profile"], p.profile)
        bars.init(record["tf"])
        bars.init_time_of_day(record["time_of_day"])
        battle.init(record["battle"], p.battle)
        regime.init(record["regime"], p.regime)
        cross.init(record["cross"])
        micro.init(record["micro"], p.micro)
        iceberg.init(record["iceberg"])
        season.init(record["season"])
        headfake.init(record["headfake"])
        options.init(record["options"])
        has_book = self.carries.book or self.carries.quotes
        quality.init(record["quality"], has_book=has_book, bars_only=bars_only)
        ledger.init(record["account"], equity_cents)
        clock = record["clock"]
        clock["base"], clock["bars_only"] = self.base_tf, bars_only
        clock["signal"] = max(TIMEFRAMES.index(p.battle.signal_tf_s), self.base_tf)
        record["battle"]["p_is_signal"][0] = np.arange(len(TIMEFRAMES)) == clock["signal"][0]
        for name in ("due", "bar_due", "boundary_due", "next_second"):
            clock[name] = NEVER
        clock["ts"] = np.iinfo(np.int64).min

    # -- what the engine calls -------------------------------------------------------------------------

    def clock_with(self, ts_event: int) -> int:
        """Return the event clock as it will be with a row stamped `ts_event`."""
        return max(int(self.array["clock"]["ts"][0]), ts_event)

    def needs_session(self, clock: int) -> bool:
        """Return whether event time has left the trading day that is remembered."""
        return clock > self._session_until

    @property
    def session_until(self) -> int:
        """The last instant of the present trading day (its break included)."""
        return self._session_until

    def enter_session_at(self, clock: int) -> int:
        """Enter the trading day that holds `clock`; return it as yyyymmdd.

        An instant between a close and the next open belongs to the day that has ended.

        Raises
        ------
        DataError
            If the calendar does not know that date.
        """
        row = session_row(trading_day_of(clock))
        if row is None:
            raise InvariantError(f"no session holds event time {clock}")
        state = self.array[0]
        if state["clock"]["has_day"]:
            market.pass_to(self.array, int(state["session"]["close_ns"]))
        self.array["session"][0] = row
        season.enter_day(self.array["season"][0], row, self.calendar)
        self._session_until = int(row["next_open_ns"]) - 1 if row["next_open_ns"] else NEVER - 1
        market.enter(self.array, clock)
        return int(row["trading_day"])

    def apply(self, events: EventArray, start: int, stop: int, until: int) -> int:
        """Apply rows while event time ≤ `until`; return the index of the first row not applied."""
        return int(market.apply(self.array, events, start, stop, until))

    def advance(self, ts: int) -> None:
        """Let event time pass to a decision point."""
        market.advance(self.array, ts)

    def change_contract(self, spread_ticks: int | None) -> None:
        """Move remembered prices to a new contract: difference-adjusted, raw prices are kept by the catalog.

        With an unknown spread nothing can be translated: levels are forgotten, bars stay as they were.
        """
        if spread_ticks:
            market.translate(self.array, spread_ticks)
        elif spread_ticks is None:
            market.forget_levels(self.array)

    def load(self, event: OptionView | ImportedLevel) -> None:
        """Take an object event: what an option chain says, or a level of somebody else's file."""
        record = self.array[0]
        if isinstance(event, OptionView):
            options.load(record["options"], record["levels"], event)
        else:
            levels.load(record["levels"], event)

    # -- what can be read ------------------------------------------------------------------------------

    @property
    def events_seen(self) -> int:
        """Rows applied so far: the sequence a decision is stamped with."""
        return int(self.array["clock"]["rows"][0])

    @property
    def price_ticks(self) -> int:
        """Last price: trade, else bar close, else the middle of the book (rounded down)."""
        clock = self.array["clock"]  # fields of the array: a record would be copied out whole
        if clock["has_price"][0]:
            return int(clock["price"][0])
        k = self.array["book"]
        return (int(k["bid"][0]) + int(k["ask"][0])) // 2 if k["has"][0] else 0

    @property
    def mid_ticks(self) -> float:
        """Middle of the quote, else the last price."""
        k = self.array["book"][0]
        return (int(k["bid"]) + int(k["ask"])) / 2 if k["has"] else float(self.price_ticks)

    @property
    def phase(self) -> int:
        """Code of the session phase."""
        return int(self.array["clock"]["phase"][0])

    def context(self) -> FloatArray:
        """Return the surroundings of a decision in the order of CONTEXT_NAMES."""
        out = np.full(len(CONTEXT_NAMES), np.nan)
        market.surroundings(self.array, out)
        return out

    def to_bytes(self) -> bytes:
        """Return everything that is remembered."""
        return np.int64(self._session_until).tobytes() + self.array.tobytes()

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes` of the same version."""
        if len(state) != self.array.nbytes + 8:
            raise InvariantError(f"market state has {len(state)} bytes, expected {self.array.nbytes + 8}")
        self._session_until = int(np.frombuffer(state[:8], np.int64)[0])
        self.array.view(np.uint8)[...] = np.frombuffer(state[8:], np.uint8)  # its padding too

    # -- for people ------------------------------------------------------------------------------------

    def book_levels(self) -> list[dict[str, float]]:
        """Return the ladder, best first: prices in points and sizes; empty without a book."""
        k = self.array["book"][0]
        if not k["has"]:
            return []
        return [
            {
                "bid": (int(k["bid"]) - i) * TICK_POINTS,
                "bid_size": int(k["b"][i]),
                "ask": (int(k["ask"]) + i) * TICK_POINTS,
                "ask_size": int(k["a"][i]),
            }
            for i in range(DEPTH if k["has_depth"] else 1)
        ]

    def bar_rows(self) -> Mapping[str, NDArray[Any]]:
        """Return the remembered closed bars of every timeframe, oldest first."""
        out: dict[str, NDArray[Any]] = {}
        for k, name in enumerate(TIMEFRAME_NAMES):
            t = self.array["tf"][0, k]
            n = int(t["n"])
            order = [(n - 1 - j) % bars.BAR_RING for j in range(min(n, bars.BAR_RING) - 1, -1, -1)]
            out[name] = t["ring"][order].copy()
        return out

    def profile_view(self) -> dict[str, float | None]:
        """Return VWAP, bands, value area and previous session in points, None where not known yet."""
        p = self.array["profile"][0]
        vwap, sd = profile.vwap(p["anchor"][0])
        rth = p["anchor"][1]
        known, before = bool(rth["has_area"]), bool(p["has_previous"])
        view: dict[str, float | None] = {
            "vwap": _points(vwap),
            "sd1_up": _points(vwap + sd),
            "sd1_down": _points(vwap - sd),
            "poc": _points(rth["poc_2"] / 2) if known else None,
            "vah": _points(rth["vah"]) if known else None,
            "val": _points(rth["val"]) if known else None,
            "ppoc": _points(p["ppoc_2"] / 2) if before else None,
            "pvah": _points(p["pvah"]) if before else None,
            "pval": _points(p["pval"]) if before else None,
            "pdh": _points(p["pdh"]) if before else None,
            "pdl": _points(p["pdl"]) if before else None,
        }
        return view

    def level_rows(self) -> list[dict[str, Any]]:
        """Return the known levels, lowest first.

        Name, price in points, weight, strength (0 to 1, 1 unless its source says otherwise), touches, since
        (ns UTC) and age in hours of event time, never below 0.
        """
        now = max(int(self.array["clock"]["now"][0]), int(self.array["clock"]["ts"][0]))
        rows = [
            {
                "name": levels.NAMES[i],
                "price": int(at["price_2"]) / 2 * TICK_POINTS,
                "weight": levels.WEIGHTS[i],
                "strength": float(at["strength"]),
                "touches": int(at["touches"]),
                "since": int(at["since"]),
                "age_hours": max(now - int(at["since"]), 0) / levels.HOUR_NS,
            }
            for i, at in enumerate(self.array["levels"][0]["at"])
            if at["known"]
        ]
        return sorted(rows, key=lambda row: row["price"])


def _points(ticks: float) -> float | None:
    return float(ticks) * TICK_POINTS if ticks == ticks else None
