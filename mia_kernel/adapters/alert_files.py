"""Pass alerts between the watch, the terminal and the pages: what stands is one file, who has seen what another.

The watch alone writes what stands, by rename; everybody may add a line to the acknowledgements, which the watch reads.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STATE, ACKS = "alerts.json", "alerts.acks"
FRESH_S = 10.0
"""The watch writes once a second; a state older than this is of one that has ended."""


def write_state(
    home: Path, alerts: Sequence[Mapping[str, Any]], channels: Sequence[Mapping[str, Any]]
) -> None:
    """Write what stands now."""
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / (STATE + ".partial")
    partial.write_text(json.dumps({"ts": time.time_ns(), "alerts": alerts, "channels": channels}), "utf-8")
    os.replace(partial, folder / STATE)


def read_state(home: Path) -> list[dict[str, Any]]:
    """Return the alerts the watch last wrote, empty where none runs or ran."""
    return _read(home).get("alerts", [])


def standing(home: Path) -> dict[str, Any]:
    """Return `watched` (whether a watch runs now), its alerts and channels."""
    found = _read(home)
    age = time.time() - int(found["ts"]) / 1e9 if found else None
    watched = age is not None and age < FRESH_S
    return {"watched": watched, "alerts": found.get("alerts", []), "channels": found.get("channels", [])}


def write_ack(home: Path, key: str, by: str) -> None:
    """Add that `by` has seen alert `key` (or `all`)."""
    path = home / "run" / ACKS
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps({"key": key, "by": " ".join(by.split())}) + "\n")


def read_acks(home: Path, start: int) -> tuple[list[tuple[str, str]], int]:
    """Return (key, who) of every acknowledgement from line `start` on, and how many lines there are."""
    try:
        lines = (home / "run" / ACKS).read_text("utf-8").splitlines()
    except OSError:
        return [], start
    found: list[tuple[str, str]] = []
    for line in lines[start:]:
        try:
            said = json.loads(line)
            found.append((str(said["key"]), str(said["by"])))
        except (ValueError, KeyError, TypeError):
            continue  # a line somebody wrote by hand
    return found, len(lines)


def _read(home: Path) -> dict[str, Any]:
    try:
        found = json.loads((home / "run" / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and "ts" in found else {}
