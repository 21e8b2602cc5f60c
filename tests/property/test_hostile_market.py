"""R5: what a feed can do wrong, in any order, between true rows: set aside and counted, never applied, never filled.

The oracle is a market in plain Python that takes only what the definitions let in. Short form some hundred sequences,
`--long` 5,000.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mia_kernel.core.decisions import OK
from mia_kernel.core.events import BOOK, PRIMARY, QUOTE, SECOND, SIDE_FEED, TRADE, VIX, Carries, empty
from mia_kernel.features.spec import Given, registry
from mia_kernel.features.vector import FeatureSet
from mia_kernel.state.market import LATE_NS, StateParams
from mia_kernel.state.memory import MarketState

pytestmark = [pytest.mark.unit, pytest.mark.safety, pytest.mark.orderflow]

NS = 10**9
OPEN = 1_565_357_400 * NS  # 9 August 2019, 08:30 in Chicago
MIDDLE = 11_700
ALL = Carries(book=True, quotes=True, trades=True, aggressor="feed")
SIZES = st.integers(1, 500)
SIDES = st.sampled_from((-1, 0, 1))  # 0: the side is missing, and may be inferred
INT32 = st.integers(-(2**31), 2**31 - 1)


class Expected:
    """What must have been taken: plain sums, a best bid and ask, a count of what was set aside."""

    def __init__(self) -> None:
        self.volume = self.cvd = self.unsided = self.aside = self.late = 0
        self.price: int | None = None
        self.quote = (0, 0)
        self.jumps: list[int] = []

    def trade(self, px: int, sz: int, side: int) -> None:
        """Take a print, or set it aside."""
        if sz <= 0 or not self._believed(px):
            self.aside += 1
            return
        self.volume, self.cvd, self.price = self.volume + sz, self.cvd + side * sz, px
        self.unsided += sz if side == 0 else 0

    def _believed(self, px: int) -> bool:
        if px <= 0:
            return False
        if self.price is None or 100 * abs(px - self.price) <= self.price:
            self.jumps = []
            return True
        last = self.jumps[-1] if self.jumps else None
        near = last is not None and 100 * abs(px - last) <= last
        self.jumps = [*self.jumps, px] if near else [px]
        if len(self.jumps) < 3:
            return False
        self.jumps = []
        return True


class HostileMarket(RuleBasedStateMachine):
    """True and broken rows, one at a time."""

    @initialize()
    def begin(self) -> None:
        self.market = MarketState(StateParams(), ALL, equity_cents=5_000_000)
        self.market.enter_session_at(OPEN)
        self.features = FeatureSet(Given(ALL, second=True, vix=True))
        self.expected = Expected()
        self.now = self.newest = OPEN
        self.last: Any = None
        self.trade(MIDDLE, 3, 1, SIDE_FEED)
        self.book(0, 1, 5, 5, BOOK)

    def give(self, **fields: Any) -> bool:
        """Apply a row; return whether it is not older than two seconds."""
        row = empty(1)
        for name, value in ({"ts_event": self.now, "ts_recv": self.now} | fields).items():
            row[name][0] = value
        self.last = row.copy()
        return self._apply(row)

    def _apply(self, row: Any) -> bool:
        ts = int(row["ts_event"][0])
        assert self.market.apply(row, 0, 1, self.market.session_until) == 1
        late = ts < self.newest
        self.newest = max(self.newest, ts)
        if ts < self.newest - LATE_NS:
            self.expected.aside += 1
            return False
        self.expected.late += late
        return True

    @rule(ms=st.integers(0, 3_000))
    def time_passes(self, ms: int) -> None:
        self.now += ms * 1_000_000

    @rule(minutes=st.integers(1, 40))
    def gap(self, minutes: int) -> None:
        self.now = min(self.now + minutes * 60 * NS, OPEN + 5 * 3600 * NS)

    @rule(px=st.integers(MIDDLE - 40, MIDDLE + 40), sz=SIZES, side=SIDES, told=st.just(SIDE_FEED))
    def trade(self, px: int, sz: int, side: int, told: int) -> None:
        if self.give(kind=TRADE, px=px, sz=sz, side=side, flags=told):
            self.expected.trade(px, sz, side)

    @rule(px=INT32, sz=INT32, side=SIDES)
    def wild_trade(self, px: int, sz: int, side: int) -> None:
        if self.give(kind=TRADE, px=px, sz=min(sz, 10**6), side=side, flags=SIDE_FEED):
            self.expected.trade(px, min(sz, 10**6), side)

    @rule(factor=st.sampled_from((0.5, 0.98, 1.02, 1.5)), sz=SIZES)
    def jump(self, factor: float, sz: int) -> None:
        self.trade(round(MIDDLE * factor), sz, 1, SIDE_FEED)

    @rule(
        at=st.integers(-40, 40), spread=st.integers(-3, 5), bid_size=SIZES, ask_size=SIZES,
        kind=st.sampled_from((BOOK, QUOTE)),
    )  # fmt: skip
    def book(self, at: int, spread: int, bid_size: int, ask_size: int, kind: int) -> None:
        bid = MIDDLE + at
        self._book(kind, bid, bid + spread, [bid_size] + [1] * 9, [ask_size] + [1] * 9)

    @rule(side=st.sampled_from(("bid", "ask", "both")))
    def one_sided(self, side: str) -> None:
        bid, ask = (0 if side in (name, "both") else MIDDLE for name in ("bid", "ask"))
        self._book(BOOK, bid, ask + (ask > 0), [5] * 10, [5] * 10)

    @rule(level=st.integers(0, 9), size=st.integers(-(2**31), 0), asks=st.booleans())
    def bad_size(self, level: int, size: int, asks: bool) -> None:
        sizes = [[5] * 10, [5] * 10]
        sizes[asks][level] = size
        self._book(BOOK, MIDDLE, MIDDLE + 1, *sizes)

    def _book(self, kind: int, bid: int, ask: int, b: list[int], a: list[int]) -> None:
        if not self.give(kind=kind, bid=bid, ask=ask, b=b, a=a):
            return
        sound = 0 < bid < ask and b[0] > 0 and a[0] > 0
        if kind == BOOK:
            sound = sound and min(b) >= 0 and min(a) >= 0
        if sound:
            self.expected.quote = (bid, ask)
        else:
            self.expected.aside += 1

    @rule(times=st.integers(1, 3))
    def told_again(self, times: int) -> None:
        """Feeds repeat themselves; a repetition is another row of its kind, at its own old time."""
        row, before = self.last, self.now
        for _ in range(times):
            self.now = int(row["ts_event"][0])
            fields = {name: row[name][0].copy() for name in row.dtype.names}
            kind = int(fields["kind"])
            if fields["instrument"] != PRIMARY:
                if self._apply(row.copy()) and self._is_bad_other(row[0]):
                    self.expected.aside += 1
            elif kind == TRADE:
                if self._apply(row.copy()):
                    self.expected.trade(int(fields["px"]), int(fields["sz"]), int(fields["side"]))
            elif kind in (BOOK, QUOTE):
                self._book(kind, int(fields["bid"]), int(fields["ask"]), list(fields["b"]), list(fields["a"]))
        self.now = before

    @rule(ms=st.integers(1, 4_000), sz=SIZES)
    def late(self, ms: int, sz: int) -> None:
        before, self.now = self.now, self.now - ms * 1_000_000
        self.trade(MIDDLE, sz, -1, SIDE_FEED)
        self.now = before

    @rule(
        place=st.sampled_from((SECOND, VIX, 3, 255)),
        px=INT32,
        sz=INT32,
        kind=st.sampled_from((TRADE, BOOK, QUOTE, 0, 9)),
    )
    def other_instrument(self, place: int, px: int, sz: int, kind: int) -> None:
        taken = self.give(kind=kind, instrument=place, px=px, sz=sz, bid=px, ask=sz)
        if taken and self._is_bad_other(self.last[0]):
            self.expected.aside += 1

    @staticmethod
    def _is_bad_other(row: Any) -> bool:
        if row["instrument"] == VIX:
            return bool(row["px"] <= 0)
        return bool(row["instrument"] == SECOND and row["kind"] == TRADE and min(row["px"], row["sz"]) <= 0)

    @invariant()
    def nothing_false_was_taken(self) -> None:
        if not hasattr(self, "market"):
            return
        s, e = self.market.array[0], self.expected
        assert abs(int(s["flow"]["cvd"]) - e.cvd) <= e.unsided
        assert int(s["flow"]["buy"] + s["flow"]["sell"] + s["flow"]["unknown"]) == e.volume
        assert 0 <= int(s["flow"]["unknown"]) <= e.unsided
        assert int(s["flow"]["cvd"]) == int(s["flow"]["buy"] - s["flow"]["sell"])
        assert int(s["profile"]["anchor"][0]["volume"]) == e.volume
        assert int(s["quality"]["quarantined"]) == e.aside
        assert int(s["quality"]["late"]) == e.late
        assert (int(s["book"]["bid"]), int(s["book"]["ask"])) == e.quote
        assert not s["regime"]["vix"] <= 0  # NaN while unknown
        assert (s["book"]["b"] >= 0).all()
        assert (s["book"]["a"] >= 0).all()

    @rule()
    def decide(self) -> None:
        """Everything measured is a number in its range, or said to be unknown."""
        self.market.advance(max(self.now, self.newest))
        vector = self.features.snapshot(self.market, max(self.now, self.newest))
        specs = registry()
        for name, value, quality, status in zip(
            vector.names, vector.values, vector.quality, vector.status, strict=True
        ):
            if status == OK:
                assert specs[name].low <= value <= specs[name].high, (name, value)
                assert 0.0 <= quality <= 1.0, (name, quality)


def _sequences(runs: int) -> None:
    run_state_machine_as_test(
        HostileMarket,
        settings=settings(
            max_examples=runs,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("runs", [100, pytest.param(5_000, marks=pytest.mark.long)])
def test_no_broken_row_changes_what_is_known(runs: int) -> None:
    _sequences(runs)
