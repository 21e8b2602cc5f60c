"""Hold labelled signals: what was seen, what became of it, and how much each one counts.

How it moves: `labelled` joins the rows a collector wrote at each signal with the decisions of the run and labels
them on the traded path; `joined` puts runs one after another. A signal that a gate refused is labelled too and
marked: a ghost. A signal without a market left in its session has no label and is counted, not used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.control import PASSING, PATH_DTYPE, path_of
from mia_kernel.analytics.performance import outcome
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import CONTEXT_NAMES, FAILED
from mia_kernel.core.errors import InputError, InvariantError
from mia_kernel.core.events import EventArray
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.phases import PHASE_NAMES
from mia_kernel.core.session import trading_days_of
from mia_kernel.ml.inputs import Schema
from mia_kernel.ml.labels import HORIZON_NS, LABEL_DTYPE, LATENCY_NS, NO_MARKET, REASONS, barriers, uniqueness
from mia_kernel.ml.splits import Lives
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import TICK_CENTS

MIN_SIGNALS = 1_000
"""Under so many labelled signals no model is trained."""

SIGNAL_DTYPE = np.dtype(
    [
        ("ts", np.int64),
        ("session", np.int32),
        ("side", np.int8),
        ("grade", np.int8),
        ("phase", np.int8),
        ("volatility", np.int8),  # −1 unknown
        ("market", np.int8),
        ("ball", np.int8),  # ball trend turned to the side: +1 with it, −1 against, 0 none
        ("ghost", np.uint8),  # a gate refused it
        ("gate", np.int16),  # which one, −1 none
        ("stop_ticks", np.int32),
        ("target_ticks", np.int32),
        ("slippage", np.int32),
        ("percent", np.float64),
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled signals in time order, with the path they were labelled on.

    `x` (n, 2k) float32, `signals` SIGNAL_DTYPE, `labels` LABEL_DTYPE with rows of `path`; `weight` is uniqueness
    scaled to mean 1; `candidates` are decision times at which market, clock and feed would have let an entry
    pass; `unlabelled` counts signals without a market.
    """

    schema: Schema
    x: NDArray[np.float32]
    signals: NDArray[Any]
    labels: NDArray[Any]
    weight: NDArray[np.float64]
    path: NDArray[Any]
    candidates: NDArray[np.int64]
    gate_codes: tuple[str, ...]
    unlabelled: int
    fee_ticks: float

    def __len__(self) -> int:
        return len(self.signals)

    @property
    def y(self) -> NDArray[np.int64]:
        """1 where the signal won net of costs, else 0."""
        return (self.labels["net_ticks"] > 0).astype(np.int64)

    @property
    def lives(self) -> Lives:
        """When each label lives."""
        return Lives(
            self.signals["ts"].astype(np.int64),
            self.labels["end_ts"].astype(np.int64),
            self.signals["session"].astype(np.int64),
        )

    @property
    def hash(self) -> str:
        """What this data is: rows, labels, schema."""
        digest = hashlib.sha256(self.schema.hash.encode())
        for array in (self.x, self.signals["ts"], self.signals["side"], self.labels["net_ticks"]):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @property
    def break_even(self) -> NDArray[np.float64]:
        """Chance of winning that pays for each signal's round turn: (1 + c)/(1 + b), at most 1."""
        stop, target = self.signals["stop_ticks"].astype(np.float64), self.signals["target_ticks"]
        cost = self.fee_ticks + self.signals["slippage"]
        return np.minimum((1 + cost / stop) / (1 + target / stop), 1.0)

    def take(self, rows: NDArray[Any]) -> Dataset:
        """Return some of the signals; weights are kept as they are."""
        return Dataset(
            self.schema, self.x[rows], self.signals[rows], self.labels[rows], self.weight[rows], self.path,
            self.candidates, self.gate_codes, self.unlabelled, self.fee_ticks,
        )  # fmt: skip

    def trips(self, rows: NDArray[Any]) -> list[RoundTrip]:
        """Return signals as round trips of one ES contract, so that the one performance room can count them."""
        return [
            _trip(i, self.signals[row], self.labels[row], self.fee_ticks)
            for i, row in enumerate(np.arange(len(self))[rows])
        ]


def _trip(number: int, s: Any, label: Any, fee_ticks: float) -> RoundTrip:
    tick, side = TICK_CENTS[0], int(s["side"])
    gross = float(label["gross_ticks"])
    return RoundTrip(
        id=number,
        bracket_id=f"signal-{int(s['ts'])}",
        symbol="ES",
        side=side,
        qty=1,
        entry_ts=int(s["ts"]),
        entry_ticks=float(label["entry_ticks"]),
        exit_ts=int(label["end_ts"]),
        exit_ticks=float(label["entry_ticks"]) + side * gross,
        exit_reason=REASONS[int(label["reason"])],
        gross_cents=round(gross * tick),
        fees_cents=round(fee_ticks * tick),
        mae_ticks=0.0,
        mfe_ticks=0.0,
        grade=int(s["grade"]),
        confluence_percent=float(s["percent"]),
        risk_cents=round((int(s["stop_ticks"]) + int(s["slippage"]) + fee_ticks) * tick),
        slippage_ticks=float(s["slippage"]),
        phase=PHASE_NAMES[int(s["phase"])],
    )


def kelly_record(trips: Sequence[RoundTrip]) -> dict[str, int]:
    """Return what sizing asks of a record: n, wins, losses, sums of cents; scratches count in n alone."""
    kinds = [outcome(trip) for trip in trips]
    won = [t.net_cents for t, kind in zip(trips, kinds, strict=True) if kind > 0]
    lost = [-t.net_cents for t, kind in zip(trips, kinds, strict=True) if kind < 0]
    return {
        "n": len(trips),
        "wins": len(won),
        "losses": len(lost),
        "win_cents": sum(won),
        "loss_cents": sum(lost),
    }


def labelled(
    *,
    schema: Schema,
    rows: Sequence[NDArray[np.float32]],
    table: DecisionTable,
    events: EventArray,
    costs: CostParams,
) -> Dataset:
    """Return the signals of one run, labelled.

    Parameters
    ----------
    schema : Schema
    rows : sequence of ndarray
        What the collector wrote, one per signal in order.
    table : DecisionTable
    events : EVENT array of the run
    costs : CostParams

    Raises
    ------
    InvariantError
        If rows and signals do not belong together.
    """
    if len(rows) != len(table.signals):
        raise InvariantError(f"{len(rows)} rows for {len(table.signals)} signals")
    signals = np.zeros(len(rows), SIGNAL_DTYPE)
    context = {name: i for i, name in enumerate(CONTEXT_NAMES)}
    for out, (_, decision) in zip(signals, table.signals, strict=True):
        _describe(out, decision, context, table.gate_codes)
    if len(signals):
        signals["session"] = trading_days_of(signals["ts"])
    path = path_of(events, costs)
    fee = 2 * costs.fee_cents("ES") / TICK_CENTS[0]
    labels = np.zeros(len(rows), LABEL_DTYPE)
    if len(path):
        stops, targets = signals["stop_ticks"].astype(np.int64), signals["target_ticks"].astype(np.int64)
        sides = signals["side"].astype(np.int64)
        barriers(path, signals["ts"], sides, stops, targets, HORIZON_NS, LATENCY_NS, fee, labels)
    keep = (labels["reason"] != NO_MARKET) & (signals["stop_ticks"] > 0) & (signals["target_ticks"] > 0)
    x = np.array(rows, np.float32).reshape(len(rows), 2 * len(schema.names))[keep]
    signals, labels = signals[keep], labels[keep]
    signals["slippage"] = path["slippage"][labels["first"]] if len(labels) else 0
    gates = [table.gate_codes.index(code) for code in PASSING if code in table.gate_codes]
    passing = ~(table.column("gate_outcome")[:, gates] == FAILED).any(axis=1)
    candidates = table.column("ts_event")[passing].copy()
    dropped = int((~keep).sum())
    weight = np.ones(len(labels))
    made = Dataset(schema, x, signals, labels, weight, path, candidates, table.gate_codes, dropped, fee)
    return joined([made])


def _describe(out: Any, decision: Any, context: dict[str, int], codes: tuple[str, ...]) -> None:
    signal, verdict = decision.signal, decision.verdict
    out["ts"], out["side"], out["grade"] = decision.ts_event, signal.side, signal.grade
    out["stop_ticks"] = signal.side * (signal.entry_ticks - signal.stop_ticks)
    out["target_ticks"] = signal.side * (signal.target_ticks - signal.entry_ticks)
    out["percent"] = decision.score.percent
    allowed = verdict is not None and verdict.allowed
    out["ghost"] = not allowed
    out["gate"] = -1 if allowed or verdict is None else codes.index(verdict.code)
    at = decision.context
    out["phase"] = int(at[context["phase"]])
    for name in ("volatility", "market"):
        value = at[context[f"{name}_regime"]]
        out[name] = -1 if np.isnan(value) else int(value)
    ball = at[context["ball_trend"]]
    out["ball"] = 0 if np.isnan(ball) else int(np.sign(ball)) * signal.side


def joined(parts: Sequence[Dataset]) -> Dataset:
    """Return datasets of consecutive times as one, uniqueness taken over all of it.

    Raises
    ------
    InputError
        If there is nothing, or the parts have another schema.
    """
    if not parts or len({part.schema for part in parts}) != 1:
        raise InputError(
            "nothing to join", field="parts", value=len(parts), rule="one schema, at least one part"
        )
    offsets = np.cumsum([0, *(len(part.path) for part in parts)])
    labels = np.concatenate([part.labels for part in parts])
    shift = np.repeat(offsets[:-1], [len(part) for part in parts])
    labels["first"] += shift
    labels["last"] += shift
    path = np.concatenate([part.path for part in parts]) if parts else np.zeros(0, PATH_DTYPE)
    unique = uniqueness(labels["first"], labels["last"], len(path)) if len(labels) else np.zeros(0)
    return Dataset(
        schema=parts[0].schema,
        x=np.concatenate([part.x for part in parts]),
        signals=np.concatenate([part.signals for part in parts]),
        labels=labels,
        weight=unique * len(unique) / unique.sum() if len(unique) else unique,
        path=path,
        candidates=np.concatenate([part.candidates for part in parts]),
        gate_codes=parts[0].gate_codes,
        unlabelled=sum(part.unlabelled for part in parts),
        fee_ticks=parts[0].fee_ticks,
    )
