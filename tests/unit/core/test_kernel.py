"""The cache of compiled kernels: what a source stands on names its folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mia_kernel.core import kernel as door

pytestmark = pytest.mark.unit

FEATURES = door.kernel_sources()[0].parents[1] / "features"
DOOR = "from mia_kernel.core.kernel import kernel\n"
HELPER = DOOR + "\n\n@kernel\ndef helped(x):\n    return x + {}\n"
CALLER = (
    DOOR + "from mia_kernel.helper import helped\n\n\n@kernel\ndef called(x):\n    return 10 * helped(x)\n"
)
ASK = """
from pathlib import Path
from mia_kernel.core import kernel
kernel.cache_folder.__defaults__ = (Path({!r}),)
from mia_kernel.caller import called
print(called(1))
"""


def test_a_folder_is_named_by_all_a_source_stands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FEATURES / "vwap_trend.py"
    before = door.cache_folder(source)
    far = Path(door.__file__).parent / "events.py"  # features reach it through the state
    read = door._text
    monkeypatch.setattr(door, "_text", lambda path: read(path) + (b"#" if path == far else b""))
    assert door.cache_folder(source) != before
    assert door.cache_folder(source).name.startswith("features.vwap_trend-")


def test_a_changed_neighbour_leaves_a_source_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FEATURES / "vwap_trend.py"
    before = door.cache_folder(source)
    neighbour = FEATURES / "smart_money.py"
    read = door._text
    monkeypatch.setattr(door, "_text", lambda path: read(path) + (b"#" if path == neighbour else b""))
    assert door.cache_folder(source) == before


def test_an_edited_helper_is_seen_by_the_next_process(tmp_path: Path) -> None:
    package = tmp_path / "mia_kernel"
    (package / "core").mkdir(parents=True)
    for name in ("__init__.py", "core/__init__.py"):
        (package / name).write_text("")
    (package / "core" / "kernel.py").write_text(Path(door.__file__).read_text())
    (package / "caller.py").write_text(CALLER)
    code = ASK.format(str(tmp_path / "caches"))
    answers: list[str] = []
    for added in (1, 2):
        (package / "helper.py").write_text(HELPER.format(added))
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        answers.append(done.stdout.strip())
    assert answers == ["20", "30"]
    folders = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "caches").iterdir())
    assert folders == ["caller", "caller", "helper", "helper"]


def test_only_the_newest_folders_of_a_source_stay(tmp_path: Path) -> None:
    for index in range(6):
        (tmp_path / f"state.book-{index:016x}").mkdir()
    other = tmp_path / "state.bookkeeping-0000000000000000"
    other.mkdir()
    newest = tmp_path / f"state.book-{5:016x}"
    door._sweep(newest)
    assert len(list(tmp_path.glob("state.book-*"))) == 4
    assert newest.is_dir()
    assert other.is_dir()
