"""Tell what the session before left behind: whether it replayed the same, and what the mentor said of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mia_kernel.adapters.archive import entries
from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.core.errors import MiaError
from mia_kernel.settings import Settings

JOURNALS_LOOKED_AT = 5
"""A run that never closed says nothing; so many of them in a row are looked past."""


@dataclass(frozen=True, slots=True)
class Before:
    """What is known when a session starts; None is "nobody has said".

    `parity` is (decisions that the replay took again, decisions taken) of the newest session that was checked,
    `advice` the first message of the newest daily page: title, text, evidence, level, of which day and source.
    """

    parity: tuple[int, int] | None
    advice: dict[str, Any] | None


def left_behind(settings: Settings) -> Before:
    """Return what the newest checked session and the newest daily page say."""
    return Before(_parity(settings), _advice(settings))


def _parity(settings: Settings) -> tuple[int, int] | None:
    for path in settings.journals()[:JOURNALS_LOOKED_AT]:
        with suppress(MiaError), JournalReader(path) as reader:
            found = reader.records("parity")
            if found:
                return int(found[-1]["equal"]), int(found[-1]["total"])
    return None


def _advice(settings: Settings) -> dict[str, Any] | None:
    for entry in entries(settings.reports_folder):
        said = entry.card.get("messages") or ()
        if entry.kind == "daily" and said:
            first = said[0]
            return {
                "ts": entry.end_ts,
                "source": str(entry.card.get("source", "")),
                "tag": str(entry.card.get("tag", "")),
                "page": entry.path.name,
                **{name: str(first.get(name) or "") for name in ("level", "title", "text", "evidence")},
            }
    return None
