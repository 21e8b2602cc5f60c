"""Laws of the venue, the orders and the account under markets nobody chose.

Exits never exceed the position, the stop covers what is open, money adds up to the cent against a Decimal
oracle, slices change nothing, the mirror gives the mirror, and costs never help.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mia_kernel.core.events import BAR, BAR_HIGH, BAR_LOW, BAR_OPEN, EventArray, empty, merge, mirror
from mia_kernel.core.orders import CancelEntry, ClosePosition, Command, PlaceBracket, ReplaceStop
from mia_kernel.execution.simulate import SimulatorParams
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import TICK_CENTS
from tests.fakes.small_market import T0, S, at, bar, bracket, quote, trade
from tests.fakes.trading import EQUITY_CENTS, Desk

pytestmark = [pytest.mark.unit, pytest.mark.safety]
SLOW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CENTRE = 20_000


@st.composite
def walks(draw: st.DrawFn, kind: str = "mixed", rows: int = 60) -> EventArray:
    """A random walk of quotes and trades (`mixed`), trades alone, or bars; about 0.3 s apart."""
    n = draw(st.integers(5, rows))
    steps = draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    sizes = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    sides = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=n, max_size=n))
    out, mid = [], CENTRE
    out.append(bar(-60, mid, mid + 1, mid - 1, mid) if kind == "bars" else trade(-2, mid, 1, 0))
    if kind == "mixed":
        out.append(quote(-1, mid, mid + 1, 5, 5))
    for i, (step, size, side) in enumerate(zip(steps, sizes, sides, strict=True)):
        seconds, last = 0.05 + 0.3 * i, mid
        mid += step
        if kind == "bars":
            out.append(bar(60.0 * (i + 1), last, max(last, mid) + size, min(last, mid) - size, mid))
        elif kind == "trades" or i % 2:
            out.append(trade(seconds, mid + (side > 0), size + 1, side))
        else:
            out.append(quote(seconds, mid, mid + 1, size + 1, 7 - size))
    return merge(out)


@st.composite
def plans(draw: st.DrawFn, market: bool = False) -> tuple[Command, ...]:
    """A bracket at 0 s and perhaps a new stop, a cancellation, a close later."""
    side = draw(st.sampled_from([-1, 1]))
    risk, reward = draw(st.integers(1, 12)), draw(st.integers(1, 15))
    touch = CENTRE + 1 if side > 0 else CENTRE
    limit = None if market else touch + side * draw(st.integers(-3, 3))
    entry = touch if limit is None else limit
    place = bracket(
        0,
        side,
        limit=limit,
        stop=entry - side * risk,
        target=entry + side * reward,
        qty=draw(st.integers(1, 4)),
        symbol=draw(st.sampled_from(["ES", "MES"])),
    )
    out: list[Command] = [place]
    if draw(st.booleans()):
        tighter = entry - side * draw(st.integers(0, risk))
        out.append(ReplaceStop(at(3), place.bracket_id, tighter, "trail"))
    if draw(st.booleans()):
        out.append(CancelEntry(at(2), place.bracket_id, "cancel"))
    if draw(st.booleans()):
        out.append(ClosePosition(at(6), place.bracket_id, "close"))
    return tuple(out)


def check_money(desk: Desk) -> None:
    """Recompute the account in Decimal from the reports alone."""
    gross = fees = Decimal(0)
    held: dict[str, Decimal] = {}
    for r in desk.reports:
        if r.last_qty:
            tick = Decimal(TICK_CENTS[0 if r.symbol == "ES" else 1]) / 100
            gross -= r.side * r.last_qty * Decimal(r.last_ticks or 0.0) * tick
            fees += Decimal(r.fee_cents) / 100
            held[r.symbol] = held.get(r.symbol, Decimal(0)) + r.side * r.last_qty * tick
    slope = sum(held.values(), Decimal(0))
    mark = int(desk.record["bid_mark" if slope > 0 else "ask_mark"][0])
    equity = Decimal(EQUITY_CENTS) / 100 + gross + slope * mark - fees
    assert Decimal(desk.account.equity_cents) / 100 == equity
    closed = sum(Decimal(t.net_cents) / 100 for t in desk.trips)
    assert Decimal(int(desk.record["closed_cents"][0])) / 100 == closed


def check_brackets(desk: Desk) -> None:
    views = desk.oms.open_brackets()
    for view in views:
        assert 0 <= view.open <= view.filled <= view.qty
        awaiting = any(r.bracket_id == view.bracket_id and r.role.value == "exit" for r in desk.reports)
        stops = [r for r in desk.reports if r.bracket_id == view.bracket_id and r.role.value == "stop"]
        targets = [r for r in desk.reports if r.bracket_id == view.bracket_id and r.role.value == "target"]
        triggered = bool(targets) and targets[-1].status.value == "cancelled"
        if view.open and not awaiting and not triggered:
            assert view.protected == view.open == stops[-1].qty
    assert desk.account.position == sum(v.side * v.open for v in views)
    for trip in desk.trips:
        entered = sum(
            r.last_qty for r in desk.reports if r.bracket_id == trip.bracket_id and r.role.value == "entry"
        )
        left = sum(
            r.last_qty for r in desk.reports if r.bracket_id == trip.bracket_id and r.role.value != "entry"
        )
        assert entered == left == trip.qty
        assert trip.mae_ticks >= 0
        assert trip.mfe_ticks >= 0


@SLOW
@given(kind=st.sampled_from(["mixed", "trades", "bars"]), data=st.data())
def test_exits_follow_the_position_and_money_adds_up(kind: str, data: st.DataObject) -> None:
    desk = Desk().run(data.draw(walks(kind)), *data.draw(plans()))
    check_brackets(desk)
    check_money(desk)


@SLOW
@given(kind=st.sampled_from(["mixed", "trades", "bars"]), data=st.data())
def test_slices_change_nothing(kind: str, data: st.DataObject) -> None:
    rows, commands = data.draw(walks(kind)), data.draw(plans())
    cuts = data.draw(st.lists(st.integers(1, len(rows)), max_size=8))
    whole, sliced = Desk().run(rows, *commands), Desk().run(rows, *commands, cuts=cuts)
    assert whole.reports == sliced.reports
    assert whole.trips == sliced.trips
    assert whole.record.tobytes() == sliced.record.tobytes()
    assert whole.venue.to_bytes() == sliced.venue.to_bytes()


def mirrored(command: Command) -> Command:
    """Reflect a command about CENTRE as `core.events.mirror` reflects the market."""

    def flip(ticks: int | None) -> int | None:
        return None if ticks is None else 2 * CENTRE - ticks

    if isinstance(command, ReplaceStop):
        return ReplaceStop(
            command.ts_event, command.bracket_id, flip(command.stop_ticks) or 0, command.reason
        )
    if isinstance(command, PlaceBracket):
        e = command.entry
        stop, target = flip(command.stop.stop_ticks) or 0, flip(command.target.limit_ticks) or 0
        return bracket(
            0, -e.side, limit=flip(e.limit_ticks), stop=stop, target=target, qty=e.qty, symbol=e.symbol
        )
    return command


@SLOW
@given(kind=st.sampled_from(["mixed", "trades", "bars"]), data=st.data())
def test_the_mirrored_market_gives_the_mirrored_trade(kind: str, data: st.DataObject) -> None:
    rows, commands = data.draw(walks(kind)), data.draw(plans())
    here = Desk().run(rows, *commands)
    there = Desk().run(mirror(rows, CENTRE), *(mirrored(c) for c in commands))
    assert [(r.ts_event, r.role, r.status, r.last_qty) for r in here.reports] == [
        (r.ts_event, r.role, r.status, r.last_qty) for r in there.reports
    ]
    assert [(t.gross_cents, t.mae_ticks, t.mfe_ticks) for t in here.trips] == [
        (t.gross_cents, t.mae_ticks, t.mfe_ticks) for t in there.trips
    ]
    assert here.account.equity_cents == there.account.equity_cents


@SLOW
@given(kind=st.sampled_from(["mixed", "trades", "bars"]), data=st.data(), fee=st.floats(0.0, 20.0))
def test_a_higher_fee_never_helps(kind: str, data: st.DataObject, fee: float) -> None:
    rows, commands = data.draw(walks(kind)), data.draw(plans())
    costs = CostParams(es_fee_per_side_usd=2.25 + fee, mes_fee_per_side_usd=0.62 + fee)
    cheap, dear = Desk().run(rows, *commands), Desk(costs=costs).run(rows, *commands)
    assert dear.account.equity_cents <= cheap.account.equity_cents


@SLOW
@given(kind=st.sampled_from(["mixed", "trades", "bars"]), data=st.data(), more=st.integers(0, 5))
def test_more_slippage_never_helps(kind: str, data: st.DataObject, more: int) -> None:
    rows, commands = data.draw(walks(kind)), data.draw(plans())
    little, much = Desk(), Desk(costs=CostParams(slippage_rth_ticks=1 + more))
    little.run(rows, *commands)
    much.run(rows, *commands)
    assert much.account.equity_cents <= little.account.equity_cents


@SLOW
@given(kind=st.sampled_from(["mixed", "trades"]), data=st.data(), more=st.integers(0, 1500))
def test_more_latency_never_helps_a_round_trip(kind: str, data: st.DataObject, more: int) -> None:
    """In at market, out at market: both legs pay the worst touch on their way."""
    rows = data.draw(walks(kind))
    side = data.draw(st.sampled_from([-1, 1]))
    place = bracket(0, side, limit=None, stop=CENTRE - side * 900, target=CENTRE + side * 900)
    close = ClosePosition(at(4), place.bracket_id, "close")
    # A market of prints fills with the next one: one for the entry before the close is asked for, one for the exit.
    known = [quote(20, CENTRE, CENTRE + 1)] if kind == "mixed" else [trade(3, CENTRE), trade(20, CENTRE)]
    rows = merge([rows, *known])
    quick = Desk(simulator=SimulatorParams(latency_ms=100)).run(rows, place, close)
    slow = Desk(simulator=SimulatorParams(latency_ms=100 + more)).run(rows, place, close)
    if kind == "mixed":
        assert slow.account.equity_cents <= quick.account.equity_cents
    for role in ("entry", "exit"):
        (a,), (b,) = quick.fills(role), slow.fills(role)
        if kind == "mixed":
            assert b.side * (float(b.last_ticks or 0) - float(a.last_ticks or 0)) >= 0


@SLOW
@given(data=st.data(), more=st.integers(0, 1500))
def test_more_latency_never_betters_the_price_of_an_entry(data: st.DataObject, more: int) -> None:
    rows, (place, *_) = data.draw(walks("mixed")), data.draw(plans())
    quick = Desk(simulator=SimulatorParams(latency_ms=100)).run(rows, place)
    slow = Desk(simulator=SimulatorParams(latency_ms=100 + more)).run(rows, place)
    if quick.fills("entry") and slow.fills("entry"):
        best_quick = min(r.side * float(r.last_ticks or 0) for r in quick.fills("entry"))
        best_slow = min(r.side * float(r.last_ticks or 0) for r in slow.fills("entry"))
        assert best_slow >= best_quick


class BracketMachine(RuleBasedStateMachine):
    """Rows and commands in any order; the laws hold after each of them."""

    @initialize(side=st.sampled_from([-1, 1]), with_quotes=st.booleans())
    def begin(self, side: int, with_quotes: bool) -> None:
        self.desk, self.side, self.quotes = Desk(), side, with_quotes
        self.seconds, self.mid, self.sent = 0.0, CENTRE, 0
        self.desk.feed(trade(-2, CENTRE))
        if with_quotes:
            self.desk.feed(quote(-1, CENTRE, CENTRE + 1))

    @rule(
        step=st.integers(-4, 4),
        size=st.integers(1, 9),
        aggressor=st.sampled_from([-1, 0, 1]),
        wait=st.integers(1, 40),
    )
    def print_trade(self, step: int, size: int, aggressor: int, wait: int) -> None:
        self.mid, self.seconds = self.mid + step, self.seconds + wait / 10
        self.desk.feed(trade(self.seconds, self.mid, size, aggressor))

    @precondition(lambda self: self.quotes)
    @rule(
        step=st.integers(-2, 2),
        bid_size=st.integers(0, 9),
        ask_size=st.integers(0, 9),
        spread=st.integers(1, 3),
    )
    def new_quote(self, step: int, bid_size: int, ask_size: int, spread: int) -> None:
        self.mid, self.seconds = self.mid + step, self.seconds + 0.1
        self.desk.feed(quote(self.seconds, self.mid, self.mid + spread, bid_size, ask_size))

    @precondition(lambda self: len(self.desk.oms.open_brackets()) < 3)
    @rule(qty=st.integers(1, 3), through=st.integers(-2, 2), risk=st.integers(1, 8), reward=st.integers(1, 8))
    def place(self, qty: int, through: int, risk: int, reward: int) -> None:
        self.seconds += 0.01
        entry = self.mid + self.side * through
        self.desk.send(
            bracket(
                self.seconds,
                self.side,
                limit=entry,
                stop=entry - self.side * risk,
                target=entry + self.side * reward,
                qty=qty,
            )
        )
        self.sent += 1

    @precondition(lambda self: bool(self.desk.oms.open_brackets()))
    @rule(tighter=st.integers(0, 5))
    def trail(self, tighter: int) -> None:
        view = self.desk.oms.open_brackets()[0]
        self.seconds += 0.01
        self.desk.send(
            ReplaceStop(at(self.seconds), view.bracket_id, view.stop_ticks + view.side * tighter, "trail")
        )

    @precondition(lambda self: bool(self.desk.oms.open_brackets()))
    @rule()
    def cancel(self) -> None:
        self.seconds += 0.01
        for command in self.desk.oms.cancel_entries(at(self.seconds), "cancel"):
            self.desk.send(command)

    @precondition(lambda self: bool(self.desk.oms.open_brackets()))
    @rule()
    def flatten(self) -> None:
        self.seconds += 0.01
        for command in self.desk.oms.flatten(at(self.seconds), "flatten"):
            self.desk.send(command)

    @rule()
    def restart(self) -> None:
        """Everything survives a copy of its bytes."""
        other = Desk()
        other.venue.restore(self.desk.venue.to_bytes())
        other.oms.restore(self.desk.oms.to_bytes())
        other.record[...] = self.desk.record
        other.reports, other.trips = self.desk.reports, self.desk.trips
        self.desk = other

    @invariant()
    def exits_follow_the_position(self) -> None:
        if hasattr(self, "desk"):
            check_brackets(self.desk)

    @invariant()
    def money_adds_up(self) -> None:
        if hasattr(self, "desk"):
            check_money(self.desk)


BracketMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestBracket = BracketMachine.TestCase


def test_a_mirrored_bar_keeps_its_order_of_extremes() -> None:
    rows = empty(1)
    rows["kind"] = BAR
    rows["b"][0, [BAR_OPEN, BAR_HIGH, BAR_LOW]] = (CENTRE, CENTRE + 5, CENTRE - 2)
    assert mirror(rows, CENTRE)["b"][0, [BAR_OPEN, BAR_HIGH, BAR_LOW]].tolist() == [
        CENTRE,
        CENTRE + 2,
        CENTRE - 5,
    ]


def test_times_of_the_small_market_are_whole() -> None:
    assert np.all(merge([trade(0.3, 1)])["ts_event"] == T0 + 300_000_000)
    assert S == 1_000_000_000
