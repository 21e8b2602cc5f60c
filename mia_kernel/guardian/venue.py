"""Take what the venue says about itself: snapshots to compare with, the link, the clock, halts of the exchange.

What degrades disarms; only an equal snapshot makes the account confirmed again, and nothing here arms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mia_kernel.core.venue import CLOCK, HALTED, Link, Snapshot, Trouble
from mia_kernel.execution.reconcile import Reconciled, reconcile
from mia_kernel.guardian.book import Compared

if TYPE_CHECKING:
    from mia_kernel.guardian.core import Guardian

SKEW_S = 1.0
"""A clock further off than this disarms."""
AGAIN_S = 0.25
"""A snapshot that differs is asked for again after so long: it may have crossed a fill."""
MOVED_S = 0.25
"""Time for the fill that explains a pushed position to come."""


def compare(g: Guardian, snapshot: Snapshot, now: float) -> None:
    """Reconcile with the answer to the newest question."""
    asked = g.query_asked
    if asked is None or snapshot.query_id != asked[0]:
        return  # an answer to an older question is old news
    g.query_asked = None
    g.facts()
    compared = Compared(snapshot, asked[1], dict(g.marks))
    g.book.heard(compared, g.now_ns())
    found = take(g, compared)
    g.owe(found.reports)
    for note in (*found.notes, *map(str, found.differences)):
        g.alert("critical" if found.differences else "warning", "reconcile", note, now)
    if found.equal:
        g.unconfirmed_ns = None
        if not g.reconciled:
            g.reconciled = True
            g.save()
        return
    g.next_query = now + AGAIN_S
    if not found.differences:
        return  # only crossed by a fill: what was confirmed stays so until the answer to the next question
    g.unconfirm(contradicted=True)
    g.disarm("; ".join(map(str, found.differences)), now)


def take(g: Guardian, compared: Compared) -> Reconciled:
    """Bring our account to a snapshot, now or once more after a restart."""
    found = reconcile(g.truth, compared.snapshot, asked_ts=compared.asked_ts, marks=compared.marks)
    g.kept.reports += found.reports
    for trip in found.closed:
        g.law.closed(trip.net_usd, trip.closed_ts)
    return found


def moved(g: Guardian, now: float) -> None:
    """Ask at once where a position the venue pushed is not ours: somebody traded by hand, or a fill was missed."""
    for symbol, (qty, since) in tuple(g.moved.items()):
        if now - since < MOVED_S:
            continue
        if qty == g.truth.position(symbol):
            del g.moved[symbol]
        elif g.query_asked is None and g.socket is not None and g.socket.connected:
            del g.moved[symbol]
            g.ask_venue(now)


def link(g: Guardian, said: Link, now: float) -> None:
    """Take a change of the link: whatever it was, the account must be confirmed anew."""
    g.unconfirm()
    if said.up:
        g.link_down_since = None
        g.ask_venue(now)
    else:
        g.link_down_since = g.link_down_since or now
        g.query_asked = None
    g.disarm(f"link {'restored' if said.up else 'lost'}: {said.reason}", now)


def trouble(g: Guardian, said: Trouble, now: float) -> None:
    """Take a message of the venue; a clock that is off and a halt of the exchange disarm."""
    if said.code == CLOCK:
        g.alert("warning", "clock", said.text, now)
        if said.value is None or abs(said.value) > SKEW_S:
            g.disarm(said.text, now)
    elif said.code == HALTED:
        g.exchange_halted = bool(said.value)
        g.alert("warning", "exchange_halt", said.text, now)
        if g.exchange_halted:
            g.disarm(said.text, now)
    else:
        about = f" about {said.ref}" if said.ref else ""
        g.alert("info", "venue", f"{said.code}{about}: {said.text}", now)
