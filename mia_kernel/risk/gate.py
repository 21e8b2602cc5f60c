"""The gate: permission for a wish, and the trading state.

How it moves: at every decision the inputs are gathered from the market state, all gates are asked in one
compiled call, and where there is a signal it is sized; the answer is a value with code and numbers, never
an exception. Afterwards `monitor` says what the limits do by themselves (cancel, flatten, halt). A limit
that cannot be computed blocks: unknown is not safe.
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
    NOT_APPLICABLE,
    PASSED,
    UNKNOWN,
    ByteArray,
    FloatArray,
    Gate,
    Score,
    Signal,
    Verdict,
)
from mia_kernel.core.events import Carries
from mia_kernel.core.orders import OrderReport, TradingState
from mia_kernel.risk import gates, inputs, sizing
from mia_kernel.risk.limits import SEVERITY_NAMES, LimitCheck
from mia_kernel.risk.memory import HALTS, Memory
from mia_kernel.risk.params import GateParams, RiskParams
from mia_kernel.risk.record import ANSWER_DTYPE, HALT_HUMAN, INPUT_DTYPE, QUESTION_DTYPE
from mia_kernel.state.costs import CostParams
from mia_kernel.state.volatility import VolatilityParams

__all__ = ["Breach", "GateParams", "GateResult", "GateSource", "RiskGate", "RiskParams"]

GRADE_SIZE = {"NO_TRADE": 0.0, "WEAK": 0.5, "GOOD": 0.75, "STRONG": 1.0, "PREMIUM": 1.5}
N = len(gates.GATES)
_SIZE, _NET_RATIO = gates.AT["size"], gates.AT["reward_risk_after_fees"]


@dataclass(frozen=True, slots=True)
class GateSource:
    """What the gate must know about the run: what the source carries and whether fills are simulated."""

    carries: Carries
    simulated: bool = True
    news_calendar: bool = False
    has_vix: bool = True
    """False for a simulated gateway whose market carries no VIX: nobody there could say it."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """All gates in the order of `RiskGate.codes` (NaN unknown), and the verdict where there was a signal."""

    outcome: ByteArray
    required: FloatArray
    actual: FloatArray
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Breach:
    """What a limit does by itself: `cancel_entries`, `flatten` or `halt` (which also flattens)."""

    code: str
    action: str
    limit: float | None
    actual: float | None
    unit: str
    message: str


class RiskGate:
    """Runs the gates, sizes what passes, holds the trading state.

    Parameters
    ----------
    params : RiskParams
    costs : CostParams
    volatility : VolatilityParams
    source : GateSource
    """

    codes = gates.CODES
    units = tuple(gate.unit for gate in gates.GATES)

    def __init__(
        self, params: RiskParams, costs: CostParams, volatility: VolatilityParams, source: GateSource
    ) -> None:
        self.params = params
        self.costs = costs
        self.source = source
        self.levels = gates.levels(params)
        self._blocking = np.array(self.levels) == BLOCKING
        self._p = gates.parameter_record(
            params, costs, source.carries, source.simulated, source.news_calendar
        )
        self._p["simulated"] = source.simulated or not source.has_vix  # what it decides is an unknown VIX
        self._regimes = inputs.regime_table(volatility)
        self.memory = Memory(params, armed=source.simulated)  # simulated fills start armed, a broker never
        self._x: NDArray[Any] = np.zeros(1, INPUT_DTYPE)
        self._q: NDArray[Any] = np.zeros(1, QUESTION_DTYPE)
        # Written through a view of each field: a lone record takes three times as long.
        self._asked = {name: self._q[name] for name in QUESTION_DTYPE.names or ()}
        self._out: NDArray[Any] = np.zeros(1, ANSWER_DTYPE)
        self._gathered = -1
        self._attention = self._out["attention"]
        self._outcome = self._out["outcome"][0, :N]
        self._required = self._out["required"][0, :N]
        self._actual = self._out["actual"][0, :N]

    # -- the permission ----------------------------------------------------------------------------

    @property
    def compiled(self) -> tuple[NDArray[Any], ...]:
        """What a kernel needs to `gather` and `ask_all`: regimes, parameters, memory, inputs, question, answer."""
        return self._regimes, self._p, self.memory.record, self._x, self._q, self._out

    def gathered(self, ts: int) -> None:
        """Note that the inputs and the answers are those of the decision at `ts`."""
        self._gathered = ts

    def permit(
        self, market: NDArray[Any], score: Score, signal: Signal, ml_score: float | None
    ) -> GateResult:
        """Ask about a signal on the inputs already gathered, and remember that it was given."""
        result = self.judge(score, signal, ml_score=ml_score)
        account = market["account"]
        account["last_signal_ts"] = self._x["ts"]
        account["signals"] += 1
        if result.verdict is not None and result.verdict.allowed:
            ts = int(self._x["ts"][0])
            self.memory.note_order(ts, signal.side, signal.entry_ticks, signal.stop_ticks)
        return result

    def judge(
        self,
        score: Score,
        signal: Signal | None,
        *,
        candidate_side: int = 0,
        ml_score: float | None = None,
    ) -> GateResult:
        """Ask every gate about the inputs already gathered."""
        self._question(score, signal, candidate_side, ml_score)
        gates.ask_all(self._p, self.memory.record, self._x, self._q, self._out)
        verdict = None
        if signal is not None:
            verdict = self._permit(score, signal, ml_score)
        return GateResult(self._outcome.copy(), self._required.copy(), self._actual.copy(), verdict)

    def _question(self, score: Score, signal: Signal | None, candidate: int, ml_score: float | None) -> None:
        q = self._asked
        q["grade"][0], q["coverage"][0], q["percent"][0] = score.grade, score.coverage, score.percent
        if signal is None:
            q["has_signal"][0], q["side"][0] = 0, candidate or score.side
            return
        q["has_signal"][0], q["side"][0] = 1, signal.side
        factor = self.params.gamma.at(int(self._x["ts"][0]))[1]
        q["confidence"][0] = np.nan if signal.confidence is None else signal.confidence * factor
        q["ml_score"][0] = np.nan if ml_score is None else ml_score
        if self.params.gates.ml_threshold_rule == "cost_aware":
            # The threshold belongs to the signal; the gate reads it from the one record it has.
            self._p["ml_threshold"] = sizing.break_even(signal, bool(self._x["is_rth"][0]), self.costs)
        q["entry_ticks"][0], q["stop_ticks"][0] = signal.entry_ticks, signal.stop_ticks
        q["target_ticks"][0] = signal.target_ticks

    def _permit(self, score: Score, signal: Signal, ml_score: float | None) -> Verdict:
        out = self._out[0]
        multiplier, note = self._multiplier(score, ml_score)
        stop = signal.side * (signal.entry_ticks - signal.stop_ticks)
        sized = sizing.size(self._ask(max(stop, 1), multiplier), self.params, self.costs)
        self._after_fees(signal, sized.symbol)
        out["actual"][_SIZE] = sized.qty
        out["outcome"][_SIZE] = PASSED if sized.qty > 0 else FAILED
        out["severity"][_SIZE] = 0 if sized.qty > 0 else 3
        refused = np.flatnonzero(self._blocking & ((self._outcome == FAILED) | (self._outcome == UNKNOWN)))
        if len(refused):
            first = int(refused[0])
            code, text = gates.CODES[first], self._sentence(first)
            if code in ("orders_per_second", "orders_per_hour"):
                self.memory.note_rate_denial(int(self._x["ts"][0]))
            if code == "size":
                text += f", bound by {sized.binding}"
            return Verdict(False, code, sized.symbol, 0, sized.binding, sized.limits, multiplier, text)
        return Verdict(
            allowed=True,
            code="allowed",
            symbol=sized.symbol,
            qty=sized.qty,
            binding=sized.binding,
            limits=sized.limits,
            size_multiplier=multiplier,
            message=f"{sized.qty} {sized.symbol}, bound by {sized.binding}{note}",
            risk_cents=round(sized.qty * sized.risk_per_contract_usd * 100),
        )

    def _multiplier(self, score: Score, ml_score: float | None) -> tuple[float, str]:
        """Return m and what to say about it; volatility never multiplies up, a missing opinion caps at 1."""
        x = self._x[0]
        product = GRADE_SIZE[GRADE_NAMES[score.grade]] * float(x["phase_size"])
        product *= self.params.gamma.at(int(x["ts"]))[0]
        for factor in (min(1.0, float(x["volatility_size"])), float(x["market_size"])):
            product *= 0.0 if np.isnan(factor) else factor
        m = min(max(product, 0.0), self.params.max_size_multiplier)
        if self.params.gates.ml_mode == "advise" and ml_score is None and m > 1.0:
            return 1.0, "; size capped at ×1.0, no ML opinion"
        return m, ""

    def _ask(self, stop_ticks: int, multiplier: float) -> sizing.Ask:
        x = self._x[0]
        most, name = self.params.max_position, "max_position"
        if x["volatility_max_position"] < most:
            most, name = float(x["volatility_max_position"]), "volatility_max_position"
        if x["vix"] > self.params.extreme_vix and most > 1.0:
            most, name = 1.0, "vix_max_position"
        return sizing.Ask(
            equity_usd=float(x["equity_usd"]),
            stop_ticks=stop_ticks,
            is_rth=bool(x["is_rth"]),
            day_net_usd=float(x["day_net_usd"]),
            open_risk_usd=float(x["open_risk_usd"]),
            es_position=float(x["es_position"]),
            max_position=most,
            max_position_name=name,
            multiplier=multiplier,
            record=sizing.Record(
                n=int(x["trips"]),
                wins=int(x["wins"]),
                losses=int(x["losses"]),
                win_cents=int(x["win_cents"]),
                loss_cents=int(x["loss_cents"]),
            ),
        )

    def _after_fees(self, signal: Signal, symbol: str) -> None:
        """Judge reward to risk after fees again where MES, whose fee weighs more, is what would be traded."""
        if symbol != "MES":
            return
        fee = gates.fee_ticks(self.costs, symbol)
        risk = signal.side * (signal.entry_ticks - signal.stop_ticks) + fee
        reward = signal.side * (signal.target_ticks - signal.entry_ticks) - fee
        ratio = reward / risk if risk > fee else -1.0
        out = self._out[0]
        out["actual"][_NET_RATIO] = ratio
        enough = ratio >= self.params.gates.min_reward_risk_after_fees
        out["outcome"][_NET_RATIO] = PASSED if enough else FAILED

    def _sentence(self, at: int) -> str:
        out, spec = self._out[0], gates.GATES[at]
        required, actual = float(out["required"][at]), float(out["actual"][at])
        found = "unknown" if np.isnan(actual) else f"{actual:g}"
        return f"{spec.code}: found {found}, required {required:g} {spec.unit}"

    # -- what limits do by themselves --------------------------------------------------------------

    def monitor(self, market: NDArray[Any], ts: int) -> tuple[Breach, ...]:
        """Return what the limits do by themselves now, and take the halts they order.

        To be asked at every decision after the gates were, and whenever reports changed the account. While a
        halt is in force and something is still open, it is repeated.
        """
        if self._gathered != ts:
            inputs.gather(market, self._regimes, self._p, ts, self._x)
            gates.ask_all(self._p, self.memory.record, self._x, self._q, self._out)
            self._gathered = ts
        if not self._attention[0]:
            return ()
        self.memory.watch_slippage(market["account"][0], ts)
        out, state = self._out[0], self.state
        busy = bool(self._x["brackets"][0])
        found: list[Breach] = []
        for at in gates.ACTING:
            if out["severity"][at] == 3:
                found += self._breach(at, busy)
        if state is TradingState.HALTED and busy and not found:
            code = self.halt_code
            found.append(Breach(code, "halt", None, None, "", f"halted by {code}: flatten"))
        elif state is TradingState.REDUCING and busy and not found:
            found.append(Breach("disarmed", "cancel_entries", None, None, "", "disarmed: entries withdrawn"))
        return tuple(found)

    def _breach(self, at: int, busy: bool) -> list[Breach]:
        spec, out = gates.GATES[at], self._out[0]
        new = False
        if spec.on_breach in HALTS:
            new = self.memory.halt(HALTS[spec.on_breach], spec.code, *self._today())
        if not (busy or new):
            return []
        required, actual = float(out["required"][at]), float(out["actual"][at])
        action = "flatten" if spec.on_breach == "flatten" else "halt"
        return [
            Breach(
                spec.code,
                action,
                None if np.isnan(required) else required,
                None if np.isnan(actual) else actual,
                spec.unit,
                self._sentence(at),
            )
        ]

    def report(self, report: OrderReport) -> None:
        """Take one order report: too many rejections in a minute are the kill switch."""
        self.memory.note_report(report, *self._today())

    def _today(self) -> tuple[int, int]:
        return int(self._x["day"][0]), int(self._x["week"][0])

    # -- the state ---------------------------------------------------------------------------------

    @property
    def state(self) -> TradingState:
        """ACTIVE, REDUCING (disarmed: only what reduces exposure) or HALTED (only flattening)."""
        return self.memory.state

    @property
    def halt_code(self) -> str:
        """What halted trading, empty while nothing did."""
        return self.memory.halt_code

    def arm(self) -> None:
        """Allow entries again, unless halted."""
        self.memory.arm(True)

    def disarm(self) -> None:
        """Allow only what reduces exposure."""
        self.memory.arm(False)

    def halt(self) -> None:
        """Halt until a human resumes."""
        self.memory.halt(HALT_HUMAN, "operator", *self._today())

    def resume(self, reason: str) -> None:
        """Lift a halt that needs a human; raises InvariantError without a reason."""
        self.memory.resume(reason)

    def to_bytes(self) -> bytes:
        """Return what must survive a restart."""
        return self.memory.to_bytes()

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes` of the same version."""
        self.memory.restore(state)

    # -- for whoever looks -------------------------------------------------------------------------

    def limits(self) -> tuple[LimitCheck, ...]:
        """Return every limit as it was found at the last decision."""
        checks: list[LimitCheck] = []
        out = self._out[0]
        for at in range(gates.FIRST_LIMIT, N):
            limit, actual = float(out["required"][at]), float(out["actual"][at])
            severity = int(out["severity"][at])
            checks.append(
                LimitCheck(
                    code=gates.CODES[at],
                    limit=None if np.isnan(limit) else limit,
                    actual=None if np.isnan(actual) else actual,
                    unit=gates.GATES[at].unit,
                    level=SEVERITY_NAMES[max(severity, 0)],
                    applies=out["outcome"][at] != NOT_APPLICABLE,
                )
            )
        return tuple(checks)

    def gate_rows(self, result: GateResult) -> tuple[Gate, ...]:
        """Return the gates of a result as values with names and units."""
        return tuple(
            Gate(
                code=spec.code,
                level=self.levels[i],
                outcome=int(result.outcome[i]),
                required=None if np.isnan(result.required[i]) else float(result.required[i]),
                actual=None if np.isnan(result.actual[i]) else float(result.actual[i]),
                unit=spec.unit,
            )
            for i, spec in enumerate(gates.GATES)
        )
