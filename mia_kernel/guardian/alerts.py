"""Tell people: short list of alerts, the critical ones wait until somebody has seen them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from mia_kernel.adapters.messages import AlertNote

KEPT = 50
REPEAT_S = 10.0
"""The same alert again within this time is not a new one."""


@dataclass(slots=True)
class _Raised:
    note: AlertNote
    at: float


class Alerts:
    """What was raised, newest last."""

    def __init__(self) -> None:
        self._raised: list[_Raised] = []
        self._next = 1

    def raise_(self, level: str, code: str, text: str, *, ts: int, now: float) -> bool:
        """Add an alert; return whether it is new."""
        for old in reversed(self._raised):
            if old.note.code == code and old.note.text == text and now - old.at < REPEAT_S:
                return False
        note = AlertNote(self._next, ts, level, code, text, acknowledged=level != "critical")
        self._next += 1
        self._raised = [*self._raised, _Raised(note, now)][-KEPT:]
        return True

    def acknowledge(self, alert_id: int) -> None:
        """Mark an alert as seen; 0 marks all."""
        for raised in self._raised:
            if alert_id in (0, raised.note.alert_id):
                raised.note = msgspec.structs.replace(raised.note, acknowledged=True)

    def unseen_for(self, now: float) -> float | None:
        """Return for how long the oldest critical alert has waited, None if none waits."""
        ages = [now - r.at for r in self._raised if not r.note.acknowledged]
        return max(ages) if ages else None

    def notes(self) -> tuple[AlertNote, ...]:
        """Return the alerts, oldest first."""
        return tuple(r.note for r in self._raised)
