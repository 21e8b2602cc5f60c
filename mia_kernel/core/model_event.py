"""Say who judges signals from here on: an event like every other, recorded and replayed."""

from __future__ import annotations

from dataclasses import dataclass

NOBODY = ""
"""Model id of "nobody judges"."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """From here on another model judges, or nobody does.

    `model_id` names the model with the hash of its numbers, so that a replay asks the same one; NOBODY for none.
    `role` is `champion` (its score counts), `shadow` (its probability is written down only) or `off`. `reason`
    says why: `start`, `reload`, `too_slow`, `retired`.
    """

    ts_event: int
    ts_recv: int
    seq: int
    model_id: str
    role: str
    reason: str
