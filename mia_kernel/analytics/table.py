"""The decisions of a run as columns: what summaries, notebooks and what-ifs read.

How it moves: the runtime appends every decision; arrays grow by doubling, so an append copies one row.
Nothing is computed here that the decision does not already hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mia_kernel.core.decisions import (
    BLOCKING,
    CODE_PARTS,
    CONTEXT_NAMES,
    FAILED,
    GRADE_NAMES,
    OK,
    STATUS_NAMES,
    Decision,
)
from mia_kernel.core.layout import layout

_START = 1024
_INTEGERS = ("sequence", "event_sequence", "ts_event", "price_ticks")
_CODES = ("grade", "side")


class DecisionTable:
    """Growing columns of decisions, in order.

    Parameters
    ----------
    names : sequence of str
        Components in registry order.
    gate_codes : sequence of str
        Gates in their fixed order.
    gate_levels : sequence of int
        BLOCKING, WARNING or INFO per gate.
    """

    def __init__(self, names: Sequence[str], gate_codes: Sequence[str], gate_levels: Sequence[int]) -> None:
        self.names = tuple(names)
        self.gate_codes = tuple(gate_codes)
        self.gate_levels = np.array(gate_levels, np.int8)
        self.signals: list[tuple[int, Decision]] = []
        self.with_intents: list[Decision] = []
        self.denied = 0
        self._n = 0
        self._layout = layout(self.names, len(self.gate_codes), len(CONTEXT_NAMES))
        self._integers = np.zeros((_START, len(_INTEGERS)), np.int64)
        self._numbers = np.zeros((_START, self._layout.numbers))
        self._codes = np.zeros((_START, self._layout.codes), np.int8)

    def __len__(self) -> int:
        return self._n

    def append(self, decision: Decision) -> None:
        """Add one decision."""
        at = self._n
        if at == len(self._integers):
            self._grow()
        self._integers[at] = (
            decision.sequence,
            decision.event_sequence,
            decision.ts_event,
            decision.price_ticks,
        )
        width = len(decision.numbers)  # a row that was stored without its context is shorter: unknown
        self._numbers[at, :width] = decision.numbers
        self._numbers[at, width:] = np.nan
        self._codes[at] = decision.codes
        self._note(at, decision)

    def _note(self, at: int, decision: Decision) -> None:
        """Keep the decision itself where it wished or did something."""
        if decision.signal is not None:
            self.signals.append((at, decision))
            if decision.verdict is None or not decision.verdict.allowed:
                self.denied += 1
        if decision.intents:
            self.with_intents.append(decision)
        self._n += 1

    def _grow(self) -> None:
        self._integers, self._codes = _doubled(self._integers), _doubled(self._codes)
        self._numbers = _doubled(self._numbers)

    def column(self, name: str) -> Any:
        """Return a column as an array over the decisions so far (a view).

        `sequence`, `event_sequence`, `ts_event`, `price_ticks`, `grade`, `side`, or a part of
        `core.layout.Layout` (one column per component, gate or surrounding).
        """
        if name in _INTEGERS:
            return self._integers[: self._n, _INTEGERS.index(name)]
        if name in _CODES:
            return self._codes[: self._n, _CODES.index(name)]
        return (self._codes if name in CODE_PARTS else self._numbers)[: self._n, self._layout.parts[name]]

    def component_summary(self, weights: dict[str, float]) -> dict[str, dict[str, float | None]]:
        """Return weight, share of decisions with status ok, mean, min and max per weighed component."""
        out: dict[str, dict[str, float | None]] = {}
        for name, weight in weights.items():
            i = self.names.index(name)
            ok = self.column("status")[:, i] == OK
            values = self.column("values")[:, i][ok]
            some = len(values) > 0
            out[name] = {
                "weight": weight,
                "present_share": float(ok.mean()) if self._n else None,
                "mean": float(values.mean()) if some else None,
                "min": float(values.min()) if some else None,
                "max": float(values.max()) if some else None,
            }
        return out

    def coverage_mean(self) -> float | None:
        """Return the mean coverage over decisions, None without any."""
        return float(self.column("heads")[:, 2].mean()) if self._n else None

    def coverage_max(self) -> float | None:
        """Return the highest coverage of any decision, None without any."""
        return float(self.column("heads")[:, 2].max()) if self._n else None

    def refusals(self) -> dict[str, int]:
        """Return how often each blocking gate failed, most often first."""
        failed = (self.column("gate_outcome") == FAILED) & (self.gate_levels == BLOCKING)
        counts = failed.sum(axis=0)
        order = np.argsort(-counts, kind="stable")
        return {self.gate_codes[i]: int(counts[i]) for i in order if counts[i]}

    def columns(self) -> dict[str, Any]:
        """Return plain columns by name, for a DataFrame, a Parquet table or a chart.

        Components that were not ok are NaN and have their reason in `<name>_status`. A regime is both a component
        and a code of the context; the code is `<name>_code`.
        """
        heads = self.column("heads")
        data: dict[str, Any] = {
            "ts_event": self.column("ts_event"),
            "sequence": self.column("sequence"),
            "event_sequence": self.column("event_sequence"),
            "price_ticks": self.column("price_ticks"),
            "score": heads[:, 0],
            "percent": heads[:, 1],
            "coverage": heads[:, 2],
            "score_quality": heads[:, 3],
            "grade": np.array(GRADE_NAMES)[self.column("grade")],
            "side": self.column("side"),
        }
        status = self.column("status")
        for i, name in enumerate(self.names):
            data[name] = np.where(status[:, i] == OK, self.column("values")[:, i], np.nan)
            data[f"{name}_status"] = np.array(STATUS_NAMES)[status[:, i]]
        for i, name in enumerate(CONTEXT_NAMES):
            data[f"{name}_code" if name in self.names else name] = self.column("context")[:, i]
        return data


class SignalTable(DecisionTable):
    """Keeps every signal whole, and of all other decisions only when they were and what the gates said.

    For replays of years that are read for their signals; a summary needs the whole table.
    """

    def __init__(self, names: Sequence[str], gate_codes: Sequence[str], gate_levels: Sequence[int]) -> None:
        super().__init__(names, gate_codes, gate_levels)
        del self._numbers
        self._codes = np.zeros((_START, len(gate_codes)), np.int8)
        self._integers = np.zeros(_START, np.int64)

    def append(self, decision: Decision) -> None:
        """Add one decision."""
        at = self._n
        if at == len(self._integers):
            self._integers, self._codes = _doubled(self._integers), _doubled(self._codes)
        self._integers[at] = decision.ts_event
        self._codes[at] = decision.gate_outcome
        self._note(at, decision)

    def column(self, name: str) -> Any:
        """Return `ts_event` or `gate_outcome` over the decisions so far (a view)."""
        return {"ts_event": self._integers, "gate_outcome": self._codes}[name][: self._n]


def _doubled(column: Any) -> Any:
    return np.concatenate([column, np.zeros_like(column)])
