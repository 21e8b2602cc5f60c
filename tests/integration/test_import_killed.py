"""Imports killed at moments nobody chose: the catalog is as before or whole, and the second import completes it.

The four places where a write can be cut are held by `test_importing.py`; here a real file of 99 days is imported by
processes that are killed after a seeded share of the time one of them needs.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mia_kernel.adapters import catalog_query as query
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources
from tests.fakes.market_files import cme_zip
from tests.shared_data import shared_file

pytestmark = [
    pytest.mark.integration,
    pytest.mark.safety,
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a Unix word"),
]

REAL = "es_1min_firstrate/ES_1min_2022-01-02_2022-05-20.tar.xz"
MOMENTS = 10
LEAST_KILLED = 6
"""The machine's speed moves between two imports, so a late moment may find the process gone."""

_VICTIM = """
import sys
from pathlib import Path
from mia_kernel.adapters import catalog, importing
Path(sys.argv[1]).write_text("here")
result = importing.import_sources([sys.argv[2]], catalog.Catalog(Path(sys.argv[3])))[0]
sys.exit(result.exit_code)
"""


def _content(catalog: Catalog) -> set[tuple[object, ...]]:
    """Return what is stored: each day's file by the hash of its bytes and of its rows."""
    segments = [stored.segment for stored in catalog.stored()]
    return {(s.contract, s.day, s.kind, s.rows, s.sha256, s.content) for s in segments}


def _files(catalog: Catalog) -> set[str]:
    root = catalog.store.root
    return {
        str(file.relative_to(root)) for file in root.rglob("*") if file.is_file() and file.name != "_lock"
    }


def _start(folder: Path, source: Path, flag: Path) -> subprocess.Popen[bytes]:
    flag.unlink(missing_ok=True)
    words = [sys.executable, "-c", _VICTIM, str(flag), str(source), str(folder)]
    process = subprocess.Popen(words, cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 60
    while not flag.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert flag.exists()
    return process


def test_an_import_killed_at_ten_moments_leaves_the_catalog_whole(tmp_path: Path) -> None:
    source, flag = shared_file(REAL), tmp_path / "flag"
    (tmp_path / "day.zip").write_bytes(cme_zip())
    first = Catalog(tmp_path / "before")
    import_sources([tmp_path / "day.zip"], first)
    before, before_files = _content(first), _files(first)

    shutil.copytree(tmp_path / "before", tmp_path / "whole")
    process, began = _start(tmp_path / "whole", source, flag), time.monotonic()
    assert process.wait(120) == 0
    needed = time.monotonic() - began
    whole = Catalog(tmp_path / "whole")
    after, after_files = _content(whole), _files(whole)
    days = {day for _, day, *_ in after - before}
    assert len(days) == 99

    chance, fates = random.Random(9), []
    for k in range(MOMENTS):
        folder = tmp_path / f"killed{k}"
        shutil.copytree(tmp_path / "before", folder)
        process = _start(folder, source, flag)
        time.sleep(chance.uniform(0.02, 1.0) * needed)
        process.send_signal(signal.SIGKILL)
        ended = process.wait(60)
        catalog = Catalog(folder)
        found = _content(catalog)
        assert found in (before, after), f"moment {k}: {len(found - before)} of {len(after - before)} files"
        assert query.verify(catalog).ok
        assert found == after or ended == -signal.SIGKILL
        fates.append((ended == -signal.SIGKILL, found == after))
        with catalog.store.writing():  # the next writer sweeps what the dead one left
            pass
        assert _files(catalog) == (after_files if found == after else before_files)
        again = import_sources([source], catalog)[0]
        assert again.status == ("known" if found == after else "stored")
        assert _content(catalog) == after
        assert query.verify(catalog).ok
        shutil.rmtree(folder)
    print(f"{sum(killed for killed, _ in fates)} of {MOMENTS} killed, {sum(full for _, full in fates)} whole; "
          f"one import {needed:.1f} s")  # fmt: skip
    assert sum(killed for killed, _ in fates) >= LEAST_KILLED
