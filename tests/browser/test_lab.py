"""The tour in JupyterLab, as a newcomer meets it: Run All ends, every cell ran, the views are drawn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser import lab

pytestmark = [pytest.mark.integration, pytest.mark.browser]

THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"


def test_the_tour_runs_and_its_views_draw(page: Any, jupyter: lab.Lab, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    jupyter.open(page, "00_tour.ipynb")
    cells = jupyter.run_all(page)
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
