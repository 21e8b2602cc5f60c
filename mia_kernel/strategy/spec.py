"""Strategies: what a strategy is, the registry, and the rule strategy all shipped ones are.

How it moves: at each decision `propose` looks at the whole rule. A signal is an edge: it is given at the
decision at which the rule becomes true and not again while it stays true; refused or not, it is spent.
Afterwards `manage` cares for what is open. Same state, same answer; what is remembered is one record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import GRADE_NAMES, Score, Signal
from mia_kernel.core.errors import InvariantError, SettingsError
from mia_kernel.core.kernel import kernel
from mia_kernel.core.orders import ClosePosition, Command, ReplaceStop
from mia_kernel.state.account import bracket_name
from mia_kernel.state.ledger import LEGS
from mia_kernel.state.regime import V_NORMAL
from mia_kernel.state.volatility import VolatilityParams
from mia_kernel.strategy import battle_navale, care, confluence_entry, prices
from mia_kernel.strategy.params import StrategyParams
from mia_kernel.strategy.record import (
    ANSWER_DTYPE,
    CARE_CLOSE,
    CARE_TRAIL,
    MEMORY_DTYPE,
    PARAMETER_DTYPE,
    RULE_BATTLE,
    RULE_BOTH,
    RULE_CONFLUENCE,
    TABLE_DTYPE,
)

__all__ = ["RULES", "RuleStrategy", "Strategy", "StrategyParams", "make"]


class Strategy(Protocol):
    """Wishes and care, from the state alone."""

    name: str

    @property
    def rule_side(self) -> int:
        """Side on which the whole rule is true now, 0 none: why (not)."""
        ...

    @property
    def compiled(self) -> tuple[NDArray[Any], ...]:
        """What `consult` needs: parameters, table, memory and answer, the same arrays all the time."""
        ...

    def wish(self, score: Score, ts: int) -> Signal | None:
        """Return the signal that the last `consult` found, if the rule became true there."""
        ...

    def manage(self, market: NDArray[Any], ts: int) -> tuple[Command, ...]:
        """Return what is to be done about open positions."""
        ...

    def to_bytes(self) -> bytes:
        """Return what must survive a restart."""
        ...

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes`."""
        ...


@kernel
def consult(
    market: Any, parameters: Any, table: Any, memory: Any, score_side: int, grade: int, answer: Any
) -> None:
    """Look at the rule; where it became true, find entry, stop and target.

    Parameters
    ----------
    market : ndarray of MARKET_DTYPE, shape (1,)
    parameters, memory, answer : ndarrays of this room's records, shape (1,)
    table : ndarray of TABLE_DTYPE by volatility regime
    score_side, grade : int
        Of the weighed score.
    """
    s, p, m, out = market[0], parameters[0], memory[0], answer[0]
    code = s["regime"]["volatility"]
    row = table[code if code >= 0 else V_NORMAL]
    for k in range(5):
        b = s["battle"][k]
        if b["p_is_signal"] == 0:
            continue
        wished = battle_navale.side_of(b, row["threshold"])
        weighed = confluence_entry.side_of(score_side, grade, p["min_grade"])
        side = wished if wished == weighed else 0
        if p["rule"] == RULE_BATTLE:
            side = wished
        elif p["rule"] == RULE_CONFLUENCE:
            side = weighed
        out["battle_side"] = wished
        out["score"] = b["score"]
        out["threshold"] = row["threshold"]
        out["rule_side"] = side
        out["edge"] = side if side != m["side"] else 0
        m["side"] = side
        if out["edge"] != 0:
            entry = prices.entry_ticks(s, side)
            stop = prices.stop_ticks(s, b, p, row["stop"], side, entry)
            out["entry_ticks"] = entry
            out["stop_ticks"] = stop
            quotient = row["target"] / row["stop"]
            out["target_ticks"] = prices.target_ticks(s, b, p, quotient, side, entry, stop)
            out["strength"] = battle_navale.strength_of(b, row["threshold"])
            out["confidence"] = b["confidence"]


@kernel
def tend(market: Any, parameters: Any, memory: Any, answer: Any) -> None:
    """Care for the open legs on the signal timeframe."""
    s = market[0]
    for k in range(5):
        b = s["battle"][k]
        if b["p_is_signal"]:
            care.care(s, b, parameters[0], memory[0], answer[0])


class RuleStrategy:
    """An entry rule over the state, compiled, with the common stops, targets and care.

    Parameters
    ----------
    name : str
        Goes into every signal.
    rule : int
        RULE_BOTH, RULE_BATTLE or RULE_CONFLUENCE.
    params : StrategyParams
    volatility : VolatilityParams
    """

    def __init__(self, name: str, rule: int, params: StrategyParams, volatility: VolatilityParams) -> None:
        self.name = name
        self.params = params
        self._rule = rule
        self._p = parameter_record(params, rule)
        rows = [(row.battle_threshold, row.stop, row.target) for row in volatility.rows()]
        self._table: NDArray[Any] = np.array(rows, TABLE_DTYPE)
        self._m: NDArray[Any] = np.zeros(1, MEMORY_DTYPE)
        self._out: NDArray[Any] = np.zeros(1, ANSWER_DTYPE)

    @property
    def rule_side(self) -> int:
        """Side on which the whole rule is true at the last decision, 0 none."""
        return int(self._m["side"][0])

    @property
    def compiled(self) -> tuple[NDArray[Any], ...]:
        """What `consult` needs: parameters, table, memory and answer, the same arrays all the time."""
        return self._p, self._table, self._m, self._out

    def propose(self, market: NDArray[Any], score: Score, ts: int) -> Signal | None:
        """Consult the rule and return what it wishes; the engine consults within its one call."""
        consult(market, self._p, self._table, self._m, score.side, score.grade, self._out)
        return self.wish(score, ts)

    def wish(self, score: Score, ts: int) -> Signal | None:
        """Return the signal that the last `consult` found, else None."""
        out = self._out[0]
        side = int(out["edge"])
        if side == 0:
            return None
        if self._rule == RULE_CONFLUENCE:
            strength, confidence = abs(score.total), np.nan
        else:
            strength, confidence = float(out["strength"]), float(out["confidence"])
        return Signal(
            ts_event=ts,
            side=side,
            strategy=self.name,
            strength=strength,
            confidence=None if np.isnan(confidence) else float(confidence),
            entry_ticks=int(out["entry_ticks"]),
            stop_ticks=int(out["stop_ticks"]),
            target_ticks=int(out["target_ticks"]),
            grade=score.grade,
            reason=self._reason(score),
        )

    def _reason(self, score: Score) -> str:
        out, parts = self._out[0], list[str]()
        if self._rule != RULE_CONFLUENCE:
            parts.append(f"battle_navale {float(out['score']):+.3f} beyond {float(out['threshold']):.2f}")
        if self._rule != RULE_BATTLE:
            parts.append(f"confluence {GRADE_NAMES[score.grade]} {score.percent:.2f} %")
        return ", ".join(parts)

    def manage(self, market: NDArray[Any], ts: int) -> tuple[Command, ...]:
        """Return new stops (never away from the trade's favour) and closes on a broken ball trend."""
        if not market["account"]["position"][0]:
            return ()
        tend(market, self._p, self._m, self._out)
        out, commands = self._out[0], list[Command]()
        for k in range(LEGS):
            name = bracket_name(int(out["care_key"][k]))
            if out["care"][k] == CARE_TRAIL:
                commands.append(ReplaceStop(ts, name, int(out["care_stop"][k]), "trail_ball"))
            elif out["care"][k] == CARE_CLOSE:
                commands.append(ClosePosition(ts, name, "ball_break"))
        return tuple(commands)

    def to_bytes(self) -> bytes:
        """Return what must survive a restart."""
        return self._m.tobytes()

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes` of the same version."""
        if len(state) != self._m.nbytes:
            raise InvariantError(f"strategy state has {len(state)} bytes, expected {self._m.nbytes}")
        self._m.view(np.uint8)[...] = np.frombuffer(state, np.uint8)  # its padding too


def parameter_record(params: StrategyParams, rule: int) -> NDArray[Any]:
    """Return the parameters as the kernels read them."""
    p: NDArray[Any] = np.zeros(1, PARAMETER_DTYPE)
    given: dict[str, Any] = params.model_dump()
    given |= {"rule": rule, "min_grade": GRADE_NAMES.index(params.min_grade)}
    for name in PARAMETER_DTYPE.names or ():
        p[name] = given[name]
    return p


Maker = Callable[[StrategyParams, VolatilityParams], Strategy]


def _rule(name: str, rule: int) -> Maker:
    return lambda params, volatility: RuleStrategy(name, rule, params, volatility)


RULES: dict[str, Maker] = {
    "battle_navale+confluence_entry": _rule("battle_navale+confluence_entry", RULE_BOTH),
    "battle_navale": _rule("battle_navale", RULE_BATTLE),
    "confluence_entry": _rule("confluence_entry", RULE_CONFLUENCE),
}
"""Every strategy by name; a further one is one more row."""


def make(params: StrategyParams, volatility: VolatilityParams) -> Strategy:
    """Return the strategy the parameters name.

    Raises
    ------
    SettingsError
        If no strategy has that name.
    """
    maker = RULES.get(params.entry_rule)
    if maker is None:
        raise SettingsError(
            "no strategy has this name",
            field="entry_rule",
            value=params.entry_rule,
            rule=f"one of {', '.join(RULES)}",
        )
    return maker(params, volatility)
