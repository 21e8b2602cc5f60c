"""Plan what to send: commands of the engine, repairs of protection, and the way to flat. Pure functions.

A bracket leaves as one transmission: entry, protective stop, target; the two exits hang on the entry and
form one OCA group. **Every protective stop is good till cancelled and works outside RTH**; the broker would
otherwise trigger it in RTH only. Exits follow the *filled* quantity: their working sum per role never
exceeds what is open. An order that is sent is never sent again; what replaces it has a ref of its own.
"""

from __future__ import annotations

from dataclasses import replace

from mia_kernel.core.orders import (
    CancelEntry,
    ClosePosition,
    Command,
    OrderStatus,
    OrderType,
    PlaceBracket,
    Role,
)
from mia_kernel.core.venue import Cancel, Instruction, Modify, Place, Tif, WireOrder, WireType
from mia_kernel.execution.truth import Truth
from mia_kernel.execution.truth_record import BracketRecord, OrderRecord

SETTLE_NS = 300_000_000
"""The venue moves the other exits of a group by itself; only what differs longer is repaired."""
FLAT = "mia-0-exit"
"""Head of the ref of an order that closes what belongs to no bracket."""


def bracket_orders(command: PlaceBracket) -> tuple[WireOrder, WireOrder, WireOrder]:
    """Return entry, stop and target of a bracket as they go to the venue."""
    e, s, t = command.entry, command.stop, command.target
    kind = WireType.MARKET if e.type is OrderType.MARKET else WireType.LIMIT
    tif = Tif.DAY if e.expires_ts is None else Tif.GTD
    entry = WireOrder(
        e.order_id,
        e.symbol,
        e.side,
        e.qty,
        kind,
        e.limit_ticks,
        tif=tif,
        outside_rth=True,
        expires_ts=e.expires_ts,
    )
    return (
        entry,
        _exit(
            WireType.STOP,
            s.order_id,
            e.symbol,
            s.side,
            s.qty,
            s.stop_ticks or 0,
            command.bracket_id,
            parent=entry.ref,
        ),
        _exit(
            WireType.LIMIT,
            t.order_id,
            e.symbol,
            t.side,
            t.qty,
            t.limit_ticks or 0,
            command.bracket_id,
            parent=entry.ref,
        ),
    )


def of_command(truth: Truth, command: Command) -> tuple[Instruction, ...]:
    """Return what a permitted command sends; a command about a bracket that is gone sends nothing."""
    if isinstance(command, PlaceBracket):
        return (Place(bracket_orders(command)),)
    bracket = truth.state.brackets.get(command.bracket_id)
    if bracket is None:
        return ()
    if isinstance(command, CancelEntry):
        return cancel_entry(truth, bracket)
    if isinstance(command, ClosePosition):
        return close_bracket(truth, bracket, command.reason)
    stop = truth.state.orders[bracket.stop]
    if not stop.live or bracket.closing or bracket.side * (command.stop_ticks - bracket.stop_ticks) <= 0:
        return ()
    bracket.stop_ticks = command.stop_ticks
    return (Modify(replace(stop.order, stop_ticks=command.stop_ticks)),)


def cancel_entry(truth: Truth, bracket: BracketRecord) -> tuple[Instruction, ...]:
    """Return what withdraws the unfilled rest of an entry."""
    entry = truth.state.orders[bracket.entry]
    if not entry.live or entry.status is OrderStatus.CANCEL_PENDING:
        return ()
    return (Cancel(bracket.entry, entry.perm_id),)


def cancel_entries(truth: Truth) -> tuple[Instruction, ...]:
    """Return what withdraws every entry that can still fill."""
    return tuple(i for b in truth.state.brackets.values() for i in cancel_entry(truth, b))


def close_bracket(truth: Truth, bracket: BracketRecord, reason: str) -> tuple[Instruction, ...]:
    """Return what closes a bracket: its working orders withdrawn, what is open closed at market."""
    if bracket.closing:
        return ()
    bracket.closing = reason
    return (*_cancel_all_of(truth, bracket), *_close_open(truth, bracket))


def flatten(truth: Truth, reason: str, *, everything: bool) -> tuple[Instruction, ...]:
    """Return what makes the account flat: all orders withdrawn, all positions closed at market.

    `everything` includes orders and positions that were made elsewhere. What is on its way already is not
    sent again: asked once more, only what is still missing comes back.
    """
    out: list[Instruction] = []
    for bracket in truth.state.brackets.values():
        bracket.closing = bracket.closing or reason
        out += [*_cancel_all_of(truth, bracket), *_close_open(truth, bracket)]
    if everything:
        strangers = [r for r in truth.live_orders() if r.bracket_id not in truth.state.brackets]
        out += [
            Cancel("" if r.external else r.order.ref, r.perm_id)
            for r in strangers
            if r.status is not OrderStatus.CANCEL_PENDING and not r.order.ref.startswith(FLAT)
        ]
        out += _close_rest(truth)
    return tuple(out)


def protect(truth: Truth, bracket: BracketRecord, now: int) -> tuple[Instruction, ...]:
    """Return what makes the exits of a bracket equal to what is open, once they differ for long enough."""
    wanted = bracket.open
    entry = truth.state.orders[bracket.entry]
    if bracket.closing:
        return _close_open(truth, bracket) if _differs(bracket, _closing_short(truth, bracket), now) else ()
    if wanted == 0:
        exited = bracket.exited > 0
        ends = [*cancel_entry(truth, bracket)] if exited else []
        if not entry.live and any(r.live for r in _exits(truth, bracket)):
            ends += _cancel_exits(truth, bracket) if _differs(bracket, True, now) else []
        return tuple(ends)
    return _follow(truth, bracket, entry, now)


def _follow(truth: Truth, b: BracketRecord, entry: OrderRecord, now: int) -> tuple[Instruction, ...]:
    orders = truth.state.orders
    stop, target = orders[b.stop], orders[b.target]
    most = (
        b.open + entry.left
    )  # while the entry works, its exits stand for the whole and are active for the part
    stop_fits = stop.live and b.open <= stop.left <= most
    target_fits = target.live and b.open <= target.left <= most
    if stop.filled and entry.live:
        return cancel_entry(truth, b)
    if not _differs(b, not (stop_fits and target_fits), now):
        return ()
    b.mismatch_ts = 0
    if not stop.live:
        return _new_exits(truth, b)
    out: list[Instruction] = []
    if not stop_fits:
        out.append(Modify(replace(stop.order, qty=stop.filled + b.open)))
    if target.live and not target_fits:
        out.append(Modify(replace(target.order, qty=target.filled + b.open)))
    return tuple(out)


def _new_exits(truth: Truth, b: BracketRecord) -> tuple[Instruction, ...]:
    """Make stop and target anew: the venue has ended them while something is open."""
    b.attempts += 1
    group = f"{b.bracket_id}.{b.attempts}"
    name = f".{b.attempts}"
    stop = _exit(
        WireType.STOP,
        f"{b.bracket_id}-{Role.STOP.value}{name}",
        b.symbol,
        -b.side,
        b.open,
        b.stop_ticks,
        b.bracket_id,
        oca=group,
    )
    old = truth.state.orders[b.target]
    b.stop = stop.ref
    if old.live:
        return (Place((stop,)),)
    target = _exit(
        WireType.LIMIT,
        f"{b.bracket_id}-{Role.TARGET.value}{name}",
        b.symbol,
        -b.side,
        b.open,
        b.target_ticks,
        b.bracket_id,
        oca=group,
    )
    b.target = target.ref
    return (Place((stop, target)),)


def _differs(b: BracketRecord, wrong: bool, now: int) -> bool:
    if not wrong:
        b.mismatch_ts = 0
        return False
    b.mismatch_ts = b.mismatch_ts or now
    return now - b.mismatch_ts >= SETTLE_NS


def _exits(truth: Truth, b: BracketRecord) -> list[OrderRecord]:
    return [r for r in truth.of_bracket(b.bracket_id) if r.role is not Role.ENTRY]


def _cancel_exits(truth: Truth, b: BracketRecord) -> list[Instruction]:
    return [
        Cancel(r.order.ref, r.perm_id)
        for r in _exits(truth, b)
        if r.live and r.role is not Role.EXIT and r.status is not OrderStatus.CANCEL_PENDING
    ]


def _cancel_all_of(truth: Truth, b: BracketRecord) -> tuple[Instruction, ...]:
    return (*cancel_entry(truth, b), *_cancel_exits(truth, b))


def _closing_short(truth: Truth, b: BracketRecord) -> bool:
    return b.open > sum(r.left for r in _exits(truth, b) if r.role is Role.EXIT)


def _close_open(truth: Truth, b: BracketRecord) -> tuple[Instruction, ...]:
    missing = b.open - sum(r.left for r in _exits(truth, b) if r.role is Role.EXIT)
    if missing <= 0:
        return ()
    ref = f"{b.bracket_id}-{Role.EXIT.value}"
    while ref in truth.state.orders:
        b.attempts += 1
        ref = f"{b.bracket_id}-{Role.EXIT.value}.{b.attempts}"
    return (Place((_market(ref, b.symbol, -b.side, missing),)),)


def _close_rest(truth: Truth) -> list[Instruction]:
    """Close what is held beyond all brackets, by orders that belong to none."""
    out: list[Instruction] = []
    for symbol, held in truth.state.positions.items():
        ours = sum(b.side * b.open for b in truth.state.brackets.values() if b.symbol == symbol)
        under_way = sum(
            r.order.side * r.left
            for r in truth.live_orders()
            if r.order.ref.startswith(FLAT) and r.order.symbol == symbol
        )
        rest = held - ours + under_way
        if rest:
            used = sum(ref.startswith(FLAT) for ref in truth.state.orders) + truth.state.reports
            number = max(used, truth.state.next_flat) + len(out)
            out.append(Place((_market(f"{FLAT}.{number}", symbol, -1 if rest > 0 else 1, abs(rest)),)))
    return out


def reverse_excess(truth: Truth) -> tuple[Instruction, ...]:
    """Return what takes back an over-fill: contracts held beyond all brackets of ours."""
    return tuple(_close_rest(truth))


def reprice(record: OrderRecord, through_ticks: int) -> Instruction:
    """Return the closing order as a limit further through the market, for a venue that lets it rest."""
    return Modify(replace(record.order, type=WireType.LIMIT, limit_ticks=through_ticks))


def _exit(
    kind: WireType,
    ref: str,
    symbol: str,
    side: int,
    qty: int,
    price_ticks: int,
    bracket_id: str,
    *,
    parent: str | None = None,
    oca: str | None = None,
) -> WireOrder:
    """Return one exit of a bracket: a stop or a limit, good till cancelled, outside RTH too, in its OCA group."""
    stop = kind is WireType.STOP
    return WireOrder(
        ref,
        symbol,
        side,
        qty,
        kind,
        limit_ticks=None if stop else price_ticks,
        stop_ticks=price_ticks if stop else None,
        tif=Tif.GTC,
        outside_rth=True,
        parent=parent,
        oca=oca or bracket_id,
    )


def _market(ref: str, symbol: str, side: int, qty: int) -> WireOrder:
    return WireOrder(ref, symbol, side, qty, WireType.MARKET, tif=Tif.DAY, outside_rth=True)
