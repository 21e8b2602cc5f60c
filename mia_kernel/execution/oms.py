"""Orders as we believe them to be: an order state machine and the bracket plan, pure.

How it moves: `plan` turns a wish and its permission into one bracket with deterministic ids; `accept`
remembers a command that was sent; `apply` takes what the venue says. Exits follow the *filled* quantity and
can never exceed it; a report that is impossible in the present state raises, because either the venue or we
have lost the truth. The state is one record of plain bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import Score, Signal, Verdict
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.orders import (
    CancelEntry,
    ClosePosition,
    Command,
    Order,
    OrderReport,
    OrderStatus,
    OrderType,
    PlaceBracket,
    ReplaceStop,
    Role,
)
from mia_kernel.execution.params import ExecutionParams
from mia_kernel.state.account import bracket_key, bracket_name
from mia_kernel.state.ledger import SYMBOLS, clear

__all__ = ["BracketView", "ExecutionParams", "Oms", "advance"]

BRACKETS = 8
OVERDUE_NS = 5_000_000_000
NEVER = np.iinfo(np.int64).max
_NONE_USED = bytes(BRACKETS)
_STATUSES = tuple(OrderStatus)
_CODE = {status: code for code, status in enumerate(_STATUSES)}

DEAD = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED})

_S = OrderStatus
_FOLLOWS: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.CREATED: frozenset({_S.SUBMITTED, _S.REJECTED, _S.UNKNOWN}),
    _S.SUBMITTED: frozenset(set(_S) - {_S.CREATED, _S.SUBMITTED}),
    _S.WORKING: frozenset(set(_S) - {_S.CREATED, _S.SUBMITTED}),
    _S.PARTIALLY_FILLED: frozenset(set(_S) - {_S.CREATED, _S.SUBMITTED, _S.REJECTED}),
    _S.CANCEL_PENDING: frozenset(set(_S) - {_S.CREATED, _S.SUBMITTED}),
    _S.UNKNOWN: frozenset(set(_S) - {_S.CREATED}),
    **{dead: frozenset() for dead in DEAD},
}
"""What may follow what. A dead order stays dead; a time-out is `unknown` until a query resolves it."""

BRACKET_DTYPE = np.dtype(
    [
        ("key", np.int64),
        ("expires_ts", np.int64),
        ("used", np.uint8),
        ("symbol", np.uint8),
        ("side", np.int8),
        ("closing", np.uint8),
        ("cancelling", np.uint8),
        ("qty", np.int32),
        ("filled", np.int32),
        ("exited", np.int32),
        ("stop_ticks", np.int32),
        ("target_ticks", np.int32),
        ("protected", np.int32),  # contracts covered by a working stop, as the venue last said
        ("status", np.uint8, (4,)),  # by role
    ],
    align=True,
)
_ROLES = tuple(Role)


@dataclass(frozen=True, slots=True)
class BracketView:
    """One bracket as we believe it to be; `protected` contracts have a working stop at the venue."""

    bracket_id: str
    symbol: str
    side: int
    qty: int
    filled: int
    open: int
    protected: int
    entry: OrderStatus
    stop_ticks: int
    target_ticks: int


def advance(order_id: str, now: OrderStatus, said: OrderStatus) -> OrderStatus:
    """Return the state of an order after the venue said `said`.

    A repetition changes nothing. While a cancellation is under way, `working` is old news.

    Raises
    ------
    InvariantError
        If the step is impossible (a dead order that moves, a live one that was never sent).
    """
    if said is now:
        return now
    if said not in _FOLLOWS[now]:
        raise InvariantError(f"order {order_id} is {now.value} and cannot become {said.value}")
    if now is OrderStatus.CANCEL_PENDING and said in (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED):
        return now
    return said


class Oms:
    """Believed truth about the brackets that are not finished.

    Parameters
    ----------
    params : ExecutionParams
    """

    def __init__(self, params: ExecutionParams) -> None:
        self.params = params
        self._books: NDArray[Any] = np.zeros(BRACKETS, BRACKET_DTYPE)

    # -- out: what to send -------------------------------------------------------------------------

    def plan(
        self, signal: Signal, verdict: Verdict, score: Score, mid_ticks: float | None, ts: int
    ) -> PlaceBracket:
        """Return the bracket of an allowed signal: limit entry at the touch, stop and target on it.

        Prices come from the signal, which rounded them away from more risk. `mid_ticks` is the decision mid,
        the reference of all slippage; None where the market is unknown.

        Raises
        ------
        InvariantError
            If the verdict does not allow the signal.
        """
        if not verdict.allowed or verdict.qty < 1:
            raise InvariantError(
                f"verdict {verdict.code} does not allow a bracket of {verdict.qty} contracts"
            )
        name, side, reference = bracket_name(ts), signal.side, mid_ticks
        entry = Order(
            order_id=f"{name}-{Role.ENTRY.value}",
            bracket_id=name,
            role=Role.ENTRY,
            symbol=verdict.symbol,
            side=side,
            qty=verdict.qty,
            type=OrderType.LIMIT,
            ts_event=ts,
            limit_ticks=signal.entry_ticks + side * self.params.entry_through_ticks,
            expires_ts=ts + round(self.params.entry_timeout_s * 1e9),
            reference_ticks=reference,
        )
        return PlaceBracket(
            ts_event=ts,
            bracket_id=name,
            entry=entry,
            stop=_exit_order(entry, Role.STOP, OrderType.STOP, stop_ticks=signal.stop_ticks),
            target=_exit_order(entry, Role.TARGET, OrderType.LIMIT, limit_ticks=signal.target_ticks),
            grade=signal.grade,
            confluence_percent=score.percent,
            risk_cents=verdict.risk_cents,
        )

    def cancel_entries(self, ts: int, reason: str) -> tuple[Command, ...]:
        """Return what withdraws every entry that can still fill; positions keep their protection."""
        return tuple(
            CancelEntry(ts_event=ts, bracket_id=bracket_name(int(b["key"])), reason=reason)
            for b in self._live()
            if _status(b, Role.ENTRY) not in DEAD and not b["cancelling"] and not b["closing"]
        )

    def flatten(self, ts: int, reason: str) -> tuple[Command, ...]:
        """Return what closes every bracket: its entry withdrawn, its position closed at market."""
        return tuple(
            ClosePosition(ts_event=ts, bracket_id=bracket_name(int(b["key"])), reason=reason)
            for b in self._live()
            if not b["closing"]
        )

    def overdue(self, ts: int) -> tuple[Command, ...]:
        """Return what cancels entries the venue should have let expire by itself some seconds ago."""
        return tuple(
            CancelEntry(ts_event=ts, bracket_id=bracket_name(int(b["key"])), reason="entry_timeout")
            for b in self._live()
            if _status(b, Role.ENTRY) not in DEAD
            and not b["cancelling"]
            and ts - b["expires_ts"] >= OVERDUE_NS
        )

    def accept(self, command: Command) -> None:
        """Remember a command as sent.

        Raises
        ------
        InvariantError
            If a bracket id repeats, no place is free, or a stop would move away from the trade's favour.
        """
        if isinstance(command, PlaceBracket):
            self._open(command)
            return
        b = self._find(command.bracket_id)
        if b is None:
            raise InvariantError(f"command for bracket {command.bracket_id}, which is not open")
        if isinstance(command, ReplaceStop):
            if int(b["side"]) * (command.stop_ticks - int(b["stop_ticks"])) < 0:
                raise InvariantError(
                    f"stop of {command.bracket_id} would move from {int(b['stop_ticks'])} to "
                    f"{command.stop_ticks}, away from the trade's favour; a stop may only tighten"
                )
            b["stop_ticks"] = command.stop_ticks
        elif isinstance(command, CancelEntry):
            b["cancelling"] = 1
        else:
            b["closing"] = 1
        if not isinstance(command, ReplaceStop) and _status(b, Role.ENTRY) not in DEAD:
            _set_status(b, Role.ENTRY, OrderStatus.CANCEL_PENDING)

    # -- in: what the venue says -------------------------------------------------------------------

    def apply(self, report: OrderReport) -> None:
        """Take one report about one order.

        Raises
        ------
        InvariantError
            If the bracket is unknown, the step impossible, or exits would exceed what was filled.
        """
        b = self._find(report.bracket_id)
        if b is None:
            if report.last_qty > 0:
                raise InvariantError(f"fill {report.exec_id} belongs to unknown bracket {report.bracket_id}")
            return
        _set_status(b, report.role, advance(report.order_id, _status(b, report.role), report.status))
        if report.role is Role.ENTRY:
            b["filled"] += report.last_qty
        else:
            b["exited"] += report.last_qty
        if b["filled"] > b["qty"] or b["exited"] > b["filled"]:
            raise InvariantError(
                f"bracket {report.bracket_id}: {int(b['filled'])} filled of {int(b['qty'])}, "
                f"{int(b['exited'])} exited; exits may not exceed the position"
            )
        self._protection(b, report)
        if _status(b, Role.ENTRY) in DEAD and b["exited"] == b["filled"]:
            b["used"] = 0

    def open_brackets(self) -> tuple[BracketView, ...]:
        """Return the brackets that are not finished, oldest first."""
        views = [
            BracketView(
                bracket_id=bracket_name(int(b["key"])),
                symbol=SYMBOLS[int(b["symbol"])],
                side=int(b["side"]),
                qty=int(b["qty"]),
                filled=int(b["filled"]),
                open=int(b["filled"] - b["exited"]),
                protected=int(b["protected"]),
                entry=_status(b, Role.ENTRY),
                stop_ticks=int(b["stop_ticks"]),
                target_ticks=int(b["target_ticks"]),
            )
            for b in self._live()
        ]
        return tuple(sorted(views, key=lambda view: bracket_key(view.bracket_id)))

    def to_bytes(self) -> bytes:
        """Return the whole state."""
        return self._books.tobytes()

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes` of the same version."""
        if len(state) != self._books.nbytes:
            raise InvariantError(f"order state has {len(state)} bytes, expected {self._books.nbytes}")
        self._books = np.frombuffer(bytearray(state), BRACKET_DTYPE)

    # -- inside ------------------------------------------------------------------------------------

    def _live(self) -> Iterator[Any]:
        used = self._books["used"].tobytes()
        return iter(()) if used == _NONE_USED else (self._books[i] for i, one in enumerate(used) if one)

    def _find(self, bracket_id: str) -> Any | None:
        key = bracket_key(bracket_id)
        return next((b for b in self._live() if b["key"] == key), None)

    def _open(self, command: PlaceBracket) -> None:
        if self._find(command.bracket_id) is not None:
            raise InvariantError(f"bracket {command.bracket_id} was sent twice")
        b = next((b for b in self._books if not b["used"]), None)
        if b is None:
            raise InvariantError(f"bracket {command.bracket_id} does not fit: {BRACKETS} are open")
        clear(b, BRACKET_DTYPE)
        b["used"], b["key"], b["side"] = 1, bracket_key(command.bracket_id), command.entry.side
        b["symbol"], b["qty"] = SYMBOLS.index(command.entry.symbol), command.entry.qty
        b["stop_ticks"], b["target_ticks"] = command.stop.stop_ticks, command.target.limit_ticks
        b["expires_ts"] = command.entry.expires_ts or NEVER
        for role in _ROLES:
            _set_status(b, role, OrderStatus.SUBMITTED)

    def _protection(self, b: Any, report: OrderReport) -> None:
        if report.role is Role.STOP:
            live = report.status in (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)
            b["protected"] = report.qty - report.filled_qty if live else 0
        elif report.role is not Role.ENTRY and report.last_qty > 0:
            b["protected"] = min(int(b["protected"]), int(b["filled"] - b["exited"]))


def _status(b: Any, role: Role) -> OrderStatus:
    return _STATUSES[int(b["status"][_ROLES.index(role)])]


def _set_status(b: Any, role: Role, status: OrderStatus) -> None:
    b["status"][_ROLES.index(role)] = _CODE[status]


def _exit_order(
    entry: Order,
    role: Role,
    kind: OrderType,
    *,
    limit_ticks: int | None = None,
    stop_ticks: int | None = None,
) -> Order:
    return Order(
        order_id=f"{entry.bracket_id}-{role.value}",
        bracket_id=entry.bracket_id,
        role=role,
        symbol=entry.symbol,
        side=-entry.side,
        qty=entry.qty,
        type=kind,
        ts_event=entry.ts_event,
        limit_ticks=limit_ticks,
        stop_ticks=stop_ticks,
    )
