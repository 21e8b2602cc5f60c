"""Invented price paths and refused signals for tests of what looks back: nothing here is a measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mia_kernel.analytics.control import PATH_DTYPE
from mia_kernel.core.decisions import Decision, Signal, Verdict
from tests.fakes import journals

SECOND_NS = 1_000_000_000


def path(prices: list[int], *, slippage: int = 1, spread: int = 0) -> Any:
    """Return one row a second at these prices; `spread` widens high and low."""
    out = np.zeros(len(prices), PATH_DTYPE)
    out["ts"] = journals.START_NS + SECOND_NS * np.arange(1, len(prices) + 1)
    for name in ("open", "close"):
        out[name] = prices
    out["high"], out["low"] = np.array(prices) + spread, np.array(prices) - spread
    out["slippage"] = slippage
    if len(out):
        out["last_of_session"][-1] = 1
    return out


def wish(
    side: int, *, stop: int = 8, target: int = 16, gates: tuple[int, ...] = (6,), at: int = 0
) -> Decision:
    """Return a decision with a refused signal; `gates` are the places of the gates that failed."""
    base = journals.decisions(1)[0]
    outcome = np.zeros(len(journals.GATE_CODES), np.int8)
    outcome[list(gates)] = 1
    ts = journals.START_NS + at * SECOND_NS
    price = 26_000
    signal = Signal(
        ts, side, "confluence_entry", 0.5, None, price, price - side * stop, price + side * target, 1, "test"
    )
    verdict = Verdict(False, "spread", "ES", 0, "", {}, 1.0, "")
    decision = replace(base, ts_event=ts, signal=signal, verdict=verdict, codes=base.codes.copy(), intents=())
    decision.gate_outcome[:] = outcome
    return decision
