"""R7 and R8 on real processes: the machine sleeps, the disk is full; nothing old is sent, nothing unrecorded leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mia_kernel.adapters.messages import Acknowledge, Halt, Resume
from tests.fakes.processes import GENEROUS, Stage
from tests.fakes.quiet_engine import Engine, close_links

resource = pytest.importorskip("resource")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.safety,
    pytest.mark.skipif(sys.platform != "linux", reason="SIGSTOP, limits of a running process"),
]
MID = 18_000
LAW = {**GENEROUS, "max_orders_per_second": 5}


@contextmanager
def staged(home: Path) -> Iterator[tuple[Stage, Engine]]:
    """A guardian, armed, with one position under its stop, and a quiet engine."""
    stage = Stage(home, 7, **LAW)
    try:
        stage.start_guardian()
        stage.set("walking", False)
        engine = Engine(stage)
        engine.arm()
        engine.enter(qty=1, entry=MID + 6, stop=24, target=200)
        engine.until(lambda: held(stage) == 1 and stage.ledger()["stops"] == 1)
        yield stage, engine
    finally:
        close_links()
        stage.close()


def held(stage: Stage) -> int:
    return sum(abs(q) for q in stage.ledger()["positions"].values())


def sent(stage: Stage) -> int:
    return len(stage.ledger()["received"])


@pytest.mark.parametrize("asleep_s", [1.5, pytest.param(30.0, marks=pytest.mark.long)])
def test_a_guardian_that_slept_wakes_disarmed_and_sends_nothing_old(tmp_path: Path, asleep_s: float) -> None:
    with staged(tmp_path / "home") as (stage, engine):
        before = sent(stage)
        os.kill(stage.guardian.pid, signal.SIGSTOP)
        time.sleep(0.1)
        engine.enter(qty=1, entry=MID - 30)  # wished while nobody hears it
        time.sleep(asleep_s)
        woken = time.monotonic()
        os.kill(stage.guardian.pid, signal.SIGCONT)
        status = stage.until(lambda s: not s.armed, 3.0)
        took = time.monotonic() - woken
        print(f"R7: asleep {asleep_s:g} s, disarmed {1000 * took:.0f} ms after waking: {status.last_reason}")
        assert took < 1.0
        engine.until(lambda: not engine.link.armed)
        ledger = stage.ledger()
        assert [row for row in ledger["received"][before:] if row[1] == "Place"] == []
        assert (held(stage), ledger["stops"]) == (1, 1)
        assert max(ledger["refs_seen"].values()) == 1


@pytest.mark.long
def test_engine_and_guardian_that_slept_together_go_on_when_armed_again(tmp_path: Path) -> None:
    with staged(tmp_path / "home") as (stage, engine):
        os.kill(stage.guardian.pid, signal.SIGSTOP)
        time.sleep(4.0)  # the engine of this test says nothing either
        os.kill(stage.guardian.pid, signal.SIGCONT)
        stage.until(lambda s: not s.armed, 3.0)
        engine.arm()
        assert (held(stage), stage.ledger()["stops"]) == (1, 1)


def fill_folder(home: Path) -> Callable[[], None]:
    """Fill the file system of a home to its last byte; return what makes room again."""
    hog = home / "hog"
    with hog.open("wb", buffering=0) as out:
        for size in (65_536, 512, 1):
            try:
                while True:
                    out.write(b"\0" * size)
            except OSError:
                continue
    return hog.unlink


def test_on_a_real_full_disk_nothing_enters_protection_stays_and_a_flatten_leaves(tmp_path: Path) -> None:
    home = tmp_path / "small"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(home)],
                             capture_output=True, check=False)  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with staged(home) as (stage, engine):
            _no_room(stage, engine, fill_folder(home))
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


def test_where_files_may_not_grow_it_is_the_same(tmp_path: Path) -> None:
    """No root needed: no file of the running guardian may be written beyond 16 kB, where its journal is longer."""
    with staged(tmp_path / "home") as (stage, engine):
        pid = stage.guardian.pid
        was = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (16_384, was[1]))
        _no_room(stage, engine, lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, was))


def _no_room(stage: Stage, engine: Engine, make_room: Callable[[], object]) -> None:
    before = sent(stage)
    began = time.monotonic()
    engine.enter(qty=1, entry=MID - 30)
    engine.until(lambda: not engine.link.armed, 5.0)
    took = time.monotonic() - began
    ledger = stage.ledger()
    assert [row for row in ledger["received"][before:] if row[1] == "Place"] == []
    assert (held(stage), ledger["stops"]) == (1, 1)
    status = stage.status()
    assert status is not None
    print(f"R8: disarmed {1000 * took:.0f} ms after the wish: {status.last_reason}")
    assert took < 1.0
    stage.ask(Halt("test"))
    engine.until(lambda: held(stage) == 0 and not stage.ledger()["working"], 5.0)
    make_room()
    stage.kill(stage.guardian)
    stage.start_guardian()
    again = stage.until(lambda s: s.reconciled and s.position == 0, 10.0)
    assert again.trading_state == "halted"  # what was done without room is remembered
    (stage.home / "HALT").unlink(missing_ok=True)
    stage.ask(Acknowledge(0))
    stage.ask(Resume("test"))
