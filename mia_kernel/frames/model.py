"""The filter's part of a frame: who judges, what it said last, and how what it let pass ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mia_kernel.adapters.seat import Seat
from mia_kernel.core.orders import PlaceBracket
from mia_kernel.frames.memory import Driven

OPINIONS_SHOWN = 60


def model_view(run: Driven) -> dict[str, Any] | None:
    """Return who judges signals and what was said of the last one; None where nobody judges.

    `probability`, `ml_score` and `agreement` are None where the model had no opinion, and `reason` says why.
    `on_probation` is True where its word is written down and counts for nothing. `answered` of `asked` signals got a
    probability. Calibration: of the trades that closed with a known probability, `expected_wins` is the sum of their
    probabilities and `wins` what came of them. Where the model has a seat, also how it serves.
    """
    seat = run.engine.rooms.model
    model = seat.judge if isinstance(seat, Seat) else seat
    if model is None:
        return None
    judged = [decision for _, decision in run.table.signals if decision.opinion is not None]
    known = [d for d in judged if d.opinion.probability is not None]
    last = judged[-1].opinion if judged else None
    inner = getattr(model, "inner", model)
    return {
        "model": model.model_id,
        "on_probation": inner is not model,
        "off": getattr(inner, "off", "") or None,
        "mode": run.settings.risk.gates.ml_mode,
        "ts": judged[-1].ts_event if judged else None,
        "probability": last.probability if last else None,
        "ml_score": last.ml_score if last else None,
        "agreement": last.agreement if last else None,
        "reason": (last.reason or None) if last else None,
        "asked": len(judged),
        "answered": len(known),
        "trained_at": _trained(inner),
        "expires_at": _expires(inner, run),
        **_ended(run, known),
        **_served(seat),
    }


def seated(model: Any) -> Any:
    """Return who sits there and what is said to drift, to know when a view has grown old."""
    return (model.model_id, model.reason, model.drift) if isinstance(model, Seat) else None


def _served(seat: Any) -> dict[str, Any]:
    """Return how long answers took (µs), how many came from the cache, and what drifts, in words."""
    if not isinstance(seat, Seat):
        return {}
    return {
        name: seat.view[name] for name in ("role", "why", "answer_us", "answer_p99_us", "hit_rate", "drift")
    }


def opinions(run: Driven) -> dict[str, Any]:
    """Return the series `opinions`: ts, probability (NaN without one), allowed of the last judged signals."""
    judged = [decision for _, decision in run.table.signals if decision.opinion is not None][-OPINIONS_SHOWN:]
    said = [np.nan if d.opinion.probability is None else d.opinion.probability for d in judged]
    allowed = [d.verdict is not None and d.verdict.allowed for d in judged]
    return {
        "ts": np.array([d.ts_event for d in judged], np.int64),
        "probability": np.array(said, np.float32),
        "allowed": np.array(allowed, np.int8),
    }


def _ended(run: Driven, known: Sequence[Any]) -> dict[str, Any]:
    """Return how many trades closed under a known probability, what was expected of them and what came."""
    said = {
        command.bracket_id: decision.opinion.probability
        for decision in known
        for command in decision.intents
        if isinstance(command, PlaceBracket)
    }
    ended = [(said[t.bracket_id], t.net_cents > 0) for t in run.round_trips if t.bracket_id in said]
    return {
        "closed": len(ended),
        "wins": sum(won for _, won in ended) if ended else None,
        "expected_wins": float(sum(p for p, _ in ended)) if ended else None,
    }


def _trained(model: Any) -> int | None:
    ensemble = getattr(model, "ensemble", None)
    return None if ensemble is None else int(ensemble.trained_at)


def _expires(model: Any, run: Driven) -> int | None:
    ensemble = getattr(model, "ensemble", None)
    if ensemble is None:
        return None
    newest = max(int(ensemble.trained_at), int(ensemble.valid_from))
    return newest + round(run.settings.ml.expires_days * 86_400e9)
