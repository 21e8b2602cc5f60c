"""Follow refused signals to where they would have ended, and tell what each gate saved and cost.

How it moves: every refused signal is entered at the next row at its price plus slippage, with its own stop and
target, one ES contract, and ends at the first of stop, target, end of session. In one bar the worse comes first,
a target needs a price beyond it, a stop slips: the same rules and costs as the control. Ghosts are never mixed
with trades. A gate saved what the losers it refused would have lost and cost what the winners would have made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.bootstrap import mean_interval
from mia_kernel.analytics.performance import MIN_GROUP_TRIPS
from mia_kernel.core.decisions import BLOCKING, FAILED, Decision
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import TICK_CENTS

STOP, TARGET, SESSION_END, DATA_END, NOT_FOLLOWED = (
    "stop",
    "target",
    "session_end",
    "data_end",
    "not_followed",
)
_BLOCK = 4_096
"""Rows looked through at once: most ghosts end within them."""


@dataclass(frozen=True, slots=True)
class Ghost:
    """A refused signal and what one contract of it would have made, net of costs.

    `gates` are the blocking gates that refused it. `net_cents` is None where no row came after the signal; a
    ghost still open when the data end is valued there and says so in `ending`.
    """

    ts_event: int
    side: int
    grade: int
    strategy: str
    gates: tuple[str, ...]
    stop_ticks: int
    target_ticks: int
    entry_ts: int | None
    entry_ticks: float | None
    exit_ts: int | None
    exit_ticks: float | None
    ending: str
    net_cents: int | None


def refused(decisions: Iterable[Decision]) -> list[Decision]:
    """Return the decisions whose signal was not permitted."""
    return [
        d for d in decisions if d.signal is not None and not (d.verdict is not None and d.verdict.allowed)
    ]


def refusing_gates(decision: Decision, codes: Sequence[str], levels: Sequence[int]) -> tuple[str, ...]:
    """Return the blocking gates that failed; where none did, what the verdict names (a size of 0, a duplicate)."""
    failed = tuple(
        codes[i] for i in range(len(codes)) if decision.gate_outcome[i] == FAILED and levels[i] == BLOCKING
    )
    if failed or decision.verdict is None:
        return failed
    return (decision.verdict.code,)


def follow(
    path: NDArray[Any],
    decisions: Iterable[Decision],
    codes: Sequence[str],
    levels: Sequence[int],
    costs: CostParams,
) -> list[Ghost]:
    """Return the ghosts of the refused signals among `decisions`.

    Parameters
    ----------
    path : structured array
        `ts`, `open`, `high`, `low`, `close` (ticks), `slippage` (ticks), `last_of_session`, ascending in time
        (`analytics.control.path_of`, or `lookback.path_of_bars`).
    decisions : iterable of Decision
    codes, levels : sequences
        Gates of the run.
    costs : CostParams
    """
    return [_follow(path, d, refusing_gates(d, codes, levels), costs) for d in refused(decisions)]


def _follow(path: NDArray[Any], decision: Decision, gates: tuple[str, ...], costs: CostParams) -> Ghost:
    signal = decision.signal
    assert signal is not None
    stop_distance = abs(signal.entry_ticks - signal.stop_ticks)
    target_distance = abs(signal.target_ticks - signal.entry_ticks)
    head = (
        signal.ts_event, signal.side, signal.grade, signal.strategy, gates, stop_distance, target_distance,
    )  # fmt: skip
    at = int(np.searchsorted(path["ts"], signal.ts_event, side="right"))
    if at >= len(path):
        return Ghost(*head, None, None, None, None, NOT_FOLLOWED, None)
    side = signal.side
    entry = float(path[at]["open"] + side * int(path[at]["slippage"]))
    i, ending = _ending(path, at, side, entry - side * stop_distance, entry + side * target_distance)
    row = path[i]
    if ending == TARGET:
        out = entry + side * target_distance
    elif ending == STOP:
        level = entry - side * stop_distance
        # A stop fills where the market opens when it opens beyond it, and slips.
        through = min(side * (float(row["open"]) - level), 0.0) if i > at else 0.0
        out = level + side * (through - int(row["slippage"]))
    else:
        out = float(row["close"]) - side * int(row["slippage"])
    gross = round(side * (out - entry) * TICK_CENTS[0])
    net = gross - 2 * costs.fee_cents("ES")
    return Ghost(*head, int(path[at]["ts"]), entry, int(row["ts"]), out, ending, net)


def _ending(path: NDArray[Any], at: int, side: int, stop: float, target: float) -> tuple[int, str]:
    for start in range(at, len(path), _BLOCK):
        part = path[start : start + _BLOCK]
        worst, best = (part["low"], part["high"]) if side > 0 else (part["high"], part["low"])
        stopped = side * (worst - stop) <= 0
        reached = side * (best - target) > 0
        ends = stopped | reached | (part["last_of_session"] != 0)
        if ends.any():
            i = int(np.argmax(ends))
            kind = STOP if stopped[i] else TARGET if reached[i] else SESSION_END
            return start + i, kind
    return len(path) - 1, DATA_END


@dataclass(frozen=True, slots=True)
class Account:
    """What one gate did over a set of ghosts, per ES contract and net of costs.

    `saved_usd` is what its refused losers would have lost, `cost_usd` what its refused winners would have made,
    `balance_usd` their difference. `mean_usd` is what a refused signal would have made on average, with its 95 %
    interval (None under 10 ghosts). `alone` counts the ghosts no other gate refused.
    """

    gate: str
    n: int
    alone: int
    followed: int
    winners: int
    saved_usd: float
    cost_usd: float
    mean_usd: float | None
    interval_usd: tuple[float, float] | None

    @property
    def balance_usd(self) -> float:
        """What the gate is worth so far: saved less cost."""
        return self.saved_usd - self.cost_usd

    @property
    def too_few(self) -> bool:
        """Whether the ghosts are too few to say anything."""
        return self.followed < MIN_GROUP_TRIPS

    @property
    def said(self) -> str:
        """`saves`, `costs` or `not shown`: what the interval says about the gate."""
        if self.too_few or self.interval_usd is None:
            return "too few"
        low, high = self.interval_usd
        return "saves" if high < 0 else "costs" if low > 0 else "not shown"


def ledger(ghosts: Sequence[Ghost]) -> list[Account]:
    """Return one account per gate, the busiest first, and `together` over all ghosts at the end.

    A ghost refused by several gates stands in the account of each; `together` counts it once.
    """
    if not ghosts:
        return []
    by_gate: dict[str, list[Ghost]] = {}
    for ghost in ghosts:
        for gate in ghost.gates:
            by_gate.setdefault(gate, []).append(ghost)
    rows = [_account(gate, members) for gate, members in by_gate.items()]
    rows.sort(key=lambda row: (-row.n, row.gate))
    return [*rows, _account("together", list(ghosts))]


def _account(gate: str, members: Sequence[Ghost]) -> Account:
    nets = [g.net_cents for g in members if g.net_cents is not None]
    cents = np.array(nets, np.int64)
    interval = mean_interval(cents / 100)
    return Account(
        gate=gate,
        n=len(members),
        alone=sum(len(g.gates) == 1 for g in members),
        followed=len(cents),
        winners=int((cents > 0).sum()),
        saved_usd=int(-cents[cents < 0].sum()) / 100,
        cost_usd=int(cents[cents > 0].sum()) / 100,
        mean_usd=float(cents.mean()) / 100 if len(cents) else None,
        interval_usd=interval,
    )
