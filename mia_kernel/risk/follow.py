"""Follow the guardian: its trading state becomes the engine's, as an event that is recorded like every other."""

from __future__ import annotations

from mia_kernel.core.events import StateChange
from mia_kernel.core.orders import TradingState
from mia_kernel.risk.gate import RiskGate

OPERATOR = "operator"


def follow(gate: RiskGate, change: StateChange) -> None:
    """Take a trading state: active arms, reducing disarms, halted halts until it is lifted.

    A halt of the engine's own (day, week) stays: the guardian's permission does not lift it.
    """
    state = TradingState(change.state)
    if state is TradingState.HALTED:
        gate.halt()
        return
    if gate.state is TradingState.HALTED and gate.halt_code == OPERATOR:
        gate.resume(change.reason or "the guardian lifted it")
    if state is TradingState.ACTIVE:
        gate.arm()
    else:
        gate.disarm()
