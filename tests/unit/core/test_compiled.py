"""What has to be compiled before a run is said: nothing, all of it, or what has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mia_kernel.core import compiled, kernel

pytestmark = pytest.mark.unit

SOURCES = [path for path in kernel.kernel_sources() if path.parent.name == "features"][:3]


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three sources, each with a kernel compiled."""
    monkeypatch.setattr(compiled, "kernel_sources", lambda: SOURCES)
    for source in SOURCES:
        compile_into(kernel.cache_folder(source, tmp_path))
    (tmp_path / compiled.REHEARSED).touch()
    return tmp_path


def compile_into(folder: Path) -> None:
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "k.nbi").touch()


def touch(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = kernel._text
    monkeypatch.setattr(kernel, "_text", lambda at: read(at) + (b"#" if at == path else b""))


def test_nothing_is_said_where_all_lies_compiled(caches: Path) -> None:
    assert compiled.look(caches) == (False, ())


def test_a_new_machine_is_cold_and_nothing_has_changed_there(caches: Path, tmp_path: Path) -> None:
    assert compiled.look(tmp_path / "empty") == (True, ())


def test_a_touched_source_is_named_and_no_other(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(SOURCES[1], monkeypatch)
    found = compiled.look(caches)
    assert not found.cold
    assert found.names == [f"features.{SOURCES[1].stem}"]
    compile_into(found.changed[0])
    assert compiled.look(caches) == (False, ())


def test_what_a_rehearsal_does_not_reach_is_named_once(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(SOURCES[2], monkeypatch)
    found = compiled.look(caches)
    assert len(found.changed) == 1
    compiled.settle(found, caches)
    assert compiled.look(caches) == (False, ())


def test_a_first_rehearsal_that_was_cut_off_is_not_taken_for_whole(caches: Path) -> None:
    (caches / compiled.REHEARSED).unlink()
    found = compiled.look(caches)
    assert found.cold
    assert found.wanting
    compiled.settle(found, caches)
    assert not compiled.look(caches).wanting


def test_a_process_leaves_kernels_plain_from_when_it_is_told() -> None:
    program = (
        "from mia_kernel.core import kernel\n"
        "import mia_kernel.adapters.synthetic_book as before\n"
        "kernel.leave_plain()\n"
        "import mia_kernel.features.roster as after\n"
        "print(kernel.is_plain(), type(before.fill_book).__name__, type(after.measure_roster).__name__)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "CPUDispatcher", "function"]
    assert not kernel.is_plain()


def test_a_place_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    assert compiled.can_be_kept(tmp_path / "caches")
    (tmp_path / "file").touch()
    assert not compiled.can_be_kept(tmp_path / "file" / "caches")
