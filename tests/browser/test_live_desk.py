"""The live desk in JupyterLab: moves while a cell runs, outlives its kernel, a second tab is harmless."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.jupyter_proxy import server_entry
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from tests.browser import desk, lab
from tests.browser.desk import until

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.safety]

FRAMES = "Number(document.querySelector('.mia-console')?.dataset.frames || 0)"
ARMED = "document.querySelector('.mia-strip .armed').textContent"
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
NOT_OURS = ("favicon", "jupyterlab_server", "lsp", "Kernel", "kernel", "WebSocket connection to")
"""Words of JupyterLab's own console messages, which a restarted kernel brings about."""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[desk.Loop]:
    home = tmp_path_factory.mktemp("home")
    path = home / "small.parquet"
    write_recording(path, synthetic_recording(3, warm_up=False, scale=0.02))
    with desk.loop(home, str(path), start=0.5, speed=30.0) as found:
        yield found


@pytest.fixture(scope="module")
def server(loop: desk.Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Lab]:
    proxied = f"--ServerProxy.servers={ {'mia': server_entry(loop.home)}!r}"
    folder = tmp_path_factory.mktemp("lab")
    with lab.running(folder, arguments=[proxied], more={"MIA_HOME": str(loop.home)}) as found:
        yield found


@pytest.fixture
def opened(page: Any, server: lab.Lab) -> Iterator[Any]:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 1680, "height": 1000})
    server.open(page, "08_live_desk.ipynb")
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    cells = server.run_all(page)
    assert [cell["error"] for cell in cells if cell["error"]] == []
    until(page, f"{FRAMES} > 3", 90)
    page.locator(".mia-console").first.scroll_into_view_if_needed()
    yield page
    assert [error for error in errors if not any(word in error for word in NOT_OURS)] == []


def moves(page: Any, timeout_s: float = 20) -> None:
    """Wait until five more frames have been drawn."""
    before = page.evaluate(FRAMES)
    until(page, f"{FRAMES} > {before} + 5", timeout_s)


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_the_console_runs_in_a_notebook(opened: Any, server: lab.Lab, tmp_path: Path, dark: bool) -> None:
    theme = "JupyterLab Dark" if dark else "JupyterLab Light"
    opened.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    until(opened, f"document.querySelector('.mia-console').dataset.theme === '{'dark' if dark else 'light'}'")
    moves(opened)
    assert opened.locator(".mia-console .mia-panel").count() == 9
    assert opened.locator(".mia-console").get_attribute("data-stamp") == "SYNTHETIC"
    name = f"live_desk_{'dark' if dark else 'light'}.png"
    opened.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / name)


def test_it_moves_and_disarms_while_a_cell_runs(opened: Any) -> None:
    opened.evaluate(
        f"{KERNEL}.requestExecute({{ code: 'import time\\nwhile True: time.sleep(0.001)' }}) && 0"
    )
    until(opened, f"{KERNEL}.status === 'busy'")
    moves(opened)
    opened.locator(".mia-strip .disarm").click()
    until(opened, f"{ARMED} === 'DISARMED'", 5)
    assert opened.evaluate(f"{KERNEL}.status") == "busy"
    opened.evaluate(f"{KERNEL}.interrupt()")


def test_a_restarted_kernel_changes_nothing(opened: Any) -> None:
    opened.evaluate(f"{KERNEL}.restart()")
    moves(opened)
    assert opened.evaluate(ARMED) == "DISARMED"
    opened.evaluate(f"{KERNEL}.shutdown()")
    moves(opened)
    opened.locator(".mia-strip .disarm").click()
    until(opened, f"{ARMED} === 'DISARMED'", 5)


def test_a_second_tab_shows_the_same(opened: Any, server: lab.Lab) -> None:
    other = opened.context.new_page()
    server.open(other, "08_live_desk.ipynb")
    server.run_all(other)
    until(other, f"{FRAMES} > 3", 90)
    seen = [tab.locator(".mia-strip .price").inner_text().split()[0] for tab in (opened, other)]
    assert seen[0] == seen[1]
    moves(opened)
    moves(other)
    other.close()
