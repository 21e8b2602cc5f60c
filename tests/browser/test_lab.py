"""The tour in JupyterLab, as a newcomer meets it: Run All ends, every cell ran, the views are drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from tests.browser import lab

pytestmark = [pytest.mark.integration, pytest.mark.browser]

THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Lab]:
    """The tour over a small day: the page itself runs over the whole one in the tests of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    small = folder / "small.parquet"
    write_recording(small, synthetic_recording(7, warm_up=False, scale=0.02))
    with lab.running(folder) as found:
        tour = folder / "work" / "00_tour.ipynb"
        text = tour.read_text("utf-8")
        assert "synthetic:7" in text
        tour.write_text(text.replace("synthetic:7", str(small)), "utf-8")
        yield found


def test_the_tour_runs_and_its_views_draw(page: Any, server: lab.Lab, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    server.open(page, "00_tour.ipynb")
    cells = server.run_all(page)
    assert [cell["error"] for cell in cells if cell["error"]] == []
    assert all(cell["ran"] for cell in cells)
    page.wait_for_function("document.querySelectorAll('.mia-view').length === 3", timeout=30_000)
    for theme in ("light", "dark"):
        page.evaluate(THEME, f"JupyterLab {theme.capitalize()}")
        drawn = f"(v) => v.dataset.drawn > 0 && v.dataset.theme === '{theme}'"
        page.wait_for_function(f"[...document.querySelectorAll('.mia-view')].every({drawn})")
        for view in page.locator(".mia-view").all():
            assert int(view.get_attribute("data-seq")) > 100
        page.locator(".mia-view").first.scroll_into_view_if_needed()
        page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"tour_{theme}.png")
