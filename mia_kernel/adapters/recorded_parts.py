"""Take MIA's own recordings and recorded sessions into the catalog: one part per instrument, with a verdict.

A session recorded from IBKR becomes days of the catalog like any vendor's file. Its warm-up (rows of an earlier
session, stored or bought elsewhere) and its timers are left out: they are not what the session heard.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.quality import QualityParams
from mia_kernel.adapters.recorded import read_session
from mia_kernel.adapters.replay import read_recording
from mia_kernel.adapters.running import checks_of
from mia_kernel.adapters.store import Store
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import FormatError
from mia_kernel.core.events import Recording, SourceInfo


def read_recordings(members: list[Member], ask: Ask) -> list[Part]:
    """Return the parts of files written by `write_recording`.

    Raises
    ------
    FormatError, CorruptError
        If a file is cut, of another version, or holds other rows than it says.
    """
    parts: list[Part] = []
    for member in members:
        parts += recording_parts(read_recording(member), member.path, ask.quality)
    return parts


def session_parts(folder: Path, quality: QualityParams) -> tuple[list[Part], str]:
    """Return the parts of a recorded session and the hash of its content.

    Raises
    ------
    CorruptError
        If a file of it is missing or was changed.
    """
    recording = read_session(folder)
    hashes = [s.sha256 for m in Store(folder).manifests() for s in m.segments]
    hashes.append(hashlib.sha256(recording.events.tobytes()).hexdigest())
    content = hashlib.sha256("".join(hashes).encode()).hexdigest()
    return recording_parts(recording, str(folder), quality), content


def recording_parts(recording: Recording, path: str, quality: QualityParams) -> list[Part]:
    """Return one part per instrument of a recording: market rows only, each with the verdict of its rows."""
    rows = recording.events
    market = rows[(rows["kind"] != ev.TIMER) & (rows["flags"] & ev.WARM_UP == 0)]
    out: list[Part] = []
    for number in np.unique(market["instrument"]).tolist():
        source = _source_of(recording, int(number), path)
        mine = market[market["instrument"] == number].copy()
        mine["seq"] = np.arange(len(mine))
        judged = source.carries.bars or source.symbol == "VIX"
        verdict = checks_of(mine, params=quality, instrument=int(number), sampled=judged)
        if source.symbol != "VIX":
            mine["instrument"] = ev.PRIMARY
        out.append(Part(mine, source, verdict, path))
    return out


def _source_of(recording: Recording, number: int, path: str) -> SourceInfo:
    """Return what is known of an instrument; its tag says imported, unless it is SYNTHETIC."""
    known = {ev.SECOND: ("NQ", "MNQ"), ev.VIX: ("VIX",)}
    found = recording.source if number == ev.PRIMARY else None
    for other in recording.others:
        if found is None and other.symbol in known.get(number, ()):
            found = other
    if found is None:
        raise FormatError("the recording does not say what its further instrument is", path=path,
                          field="instrument", value=number, rule="a source for each instrument")  # fmt: skip
    return replace(found, tag="synthetic" if found.tag == "synthetic" else "imported", content_sha256=None)
