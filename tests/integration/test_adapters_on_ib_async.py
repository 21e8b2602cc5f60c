"""Our own session, order socket, feed and option sweep on `ib_async`: the suites that hold them on `ib_insync`.

`ib_insync` and `ib_async` cannot share an environment (both bring a package `eventkit`). So the suites run in a
process of their own, where the packages of the client's environment come before the project's and `ib_insync` cannot
be imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.environments import ROOT, python_of

pytestmark = [pytest.mark.integration, pytest.mark.safety]

BROUGHT = ("ib_async", "eventkit", "aeventkit", "nest_asyncio")
"""Packages and what is written about them, by how their names begin."""
RUN = """
import sys
sys.modules["ib_insync"] = None
import eventkit, pytest
from mia_kernel.adapters.ibkr_session import LIBRARY
print("library:", LIBRARY, eventkit.__file__)
sys.exit(pytest.main(sys.argv[1:]))
"""
FOLDER = "tests/integration/"
SHORT = (f"{FOLDER}test_ibkr_broker.py::test_a_bracket_fills_is_protected_and_told_as_the_venue_has_it",)
NAMES = ("test_ibkr_broker", "test_ibkr_feed", "test_ibkr_options", "test_doctor_ids")
WHOLE = tuple(f"{FOLDER}{name}.py" for name in NAMES)


@pytest.mark.parametrize(
    ("suites", "least"),
    [pytest.param(SHORT, 1, id="short"), pytest.param(WHOLE, 16, id="whole", marks=pytest.mark.long)],
)
def test_our_adapters_on_ib_async(tmp_path: Path, suites: tuple[str, ...], least: int) -> None:
    front = _brought(tmp_path / "front")
    done = subprocess.run(
        [sys.executable, "-c", RUN, "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "t"), *suites],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join((str(front), str(ROOT)))},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert f"library: ib_async 2.1.0 {front}" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout[-4000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= least


def _brought(front: Path) -> Path:
    """Return a folder with the client's own packages, out of its environment."""
    python = python_of("ib_async")
    told = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    packages = Path(told.stdout.strip())
    front.mkdir()
    for source in packages.iterdir():
        if source.name.startswith(BROUGHT):
            (shutil.copytree if source.is_dir() else shutil.copy)(source, front / source.name)
    return front
