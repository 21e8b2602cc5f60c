"""The tour in JupyterLab, as a newcomer meets it: Run All ends, every cell ran, the views are drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import lab

pytestmark = [pytest.mark.integration, pytest.mark.browser]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Lab]:
    with lab.running(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_tour_runs_and_its_views_draw(page: Any, server: lab.Lab, tmp_path: Path, dark: bool) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    server.open(page, "00_tour.ipynb", dark=dark)
    cells = server.run_all(page)
    assert [cell["error"] for cell in cells if cell["error"]] == []
    assert all(cell["ran"] for cell in cells)
    page.wait_for_function("document.querySelectorAll('.mia-view').length === 3", timeout=30_000)
    page.wait_for_function("[...document.querySelectorAll('.mia-view')].every((v) => v.dataset.drawn > 0)")
    for view in page.locator(".mia-view").all():
        assert view.get_attribute("data-theme") == ("dark" if dark else "light")
        assert int(view.get_attribute("data-seq")) > 1000
    page.locator(".mia-view").first.scroll_into_view_if_needed()
    page.screenshot(
        path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"tour_{'dark' if dark else 'light'}.png"
    )
