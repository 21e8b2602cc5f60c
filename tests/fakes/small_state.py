"""A market state set by hand: only what strategy and risk read is filled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.session import session_row
from mia_kernel.state import ledger
from mia_kernel.state.bars import TF_1M, TF_5M
from mia_kernel.state.market import MARKET_DTYPE
from mia_kernel.state.regime import M_UNCLEAR, V_NORMAL
from tests.fakes.trading import EQUITY_CENTS

DAY = 20231114  # a Tuesday
SIGNAL_TF = TF_5M


def small_state(bid: int = 20_000, ask: int = 20_001, *, quotes: bool = True) -> NDArray[Any]:
    """Return a one-element market state on the 5m signal timeframe, regimes known, nothing else known."""
    market = np.zeros(1, MARKET_DTYPE)
    s = market[0]
    s["session"] = session_row(DAY)
    s["clock"]["price"], s["clock"]["has_price"], s["clock"]["base"] = bid, 1, TF_1M
    if quotes:
        s["book"]["has"], s["book"]["bid"], s["book"]["ask"] = 1, bid, ask
    s["quality"]["score"] = 0.97
    regime(market)
    for k in range(5):
        s["battle"][k]["score"] = np.nan
        s["battle"][k]["confidence"] = np.nan
    s["battle"][SIGNAL_TF]["p_is_signal"] = 1
    ledger.init(market["account"], EQUITY_CENTS)
    market["account"]["day"] = DAY
    return market


def regime(
    market: NDArray[Any], *, volatility: int = V_NORMAL, state: int = M_UNCLEAR, size: float = 1.0
) -> None:
    """Set both regimes; both sides are allowed unless the caller says otherwise."""
    r = market[0]["regime"]
    r["volatility"], r["volatility_base"], r["volatility_trend"] = volatility, max(volatility, 0), 0.0
    r["vix"], r["market"], r["market_size"] = 18.0, state, size
    r["allow_long"] = r["allow_short"] = 1


def battle(market: NDArray[Any], **fields: Any) -> None:
    """Set fields of the signal timeframe's battle."""
    for name, value in fields.items():
        market[0]["battle"][SIGNAL_TF][name] = value


def ball(market: NDArray[Any], colour: str, px: int) -> None:
    """Add the newest ball of a colour."""
    b = market[0]["battle"][SIGNAL_TF]
    b[colour][int(b[f"{colour}_n"])]["px"] = px
    b[f"{colour}_n"] += 1


def add_bar(market: NDArray[Any], tf: int, open_: int, high: int, low: int, close: int, **more: Any) -> None:
    """Append a closed bar."""
    t = market[0]["tf"][tf]
    row = t["ring"][int(t["n"])]
    row["open"], row["high"], row["low"], row["close"] = open_, high, low, close
    row["atr"] = row["rvol"] = np.nan
    for name, value in more.items():
        row[name] = value
    t["n"] += 1
