"""What was taken as lost arrives after all: closed by the guardian, and the engine never hears of it twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from mia_kernel.core.orders import OrderStatus
from mia_kernel.core.venue import Place
from mia_kernel.execution import late
from mia_kernel.execution.oms import Oms
from mia_kernel.execution.params import ExecutionParams
from tests.fakes.guarded import ASK, BID, Guarded, bracket

pytestmark = [pytest.mark.unit, pytest.mark.safety]


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.run(0.2)
    return guarded


def overtaken(guarded: Guarded, entry: int) -> Oms:
    """Wish a bracket that stays on the way while the venue answers that it has none; it is still to be received."""
    oms = Oms(ExecutionParams())
    wish = bracket(guarded.venue.now, entry=entry)
    oms.accept(wish)
    guarded.socket.late = []
    guarded.submit(wish)
    guarded.run(0.1)
    guarded.g.ask_venue(guarded.now)
    guarded.run(0.3)
    assert not guarded.g.truth.state.brackets
    assert list(guarded.g.truth.state.lost) == [wish.bracket_id]
    return oms


def hear(guarded: Guarded, oms: Oms) -> None:
    """Let the engine's order book take everything it was told: an impossible step would raise."""
    for report in guarded.reports():
        oms.apply(report)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("entry", "fills"), [(BID - 4, 0), (ASK, 1)])
def test_a_late_bracket_is_closed_at_once_and_the_engine_hears_nothing_of_it(
    guarded: Guarded, entry: int, fills: int, killed: bool
) -> None:
    oms = overtaken(guarded, entry)
    on_the_way, guarded.socket.late = guarded.socket.late, None
    assert on_the_way
    if killed:
        guarded.restart()
        guarded.run(0.1)
    guarded.venue.receive(on_the_way)
    assert sum(abs(q) for q in guarded.venue.positions.values()) == fills
    guarded.run(3.0)
    assert not any(guarded.venue.positions.values())
    assert guarded.venue.working() == []
    guarded.agrees()
    assert any(note.code == "late" and note.level == "critical" for note in guarded.g.alerts.notes())
    hear(guarded, oms)
    assert oms.open_brackets() == ()
    assert guarded.g.truth.state.brackets == {}


def test_an_order_that_was_refused_before_it_left_is_not_closed_twice(guarded: Guarded) -> None:
    overtaken(guarded, BID - 4)
    guarded.socket.late = None
    guarded.run(2.0)
    assert [n for n in guarded.g.alerts.notes() if n.code == "late"] == []


def test_a_lost_bracket_is_forgotten_after_ten_minutes(guarded: Guarded) -> None:
    overtaken(guarded, BID - 4)
    state = guarded.g.truth.state
    opened = next(iter(state.lost.values())).opened_ts
    late.forget(state, opened + late.KEEP_NS)
    assert state.lost
    late.forget(state, opened + late.KEEP_NS + 1)
    assert not state.lost


def test_an_exit_that_was_replaced_is_withdrawn_when_it_appears_beside_its_successor(
    guarded: Guarded,
) -> None:
    name = guarded.enter()
    guarded.run(0.3)
    truth = guarded.g.truth
    old = truth.state.orders[truth.state.brackets[name].stop]
    guarded.venue._end(next(r for r in guarded.venue.working() if r.order.ref == old.order.ref))
    guarded.run(2.0)
    new = truth.state.brackets[name].stop
    assert new != old.order.ref
    guarded.venue.receive([Place((old.order,))])
    guarded.run(1.0)
    working = [r.order.ref for r in guarded.venue.working()]
    assert new in working
    assert old.order.ref not in working
    assert old.status is OrderStatus.CANCELLED
