"""The simulated venue: brackets against recorded or synthetic rows, in event time.

How it moves: `scan` looks ahead, on a copy, to the row that would change an order, so that the engine
steps no further; `advance` lets the venue live through the rows the engine really consumed; `submit` takes
the commands of the decision the step ended with; `reports` hands over what happened, in event order. How
the rows were sliced can change nothing: everything is matched row by row, and commands carry the time of
their decision.

The state is one record of plain bytes (`execution/record`), the matching is compiled
(`execution/matching`). MES fills on the ES stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import EventArray
from mia_kernel.core.orders import (
    CancelEntry,
    ClosePosition,
    Command,
    OrderReport,
    OrderStatus,
    OrderType,
    PlaceBracket,
    ReplaceStop,
    Role,
)
from mia_kernel.core.session import session_at
from mia_kernel.execution import matching
from mia_kernel.execution.params import SimulatorParams
from mia_kernel.execution.record import (
    DONE,
    NEWS,
    OUT,
    PENDING,
    SLOT_DTYPE,
    SLOTS,
    VENUE_DTYPE,
)
from mia_kernel.state.account import bracket_key, bracket_name
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import SYMBOLS, clear

__all__ = ["SimulatedVenue", "SimulatorParams"]

ROLES = (Role.ENTRY, Role.STOP, Role.TARGET, Role.EXIT)
STATUSES = (
    OrderStatus.WORKING,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.FILLED,
    OrderStatus.CANCELLED,
    OrderStatus.REJECTED,
    OrderStatus.EXPIRED,
)
REASONS = (
    "",
    "entry_timeout",
    "cancelled",
    "one_cancels_other",
    "closed",
    "too_far_from_mid",
    "no_market",
    "flat",
)
TAGS = ("no_quotes", "through", "queue", "from_bars", "gap", "marketable")
_TEXT_DTYPE = np.dtype([("cancel", "S48"), ("close", "S48")])


class SimulatedVenue:
    """A broker that lives in event time.

    Parameters
    ----------
    params : SimulatorParams
    costs : CostParams
    """

    def __init__(self, params: SimulatorParams, costs: CostParams) -> None:
        self.params = params
        self.costs = costs
        self._record: NDArray[Any] = np.zeros(1, VENUE_DTYPE)
        self._scratch: NDArray[Any] = np.zeros(1, VENUE_DTYPE)
        self._text: NDArray[Any] = np.zeros(SLOTS, _TEXT_DTYPE)
        self._told: list[OrderReport] = []
        self._configure()

    def _configure(self) -> None:
        p, c, v = self.params, self.costs, self._record[0]
        v["p_latency_ns"] = round(p.latency_ms * 1e6)
        v["p_slippage_rth_ticks"] = c.slippage_rth_ticks
        v["p_slippage_eth_ticks"] = c.slippage_eth_ticks
        v["p_slippage_news_ticks"] = c.slippage_news_ticks
        v["p_news_ns"] = round(c.news_minutes * 60e9)
        v["p_far_ticks"] = p.max_entry_distance_ticks
        v["p_levels"] = p.queue_levels

    # -- what the runtime calls --------------------------------------------------------------------

    def set_news(self, times: Sequence[int]) -> None:
        """Take the next high-impact releases (ns UTC); at most the first NEWS of them count."""
        kept = list(times)[:NEWS]
        self._record["news"][0, : len(kept)] = kept
        self._record["news_n"] = len(kept)

    def scan(self, events: EventArray, start: int, stop: int) -> int:
        """Return how far the engine may step: just behind the first row that changes an order."""
        if self._record["used"][0] == 0:
            return stop
        self._scratch[0] = self._record[0]
        return self._run(self._scratch, events, start, stop)

    def advance(self, events: EventArray, start: int, stop: int) -> None:
        """Live through rows [start, stop); what happened waits in `reports`."""
        while start < stop:
            start = self._run(self._record, events, start, stop)
            if self._record["out_n"][0]:
                self._collect()

    def _run(self, record: NDArray[Any], events: EventArray, start: int, stop: int) -> int:
        """Run rows until a report, with the RTH hours of the session each row belongs to."""
        while True:
            at = int(matching.run(record, events, start, stop))
            if not record["needs_session"][0]:
                return at
            ts = int(events["ts_event"][at])
            row = session_at(ts)
            record["rth_open"] = record["rth_close"] = 0
            record["session_until"] = ts
            if row is not None:
                record["rth_open"], record["rth_close"] = row["rth_open_ns"], row["rth_close_ns"]
                if row["next_open_ns"]:
                    record["session_until"] = row["next_open_ns"] - 1
            start = at

    def submit(self, commands: Sequence[Command]) -> None:
        """Take commands; they arrive `latency_ms` after the time of their decision.

        Raises
        ------
        InvariantError
            If a bracket id is used twice or a stop is moved away from the trade's favour.
        """
        for command in commands:
            if isinstance(command, PlaceBracket):
                self._place(command)
            else:
                self._change(command)
        if self._record["out_n"][0]:
            self._collect()

    def reports(self) -> list[OrderReport]:
        """Hand over and forget the reports since the last call, in event order."""
        told, self._told = self._told, []
        return told

    @property
    def working(self) -> int:
        """Brackets that still have something to do."""
        return int(self._record["used"][0])

    def to_bytes(self) -> bytes:
        """Return the whole state; reports not yet handed over are not part of it.

        Raises
        ------
        InvariantError
            If reports are waiting: they would be lost.
        """
        if self._told:
            raise InvariantError(f"{len(self._told)} reports are waiting; call reports() before a snapshot")
        return self._record.tobytes() + self._text.tobytes()

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes` of the same version."""
        size = self._record.nbytes
        if len(state) != size + self._text.nbytes:
            raise InvariantError(f"venue state has {len(state)} bytes, expected {size + self._text.nbytes}")
        self._record = np.frombuffer(bytearray(state[:size]), VENUE_DTYPE)
        self._text = np.frombuffer(bytearray(state[size:]), _TEXT_DTYPE)
        self._told = []
        self._configure()

    # -- commands ----------------------------------------------------------------------------------

    def _find(self, bracket_id: str) -> int | None:
        slots = self._record["slots"][0]
        at = np.flatnonzero((slots["used"] == 1) & (slots["key"] == bracket_key(bracket_id)))
        return int(at[0]) if len(at) else None

    def _touches(self) -> tuple[int, int]:
        v = self._record[0]
        if v["has_quote"]:
            return int(v["bid"]), int(v["ask"])
        return int(v["last"]), int(v["last"])

    def _place(self, command: PlaceBracket) -> None:
        if self._find(command.bracket_id) is not None:
            raise InvariantError(f"bracket {command.bracket_id} was sent twice")
        v = self._record[0]
        free = np.flatnonzero(v["slots"]["used"] == 0)
        if len(free) == 0:
            self._refuse(command)
            return
        s = v["slots"][int(free[0])]
        clear(s, SLOT_DTYPE)
        entry, (bid, ask) = command.entry, self._touches()
        s["used"], s["key"], s["side"] = 1, bracket_key(command.bracket_id), entry.side
        s["symbol"], s["fee_cents"] = SYMBOLS.index(entry.symbol), self.costs.fee_cents(entry.symbol)
        s["qty"], s["entry_is_market"] = entry.qty, entry.type is OrderType.MARKET
        s["entry_limit"] = 0 if entry.limit_ticks is None else entry.limit_ticks
        s["stop"], s["target"] = command.stop.stop_ticks, command.target.limit_ticks
        s["entry_submit"], s["entry_state"] = command.ts_event, PENDING
        s["entry_arrive"] = command.ts_event + v["p_latency_ns"]
        s["entry_expires"] = entry.expires_ts or 0
        s["entry_worst"] = ask if entry.side > 0 else bid
        s["entry_reference"] = np.nan if entry.reference_ticks is None else entry.reference_ticks
        v["used"] += 1

    def _refuse(self, command: PlaceBracket) -> None:
        entry, seq = command.entry, int(self._record["reports_n"][0])
        self._record["reports_n"] += 1
        self._told.append(
            OrderReport(
                ts_event=command.ts_event,
                ts_recv=command.ts_event,
                seq=seq,
                order_id=entry.order_id,
                bracket_id=command.bracket_id,
                role=Role.ENTRY,
                symbol=entry.symbol,
                side=entry.side,
                status=OrderStatus.REJECTED,
                qty=entry.qty,
                filled_qty=0,
                reason="too_many_brackets",
            )
        )

    def _change(self, command: ReplaceStop | CancelEntry | ClosePosition) -> None:
        """Let a change travel to its bracket; one that is gone already stays gone."""
        k = self._find(command.bracket_id)
        if k is None:
            return
        v = self._record[0]
        s, arrive = v["slots"][k], command.ts_event + v["p_latency_ns"]
        if isinstance(command, ReplaceStop):
            present = s["stop_next"] if s["stop_arrive"] else s["stop"]
            if s["side"] * (command.stop_ticks - int(present)) < 0:
                raise InvariantError(
                    f"stop of {command.bracket_id} would move from {int(present)} to {command.stop_ticks}, "
                    "away from the trade's favour; a stop may only tighten"
                )
            s["stop_next"], s["stop_arrive"] = command.stop_ticks, arrive
        elif isinstance(command, CancelEntry):
            if s["entry_state"] != DONE and s["cancel_arrive"] == 0:
                s["cancel_arrive"] = arrive
                self._text["cancel"][k] = command.reason.encode()
        elif s["exit_state"] == 0:
            bid, ask = self._touches()
            s["exit_state"], s["exit_submit"], s["exit_arrive"] = PENDING, command.ts_event, arrive
            s["exit_worst"] = bid if s["side"] > 0 else ask
            s["exit_reference"] = (bid + ask) / 2
            self._text["close"][k] = command.reason.encode()

    # -- reports -----------------------------------------------------------------------------------

    def _collect(self) -> None:
        v = self._record[0]
        n = int(v["out_n"])
        if n > OUT:
            raise InvariantError(f"{n} reports in one row do not fit the venue's box of {OUT}")
        for i in range(n):
            self._told.append(self._report(v["out"][i]))
        v["out_n"] = 0

    def _report(self, r: Any) -> OrderReport:
        v = self._record[0]
        name, role, filled = bracket_name(int(r["key"])), ROLES[int(r["role"])], int(r["last_qty"]) > 0
        seq = int(v["reports_n"])
        v["reports_n"] += 1
        reason = REASONS[int(r["reason"])]
        if role is Role.EXIT or reason == "closed":
            reason = bytes(self._text["close"][int(r["slot"])]).decode() or reason
        elif reason == "cancelled":
            reason = bytes(self._text["cancel"][int(r["slot"])]).decode() or reason
        reference = float(r["reference_ticks"])
        return OrderReport(
            ts_event=int(r["ts_event"]),
            ts_recv=int(r["ts_event"]),
            seq=seq,
            order_id=f"{name}-{role.value}",
            bracket_id=name,
            role=role,
            symbol=SYMBOLS[int(r["symbol"])],
            side=int(r["side"]),
            status=STATUSES[int(r["status"])],
            qty=int(r["qty"]),
            filled_qty=int(r["filled_qty"]),
            last_qty=int(r["last_qty"]),
            last_ticks=float(r["last_ticks"]) if filled else None,
            fee_cents=int(r["fee_cents"]),
            exec_id=f"{name}-x{seq}" if filled else None,
            reason=reason,
            tags=tuple(tag for i, tag in enumerate(TAGS) if int(r["tags"]) >> i & 1),
            reference_ticks=None if np.isnan(reference) else reference,
            submitted_ts=int(r["submitted_ts"]),
        )
