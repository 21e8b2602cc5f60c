"""The guardian as a whole: arming, degradation, limits, flattening, restarts, against the venue's own ledger."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mia_kernel.adapters.messages import (
    Acknowledge,
    Arm,
    Challenge,
    Confirm,
    Disarm,
    Drill,
    Halt,
    Refused,
    Resume,
)
from mia_kernel.core.orders import CancelEntry, ClosePosition, OrderStatus, ReplaceStop, Role
from mia_kernel.core.venue import Cancel, Place, WireType
from tests.fakes.guarded import ACCOUNT, ASK, BID, Guarded, bracket
from tests.fakes.venue import Socket, Venue

pytestmark = [pytest.mark.unit, pytest.mark.safety]


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path / "home")


def test_it_starts_disarmed_and_sends_nothing(guarded: Guarded) -> None:
    guarded.hello()
    answer = guarded.submit(bracket(guarded.venue.now))
    assert isinstance(answer, Refused)
    assert answer.code == "trading_state"
    assert guarded.venue.received == []


def test_a_bracket_leaves_whole_and_its_stop_works_outside_rth(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    (_, sent), *rest = guarded.venue.received
    assert rest == []
    assert isinstance(sent, Place)
    entry, stop, target = sent.orders
    assert stop.type is WireType.STOP
    assert stop.outside_rth
    assert stop.tif.value == "gtc"
    assert stop.parent == target.parent == entry.ref
    assert stop.oca == target.oca
    guarded.run(0.2)
    status = guarded.status()
    assert status.position == 1.0
    assert status.protective_stop == "held by broker"
    assert "active outside RTH" in status.protective_stop_note
    guarded.agrees()


def test_profit_and_loss_are_exact_with_commissions(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.1)
    guarded.venue.quote(ASK + 16, ASK + 17)
    guarded.run(1.0)
    assert guarded.g.truth.es_position() == 0
    assert guarded.g.truth.net_usd({}) == Decimal("16") * Decimal("12.5") - Decimal("4.50")
    assert guarded.status().day_net_usd == 195.5
    assert guarded.status().protective_stop == "not needed"
    guarded.agrees()


@pytest.mark.parametrize(
    ("phrase", "account", "code"),
    [
        ("ARM DRY-RUN", ACCOUNT, "phrase"),
        ("arm paper", ACCOUNT, "phrase"),
        ("ARM PAPER", "DU7654321", "account"),
    ],
)
def test_a_wrong_phrase_or_account_is_refused(guarded: Guarded, phrase: str, account: str, code: str) -> None:
    guarded.hello()
    answer = guarded.ask(Arm(phrase, account))
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert not guarded.g.armed


def test_a_code_works_once_and_not_for_long(guarded: Guarded) -> None:
    guarded.hello()
    first = guarded.ask(Arm("ARM PAPER", ACCOUNT))
    assert isinstance(first, Challenge)
    assert guarded.ask(Confirm("WRONG234")).code == "code"
    assert guarded.ask(Confirm(first.code)).code == "nothing_begun"
    second = guarded.ask(Arm("ARM PAPER", ACCOUNT))
    guarded.run(30.1, 0.1)
    assert guarded.ask(Confirm(second.code)).code == "expired"
    third = guarded.ask(Arm("ARM PAPER", ACCOUNT))
    guarded.ask(Confirm(third.code))
    assert guarded.g.armed
    guarded.ask(Disarm("test"))
    assert guarded.ask(Confirm(third.code)).code == "nothing_begun"
    assert not guarded.g.armed


def test_five_wrong_attempts_lock_arming(guarded: Guarded) -> None:
    guarded.hello()
    for _ in range(5):
        assert guarded.ask(Arm("wrong", ACCOUNT)).code == "phrase"
    assert guarded.ask(Arm("ARM PAPER", ACCOUNT)).code == "locked"


def test_another_build_cannot_arm(guarded: Guarded) -> None:
    (answer,) = guarded.hello(build="other+2")
    assert isinstance(answer, Refused)
    assert "mixed builds" in answer.reason
    assert guarded.ask(Arm("ARM PAPER", ACCOUNT)).code == "no_engine"


def test_changed_limits_cannot_arm(guarded: Guarded) -> None:
    guarded.hello()
    path = guarded.home / "risk.toml"
    path.write_text(guarded.text.replace("daily_loss_usd = 500.0", "daily_loss_usd = 600.0"))
    answer = guarded.ask(Arm("ARM PAPER", ACCOUNT))
    assert answer.code == "limits_changed"


def test_a_restart_disarms_and_knows_everything(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.5)
    guarded.restart()
    assert not guarded.g.armed
    guarded.run(0.2)
    assert guarded.g.reconciled
    assert guarded.status().position == 1.0
    guarded.agrees()


def test_a_fill_missed_while_down_is_found(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter(entry=BID - 4)
    guarded.run(0.1)
    guarded.socket.mute = True
    guarded.venue.quote(BID - 6, BID - 5)
    guarded.restart()
    guarded.run(0.3)
    assert guarded.status().position == 1.0
    assert guarded.venue.stops() == 1
    guarded.agrees()


def test_stale_quotes_disarm(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter(entry=BID - 4)
    guarded.quoting = False
    guarded.run(2.9)
    assert guarded.g.armed
    guarded.run(0.2)
    assert not guarded.g.armed
    guarded.run(0.1)
    assert guarded.venue.working() == []


def test_a_silent_engine_loses_its_entries_not_its_protection(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(1.1)
    guarded.enter(entry=BID - 3)
    guarded.beating = False
    guarded.run(1.2)
    assert not guarded.g.armed
    assert {r.order.type for r in guarded.venue.working()} == {WireType.STOP, WireType.LIMIT}
    assert len(guarded.venue.working()) == 2
    assert guarded.venue.stops() == 1
    guarded.agrees()


def test_the_daily_loss_flattens_and_halts_until_tomorrow(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter(qty=1)
    guarded.run(0.2)
    guarded.venue.frozen = True  # the market runs through the stop
    guarded.venue.quote(ASK - 41, ASK - 40)
    guarded.step()
    sent = [
        i for _, i in guarded.venue.received if isinstance(i, Place) and i.orders[0].type is WireType.MARKET
    ]
    assert len(sent) == 1
    guarded.venue.frozen = False
    guarded.run(0.3)
    status = guarded.status()
    assert status.trading_state == "halted"
    assert status.halt_code == "daily_loss"
    assert status.position == 0.0
    assert guarded.venue.working() == []
    guarded.agrees()
    answer = guarded.ask(Resume("I want to go on"))
    assert isinstance(answer, Refused)
    guarded.restart()
    guarded.run(0.3)
    assert guarded.status().trading_state == "halted"
    assert guarded.ask(Arm("ARM PAPER", ACCOUNT)).code == "halted"


def test_the_kill_switch_takes_everything_along(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(1.1)
    guarded.enter(entry=BID - 3)
    guarded.venue.by_hand(1, 1, BID - 10)
    guarded.run(0.2)
    guarded.ask(Halt("test"))
    guarded.run(0.5)
    assert guarded.venue.positions.get("ES", 0) == 0
    assert guarded.venue.working() == []
    status = guarded.status()
    assert status.trading_state == "halted"
    assert any(a.code == "flat" for a in status.alerts)
    guarded.agrees()
    assert guarded.ask(Resume("")).code == "not_yet"
    guarded.ask(Resume("looked at it"))
    assert guarded.status().trading_state == "reducing"


def test_a_halt_interrupted_by_a_kill_goes_on_after_the_restart(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    guarded.venue.frozen = True
    guarded.ask(Halt("test"))
    guarded.restart()
    guarded.venue.frozen = False
    guarded.run(1.0)
    assert guarded.venue.positions["ES"] == 0
    assert guarded.status().trading_state == "halted"
    guarded.agrees()


def test_not_flat_in_time_is_priced_again_and_alarmed(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    guarded.venue.frozen = True
    guarded.ask(Halt("test"))
    guarded.run(3.2)
    assert any(a.code == "not_flat" for a in guarded.status().alerts)
    exits = [r for r in guarded.venue.working() if r.order.ref.startswith("mia") and "exit" in r.order.ref]
    assert [r.order.type for r in exits] == [WireType.LIMIT]
    assert sum(r.left for r in exits) == 1
    guarded.venue.frozen = False
    guarded.run(0.5)
    assert guarded.venue.positions["ES"] == 0
    guarded.agrees()


def test_partial_entry_with_dead_children_is_protected_again(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home", Venue(depth=1))
    guarded.arm()
    name = guarded.enter(qty=2, stop=4, target=12, entry=ASK)
    guarded.venue.frozen = True
    guarded.run(0.05)
    assert guarded.venue.positions == {"ES": 1}
    guarded.submit(CancelEntry(guarded.venue.now, name, "enough"))
    guarded.run(1.0)
    assert guarded.venue.stops() == 1
    assert guarded.g.armed
    guarded.agrees()


def test_a_position_that_cannot_be_protected_is_closed(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    for resting in guarded.venue.working():
        guarded.venue._end(resting)
    guarded.venue.reject_next = 1
    guarded.run(0.35)
    guarded.venue.reject_next = 1
    guarded.run(0.35)
    guarded.venue.reject_next = 1
    guarded.run(1.0)
    guarded.venue.reject_next = 0
    guarded.run(1.0)
    assert guarded.venue.positions["ES"] == 0 or guarded.venue.stops() == 1
    guarded.agrees()


def test_a_stop_only_tightens(guarded: Guarded) -> None:
    guarded.arm()
    name = guarded.enter()
    guarded.run(0.1)
    before = len(guarded.venue.received)
    guarded.submit(ReplaceStop(guarded.venue.now, name, ASK - 20, "looser"))
    assert len(guarded.venue.received) == before
    guarded.submit(ReplaceStop(guarded.venue.now + 1, name, ASK - 4, "trail"))
    guarded.run(0.1)
    (stop,) = [r for r in guarded.venue.working() if r.order.type is WireType.STOP]
    assert stop.order.stop_ticks == ASK - 4
    guarded.agrees()


def test_a_wish_heard_twice_is_carried_out_once(guarded: Guarded) -> None:
    guarded.arm()
    command = bracket(guarded.venue.now)
    guarded.submit(command, "same")
    guarded.submit(command, "same")
    guarded.run(0.1)
    guarded.restart()
    guarded.hello()
    guarded.submit(command, "same")
    guarded.run(0.2)
    assert max(guarded.venue.refs_seen.values()) == 1
    assert guarded.venue.positions == {"ES": 1}
    again = guarded.submit(command, "another name")
    assert isinstance(again, Refused)


def test_a_send_that_never_arrived_is_resolved_by_asking(guarded: Guarded) -> None:
    guarded.arm()
    guarded.socket.deaf = True
    name = guarded.enter()
    guarded.run(5.2)
    guarded.socket.deaf = False
    guarded.run(6.0)
    assert name not in guarded.g.truth.state.brackets
    assert guarded.venue.refs_seen == {}
    assert guarded.venue.positions == {}
    entry = [r for r in guarded.reports() if r.order_id == f"{name}-entry"]
    assert entry[-1].status is OrderStatus.CANCELLED
    assert entry[-1].reason == "not at the venue"


@pytest.mark.parametrize("how", ["deaf", "cut"])
def test_a_cancellation_that_was_lost_is_found_and_sent_again(guarded: Guarded, how: str) -> None:
    guarded.arm()
    guarded.enter(entry=BID - 9)
    guarded.run(0.2)
    if how == "deaf":
        guarded.socket.deaf = True
        guarded.ask(Disarm("test"))
        guarded.run(0.5)
        guarded.socket.deaf = False
    else:
        guarded.socket.cut()
        guarded.run(0.5)
        guarded.socket.restore()
    guarded.run(11.0, 0.05)
    assert guarded.venue.working() == []
    guarded.agrees()


def test_hand_made_orders_and_fills_are_seen(guarded: Guarded) -> None:
    guarded.arm()
    guarded.venue.by_hand(1, 1, ASK)
    guarded.run(0.2)
    assert guarded.status().position == 1.0
    assert guarded.status().protective_stop == "absent"
    guarded.agrees()


def test_an_execution_correction_replaces(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    guarded.venue.correct(guarded.venue.fills[0], ASK + 2)
    guarded.run(0.2)
    assert guarded.g.truth.es_position() == 1.0
    guarded.agrees()


def test_an_over_fill_is_reversed_and_alarmed(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    stop, target = sorted(guarded.venue.working(), key=lambda r: r.order.type is not WireType.STOP)
    guarded.venue.auto_reduce = False
    guarded.venue.fill(stop, 1, ASK - 8)
    guarded.venue.fill(target, 1, ASK + 16)
    assert guarded.venue.positions["ES"] == -1
    guarded.run(0.5)
    assert guarded.venue.positions["ES"] == 0
    assert not guarded.g.armed
    assert any("over-fill" in a.text for a in guarded.status().alerts)
    guarded.agrees()


def test_a_difference_disarms_until_it_is_equal(guarded: Guarded) -> None:
    guarded.arm()
    guarded.venue.positions["ES"] = 1
    guarded.venue.cash -= 1 * BID * Decimal("12.5")
    guarded.run(31.0, 0.05)
    assert not guarded.g.armed
    assert guarded.status().position == 1.0
    assert guarded.g.reconciled
    assert guarded.ask(Arm("ARM PAPER", ACCOUNT)).code == "unseen_alert"
    guarded.ask(Acknowledge(0))
    assert isinstance(guarded.ask(Arm("ARM PAPER", ACCOUNT)), Challenge)


def test_an_unseen_critical_alert_disarms(guarded: Guarded) -> None:
    guarded.arm()
    guarded.g.alert("critical", "test", "look here", guarded.now)
    guarded.run(59.0, 0.1)
    assert guarded.g.armed
    guarded.run(2.0, 0.1)
    assert not guarded.g.armed


def test_a_stop_never_confirmed_before_the_link_was_lost_is_no_protection(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    stop = next(r for r in guarded.g.truth.live_orders() if r.role is Role.STOP)
    guarded.g.truth.doubt(stop.order.ref)
    guarded.socket.cut()
    guarded.run(0.1)
    assert guarded.status().protective_stop == "absent"
    unreached = Socket(guarded.venue)
    unreached.cut()
    monkeypatch.setattr("tests.fakes.guarded.Socket", lambda venue: unreached)
    guarded.restart()  # a guardian that comes up while nobody can be asked has confirmed nothing
    assert guarded.status().protective_stop == "unknown"


def test_a_lost_link_disarms_and_a_restored_one_is_reconciled(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    guarded.socket.cut()
    guarded.run(0.1)
    assert not guarded.g.armed
    status = guarded.status()
    assert status.protective_stop == "unconfirmed"
    assert status.protective_stop_note.startswith("not confirmed since ")
    assert "last known: stops over 1 contracts" in status.protective_stop_note
    guarded.venue.quote(ASK - 9, ASK - 8)
    guarded.venue.events.clear()
    guarded.run(0.5)
    guarded.socket.restore(data_lost=True)
    guarded.run(0.5)
    assert guarded.g.reconciled
    assert guarded.status().position == 0.0
    guarded.agrees()


def test_closing_by_the_engine_is_allowed_while_disarmed(guarded: Guarded) -> None:
    guarded.arm()
    name = guarded.enter()
    guarded.run(0.2)
    guarded.ask(Disarm("test"))
    guarded.submit(ClosePosition(guarded.venue.now, name, "signal"))
    guarded.run(0.3)
    assert guarded.venue.positions["ES"] == 0
    assert guarded.venue.working() == []
    guarded.agrees()


def test_the_drill_rehearses_and_is_remembered(guarded: Guarded) -> None:
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    guarded.ask(Drill())
    guarded.run(0.5)
    assert guarded.venue.positions["ES"] == 0
    guarded.ask(Resume("the drill is over"))
    guarded.restart()
    assert guarded.status().drill_ts is not None


def test_orders_above_the_rate_are_denied_and_then_disarm(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home", max_concurrent=4, max_position=2.0)
    guarded.arm()
    answers = [
        guarded.submit(bracket(guarded.venue.now + i, entry=BID - 10 - i, symbol="MES")) for i in range(6)
    ]
    codes = [a.code for a in answers if isinstance(a, Refused)]
    assert len(codes) == 5
    assert set(codes) <= {"orders_per_second", "trading_state"}
    guarded.run(0.2)
    assert not guarded.g.armed
    placed = [i for _, i in guarded.venue.received if isinstance(i, Place)]
    assert len(placed) == 1
    assert any(isinstance(i, Cancel) for _, i in guarded.venue.received)


def test_a_restart_never_gives_a_name_twice_and_keeps_a_moved_stop(guarded: Guarded) -> None:
    """Killed before anything was saved: what was sent is known from the record of the send alone."""
    guarded.arm()
    guarded.enter()
    guarded.run(0.2)
    name = next(iter(guarded.g.truth.state.brackets))
    moved = guarded.g.truth.state.brackets[name].stop_ticks + 2
    guarded.submit(ReplaceStop(guarded.venue.now, name, moved, "test"))
    guarded.run(0.2)
    guarded.restart()
    assert guarded.g.truth.state.brackets[name].stop_ticks == moved
    guarded.venue.reject_next = 1
    for resting in list(guarded.venue.working()):
        guarded.venue._cancel(Cancel(resting.order.ref, resting.perm_id))
    guarded.run(0.5)
    guarded.restart()
    guarded.run(1.5)
    assert max(guarded.venue.refs_seen.values()) == 1, guarded.venue.refs_seen
    guarded.agrees()
