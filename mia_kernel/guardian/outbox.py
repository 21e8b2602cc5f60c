"""Let instructions leave: each written down durably before it does, each once, and known again after a restart.

What the venue makes of it is unknown until it answers. Nothing here asks whether it may: the law was asked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mia_kernel.core.errors import OutsideError
from mia_kernel.core.venue import Cancel, Commission, Fill, Instruction, Place, VenueEvent, VenueOrder
from mia_kernel.guardian import venue
from mia_kernel.guardian.book import SEND, Compared, Halted, Sent, Supposed
from mia_kernel.guardian.counting import count

if TYPE_CHECKING:
    from mia_kernel.guardian.core import Guardian


def leave(g: Guardian, sent: Sent) -> bool:
    """Write down, then send, once. False: the record could not be made durable and nothing left."""
    if g.socket is None:
        return True
    ts = g.now_ns()
    if not g.durable(lambda: g.book.before_send(sent, ts)) and not _last_resort(g, sent, ts):
        return False
    _note(g, sent, ts)
    try:
        g.socket.submit(sent.instructions)
    except OutsideError as error:
        _not_sent(g, sent.instructions)
        g.last_reason = str(error)
        g.next_query = 0.0
    return True


def again(g: Guardian, kind: str, ts: int, what: Sent | VenueEvent | Compared | Supposed | Halted) -> None:
    """Take a journalled fact once more after a restart; nothing leaves."""
    if isinstance(what, Halted):
        g.law.memory.restore(what.memory)
        g.law.memory.arm(False)
        g.kept.halt_reason = what.reason
    elif kind == SEND and isinstance(what, Sent):
        _note(g, what, ts)
    elif isinstance(what, Supposed):
        _take_as(g, what)
    elif isinstance(what, Compared):
        venue.take(g, what)
    elif isinstance(what, VenueOrder | Fill | Commission):
        count(g.law, g.kept, g.truth.apply(what), what)


def _note(g: Guardian, sent: Sent, ts: int) -> None:
    if sent.bracket is not None and isinstance(sent.instructions[0], Place):
        g.truth.open_bracket(sent.bracket, sent.instructions[0].orders)
    for instruction in sent.instructions:
        g.truth.sent(instruction, ts, sent.reference_ticks)
    if sent.intent_id:
        g.kept.intents.append(sent.intent_id)


def suppose(g: Guardian, what: Supposed) -> None:
    """Take an outcome as unknown, or a cancellation as never sent; it is written down like what the venue says."""
    g.book.heard(what, g.now_ns())
    _take_as(g, what)


def _take_as(g: Guardian, what: Supposed) -> None:
    for ref in what.unknown:
        g.truth.doubt(ref)
    for ref, perm_id in what.not_cancelled:
        g.truth.still_works(ref, perm_id)


def _not_sent(g: Guardian, instructions: Sequence[Instruction]) -> None:
    placed = tuple(order.ref for i in instructions if isinstance(i, Place) for order in i.orders)
    suppose(g, Supposed(placed, tuple((i.ref, i.perm_id) for i in instructions if isinstance(i, Cancel))))


def _last_resort(g: Guardian, sent: Sent, ts: int) -> bool:
    """Where the disk is full, what reduces may still leave: its record goes into room kept for it."""
    return sent.bracket is None and g.book.emergency(sent, ts)
