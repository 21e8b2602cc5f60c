"""What the risk room remembers: armed or not, halts, pauses, what was sent and what was rejected.

ACTIVE → REDUCING (disarmed: only orders that reduce exposure) → HALTED (none but flattening); HALTED
overrides. A halt of the daily loss ends with the next trading day, of the weekly loss with the next week
(`gates.recall` forgets what is over), every other needs a human and a reason. A longer halt replaces a
shorter, never the other way round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.orders import OrderReport, OrderStatus, TradingState
from mia_kernel.risk.gates import CODES
from mia_kernel.risk.params import RiskParams
from mia_kernel.risk.record import (
    HALT_DAY,
    HALT_HUMAN,
    HALT_NONE,
    HALT_WEEK,
    MEMORY_DTYPE,
    ORDERS_RING,
    REJECTS_RING,
)
from mia_kernel.state.ledger import SLIPPAGE_RING

HALTS = {"halt_day": HALT_DAY, "halt_week": HALT_WEEK, "halt_human": HALT_HUMAN}
HALT_CODES = ("", *CODES, "rejections", "operator")
ORDERS_PER_BRACKET = 3
MINUTE = 60_000_000_000
RATE_DENIALS, RATE_DENIALS_NS = 3, 10_000_000_000


class Memory:
    """A record of bytes and the few rules about it."""

    def __init__(self, params: RiskParams, *, armed: bool) -> None:
        self.params = params
        self.record: NDArray[Any] = np.zeros(1, MEMORY_DTYPE)
        self.record["armed"] = armed

    @property
    def state(self) -> TradingState:
        """Return the trading state."""
        m = self.record[0]
        if m["halt"] != HALT_NONE:
            return TradingState.HALTED
        return TradingState.ACTIVE if m["armed"] else TradingState.REDUCING

    @property
    def halt_code(self) -> str:
        """Return what halted trading, empty while nothing did."""
        m = self.record[0]
        return HALT_CODES[int(m["halt_code"])] if m["halt"] != HALT_NONE else ""

    def arm(self, armed: bool) -> None:
        """Allow entries, or only what reduces exposure."""
        self.record["armed"] = armed

    def halt(self, kind: int, code: str, day: int, week: int) -> bool:
        """Take a halt; return whether it is new."""
        m = self.record[0]
        if kind <= m["halt"]:
            return False
        m["halt"], m["halt_code"], m["halt_day"], m["halt_week"] = kind, HALT_CODES.index(code), day, week
        return True

    def resume(self, reason: str) -> None:
        """Lift a halt that needs a human.

        Raises
        ------
        InvariantError
            If no reason is given, or the halt ends by itself with the next day or week.
        """
        m = self.record[0]
        if not reason.strip():
            raise InvariantError("resuming needs a reason; it is journalled")
        if m["halt"] in (HALT_DAY, HALT_WEEK):
            raise InvariantError(f"{self.halt_code} ends with the next trading day or week, not before")
        m["halt"] = HALT_NONE

    def watch_slippage(self, account: Any, ts: int) -> None:
        """Pause entries after one very bad fill or a bad mean of the last five (an ACCOUNT record)."""
        m, n = self.record[0], int(account["slip_n"])
        seen = int(m["slips_seen"])
        if n == seen:
            return
        m["slips_seen"] = n
        slips = account["slips"]
        newest = [float(slips[i % SLIPPAGE_RING]) for i in range(max(seen, n - SLIPPAGE_RING), n)]
        mean = sum(slips.tolist()) / SLIPPAGE_RING if n >= SLIPPAGE_RING else 0.0
        if max(newest) > self.params.max_slippage_ticks or mean > self.params.max_mean_slippage_ticks:
            m["slippage_pause_until"] = ts + round(self.params.slippage_pause_minutes * MINUTE)

    def note_order(self, ts: int, side: int, entry_ticks: int, stop_ticks: int) -> None:
        """Remember a bracket that was allowed: three orders."""
        m = self.record[0]
        for _ in range(ORDERS_PER_BRACKET):
            m["orders"][m["orders_n"] % ORDERS_RING] = ts
            m["orders_n"] += 1
        m["last_order_ts"], m["last_order_side"] = ts, side
        m["last_order_ticks"], m["last_order_stop_ticks"] = entry_ticks, stop_ticks

    def note_rate_denial(self, ts: int) -> None:
        """Disarm when the order rate had to be refused three times in ten seconds."""
        m = self.record[0]
        m["rate_denials"][m["rate_denials_n"] % RATE_DENIALS] = ts
        m["rate_denials_n"] += 1
        known: list[int] = m["rate_denials"].tolist()
        if m["rate_denials_n"] >= RATE_DENIALS and ts - min(known) < RATE_DENIALS_NS:
            self.arm(False)

    def note_report(self, report: OrderReport, day: int, week: int) -> None:
        """Count rejections: too many in a minute are the kill switch."""
        if report.status is not OrderStatus.REJECTED:
            return
        m = self.record[0]
        m["rejects"][m["rejects_n"] % REJECTS_RING] = report.ts_event
        m["rejects_n"] += 1
        known: list[int] = m["rejects"].tolist()[: min(int(m["rejects_n"]), REJECTS_RING)]
        if sum(report.ts_event - ts < MINUTE for ts in known) >= self.params.max_rejections_per_minute:
            self.halt(HALT_HUMAN, "rejections", day, week)

    def to_bytes(self) -> bytes:
        """Return what must survive a restart."""
        return self.record.tobytes()

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes` of the same version."""
        if len(state) != self.record.nbytes:
            raise InvariantError(f"risk state has {len(state)} bytes, expected {self.record.nbytes}")
        self.record.view(np.uint8)[...] = np.frombuffer(state, np.uint8)  # its padding too
