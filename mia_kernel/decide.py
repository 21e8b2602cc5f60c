"""The compiled part of a decision in one call: collect, weigh, consult, gather, ask.

Seven calls with a record between each were measured at 36 µs warm and three times that between other work;
what a decision needs from Python is now one way in and one way out. Nothing is decided here that the rooms
do not decide: this is their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.confluence.score import weigh
from mia_kernel.core.kernel import kernel
from mia_kernel.core.layout import CODES, HEADS
from mia_kernel.features.vector import collect
from mia_kernel.risk.gates import ask_all
from mia_kernel.risk.inputs import gather
from mia_kernel.state.market import surroundings
from mia_kernel.strategy.spec import consult

SILENT, EDGE = 0, 1
"""What `decide` answers: no signal, or the rule became true; below 0 the component −1 − answer is unsound."""


@kernel
def decide(
    st: Any, ts: int, numbers: Any, codes: Any,
    cells: Any, low: Any, high: Any,
    static: Any, groups: Any, dynamic: bool, floor: float, bounds: Any, grades: Any,
    rule: Any, table: Any, memory: Any, wish: Any,
    regimes: Any, limits: Any, remembered: Any, x: Any, q: Any, answer: Any,
) -> int:  # fmt: skip
    """Fill `numbers` and `codes` of `core.layout.Layout` for the decision at `ts`; the components have written
    their `cells`. The gates are asked as without a signal."""
    f, g = len(static), (len(codes) - CODES - len(static))
    values, quality = numbers[HEADS : HEADS + f], numbers[HEADS + f : HEADS + 2 * f]
    contributions, weights = numbers[HEADS + 2 * f : HEADS + 3 * f], numbers[HEADS + 3 * f : HEADS + 4 * f]
    status, heads = codes[CODES : CODES + f], numbers[:HEADS]
    wrong = collect(cells, low, high, values, quality, status)
    if wrong >= 0:
        return -1 - wrong
    grade = weigh(
        st, values, quality, status, contributions, weights, heads, static, groups, dynamic, floor, bounds, grades
    )  # fmt: skip
    side = 1 if heads[0] > 0.0 else (-1 if heads[0] < 0.0 else 0)
    codes[0], codes[1] = grade, side
    consult(st, rule, table, memory, side, grade, wish)
    gather(st, regimes, limits, ts, x)
    ask = q[0]
    ask["grade"], ask["percent"], ask["coverage"] = grade, heads[1], heads[2]
    ask["has_signal"] = 0
    ask["side"] = memory[0]["side"] if memory[0]["side"] != 0 else side
    ask_all(limits, remembered, x, q, answer)
    after = HEADS + 4 * f
    out = answer[0]
    for i in range(g):
        codes[CODES + f + i] = out["outcome"][i]
        numbers[after + i] = out["required"][i]
        numbers[after + g + i] = out["actual"][i]
    context = numbers[after + 2 * g :]
    context[:] = np.nan
    surroundings(st, context)
    return EDGE if wish[0]["edge"] != 0 else SILENT
