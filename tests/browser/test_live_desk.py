"""The live desk in JupyterLab: moves while a cell runs, outlives its kernel, a second tab is harmless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import lab, live_page
from tests.browser.live_page import moves

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.safety]


@pytest.fixture(scope="module")
def server(jupyter: lab.Lab) -> lab.Lab:
    """The JupyterLab of all, over the small day."""
    return jupyter


def test_the_console_runs_in_a_notebook_dark_and_light(opened: Any, tmp_path: Path) -> None:
    live_page.both_themes(opened, "SYNTHETIC", tmp_path)


def test_the_whole_console_is_in_sight_on_a_laptop(opened: Any) -> None:
    live_page.fits_the_page(opened)


def test_the_first_click_moves_nothing(opened: Any) -> None:
    live_page.stays_where_it_is(opened)


def test_it_moves_and_disarms_while_a_cell_runs(opened: Any) -> None:
    with live_page.busy_kernel(opened):
        moves(opened)
        live_page.disarm(opened)


def test_a_second_tab_shows_the_same(opened: Any, jupyter: lab.Lab) -> None:
    other = opened.context.new_page()
    live_page.show(other, jupyter)
    seen = [tab.locator(".mia-strip .price").inner_text().split()[0] for tab in (opened, other)]
    assert seen[0] == seen[1]
    moves(opened)
    moves(other)
    other.close()


def test_a_restarted_kernel_changes_nothing(opened: Any) -> None:
    live_page.outlives_its_kernel(opened)
