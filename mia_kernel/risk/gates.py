"""Every gate in its order: the validator first, then the limits, then the size.

The order is part of the interface (run header, journal, explainer). `ask_all` runs them in one compiled
call; all are asked at every decision, so that "why not" never needs a second pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import (
    BLOCKING,
    FAILED,
    GRADE_NAMES,
    INFO,
    NOT_APPLICABLE,
    PASSED,
    UNKNOWN,
    WARNING,
)
from mia_kernel.core.events import Carries
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.risk import limits, validator
from mia_kernel.risk.params import RiskParams
from mia_kernel.risk.record import (
    HALT_DAY,
    HALT_NONE,
    HALT_WEEK,
    ORDERS_RING,
    PARAMETER_DTYPE,
    STATE_ACTIVE,
    STATE_HALTED,
    STATE_REDUCING,
)
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import TICK_CENTS

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class GateSpec:
    """One row of the gate table. `on_breach`: what the limit does by itself when it is reached."""

    code: str
    level: int
    unit: str
    on_breach: str = ""


GATES: tuple[GateSpec, ...] = (
    GateSpec("data_quality", BLOCKING, "share"),
    GateSpec("market_open", BLOCKING, "flag"),
    GateSpec("coverage", BLOCKING, "share"),
    GateSpec("grade", BLOCKING, "grade"),
    GateSpec("phase_threshold", INFO, "percent"),
    GateSpec("battle_navale", BLOCKING, "score"),
    GateSpec("ball_gate", BLOCKING, "trend"),
    GateSpec("volatility_regime", BLOCKING, "flag"),
    GateSpec("market_regime", BLOCKING, "flag"),
    GateSpec("spread", BLOCKING, "ticks"),
    GateSpec("fomo", BLOCKING, "flag"),
    GateSpec("rvol", WARNING, "ratio"),
    GateSpec("confidence", WARNING, "share"),
    GateSpec("signal_gap", INFO, "s"),
    GateSpec("ml", INFO, "share"),
    GateSpec("trading_state", BLOCKING, "state"),
    GateSpec("phase_size", BLOCKING, "ratio"),
    GateSpec("entry_hours", BLOCKING, "flag"),
    GateSpec("daily_loss", BLOCKING, "usd", "halt_day"),
    GateSpec("hard_daily_loss", BLOCKING, "usd", "halt_human"),
    GateSpec("weekly_loss", BLOCKING, "usd", "halt_week"),
    GateSpec("drawdown", BLOCKING, "percent", "halt_human"),
    GateSpec("minimum_balance", BLOCKING, "usd", "halt_human"),
    GateSpec("open_risk", BLOCKING, "usd"),
    GateSpec("max_position", BLOCKING, "contracts"),
    GateSpec("concurrent", BLOCKING, "count"),
    GateSpec("opposite_position", BLOCKING, "flag"),
    GateSpec("trades_per_hour", BLOCKING, "count"),
    GateSpec("trades_per_day", BLOCKING, "count"),
    GateSpec("consecutive_losses", BLOCKING, "count"),
    GateSpec("spread_limit", BLOCKING, "ticks"),
    GateSpec("slippage", BLOCKING, "ticks"),
    GateSpec("volume", BLOCKING, "ratio"),
    GateSpec("news", BLOCKING, "minutes"),
    GateSpec("close_buffer", BLOCKING, "minutes"),
    GateSpec("flat_before_close", BLOCKING, "minutes", "flatten"),
    GateSpec("vix", BLOCKING, "points"),
    GateSpec("stale_book", BLOCKING, "ms"),
    GateSpec("profit_target", BLOCKING, "usd", "halt_day"),
    GateSpec("duplicate_order", BLOCKING, "flag"),
    GateSpec("orders_per_second", BLOCKING, "count"),
    GateSpec("orders_per_hour", BLOCKING, "count"),
    GateSpec("entry_distance", BLOCKING, "ticks"),
    GateSpec("reward_risk", BLOCKING, "ratio"),
    GateSpec("reward_risk_after_fees", BLOCKING, "ratio"),
    GateSpec("size", BLOCKING, "contracts"),
)
CODES: tuple[str, ...] = tuple(gate.code for gate in GATES)
AT: dict[str, int] = {code: i for i, code in enumerate(CODES)}
FIRST_LIMIT = AT["trading_state"]
ACTING: tuple[int, ...] = tuple(i for i, gate in enumerate(GATES) if gate.on_breach)
"""Gates that act by themselves; `ask_all` marks in `attention` whether one of them is reached."""


def levels(params: RiskParams) -> tuple[int, ...]:
    """Return how each gate weighs under these parameters."""
    out = [gate.level for gate in GATES]
    if params.gates.phase_threshold_mode == "enforce":
        out[AT["phase_threshold"]] = BLOCKING
    if params.gates.ml_mode == "require":
        out[AT["ml"]] = BLOCKING
    return tuple(out)


def applies(carries: Carries, simulated: bool) -> NDArray[np.int8]:
    """Return 1 for each gate the source can feed at all.

    In replay and dry-run a check whose input the source cannot carry does not apply; with a real broker it
    stays, finds nothing, and blocks.
    """
    out = np.ones(len(GATES), np.int8)
    if simulated and not (carries.quotes or carries.book):
        for code in ("spread", "spread_limit", "stale_book"):
            out[AT[code]] = 0
    return out


@kernel
def recall(m: Record, p: Record, x: Record, q: Record) -> None:
    """Forget a halt that is over; put into the question what the room remembers.

    That is the trading state, pauses, orders sent, and whether this would be the same order again.
    """
    over_day = m["halt"] == HALT_DAY and x["day"] > m["halt_day"]
    if over_day or (m["halt"] == HALT_WEEK and x["week"] > m["halt_week"]):
        m["halt"] = HALT_NONE
    q["state"] = STATE_ACTIVE if m["armed"] else STATE_REDUCING
    if m["halt"] != HALT_NONE:
        q["state"] = STATE_HALTED
    q["slippage_paused"] = 1 if x["ts"] < m["slippage_pause_until"] else 0
    second = 0
    hour = 0
    for i in range(min(m["orders_n"], ORDERS_RING)):
        age = x["ts"] - m["orders"][i]
        if age < NS:
            second += 1
        if age < 3600 * NS:
            hour += 1
    q["orders_second"] = second
    q["orders_hour"] = hour
    q["duplicate"] = 0
    if q["has_signal"] and m["orders_n"] > 0 and x["ts"] - m["last_order_ts"] < p["duplicate_window_s"] * 1e9:
        same = m["last_order_side"] == q["side"] and m["last_order_ticks"] == q["entry_ticks"]
        q["duplicate"] = 1 if same and m["last_order_stop_ticks"] == q["stop_ticks"] else 0


@kernel
def _put(out: Record, p: Record, i: int, answer: Any) -> int:
    required, actual, severity = answer
    out["required"][i] = required
    out["actual"][i] = actual
    if p["applies"][i] == 0 or severity < 0.0:
        out["severity"][i] = -1
        out["outcome"][i] = NOT_APPLICABLE
    else:
        out["severity"][i] = severity
        out["outcome"][i] = PASSED
        if severity == 3.0:
            out["outcome"][i] = UNKNOWN if actual != actual else FAILED
    return i + 1


@kernel
def _ask_validator(p: Record, x: Record, q: Record, out: Record, i: int) -> int:
    i = _put(out, p, i, validator.data_quality(p, x, q))
    i = _put(out, p, i, validator.market_open(p, x, q))
    i = _put(out, p, i, validator.coverage(p, x, q))
    i = _put(out, p, i, validator.grade(p, x, q))
    i = _put(out, p, i, validator.phase_threshold(p, x, q))
    i = _put(out, p, i, validator.battle_navale(p, x, q))
    i = _put(out, p, i, validator.ball_gate(p, x, q))
    i = _put(out, p, i, validator.volatility_regime(p, x, q))
    i = _put(out, p, i, validator.market_regime(p, x, q))
    i = _put(out, p, i, validator.spread(p, x, q))
    i = _put(out, p, i, validator.fomo(p, x, q))
    i = _put(out, p, i, validator.relative_volume(p, x, q))
    i = _put(out, p, i, validator.confidence(p, x, q))
    i = _put(out, p, i, validator.signal_gap(p, x, q))
    return _put(out, p, i, validator.ml(p, x, q))


@kernel
def _ask_account(p: Record, x: Record, q: Record, out: Record, i: int) -> int:
    i = _put(out, p, i, limits.trading_state(p, x, q))
    i = _put(out, p, i, limits.phase_size(p, x, q))
    i = _put(out, p, i, limits.entry_hours(p, x, q))
    i = _put(out, p, i, limits.daily_loss(p, x, q))
    i = _put(out, p, i, limits.hard_daily_loss(p, x, q))
    i = _put(out, p, i, limits.weekly_loss(p, x, q))
    i = _put(out, p, i, limits.drawdown(p, x, q))
    i = _put(out, p, i, limits.minimum_balance(p, x, q))
    i = _put(out, p, i, limits.open_risk(p, x, q))
    i = _put(out, p, i, limits.max_position(p, x, q))
    i = _put(out, p, i, limits.concurrent(p, x, q))
    i = _put(out, p, i, limits.opposite_position(p, x, q))
    i = _put(out, p, i, limits.trades_per_hour(p, x, q))
    i = _put(out, p, i, limits.trades_per_day(p, x, q))
    return _put(out, p, i, limits.consecutive_losses(p, x, q))


@kernel
def _ask_market(p: Record, x: Record, q: Record, out: Record, i: int) -> int:
    i = _put(out, p, i, limits.spread(p, x, q))
    i = _put(out, p, i, limits.slippage(p, x, q))
    i = _put(out, p, i, limits.volume(p, x, q))
    i = _put(out, p, i, limits.news(p, x, q))
    i = _put(out, p, i, limits.close_buffer(p, x, q))
    i = _put(out, p, i, limits.flat_before_close(p, x, q))
    i = _put(out, p, i, limits.vix(p, x, q))
    i = _put(out, p, i, limits.stale_book(p, x, q))
    i = _put(out, p, i, limits.profit_target(p, x, q))
    i = _put(out, p, i, limits.duplicate_order(p, x, q))
    i = _put(out, p, i, limits.orders_per_second(p, x, q))
    i = _put(out, p, i, limits.orders_per_hour(p, x, q))
    i = _put(out, p, i, validator.entry_distance(p, x, q))
    i = _put(out, p, i, validator.reward_risk(p, x, q))
    return _put(out, p, i, validator.reward_risk_after_fees(p, x, q))


@kernel
def ask_all(parameters: Any, memory: Any, inputs: Any, question: Any, answer: Any) -> None:
    """Ask every gate but the size, in order.

    Parameters
    ----------
    parameters, memory, inputs, question, answer : ndarrays of the room's records, shape (1,)
    """
    p, m, x, q, out = parameters[0], memory[0], inputs[0], question[0], answer[0]
    recall(m, p, x, q)
    i = _ask_validator(p, x, q, out, 0)
    i = _ask_account(p, x, q, out, i)
    i = _ask_market(p, x, q, out, i)
    out["required"][i] = 1.0
    out["actual"][i] = np.nan
    out["severity"][i] = -1
    out["outcome"][i] = NOT_APPLICABLE
    out["attention"] = 1 if q["state"] != STATE_ACTIVE or x["slip_n"] != m["slips_seen"] else 0
    for k in ACTING:
        if out["severity"][k] == 3:
            out["attention"] = 1


def fee_ticks(costs: CostParams, symbol: str) -> float:
    """Return the fees of a round turn in ticks of the symbol."""
    return 2 * costs.fee_cents(symbol) / TICK_CENTS[0 if symbol == "ES" else 1]


def parameter_record(
    params: RiskParams, costs: CostParams, carries: Carries, simulated: bool, news_calendar: bool
) -> NDArray[Any]:
    """Return the parameters as the kernels read them."""
    p: NDArray[Any] = np.zeros(1, PARAMETER_DTYPE)
    g = params.gates
    given: dict[str, Any] = {**g.model_dump(), **params.model_dump(exclude={"gates"})}
    given |= {
        "gate_spread_ticks": g.max_spread_ticks,
        "min_grade": GRADE_NAMES.index(g.min_grade),
        "rth_only": g.entry_hours == "rth_only",
        "ball_gate": ("off", "veto", "require").index(g.ball_gate),
        "battle_required": g.require_battle_navale,
        "ml_mode": ("off", "advise", "require").index(g.ml_mode),
        "fee_ticks": fee_ticks(costs, "ES"),
        "simulated": simulated,
        "news_calendar": news_calendar,
    }
    for name in PARAMETER_DTYPE.names or ():
        if name != "applies":
            value = given[name]
            p[name] = np.nan if value is None else float(value)
    p["applies"][0, : len(GATES)] = applies(carries, simulated)
    return p
