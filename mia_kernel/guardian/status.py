"""Say how things stand: the one record that terminal, notebook, page and metrics show."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from mia_kernel.adapters.messages import GuardianStatus, LimitUse
from mia_kernel.core.contract import MIN_TRADING_DAYS_LEFT
from mia_kernel.core.orders import OrderStatus, Role
from mia_kernel.core.venue import Rests
from mia_kernel.execution.truth_record import money
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.market import PRIMARY
from mia_kernel.risk.limits import SEVERITY_NAMES

if TYPE_CHECKING:
    from mia_kernel.guardian.watch import Watch

TICK = 0.25
ABSENT, NOT_NEEDED, UNKNOWN, UNCONFIRMED = "absent", "not needed", "unknown", "unconfirmed"
ACKNOWLEDGED = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)


def status_of(g: Guardian, watch: Watch, now: float) -> GuardianStatus:
    """Return the status; what the guardian cannot know is None."""
    live = g.socket is not None
    top = g.socket.top_of_book(PRIMARY) if g.socket is not None else None
    net, figures = (g.truth.net_usd(g.marks), g.law.figures) if live else (None, g.law.figures)
    place, note = protective_stop(g)
    return GuardianStatus(
        mode=g.mode,
        account=g.account,
        armed=g.armed,
        armed_until=None,
        trading_state=g.state.value,
        position=g.truth.es_position() if live else None,
        working_orders=len(g.truth.live_orders()) if live else None,
        protective_stop=place,
        day_net_usd=None if net is None else float(net - figures.day_start_usd),
        limits=limits_of(g) if live else {},
        engine_heartbeat_age_s=None if g.engine_beat is None else round(now - g.engine_beat, 3),
        stale=watch.stale,
        last_reason=g.last_reason,
        build=g.build,
        ts=g.now_ns(),
        venue=g.socket.name if g.socket is not None else "simulated in the engine",
        connected=g.socket.connected if g.socket is not None else False,
        reconciled=g.reconciled,
        halt_code=g.law.memory.halt_code,
        open_usd=_open_usd(g) if live else None,
        week_net_usd=None if net is None else float(net - figures.week_start_usd),
        bid=None if top is None or top.bid_ticks is None else top.bid_ticks * TICK,
        ask=None if top is None or top.ask_ticks is None else top.ask_ticks * TICK,
        book_age_s=None if top is None else round(top.age_s, 3),
        phrase=g.arming.phrase,
        drill_ts=g.kept.drill_ts,
        protective_stop_note=note,
        external_orders=sum(r.external for r in g.truth.live_orders()),
        alerts=g.alerts.notes(),
    )


def limits_of(g: Guardian) -> dict[str, LimitUse]:
    """Return every limit with what is used of it; one that does not apply or cannot be computed now is left out.

    A figure that stays unknown is an emergency of the watch's own, and speaks against arming.
    """
    return {
        c.code: LimitUse(c.limit, c.actual, c.unit, c.level if c.level in SEVERITY_NAMES else "emergency")
        for c in g.law.checks()
        if c.applies and c.actual is not None
    }


def protective_stop(g: Guardian) -> tuple[str, str]:
    """Return where the protective stops rest now, and a sentence about it."""
    if g.socket is None:
        return UNKNOWN, "simulated fills: the stop lives in the engine"
    if g.reconciled:
        return _known_stop(g)
    if g.unconfirmed_ns is None:
        return UNKNOWN, "position and orders are not confirmed by the venue"
    place, note = _known_stop(g, acknowledged=True)
    since = dt.datetime.fromtimestamp(g.unconfirmed_ns / 1e9, dt.UTC)
    if place in (ABSENT, UNKNOWN):
        return place, f"{note}; not confirmed since {since:%H:%M:%S} UTC"
    return UNCONFIRMED, f"not confirmed since {since:%H:%M:%S} UTC, last known: {note}"


def _known_stop(g: Guardian, *, acknowledged: bool = False) -> tuple[str, str]:
    """Return the same by our own book; `acknowledged`: of stops the venue had confirmed."""
    if not g.truth.es_position() and not any(b.open for b in g.truth.state.brackets.values()):
        return NOT_NEEDED, "nothing is open"
    held = sum(abs(q) for q in g.truth.state.positions.values())
    stops = [r for r in g.truth.live_orders() if r.role is Role.STOP or r.order.stop_ticks is not None]
    if acknowledged:
        stops = [r for r in stops if r.status in ACKNOWLEDGED]
    covered = sum(r.left for r in stops)
    if covered < held:
        return ABSENT, f"{held} contracts are open, stops cover {covered}"
    places = {r.rests for r in stops}
    where = (
        Rests.BROKER if Rests.BROKER in places else Rests.VENUE if places == {Rests.VENUE} else Rests.UNKNOWN
    )
    outside = all(r.order.outside_rth or r.external for r in stops)
    hours = "active outside RTH too" if outside else "NOT active outside RTH"
    return where.value, f"stops over {covered} contracts, {where.value}, {hours}"


def rolling(g: Guardian) -> str:
    """Return what speaks against entries in the contract that orders go to."""
    code, left = None if g.socket is None else g.socket.contract(PRIMARY), g.days_left
    if code is None or left is None:
        return "the broker has not told the contract that orders go to"
    return f"{code} has {left} trading days left, {MIN_TRADING_DAYS_LEFT} are needed; connect anew after the roll"


def _open_usd(g: Guardian) -> float | None:
    open_cash = [(b, g.marks.get(b.symbol)) for b in g.truth.state.brackets.values() if b.open]
    if any(mark is None for _, mark in open_cash):
        return None
    total = sum(b.cash_usd + b.side * b.open * money(b.symbol, mark or 0) for b, mark in open_cash)
    return float(total)
