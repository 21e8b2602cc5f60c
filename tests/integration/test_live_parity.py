"""R17: a recorded session replays to the same bits on another core count and with another hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.events import Recording
from mia_kernel.live.session import dry_run
from mia_kernel.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.safety]

HOUR = 3_600_000_000_000
CHECK = """
import json, sys
from pathlib import Path
from mia_kernel.live.parity import parity_of_record
from mia_kernel.settings import Settings
for folder in sys.argv[1:]:
    answer = parity_of_record(Settings(), Path(folder))
    print(json.dumps([answer.equal, answer.total, answer.first_difference, answer.replay_digest]))
"""


def recorded(home: Path, seed: int, hours: float, speed: float = float("inf")) -> tuple[Path, str]:
    """A recorded SYNTHETIC session and its live digest."""
    whole = synthetic_recording(seed, warm_up=False, scale=0.02)
    ts = whole.events["ts_recv"]
    start = int(ts[0]) + 15 * HOUR
    rows = whole.events[np.searchsorted(ts, start) : np.searchsorted(ts, start + round(hours * HOUR))]
    session = dry_run(
        Settings(home=home),
        Recording(rows, whole.source, others=whole.others),
        home / "j" / f"{seed}.sqlite",
        uri=f"synthetic:{seed}",
        speed=speed,
        session_id=f"s{seed:04d}",
    )
    session.go()
    session.run.close()
    answer = session.close()
    assert answer.holds
    assert answer.total > 0
    return session.folder, answer.replay_digest


def replayed_elsewhere(
    folders: list[Path], *, hash_seed: str, threads: str
) -> list[tuple[int, int, object, str]]:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "NUMBA_NUM_THREADS": threads,
        "OMP_NUM_THREADS": threads,
    }
    answer = subprocess.run(
        [sys.executable, "-c", CHECK, *map(str, folders)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in answer.stdout.splitlines()]


def test_a_session_replays_to_the_same_bits_in_another_process(tmp_path: Path) -> None:
    folder, digest = recorded(tmp_path, 5, 3.0)
    for hash_seed, threads in (("1", "1"), ("4242", "2")):
        [(equal, total, first, again)] = replayed_elsewhere([folder], hash_seed=hash_seed, threads=threads)
        assert (equal, first, again) == (total, None, digest)


@pytest.mark.long
def test_a_hundred_sessions_replay_to_the_same_bits(tmp_path: Path) -> None:
    made = [recorded(tmp_path, seed, 23.0) for seed in range(100)]
    for hash_seed, threads in (("0", "1"), ("99", "2")):
        told = replayed_elsewhere([folder for folder, _ in made], hash_seed=hash_seed, threads=threads)
        assert len(told) == 100
        for (equal, total, first, again), (_, digest) in zip(told, made, strict=True):
            assert (equal, first, again) == (total, None, digest)
