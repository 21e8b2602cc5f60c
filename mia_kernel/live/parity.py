"""Live equals replay: the recorded session decided again, decision by decision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mia_kernel.adapters.recorded import read_session, read_table
from mia_kernel.live.collect import EachDigest
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Parity:
    """How many decisions of a session its replay has taken again, byte for byte.

    `first_difference` is the number of the first decision that differs or exists on one side only.
    """

    equal: int
    total: int
    first_difference: int | None
    live_digest: str | None
    replay_digest: str

    @property
    def holds(self) -> bool:
        """Return whether every decision is the same."""
        return self.first_difference is None

    @property
    def sentence(self) -> str:
        """Return what the command says."""
        if self.holds:
            return f"parity {self.equal}/{self.total}"
        return f"parity {self.equal}/{self.total}: decision {self.first_difference} is the first that differs"


def replay_session(settings: Settings, folder: Path) -> tuple[Run, EachDigest]:
    """Take a recorded session through the engine again; return the run and the hash of every decision."""
    run = Run(settings, read_session(folder))
    rooms = run.engine.rooms
    digest = EachDigest(rooms.features.names, rooms.gate.codes)
    run.digest = digest
    run.drive()
    return run, digest


def compare(live: list[bytes], replayed: list[bytes]) -> tuple[int, int, int | None]:
    """Return (equal, total, number of the first difference) of two lists of hashes."""
    total = max(len(live), len(replayed))
    pairs = zip(live, replayed, strict=False)
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    if first is None and len(live) != len(replayed):
        first = min(len(live), len(replayed))
    return sum(a == b for a, b in zip(live, replayed, strict=False)), total, first


def parity(settings: Settings, folder: Path, live: EachDigest) -> tuple[Parity, Run]:
    """Replay a session that has just ended and compare it with what was decided live."""
    run, again = replay_session(settings, folder)
    equal, total, first = compare(live.each, again.each)
    return Parity(equal, total, first, live.hexdigest(), again.hexdigest()), run


def note_parity(run: Run, answer: Parity) -> None:
    """Write the answer into the run's journal, where the pages of the day print it."""
    if run.journal is None:
        return
    told = {name: getattr(answer, name) for name in ("equal", "total", "first_difference", "replay_digest")}
    run.journal.append_record("parity", run.last.ts_event if run.last else 0, told)


def parity_of_record(settings: Settings, folder: Path) -> Parity:
    """Compare a session's stored decisions with a replay made now (another machine, other cores)."""
    table = read_table(folder, "standard")
    stored = [] if table is None else [bytes.fromhex(text) for text in table.column("sha256").to_pylist()]
    _, again = replay_session(settings, folder)
    equal, total, first = compare(stored, again.each)
    return Parity(equal, total, first, None, again.hexdigest())
