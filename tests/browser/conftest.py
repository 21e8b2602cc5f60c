"""Browser tests use the Chromium of this machine; without one they are skipped and say so.

One loop over a small SYNTHETIC day and one JupyterLab serve every test that only looks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.jupyter_proxy import server_entry
from mia_kernel.adapters.papermill_report import find_chromium
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from tests.browser import desk, lab, live_page

WHY = "no Chromium on this machine: install one, or set BROWSER_PATH to it"
TOUR = "synthetic:7"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    path = find_chromium()
    if path is None:
        pytest.skip(WHY)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {"executable_path": path, "args": ["--no-sandbox"] if root else []}


@pytest.fixture(scope="session")
def small_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thin SYNTHETIC day as a file."""
    path = tmp_path_factory.mktemp("day") / "small.parquet"
    write_recording(path, synthetic_recording(3, warm_up=False, scale=0.02))
    return path


@pytest.fixture(scope="session")
def loop(small_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[desk.Loop]:
    """The day, played for twenty minutes or more."""
    with desk.loop(tmp_path_factory.mktemp("home"), str(small_day), start=0.5, speed=20.0) as found:
        yield found


@pytest.fixture(scope="session")
def jupyter(loop: desk.Loop, small_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Lab]:
    """JupyterLab on that loop; its tour goes over the small day, the whole one is for the tests of the notebooks."""
    proxied = f"--ServerProxy.servers={ {'mia': server_entry(loop.home)}!r}"
    folder = tmp_path_factory.mktemp("lab")
    with lab.running(folder, arguments=[proxied], more={"MIA_HOME": str(loop.home)}) as found:
        tour = folder / "work" / "00_tour.ipynb"
        text = tour.read_text("utf-8")
        assert TOUR in text
        tour.write_text(text.replace(TOUR, str(small_day)), "utf-8")
        yield found


@pytest.fixture(scope="module")
def desk_page(browser: Any, server: lab.Lab) -> Iterator[tuple[Any, list[str]]]:
    """The live desk's page of a module's `server`, and the errors that it wrote."""
    page = browser.new_context().new_page()
    errors = live_page.listen(page)
    live_page.show(page, server)
    yield page, errors
    page.context.close()


@pytest.fixture
def opened(desk_page: tuple[Any, list[str]]) -> Iterator[Any]:
    """That page; errors of ours fail the test."""
    page, errors = desk_page
    yield page
    assert live_page.ours(errors) == []
