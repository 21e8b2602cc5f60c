"""R15: every session of twenty years, every roll: a live session trades the right contract while it trades."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.ibkr_wire import front, future
from mia_kernel.core.contract import calendar_front, last_trade_ns, may_enter, trading_days_left
from mia_kernel.core.session import is_open, sessions
from mia_kernel.live.calendar import AFTER_CLOSE_NS, next_open, when_over

pytestmark = [pytest.mark.unit, pytest.mark.safety]

SECOND = 1_000_000_000
TABLE = sessions()
YEARS = TABLE[(TABLE["trading_day"] >= 20150101) & (TABLE["trading_day"] < 20270101)]


@pytest.mark.parametrize("symbol", ["ES", "MES", "NQ"])
def test_no_session_of_twelve_years_trades_an_expired_contract(symbol: str) -> None:
    rolls = 0
    last = None
    for row in YEARS:
        day = int(row["trading_day"])
        contract = calendar_front(symbol, day)
        assert last_trade_ns(contract) > int(row["close_ns"]), (symbol, day, contract)
        assert may_enter(contract, day), (symbol, day, contract, trading_days_left(contract, day))
        rolls += last is not None and last != contract
        last = contract
    assert rolls == 4 * 12


def test_the_broker_is_asked_for_that_month_at_any_instant_of_the_session() -> None:
    for row in YEARS[::7]:
        day = int(row["trading_day"])
        contract = calendar_front("ES", day)
        month = f"{contract.year}{contract.month:02d}"
        for ts in (int(row["open_ns"]), int(row["close_ns"]) - SECOND):
            assert front("ES", ts).lastTradeDateOrContractMonth == month
        assert future("ES", contract.code).lastTradeDateOrContractMonth == month


def test_every_session_ends_after_its_own_close_and_every_closed_time_waits_for_the_next_open() -> None:
    opens, closes = YEARS["open_ns"].astype(np.int64), YEARS["close_ns"].astype(np.int64)
    for i in range(len(YEARS) - 1):
        opened, closed, following = int(opens[i]), int(closes[i]), int(opens[i + 1])
        assert next_open(opened) == opened
        assert when_over(lambda now=opened: now) == closed + AFTER_CLOSE_NS
        assert when_over(lambda now=closed - SECOND: now) == closed + AFTER_CLOSE_NS
        if closed < following:  # weekends, holidays, early closes, both changes of the clock
            assert not is_open(closed)
            assert next_open(closed) == following
            assert next_open(following - 1) == following
            assert when_over(lambda now=closed: now) == int(closes[i + 1]) + AFTER_CLOSE_NS
