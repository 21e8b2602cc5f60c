"""Tell the engine what a chain says now: its figures on the traded future, at the present price and clock.

How it moves: between two chains the open interest and the volatilities stand, price and clock do not. `ChainInForce`
holds one chain and gives, for an instant and a price of the future, the walls, the flip and the pin as they then
are: the same book at S = future/b(t), with what has settled gone. One code path for replay and live.
Source: domain §4 (a chain from outside cash hours stands for the next cash day), §12.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from mia_kernel.core.contract import Contract
from mia_kernel.core.events import OptionView
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.option_calendar import is_cash_day
from mia_kernel.core.session import cash_close_minute, date_of, day_number, new_york_ns, trading_day_of
from mia_kernel.gamma.book import Book
from mia_kernel.gamma.exposures import new_york_day
from mia_kernel.gamma.levels import Strikes, dealer_position, pin_risk, walls
from mia_kernel.gamma.mapping import Basis, chain_basis
from mia_kernel.gamma.summary import GammaLevels
from mia_kernel.gamma.tick import Ticker

_OPEN_MINUTE, _UNTIL_MINUTE = 570, 1020
_MINUTE_NS = 60_000_000_000
_PIN_REACH_YEARS = 1.1 / 365


def valid_until(as_of: int) -> int:
    """Return the end of what a chain stands for: 0 for one from cash hours, which ages by its limit.

    One taken outside cash hours stands until 17:00 New York of the day of the next cash session.
    """
    day = new_york_day(as_of)
    cash = is_cash_day(day)
    close = cash_close_minute(day) or 0
    if cash and new_york_ns(day, _OPEN_MINUTE) <= as_of < new_york_ns(day, close):
        return 0
    if not (cash and as_of < new_york_ns(day, _OPEN_MINUTE)):
        day = _cash_day_after(day)
    return new_york_ns(day, _UNTIL_MINUTE)


def _cash_day_after(day: int) -> int:
    following = date_of(day) + timedelta(days=1)
    while not is_cash_day(day_number(following)):
        following += timedelta(days=1)
    return day_number(following)


class ChainInForce:
    """One chain on one contract of the future.

    Parameters
    ----------
    levels : GammaLevels
        What the chain said at its own instant.
    contract : Contract
        The future that is traded.
    reference : float, optional
        Put/call volume ratio of the last sessions at this time of day; None = not measured.
    basis : Basis, optional
        A live ratio; default the chain's own forward at the contract's expiry.
    """

    def __init__(
        self,
        levels: GammaLevels,
        contract: Contract,
        *,
        reference: float | None = None,
        basis: Basis | None = None,
    ) -> None:
        self.levels = levels
        self.as_of = levels.book.now
        self.until = valid_until(self.as_of)
        self.basis = basis or chain_basis(levels.book, contract)
        self._reference = reference
        self._book = levels.book.where(levels.book.oi > 0)
        self._made: tuple[int, Ticker, Ticker, Book] | None = None
        self._fixed = self._figures_of_the_chain()

    def covers(self, ts: int) -> bool:
        """Tell whether the chain may still speak at an instant; how old is too old the state decides."""
        last = int(self._book.legs["settle_ns"].max())
        return self.as_of <= ts < last and (self.until == 0 or ts <= self.until)

    def view(self, ts: int, price_ticks: float | None, seq: int = 0) -> OptionView:
        """Return what the chain says at an instant and a price of the future, None = the chain's own spot."""
        ratio = self.basis.at(ts)
        spot = self.levels.book.spot if price_ticks is None else price_ticks * TICK_POINTS / ratio
        figures = dict(self._fixed)
        figures.update(self._figures_at(ts, spot, ratio / TICK_POINTS))
        day = trading_day_of(ts)
        return OptionView(
            ts_event=ts,
            ts_recv=ts,
            seq=seq,
            as_of=self.as_of,
            valid_until=self.until,
            zero_dte=bool((self._book.legs["expiry"] == day).any()),
            quality=self.levels.confidence.score,
            source=self.levels.chain.source,
            figures=figures,
        )

    def _figures_of_the_chain(self) -> dict[str, float | None]:
        """Return what does not move with price: volumes, ratios, skew, slope, and the expected range."""
        levels, surface = self.levels, self.levels.surface
        figures: dict[str, float | None] = {
            "put_call_ratio": levels.ratios["live"]["oi"],
            # The tape of the chain's own day: all rows, for what expired that day traded that day too.
            "put_call_volume_ratio": levels.ratios["all_rows"]["volume"],
            "put_call_reference": self._reference,
            "option_volume_contracts": _volume(levels),
            "term_structure_slope": surface.term_slope,
            "vol_skew_25_delta": surface.skew_25.get(30),
            "unusual_share": levels.unusual_share,
            "expected_high_ticks": None,
            "expected_low_ticks": None,
        }
        if surface.smiles:
            move = surface.smiles[0].expected_move(levels.book.spot)["one_sigma"]
            scale = self.basis.ratio / TICK_POINTS
            figures["expected_high_ticks"] = (levels.book.spot + move) * scale
            figures["expected_low_ticks"] = (levels.book.spot - move) * scale
        return figures

    def _figures_at(self, ts: int, spot: float, scale: float) -> dict[str, float | None]:
        whole, today, last_day = self._tickers(ts)
        table = whole.strikes(spot)
        net = walls(table, spot)["net"]
        zero_dte = walls(today.strikes(spot), spot)["net"]
        flip = whole.flip(spot)
        near = last_day.at(ts, spot)
        pin = pin_risk(near, near.exposure())
        total, gross = float(table.net.sum()), float(table.gross.sum())

        def placed(level: float | None) -> float | None:
            return None if level is None else level * scale

        return {
            "call_wall_ticks": placed(net.call),
            "put_wall_ticks": placed(net.put),
            "gamma_flip_ticks": placed(flip.price),
            "call_wall_0dte_ticks": placed(zero_dte.call),
            "put_wall_0dte_ticks": placed(zero_dte.put),
            "pin_ticks": placed(None if pin is None else pin.strike),
            "dealer_gamma_position": float(dealer_position(total, gross)),
            "call_wall_weight": _weight(table, net.call),
            "put_wall_weight": _weight(table, net.put),
            "total_gamma_exposure_usd": total,
        }

    def _tickers(self, ts: int) -> tuple[Ticker, Ticker, Book]:
        """Return whole book and what settles on the trading day, at the clock of the whole minute of `ts`.

        Between two minutes only price moves: the same instant gives the same answer, whatever was asked before.
        The third is what settles within a day, for the pin.
        """
        minute = max(ts // _MINUTE_NS * _MINUTE_NS, self.as_of)
        if self._made is None or self._made[0] != minute:
            book = self._book.at(minute, self._book.spot)
            today = book.legs["expiry"] == trading_day_of(ts)
            made = Ticker(book, self.levels.sign), Ticker(book.where(today), self.levels.sign)
            self._made = (minute, *made, book.where(book.years < _PIN_REACH_YEARS))
        return self._made[1:]


def _weight(table: Strikes, wall: float | None) -> float | None:
    """|net| at the wall's strike over the mean of all strikes that hold any."""
    size = np.abs(table.net)
    held = size[size > 0]
    return None if wall is None or not len(held) else float(size[table.strike == wall][0] / held.mean())


def _volume(levels: GammaLevels) -> float | None:
    volume = levels.chain.legs["volume"]
    return None if np.isnan(volume).all() else float(np.nansum(volume))
