"""What a run knew looking back, as journal records: ghosts, fills taken apart, lessons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import msgspec

from mia_kernel.analytics.autopsy import Fill
from mia_kernel.analytics.ghosts import Ghost
from mia_kernel.analytics.lessons import Lesson

GHOSTS, FILLS, LESSONS = "ghosts", "fills", "lessons"
PER_RECORD = 200
"""Rows in one journal record: one record of a month would be read whole for one row."""


class LookBack(NamedTuple):
    """Ghosts, fills and lessons of one run."""

    ghosts: tuple[Ghost, ...]
    fills: tuple[Fill, ...]
    lessons: tuple[Lesson, ...]

    def records(self) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
        """Yield journal records: kind, event time, payload."""
        for kind, rows, at in (
            (GHOSTS, self.ghosts, "ts_event"),
            (FILLS, self.fills, "ts_event"),
            (LESSONS, self.lessons, "exit_ts"),
        ):
            for start in range(0, len(rows), PER_RECORD):
                part = rows[start : start + PER_RECORD]
                yield kind, int(getattr(part[-1], at)), {"rows": [asdict(row) for row in part]}


def stored(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> LookBack | None:
    """Return the look back that a journal holds, None where its run never closed with one.

    Parameters
    ----------
    records : mapping
        The journal's payloads of the kinds GHOSTS, FILLS and LESSONS, oldest first.
    """
    if not any(records.get(kind) for kind in (GHOSTS, FILLS, LESSONS)):
        return None
    return LookBack(
        tuple(_rows(records.get(GHOSTS, ()), Ghost)),
        tuple(_rows(records.get(FILLS, ()), Fill)),
        tuple(_rows(records.get(LESSONS, ()), Lesson)),
    )


def _rows(payloads: Sequence[Mapping[str, Any]], kind: Any) -> list[Any]:
    return [msgspec.convert(row, kind) for payload in payloads for row in payload["rows"]]
