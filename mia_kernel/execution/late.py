"""Late: what was written off as lost and reaches the venue after all.

A lost connection may deliver long after the next one has asked, and been answered, what the venue holds. An order
that no venue ever confirmed and that is in no list is taken as never arrived, but its bracket is remembered: should it
arrive, the bracket is taken up again as an *orphan*, of which the engine hears nothing more and which the guardian
closes at once. Exits that were replaced meanwhile are withdrawn when they appear beside their successors.
"""

from __future__ import annotations

from mia_kernel.core.orders import OrderStatus, Role
from mia_kernel.core.venue import Cancel, Instruction
from mia_kernel.execution.truth_record import BracketRecord, OrderRecord, TruthState

KEEP_NS = 600_000_000_000
"""How long a lost bracket is remembered; its entry is good for seconds and the venue refuses it after that."""
AT_WORK = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)


def written_off(state: TruthState, bracket: BracketRecord) -> None:
    """Remember a bracket that ended without any word of the venue about its entry."""
    if bracket.filled == 0 and state.orders[bracket.entry].perm_id == 0:
        state.lost[bracket.bracket_id] = bracket


def take_up(state: TruthState, bracket_id: str) -> BracketRecord | None:
    """Return a remembered bracket, open again as an orphan; None where none was lost under this name."""
    bracket = state.lost.pop(bracket_id, None)
    if bracket is not None:
        bracket.orphan, bracket.closing = True, ""
        state.brackets[bracket_id] = bracket
    return bracket


def forget(state: TruthState, ts: int) -> None:
    """Forget brackets that were lost long ago."""
    for name in [name for name, b in state.lost.items() if ts - b.opened_ts > KEEP_NS]:
        del state.lost[name]


def strays(state: TruthState) -> tuple[Instruction, ...]:
    """Return what withdraws working orders of ours that stand for nothing: no bracket, or replaced by another one."""
    return tuple(Cancel(r.order.ref, r.perm_id) for r in state.orders.values() if _stray(state, r))


def _stray(state: TruthState, record: OrderRecord) -> bool:
    if record.status not in AT_WORK or record.external or not record.bracket_id or record.role is Role.EXIT:
        return False
    bracket = state.brackets.get(record.bracket_id)
    if bracket is None:
        return True
    current = {Role.STOP: bracket.stop, Role.TARGET: bracket.target}.get(record.role, record.order.ref)
    return current != record.order.ref and state.orders[current].status in AT_WORK
