"""The seat of the model in a run: who sits there, since when, and how long an answer took.

How it moves: over a plain source the champion of MIA_HOME takes the seat at the start and keeps it. In a session
(live, dry-run) whoever sits there came by a `ModelChange`, which is recorded, so a replay seats the same one at
the same row whatever has been trained since. The seat measures each answer; it never acts on it: the watch of
the live loop (`live/models.py`) does, by another event. Source: domain §17.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mia_kernel.adapters.models import STEPS, ModelRegistry, Shadow, models_folder, serving
from mia_kernel.core.decisions import FeatureVector, Opinion, Score, Signal
from mia_kernel.core.errors import MiaError
from mia_kernel.core.events import Recording
from mia_kernel.core.model_event import NOBODY, ModelChange
from mia_kernel.core.ports import Model
from mia_kernel.features.spec import Given
from mia_kernel.ml.ensemble import Filter
from mia_kernel.ml.inputs import Inputs, Row, schema_of
from mia_kernel.ml.params import MlParams
from mia_kernel.state.memory import MarketState

NO_MODEL = "none"
KEPT = 256
"""Durations kept, the newest."""


class Seat:
    """Asks whoever sits in it.

    Parameters
    ----------
    models : Path
        `MIA_HOME/data/models`.
    params : MlParams
    mode : str
        `ml_mode`; `off` seats nobody.
    given : Given
        What the run can give.
    by_events : bool
        Nobody sits there before the first `ModelChange`; else the champion does from the start.
    """

    def __init__(self, models: Path, params: MlParams, mode: str, given: Given, *, by_events: bool) -> None:
        self._models, self._params, self._mode, self._given = models, params, mode, given
        self.judge: Filter | Shadow | None = None if by_events else serving(models, params, mode, given)
        self.role = "off" if self.judge is None else role_of(self.judge)
        self.reason = "no_model" if self.judge is None else "start"
        self.last: tuple[int, Opinion] | None = None
        self.longest_s = 0.0
        self.heard: Callable[[int, Row, Opinion], None] | None = None  # told each judged row, changes nothing
        self.drift: tuple[str, ...] = ()
        self._took: list[float] = []
        self._told = 0
        if isinstance(self.judge, Filter | Shadow):
            rehearse(self.judge)

    @property
    def model_id(self) -> str:
        """Who sits there, `none` for nobody."""
        return NO_MODEL if self.judge is None else self.judge.model_id

    def opinion(
        self, market: MarketState, vector: FeatureVector, score: Score, signal: Signal, ts: int
    ) -> Opinion | None:
        """Return the opinion of whoever sits there, None where nobody does."""
        if self.judge is None:
            return None
        began = time.perf_counter()
        said = self.judge.opinion(market, vector, score, signal, ts)
        took = time.perf_counter() - began
        self.longest_s = max(self.longest_s, took)
        if len(self._took) < KEPT:
            self._took.append(took)
        else:
            self._took[self._told % KEPT] = took
        self._told += 1
        self.last = (ts, said)
        row = self._inner.row if self._inner is not None else None
        if self.heard is not None and row is not None and said.probability is not None:
            self.heard(ts, row, said)
        return said

    @property
    def _inner(self) -> Filter | None:
        return self.judge.inner if isinstance(self.judge, Shadow) else self.judge

    def change(self, event: ModelChange) -> None:
        """Seat whom the event names; one that cannot be used sits there without an opinion and says why."""
        self.longest_s, self._took, self._told = 0.0, [], 0
        self.role, self.reason, self.last = event.role, event.reason, None
        if event.model_id == NOBODY or self._mode == "off":
            self.judge = self._silent(event.reason) if event.reason == "too_slow" else None
            return
        self.judge = self._seated(event)
        rehearse(self.judge)

    def _seated(self, event: ModelChange) -> Filter | Shadow:
        try:
            name, version, _ = event.model_id.rsplit("-", 2)
            ensemble = ModelRegistry(self._models / name).load(version)
        except (MiaError, ValueError):
            return self._silent("damaged")
        if ensemble.model_id != event.model_id:
            return self._silent("damaged")
        if schema_of(ensemble.schema.groups).hash != ensemble.schema.hash:
            return self._silent("schema")
        judge = Filter(ensemble, Inputs(ensemble.schema, self._given), self._params)
        return judge if event.role == "champion" else Shadow(judge)

    def _silent(self, why: str) -> Filter:
        return Filter(None, Inputs(schema_of(), self._given), self._params, why=why)

    @property
    def view(self) -> Mapping[str, Any]:
        """What a screen shows: who, in what role, the last opinion, microseconds of an answer, cache hit rate."""
        inner = self._inner
        ts, said = self.last or (None, None)
        return {
            "model": self.model_id,
            "role": self.role,
            "mode": self._mode,
            "why": self._why(inner, said),
            "probability": None if said is None else said.probability,
            "agreement": None if said is None else said.agreement,
            "ts": ts,
            "answer_us": float(np.median(self._took)) * 1e6 if self._took else None,
            "answer_p99_us": float(np.quantile(self._took, 0.99)) * 1e6 if self._took else None,
            "hit_rate": None if inner is None else inner.hit_rate,
            "asked": self._told,
            "drift": list(self.drift),
        }

    def _why(self, inner: Filter | None, said: Opinion | None) -> str:
        """Return why there is no opinion, empty where there is one."""
        if self._mode == "off":
            return "off"
        if inner is None:
            return "no_model"
        if inner.off:
            return inner.off
        return "no signal yet" if said is None else said.reason


def seat_of(home: Path, params: MlParams, mode: str, given: Given, recording: Recording) -> Seat:
    """Return the seat of a run over a recording; in a session only events seat anybody."""
    session = recording.declared is not None
    named = any(isinstance(event, ModelChange) for event in recording.objects)
    return Seat(models_folder(home), params, mode, given, by_events=session or named)


def change_model(model: Model | None, event: ModelChange) -> None:
    """Let an event change who sits in a seat; a model that was put there by hand stays."""
    if isinstance(model, Seat):
        model.change(event)


def role_of(judge: Filter | Shadow) -> str:
    """Return `champion` or `shadow`."""
    return "shadow" if isinstance(judge, Shadow) else "champion"


def rehearse(judge: Filter | Shadow) -> None:
    """Answer one made-up row, so that the first signal does not wait for the compiled code to load."""
    inner = judge.inner if isinstance(judge, Shadow) else judge
    if inner.ensemble is not None:
        inner.ensemble.evaluate(np.zeros((1, len(inner.ensemble.schema.columns)), np.float32))


def present(models: Path, params: MlParams, mode: str) -> tuple[str, str]:
    """Return (model id, role) of who should sit there now: champion, else the newest on probation, else nobody.

    Reads hashes and the list of steps only; a damaged model is named all the same, and its seat says so.
    """
    registry = ModelRegistry(models / params.model)
    if mode == "off" or not (registry.folder / STEPS).is_file():
        return NOBODY, "off"
    for role in ("champion", "shadow"):
        version = registry.in_state(role)
        if version is not None:
            return registry.model_id(version), role
    return NOBODY, "off"
