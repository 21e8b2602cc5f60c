"""A guardian killed at the worst moment: what it told the engine, and the names it gave, stay what they were."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.adapters.messages import Disarm, Refused, Report, report_of
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.orders import ClosePosition, OrderReport, OrderStatus, Role
from mia_kernel.core.venue import Instruction, Place
from mia_kernel.execution import plan
from mia_kernel.execution.oms import Oms
from mia_kernel.execution.params import ExecutionParams
from mia_kernel.execution.truth import Truth
from tests.fakes.guarded import BID, Guarded, bracket
from tests.fakes.venue import T0, Socket
from tests.unit.guardian.test_disk import broken

pytestmark = [pytest.mark.unit, pytest.mark.safety]


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path / "home")


def _all_told(guarded: Guarded) -> list[OrderReport]:
    return [report_of(m.payload) for m in guarded.hello(seen=0) if isinstance(m, Report)]


def test_reports_made_of_a_snapshot_keep_their_numbers_over_a_kill(guarded: Guarded) -> None:
    """What only a snapshot told was forgotten by a kill, and the entry's fills came under numbers told before."""
    guarded.arm()
    oms = Oms(ExecutionParams())
    guarded.run(0.2)
    for _ in range(2):
        lost = bracket(guarded.venue.now, entry=BID - 3)
        oms.accept(lost)
        guarded.socket.deaf = True
        guarded.submit(lost)
        guarded.socket.deaf = False
        guarded.step()
        guarded.g.ask_venue(guarded.now)
        guarded.run(1.2)
    assert guarded.g.reconciled
    told = guarded.reports()
    assert any(r.reason == "not at the venue" for r in told)

    entered = bracket(guarded.venue.now)
    oms.accept(entered)
    assert not isinstance(guarded.submit(entered), Refused)
    assert guarded.venue.positions == {"ES": 1}
    guarded.restart()  # before a word about the fills was heard
    guarded.run(0.3)
    guarded.hello()
    close = ClosePosition(guarded.venue.now, entered.bracket_id, "test")
    oms.accept(close)
    guarded.submit(close)
    guarded.run(0.3)

    seen = 0
    for report in guarded.reports():
        if report.seq > seen:  # as the engine's link takes them
            seen = report.seq
            oms.apply(report)
    assert oms.open_brackets() == ()
    assert _all_told(guarded)[: len(told)] == told
    numbers = [r.seq for r in guarded.reports()]
    assert numbers == sorted(set(numbers))
    guarded.agrees()


def test_a_cancellation_that_never_left_is_known_to_have_not_after_a_kill(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.arm()
    guarded.enter(entry=BID - 3)
    guarded.run(0.2)
    (entry,) = (r.order.ref for r in guarded.g.truth.live_orders() if r.role is Role.ENTRY)

    def refused(self: Socket, instructions: Sequence[Instruction]) -> None:
        raise OutsideError("the link is down; way out: wait")

    with monkeypatch.context() as patched:
        patched.setattr(Socket, "submit", refused)
        guarded.ask(Disarm("test"))
        guarded.step()
    assert guarded.g.truth.state.orders[entry].status is OrderStatus.WORKING
    guarded.g.book.close()
    with monkeypatch.context() as patched:  # nothing but the journal to know it from
        patched.setattr(Socket, "query", refused)
        guarded.start()
        assert guarded.g.truth.state.orders[entry].status is OrderStatus.WORKING


def test_the_engine_hears_nothing_that_is_not_durable(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.arm()
    guarded.run(1.2)
    guarded.enter()
    with monkeypatch.context() as patched:
        patched.setattr(JournalWriter, "commit", broken(errno.EIO))
        guarded.run(0.5, 0.05)
        assert guarded.status().position == 1.0
        assert not guarded.reports()
        assert not _all_told(guarded)
    guarded.run(2.5, 0.05)
    assert sum(r.last_qty for r in guarded.reports()) == 1
    assert _all_told(guarded) == guarded.reports()


def test_a_flattening_order_takes_no_name_of_before_the_kill() -> None:
    """The number came of counts that fall: dead orders are swept, reports not yet kept are forgotten by a kill."""
    truth = Truth({"ES": 225})
    truth.state.positions["ES"] = 1
    (first,) = plan.reverse_excess(truth)
    assert isinstance(first, Place)
    truth.sent(first, T0)
    ref, state = first.orders[0].ref, truth.state
    truth.state.orders[ref].status = OrderStatus.FILLED
    truth.sweep(T0)
    state.reports = 0
    (second,) = plan.reverse_excess(Truth({"ES": 225}, state))
    assert isinstance(second, Place)
    assert second.orders[0].ref != ref
