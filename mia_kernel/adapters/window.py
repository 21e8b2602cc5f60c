"""Cut a recording to a window of time: instants as people write them, earlier rows as warm-up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from mia_kernel.adapters.stamps import iso_instant
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import WARM_UP, Recording


def instant(when: str | datetime | int) -> int:
    """Return an instant in ns UTC from ISO 8601 text with offset, an aware datetime, or ns themselves.

    Raises
    ------
    InputError
        If it is no time, or has no zone.
    """
    if isinstance(when, int):
        return when
    ts = iso_instant(when.isoformat() if isinstance(when, datetime) else when)
    if ts is None:
        raise InputError(
            "not an instant",
            field="time",
            value=str(when),
            rule="ISO 8601 with offset",
            way_out="for example 2019-08-09T09:45:15-05:00",
        )
    return ts


def with_window(
    recording: Recording, start: str | datetime | int | None, end: str | datetime | int | None
) -> Recording:
    """Return the recording cut behind `end`, with everything before `start` as warm-up."""
    events = recording.events
    if end is not None:
        events = events[: int(np.searchsorted(events["ts_recv"], instant(end), side="right"))]
    if start is not None:
        events = events.copy()
        events["flags"][events["ts_recv"] < instant(start)] |= WARM_UP
    return replace(recording, events=events)
