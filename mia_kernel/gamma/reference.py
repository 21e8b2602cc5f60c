"""Hold today's put/call volume against what was usual: the median of the last sessions at the same time of day.

How it moves: earlier snapshots are grouped by the cash session they tell of; each gives the one nearest to the time
of day asked for (a chain from outside cash hours is held against others from outside them), the last 20 sessions
give the median. Under 5 sessions there is no reference. Partial chains never count. Source: domain §12.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mia_kernel.gamma.exposures import new_york_day
from mia_kernel.gamma.view import valid_until

SESSIONS, LEAST = 20, 5
SAME_TIME_NS = 900_000_000_000
"""A snapshot of cash hours counts where it is at most this far from the time of day asked for."""

_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Tape:
    """Put/call ratio of the volume a snapshot holds, over all its rows; None = it does not say."""

    as_of: int
    put_call_volume: float | None
    partial: bool


def put_call_reference(tapes: Iterable[Tape], as_of: int) -> float | None:
    """Return the usual put/call volume ratio for a snapshot taken at `as_of` (ns UTC), None where not measured."""
    until = valid_until(as_of)
    session = new_york_day(until or as_of)
    nearest: dict[int, tuple[int, float]] = {}
    for tape in tapes:
        if (
            tape.partial
            or tape.put_call_volume is None
            or not tape.put_call_volume > 0
            or tape.as_of >= as_of
        ):
            continue
        its_until = valid_until(tape.as_of)
        its_session = new_york_day(its_until or tape.as_of)
        if bool(its_until) != bool(until) or its_session >= session:
            continue
        # Outside cash hours the volume is that of a whole session: the last word on it counts.
        gap = -tape.as_of if until else _apart(tape.as_of, as_of)
        if not until and gap > SAME_TIME_NS:
            continue
        if its_session not in nearest or gap < nearest[its_session][0]:
            nearest[its_session] = gap, tape.put_call_volume
    last = [nearest[day][1] for day in sorted(nearest)[-SESSIONS:]]
    return float(np.median(last)) if len(last) >= LEAST else None


def _apart(one: int, other: int) -> int:
    """Distance of two times of day, ns; the hour a clock change moves is within a session never crossed."""
    gap = (one - other) % _DAY_NS
    return min(gap, _DAY_NS - gap)
