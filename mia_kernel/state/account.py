"""Account: what was filled, what it cost, what is open and what it is worth now.

How it moves: the engine notes a bracket when it is sent (`note`), marks the rows of every slice it
consumed (`mark`) and feeds every order report (`apply`), which answers with the round trip it closed.
All that must survive lies in the ledger record, a view into the market state.

A venue cuts slices just behind the row that fills an order, so the last marked row is the filling row.
What it printed belongs to the position only on the bad side: the ledger keeps the extremes and the peak
from before that row (`prev_*`), and a fill goes back to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import EventArray
from mia_kernel.core.orders import (
    OrderReport,
    OrderStatus,
    PlaceBracket,
    Position,
    ReplaceStop,
    Role,
    RoundTrip,
)
from mia_kernel.state.ledger import (
    ACCOUNT_DTYPE,
    ENTRY_RING,
    ES_EQUIVALENT,
    LEG_DTYPE,
    LEGS,
    PHASES,
    SLIPPAGE_RING,
    SYMBOLS,
    TICK_CENTS,
    bracket_key,
    bracket_name,
    clear,
    init,
    mark,
    week_of,
)

__all__ = [
    "ACCOUNT_DTYPE",
    "LEGS",
    "PHASES",
    "Account",
    "bracket_key",
    "bracket_name",
    "init",
    "mark",
    "week_of",
]

_DEAD = (OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED)


class Account:
    """The thin hand over an account record: notes brackets, applies reports, returns round trips.

    Parameters
    ----------
    record : ndarray of ACCOUNT_DTYPE, shape (1,)
        A view into the market state; everything that must survive lies in it.
    phases : sequence of str
        Names of the session phases by code, for the round trips' text.
    """

    def __init__(self, record: NDArray[Any], phases: Sequence[str]) -> None:
        self.record = record
        self._a = record[0]
        self._phases = tuple(phases)

    def mark(self, events: EventArray, start: int, stop: int) -> None:
        """Mark over rows [start, stop); call it for every slice the engine consumes, before its reports."""
        mark(self.record, events, start, stop)

    def enter_day(self, day: int) -> None:
        """Roll to trading day `day` (yyyymmdd): day sums restart, week sums with a new week."""
        a = self._a
        if day == a["day"]:
            return
        if day < a["day"]:
            raise InvariantError(f"trading day went back from {int(a['day'])} to {day}")
        a["day_start_cents"] = a["equity_cents"]
        a["trades_today"] = 0
        week = week_of(day)
        if week != a["week"]:
            a["week_start_cents"] = a["equity_cents"]
        a["day"], a["week"] = day, week

    def load_expectancy(self, n: NDArray[np.int64], sum_r: NDArray[np.float64]) -> None:
        """Take the measured table of earlier runs: count and Σ R, shape (PHASES, 2) by phase and side."""
        self._a["phase_n"] = n
        self._a["phase_r"] = sum_r

    def note(self, command: PlaceBracket | ReplaceStop, phase: int = 0) -> None:
        """Remember what was sent: a new bracket takes a leg, a new stop changes the risk of one.

        Raises
        ------
        InvariantError
            If no leg is free (the gate allows fewer brackets than there are legs) or the bracket is unknown.
        """
        if isinstance(command, ReplaceStop):
            leg = self._leg(command.bracket_id)
            if leg is not None:
                leg["stop_ticks"] = command.stop_ticks
                self._settle(filled=False)
            return
        free = [k for k in range(LEGS) if not self._a["legs"][k]["used"]]
        if not free:
            raise InvariantError(f"bracket {command.bracket_id} does not fit: all {LEGS} legs are in use")
        leg = self._a["legs"][free[0]]
        clear(leg, LEG_DTYPE)
        leg["used"], leg["key"] = 1, bracket_key(command.bracket_id)
        leg["symbol"], leg["side"] = SYMBOLS.index(command.entry.symbol), command.entry.side
        leg["planned"], leg["phase"], leg["grade"] = command.entry.qty, phase, command.grade
        leg["confluence_percent"], leg["risk_cents"] = command.confluence_percent, command.risk_cents
        leg["stop_ticks"] = leg["first_stop_ticks"] = command.stop.stop_ticks
        leg["target_ticks"] = command.target.limit_ticks
        self._a["brackets"] += 1
        self._settle(filled=False)

    def apply(self, report: OrderReport) -> RoundTrip | None:
        """Apply one report; return the round trip it closed, if any.

        A report that fills nothing only matters when it ends an entry that never filled: its leg is freed.

        Raises
        ------
        InvariantError
            If a fill belongs to no noted bracket or closes more than is open.
        """
        leg = self._leg(report.bracket_id)
        if leg is None:
            if report.last_qty > 0:
                raise InvariantError(f"fill {report.exec_id} belongs to unknown bracket {report.bracket_id}")
            return None
        trip = None
        if report.last_qty > 0 and report.last_ticks is not None:
            if report.role is Role.ENTRY:
                self._fill_entry(leg, report)
            else:
                trip = self._fill_exit(leg, report)
        if report.role is Role.ENTRY and report.status in _DEAD and leg["entered"] == 0:
            self._free(leg)
        self._settle(filled=report.last_qty > 0)
        return trip

    # -- what can be asked -------------------------------------------------------------------------

    def positions(self) -> tuple[Position, ...]:
        """Return what is open, one entry per bracket."""
        out: list[Position] = []
        for leg in self._a["legs"]:
            if leg["qty"] > 0:
                tick = TICK_CENTS[int(leg["symbol"])]
                out.append(
                    Position(
                        symbol=SYMBOLS[int(leg["symbol"])],
                        qty=int(leg["side"]) * int(leg["qty"]),
                        average_ticks=float(leg["entry_cents"]) / (int(leg["entered"]) * tick),
                        realised_cents=0,
                        fees_cents=int(leg["fees_cents"]),
                    )
                )
        return tuple(out)

    @property
    def position(self) -> int:
        """Signed open contracts."""
        return int(self._a["position"])

    @property
    def equity_cents(self) -> int:
        """Equity at the last mark, net of all fees so far."""
        return int(self._a["equity_cents"])

    @property
    def day_net_cents(self) -> int:
        """Realised plus open, net of fees, since the trading day began."""
        return int(self._a["equity_cents"] - self._a["day_start_cents"])

    @property
    def week_net_cents(self) -> int:
        """Realised plus open, net of fees, since the trading week began."""
        return int(self._a["equity_cents"] - self._a["week_start_cents"])

    @property
    def open_cents(self) -> int:
        """Open profit of what is held, before the fees of its exit."""
        return int(self._a["equity_cents"] - self._a["p_equity_cents"] - self._a["closed_cents"])

    # -- fills -------------------------------------------------------------------------------------

    def _leg(self, bracket_id: str) -> Any | None:
        key = bracket_key(bracket_id)
        for k in range(LEGS):
            leg = self._a["legs"][k]
            if leg["used"] and leg["key"] == key:
                return leg
        return None

    def _free(self, leg: Any) -> None:
        leg["used"] = 0
        self._a["brackets"] -= 1

    def _fill_entry(self, leg: Any, report: OrderReport) -> None:
        a, ticks = self._a, float(report.last_ticks or 0.0)
        if leg["entered"] == 0:
            price = round(ticks)
            if not a["row_marks"]:
                # Filled by a quote in a market marked by trades: the last trade may be old.
                a["row_low"] = a["row_high"] = a["bid_mark"] = a["ask_mark"] = price
                a["row_is_bar"], a["has_mark"] = 0, 1
            # What the filling row printed can only have come after the fill on the bad side.
            adverse = int(a["row_low"] if leg["side"] > 0 else a["row_high"])
            leg["low"] = leg["prev_low"] = min(price, adverse) if leg["side"] > 0 else price
            leg["high"] = leg["prev_high"] = max(price, adverse) if leg["side"] < 0 else price
            leg["entry_ts"] = report.ts_event
            a["entry_ts"][a["entries"] % ENTRY_RING] = report.ts_event
            a["entries"] += 1
            a["trades_today"] += 1
        self._charge(leg, report)
        leg["entry_cents"] += _cents(ticks, leg, report.last_qty)
        leg["entered"] += report.last_qty
        leg["qty"] += report.last_qty
        self._measure(leg, report, ticks)

    def _fill_exit(self, leg: Any, report: OrderReport) -> RoundTrip | None:
        ticks = float(report.last_ticks or 0.0)
        if report.last_qty > leg["qty"]:
            raise InvariantError(
                f"exit {report.order_id} filled {report.last_qty} of {int(leg['qty'])} open contracts; "
                "the sum of exits may not exceed the position"
            )
        self._charge(leg, report)
        leg["exit_cents"] += _cents(ticks, leg, report.last_qty)
        leg["exited"] += report.last_qty
        leg["qty"] -= report.last_qty
        leg["exit_ts"] = report.ts_event
        self._slip(report, ticks)
        return self._close(leg, report, ticks) if leg["qty"] == 0 else None

    def _charge(self, leg: Any, report: OrderReport) -> None:
        leg["fees_cents"] += report.fee_cents
        self._a["fees_cents"] += report.fee_cents

    def _measure(self, leg: Any, report: OrderReport, ticks: float) -> None:
        """Keep the execution measures of the newest entry (domain: Orders, execution measures)."""
        a = self._a
        leg["slippage"] += (
            np.nan
            if report.reference_ticks is None
            else (report.side * (ticks - report.reference_ticks) * report.last_qty)
        )
        slip = float(leg["slippage"]) / int(leg["entered"])
        a["slippage_ticks"] = slip
        a["fill_quality"] = (
            min(max(1.0 - max(0.0, slip) / 4.0, 0.0), 1.0) * int(leg["entered"]) / int(leg["planned"])
        )
        if report.submitted_ts is not None:
            # The venue's clock and ours agree to some ms only: a fill is never before its order.
            a["execution_time_ms"] = max(0.0, (report.ts_event - report.submitted_ts) / 1e6)
        self._slip(report, ticks)

    def _slip(self, report: OrderReport, ticks: float) -> None:
        if report.reference_ticks is None:
            return
        a = self._a
        a["slips"][a["slip_n"] % SLIPPAGE_RING] = report.side * (ticks - report.reference_ticks)
        a["slip_n"] += 1
        a["last_slip_ts"] = report.ts_event

    def _close(self, leg: Any, report: OrderReport, ticks: float) -> RoundTrip:
        a = self._a
        side, fees = int(leg["side"]), int(leg["fees_cents"])
        gross = side * int(leg["exit_cents"] - leg["entry_cents"])
        low, high = self._extremes(leg, report, ticks)
        a["trips"] += 1
        a["closed_cents"] += gross - fees
        self._count(leg, gross - fees, report.ts_event)
        tick = TICK_CENTS[int(leg["symbol"])]
        entry = float(leg["entry_cents"]) / (int(leg["entered"]) * tick)
        slip = float(leg["slippage"]) / int(leg["entered"])
        trip = RoundTrip(
            id=int(a["trips"]),
            bracket_id=report.bracket_id,
            symbol=SYMBOLS[int(leg["symbol"])],
            side=side,
            qty=int(leg["entered"]),
            entry_ts=int(leg["entry_ts"]),
            entry_ticks=entry,
            exit_ts=report.ts_event,
            exit_ticks=float(leg["exit_cents"]) / (int(leg["exited"]) * tick),
            exit_reason=_exit_reason(leg, report),
            gross_cents=gross,
            fees_cents=fees,
            mae_ticks=max(0.0, entry - low if side > 0 else high - entry),
            mfe_ticks=max(0.0, high - entry if side > 0 else entry - low),
            grade=int(leg["grade"]),
            confluence_percent=float(leg["confluence_percent"]),
            risk_cents=_planned_risk(leg),
            slippage_ticks=None if np.isnan(slip) else slip,
            phase=self._phases[int(leg["phase"])],
        )
        self._free(leg)
        return trip

    def _extremes(self, leg: Any, report: OrderReport, ticks: float) -> tuple[float, float]:
        """Return low and high of the time in the market: the exit price ends it, not the row that caused it.

        Inside a bar the bad extreme is taken to come first, so a target's bar still counts on that side.
        """
        low, high = float(leg["prev_low"]), float(leg["prev_high"])
        if self._a["row_is_bar"] and report.role is Role.TARGET:
            if leg["side"] > 0:
                low = float(leg["low"])
            else:
                high = float(leg["high"])
        return min(low, ticks), max(high, ticks)

    def _count(self, leg: Any, net: int, ts_event: int) -> None:
        a = self._a
        scratch = TICK_CENTS[int(leg["symbol"])] * int(leg["entered"])
        if net >= scratch:
            a["wins"] += 1
            a["win_cents"] += net
            a["consecutive_losses"] = 0
        elif net <= -scratch:
            a["losses"] += 1
            a["loss_cents"] -= net
            a["consecutive_losses"] += 1
            a["last_loss_ts"] = ts_event
        risk = _planned_risk(leg)
        if risk > 0:
            at = 0 if leg["side"] > 0 else 1
            a["phase_n"][leg["phase"], at] += 1
            a["phase_r"][leg["phase"], at] += net / risk

    def _settle(self, filled: bool) -> None:
        """Draw the equity line anew from the legs; after a fill, value it at the last mark."""
        a = self._a
        base, slope, position, equivalent, risk = int(a["p_equity_cents"] + a["closed_cents"]), 0, 0, 0.0, 0
        for leg in a["legs"]:
            if not leg["used"]:
                continue
            side, qty, tick = int(leg["side"]), int(leg["qty"]), TICK_CENTS[int(leg["symbol"])]
            base += side * int(leg["exit_cents"] - leg["entry_cents"]) - int(leg["fees_cents"])
            slope += side * qty * tick
            position += side * qty
            equivalent += side * qty * ES_EQUIVALENT[int(leg["symbol"])]
            risk += _leg_risk(leg, tick)
        a["base_cents"], a["slope_cents"], a["position"] = base, slope, position
        a["open_legs"] = int(np.count_nonzero(a["legs"]["qty"]))
        a["es_position"], a["open_risk_cents"] = equivalent, risk
        if filled:
            mark_ticks = int(a["bid_mark"] if slope > 0 else a["ask_mark"])
            a["equity_cents"] = base + slope * mark_ticks
            a["peak_cents"] = max(int(a["prev_peak_cents"]), int(a["equity_cents"]))
            fall = int(a["peak_cents"] - a["equity_cents"])
            a["drawdown_cents"] = max(int(a["prev_drawdown_cents"]), fall)


def _cents(ticks: float, leg: Any, qty: int) -> int:
    return round(ticks * TICK_CENTS[int(leg["symbol"])]) * qty


def _planned_risk(leg: Any) -> int:
    """Planned risk of what was really entered."""
    return round(int(leg["risk_cents"]) * int(leg["entered"]) / int(leg["planned"]))


def _leg_risk(leg: Any, tick_cents: int) -> int:
    """Loss if the working stop fills at its price, ≥ 0; what is still unfilled counts as filled."""
    side = int(leg["side"])
    if leg["entered"] == 0:
        return int(leg["risk_cents"])
    unfilled = int(leg["planned"]) - int(leg["entered"])
    entry = int(leg["entry_cents"]) // int(leg["entered"])
    loss = (entry - int(leg["stop_ticks"]) * tick_cents) * side
    return max(0, loss) * (int(leg["qty"]) + (unfilled if leg["exited"] == 0 else 0))


def _exit_reason(leg: Any, report: OrderReport) -> str:
    if report.role is Role.STOP:
        return "stop" if leg["stop_ticks"] == leg["first_stop_ticks"] else "trailing_stop"
    return "target" if report.role is Role.TARGET else report.reason
