"""Watch: what is checked on every beat, and what degradation does.

Stale quotes, a lost link, a silent engine, an unseen alert or a full disk disarm. A position without an
equal stop, or a figure that cannot be computed, is an emergency: the account is made flat. Flat is a state
the venue confirms, not the return of a call: until it does, the orders are re-priced and the venue is asked.
"""

from __future__ import annotations

from mia_kernel.core.orders import OrderStatus, Role, TradingState
from mia_kernel.core.venue import Instruction, WireType
from mia_kernel.execution import late, plan
from mia_kernel.execution.truth_record import BracketRecord, OrderRecord
from mia_kernel.guardian import outbox, venue
from mia_kernel.guardian.book import Supposed
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.market import PRIMARY

HOUSEKEEPING_S = 1.0
SAVE_S = 60.0
THROUGH_TICKS = 20
"""How far through the book a re-priced closing order may go, at first; it doubles."""
OVERDUE_NS = 2_000_000_000
UNKNOWN_MARK_S = 10.0
STRANGERS_S = 2.0
"""While an order placed elsewhere rests, its end is told to nobody here: everything is asked for so often."""


class Watch:
    """The checks of one guardian."""

    def __init__(self, guardian: Guardian) -> None:
        self.g = guardian
        self._next_keeping = 0.0
        self._next_save = 0.0
        self._repriced = 0
        self._next_doubt = 0.0
        self._next_strangers = 0.0

    def step(self, now: float) -> None:
        """Check everything once."""
        g = self.g
        self._engine(now)
        self._unseen(now)
        if g.socket is None:
            return
        self._link(now)
        self._stale(now)
        self._doubts(now)
        self._late(now)
        venue.moved(g, now)
        if g.flattening is not None:
            self._flattening(now)
        else:
            self._protected(now)
            self._computable(now)
            self._oversize(now)
            self._expiring(now)
            self._halted(now)
        if g.reconciled:
            self._overdue(now)
            if g.state is not TradingState.ACTIVE:  # also entries whose cancellation was lost
                g.send(plan.cancel_entries(g.truth), "disarmed")
        if g.query_asked is None and (now >= g.next_query or self._strangers(now)):
            g.ask_venue(now)
        if now >= self._next_keeping:
            self._keeping(now)

    # -- degradation disarms -----------------------------------------------------------------------

    def _engine(self, now: float) -> None:
        g = self.g
        if g.engine_beat is None or g.engine_lost or now - g.engine_beat < g.params.heartbeat_lost_s:
            return
        g.engine_lost = True
        if g.socket is None:
            return
        g.disarm(f"the engine is silent for {now - g.engine_beat:.1f} s", now)
        if g.truth.state.brackets:
            g.alert("critical", "engine_lost", "the engine is silent while brackets are open", now)
            if g.params.engine_lost_policy == "flatten":
                g.flatten("engine_lost", now, everything=False)

    def _unseen(self, now: float) -> None:
        waited = self.g.alerts.unseen_for(now)
        if self.g.armed and waited is not None and waited >= self.g.params.unseen_alert_s:
            self.g.disarm(f"a critical alert was not seen for {waited:.0f} s", now)

    def _link(self, now: float) -> None:
        g, socket = self.g, self.g.socket
        if socket is None or socket.connected:
            return
        if g.link_down_since is None:
            g.link_down_since = now
            g.unconfirm()
            g.query_asked = None
            g.disarm("the link to the broker is lost", now)
        elif now - g.link_down_since >= g.params.link_lost_s:
            g.alert("critical", "link_lost", f"no broker for {g.params.link_lost_s:g} s", now)

    @property
    def stale(self) -> bool:
        """Whether the last believable quote is too old, or there was none, while the market is open."""
        g = self.g
        if g.socket is None or not g.law.is_open:
            return False
        believed = g.marks.believed_ns
        return believed is None or (g.now_ns() - believed) / 1e9 >= g.law.stale_after_s

    def _stale(self, now: float) -> None:
        if self.g.armed and self.stale:
            self.g.disarm(f"no believable quote for {self.g.law.stale_after_s:g} s", now)

    # -- outcomes ----------------------------------------------------------------------------------

    def _doubts(self, now: float) -> None:
        """An order without any answer is unknown: the venue is asked, nothing is sent again."""
        g, ts = self.g, self.g.now_ns()
        waited = round(g.params.answer_s * 1e9)
        for record in g.truth.live_orders():
            pending = record.status is OrderStatus.CANCEL_PENDING and ts - record.cancel_ts > waited
            if pending and g.query_asked is None and now >= self._next_doubt:
                self._next_doubt = now + g.params.answer_s
                g.ask_venue(now)
            if record.status is OrderStatus.SUBMITTED and ts - record.sent_ts > waited:
                outbox.suppose(g, Supposed((record.order.ref,)))
                g.alert("warning", "no_answer", f"no answer about {record.order.ref}: asking the venue", now)
                if g.query_asked is None:
                    g.ask_venue(now)
        asked = g.query_asked
        if asked is not None and now - asked[2] > g.params.answer_s:
            g.query_asked, g.next_query = None, now
            g.unconfirm()
            g.disarm("the venue does not answer a query", now)

    def _overdue(self, now: float) -> None:
        """Withdraw entries the venue should have let expire by itself."""
        g, ts = self.g, self.g.now_ns()
        for bracket in g.truth.state.brackets.values():
            if bracket.expires_ts is not None and ts - bracket.expires_ts > OVERDUE_NS:
                g.send(plan.cancel_entry(g.truth, bracket), "entry overdue")

    def _late(self, now: float) -> None:
        """What was written off and arrived after all is closed at once: nobody manages it."""
        g = self.g
        for bracket in tuple(b for b in g.truth.state.brackets.values() if b.orphan):
            if not bracket.closing:
                text = f"{bracket.bracket_id} was taken as lost and has arrived: it is withdrawn and closed"
                g.alert("critical", "late", text, now)
                g.send(plan.close_bracket(g.truth, bracket, "arrived late"), "arrived late")
            g.send(plan.cancel_entry(g.truth, bracket), "arrived late")
        if g.reconciled:
            g.send(late.strays(g.truth.state), "stands for nothing")

    def _strangers(self, now: float) -> bool:
        if now < self._next_strangers or not any(r.external for r in self.g.truth.live_orders()):
            return False
        self._next_strangers = now + STRANGERS_S
        return True

    # -- emergencies -------------------------------------------------------------------------------

    def _protected(self, now: float) -> None:
        g = self.g
        bare = [b for b in g.truth.state.brackets.values() if not b.closing and protected(g, b) < b.open]
        if not bare:
            g.unprotected_since = None
            return
        g.unprotected_since = g.unprotected_since or now
        if now - g.unprotected_since >= g.params.unprotected_s and g.reconciled:
            text = f"{bare[0].open} {bare[0].symbol} without an equal stop for {g.params.unprotected_s:g} s"
            g.alert("critical", "unprotected", text, now)
            g.disarm(text, now)
            g.flatten("unprotected", now, everything=False)

    def _computable(self, now: float) -> None:
        g = self.g
        if g.truth.net_usd(g.marks) is not None or not g.reconciled:
            g.unknown_since = None
            return
        g.unknown_since = g.unknown_since or now
        if now - g.unknown_since >= UNKNOWN_MARK_S:
            g.alert("critical", "monitor", "an open position cannot be marked: no quote ever came", now)
            g.halt("the loss cannot be computed", now)

    def _oversize(self, now: float) -> None:
        g = self.g
        if g.reconciled and abs(g.truth.es_position()) > g.risk.max_position + 1e-9:
            text = f"{g.truth.es_position():+g} ES contracts held, {g.risk.max_position:g} allowed"
            g.alert("critical", "max_position", text, now)
            g.disarm(text, now)
            g.flatten("max_position", now, everything=True)

    def _expiring(self, now: float) -> None:
        """On its last trading day nothing of a contract stays open: what is left is settled in cash otherwise."""
        g = self.g
        if g.reconciled and g.truth.es_position() and g.days_left is not None and g.days_left <= 0:
            text = f"{g.truth.es_position():+g} ES contracts are held on their last trading day"
            g.alert("critical", "expiry", text, now)
            g.disarm(text, now)
            g.flatten("expiry", now, everything=True)

    def _halted(self, now: float) -> None:
        """While halted nothing stays open: a halt taken elsewhere, or one that a restart interrupted."""
        g = self.g
        if g.state is not TradingState.HALTED:
            return
        code = g.law.memory.halt_code
        if not g.kept.halt_reason:
            g.act_on_limit(code, "halt", f"{code}: the limit is reached", now)
        elif g.reconciled and (g.truth.es_position() or g.truth.live_orders()):
            g.flatten(code, now, everything=True)

    # -- flat --------------------------------------------------------------------------------------

    def _flattening(self, now: float) -> None:
        """Drive what is being flattened until the venue has confirmed it."""
        g = self.g
        if g.flattening is None:
            return
        reason, _, everything = g.flattening
        g.send(plan.flatten(g.truth, reason, everything=everything), f"flatten: {reason}")
        if self._is_flat(everything):
            if g.reconciled and g.query_asked is None:
                g.flattening, self._repriced = None, 0
                g.alert("info", "flat", f"flat, confirmed by the venue ({reason})", now)
                g.save()
            return
        if now - g.last_flat_move >= g.params.not_flat_s:
            g.last_flat_move = now
            g.alert("critical", "not_flat", f"not flat after {g.params.not_flat_s:g} s ({reason})", now)
            self._reprice()
            g.ask_venue(now)

    def _is_flat(self, everything: bool) -> bool:
        g = self.g
        if any(b.open or g.truth.state.orders[b.entry].live for b in g.truth.state.brackets.values()):
            return False
        return not everything or (not g.truth.es_position() and not g.truth.live_orders())

    def _reprice(self) -> None:
        g = self.g
        top = None if g.socket is None else g.socket.top_of_book(PRIMARY)
        if top is None:
            return
        through = THROUGH_TICKS << min(self._repriced, 4)
        self._repriced += 1
        moves: list[Instruction] = []
        for record in g.truth.live_orders():
            if record.role is not Role.EXIT or record.external:
                continue
            move = _further(record, top.bid_ticks, top.ask_ticks, through)
            if move is not None and record.status is not OrderStatus.UNKNOWN:
                moves.append(move)
        g.send(moves, "re-priced: not flat")

    # -- now and then ------------------------------------------------------------------------------

    def _keeping(self, now: float) -> None:
        g = self.g
        self._next_keeping = now + HOUSEKEEPING_S
        g.turn_day()
        if g.disk_failed:
            g.save()
        if g.disk_failed:
            g.alert("critical", "disk", "the journal cannot be written: nothing can be sent", now)
        if now >= self._next_save:
            self._next_save = now + SAVE_S
            g.save()


def protected(g: Guardian, bracket: BracketRecord) -> int:
    """Return how many contracts of a bracket a working stop covers, as the venue last said."""
    stops = [r for r in g.truth.of_bracket(bracket.bracket_id) if r.role is Role.STOP]
    known = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)
    return min(bracket.open, sum(r.left for r in stops if r.status in known))


def _further(record: OrderRecord, bid: int | None, ask: int | None, through: int) -> Instruction | None:
    side = record.order.side
    touch = ask if side > 0 else bid
    touch = touch if touch is not None else (bid if side > 0 else ask)
    if touch is None:
        return None
    price = touch + side * through
    if record.order.type is WireType.LIMIT and record.order.limit_ticks == price:
        return None
    return plan.reprice(record, price)
