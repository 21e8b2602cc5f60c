"""R8 beyond a full disk: I/O errors, a slow fsync, a read-only folder: nothing leaves before its record is durable."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.adapters.messages import Acknowledge, Refused, Resume
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.orders import TradingState
from mia_kernel.core.venue import Instruction, Place
from mia_kernel.guardian.book import Spare, read_spare
from tests.fakes.guarded import BID, Guarded, bracket

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def broken(number: int) -> Any:
    """A commit that the disk refuses with this error."""

    def commit(self: JournalWriter) -> None:
        raise OutsideError(
            f"{self.path}: {OSError(number, errno.errorcode[number])}; way out: look at the disk"
        )

    return commit


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_what_the_disk_refuses_never_leaves_and_it_disarms_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(1.2)
    with monkeypatch.context() as patched:
        patched.setattr(JournalWriter, "commit", broken(number))
        before = len(guarded.venue.received)
        answer = guarded.submit(bracket(guarded.venue.now, entry=BID - 3))
        assert isinstance(answer, Refused)
        assert answer.code == "disk"
        assert not guarded.g.armed
        guarded.run(1.0, 0.05)
        assert len(guarded.venue.received) == before
        assert guarded.venue.stops() == 1
    guarded.run(2.5, 0.05)
    assert not guarded.g.disk_failed
    guarded.agrees()
    assert not guarded.g.armed


def test_a_fsync_of_half_a_second_comes_before_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    durable: list[float] = []
    sent: list[float] = []
    real, submit = JournalWriter.commit, guarded.socket.submit

    def slow(self: JournalWriter) -> None:
        time.sleep(0.5)
        real(self)
        durable.append(time.monotonic())

    def submitted(instructions: Sequence[Instruction]) -> None:
        sent.append(time.monotonic())
        submit(instructions)

    monkeypatch.setattr(JournalWriter, "commit", slow)
    monkeypatch.setattr(guarded.socket, "submit", submitted)
    began = time.monotonic()
    assert not isinstance(guarded.submit(bracket(guarded.venue.now)), Refused)
    assert sent[0] - began >= 0.5
    assert durable[0] <= sent[0]
    assert sum(isinstance(i, Place) for _, i in guarded.venue.received) == 1


def test_a_line_that_was_half_written_is_taken_back(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    spare = Spare(tmp_path / "spare")
    assert spare.append(b'["send",1,{}]')
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (24, hard[1]))
    try:
        assert not spare.append(b'["send",2,{}]')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, hard)
    assert read_spare(spare.path) == [("send", 1, {})]
    assert spare.append(b'["send",3,{}]')
    assert [ts for _, ts, _ in read_spare(spare.path)] == [1, 3]


def test_a_halt_on_a_full_disk_is_remembered_and_resuming_forgets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.enter()
    with monkeypatch.context() as patched:
        patched.setattr(JournalWriter, "commit", broken(errno.ENOSPC))
        guarded.g.halt("test", guarded.now)
        guarded.run(1.0, 0.05)
        assert not guarded.venue.working()
        used = guarded.g.book._spare._at
        guarded.run(2.0, 0.05)
        assert guarded.g.book._spare._at == used  # written once
    guarded.restart()
    guarded.run(1.0, 0.05)
    assert guarded.g.state is TradingState.HALTED
    assert guarded.status().last_reason or guarded.g.kept.halt_reason == "test"
    guarded.ask(Acknowledge(0))
    guarded.ask(Resume("test"))
    guarded.run(1.2, 0.05)
    guarded.restart()
    assert guarded.g.state is not TradingState.HALTED
