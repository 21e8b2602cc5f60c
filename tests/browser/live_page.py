"""The live desk's page in JupyterLab, as the tests of the played and of the real desk share it.

One page serves a file of tests: opening it takes a kernel and a run of its cells. Each test says what its page
complained about.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser import lab
from tests.browser.desk import until

NOTEBOOK = "08_live_desk.ipynb"
CONSOLE = "document.querySelector('.mia-console')"
FRAMES = f"Number({CONSOLE}?.dataset.frames || 0)"
ARMED = "document.querySelector('.mia-strip .armed').textContent"
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
NOT_OURS = (
    "favicon",
    "jupyterlab_server",
    "lsp",
    "Kernel",
    "kernel",
    "debugger state",
    "WebSocket connection to",
)
"""Words of JupyterLab's own console messages, which a restarted kernel brings about."""
SPIN = "import time\\nwhile True: time.sleep(0.001)"


def listen(page: Any) -> list[str]:
    """Keep what a page complains about in a list."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    return errors


def ours(errors: list[str]) -> list[str]:
    """Take the complaints out and return those that are not JupyterLab's own."""
    taken = [error for error in errors if not any(word in error for word in NOT_OURS)]
    errors.clear()
    return taken


def show(page: Any, server: lab.Lab, seconds: float = 180) -> None:
    """Open the live desk, run its cells and wait until its console moves."""
    page.set_viewport_size({"width": 1680, "height": 1000})
    server.open(page, NOTEBOOK)
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    cells = server.run_all(page)
    assert [cell["error"] for cell in cells if cell["error"]] == []
    until(page, f"{FRAMES} > 3", seconds)
    page.locator(".mia-console").first.scroll_into_view_if_needed()


def moves(page: Any, timeout_s: float = 30) -> None:
    """Wait until five more frames have been drawn."""
    before = page.evaluate(FRAMES)
    until(page, f"{FRAMES} > {before} + 5", timeout_s)


@contextmanager
def busy_kernel(page: Any) -> Iterator[None]:
    """Let the kernel spin in a cell; it must still do so at the end."""
    page.evaluate(f"{KERNEL}.requestExecute({{ code: '{SPIN}' }}) && 0")
    until(page, f"{KERNEL}.status === 'busy'")
    yield
    assert page.evaluate(f"{KERNEL}.status") == "busy"
    page.evaluate(f"{KERNEL}.interrupt()")
    until(page, f"{KERNEL}.status === 'idle'")


def both_themes(page: Any, stamp: str, folder: Path) -> None:
    """Hold the console to JupyterLab's theme, dark and light: nine panels that move, stamped."""
    for theme in ("dark", "light"):
        name = f"JupyterLab {theme.capitalize()}"
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        until(page, f"{CONSOLE}.dataset.theme === '{theme}'")
        moves(page)
        assert page.locator(".mia-console .mia-panel").count() == 9
        assert page.locator(".mia-console").get_attribute("data-stamp") == stamp
        page.screenshot(path=Path(os.environ.get("SCREENSHOTS", folder)) / f"live_desk_{theme}.png")


def fits_the_page(page: Any) -> None:
    """Hold the console to what the notebook shows at once: all of it in sight, on a laptop too."""
    for width, height, least in ((1280, 720, 585), (1440, 900, 765)):
        page.set_viewport_size({"width": width, "height": height})
        seen = (
            "(() => { const c = document.querySelector('.mia-frame').getBoundingClientRect(),"
            " p = document.querySelector('.jp-WindowedPanel-outer, .jp-Notebook').getBoundingClientRect();"
            f" return c.height <= p.height && c.height >= {least}; }})()"
        )
        until(page, seen, 5)
    page.set_viewport_size({"width": 1680, "height": 1000})


def stays_where_it_is(page: Any) -> None:
    """Click into the console as a person does first: nothing moves under the pointer."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.locator(".mia-console").first.scroll_into_view_if_needed()
    place = "document.querySelector('.mia-frame').getBoundingClientRect().top"
    page.wait_for_timeout(300)
    before = page.evaluate(place)
    page.locator(".mia-panel[data-panel='delta'] .mia-body").click()
    page.locator(".timeframes button[data-timeframe='5m']").click()
    page.wait_for_timeout(500)
    assert page.evaluate(place) == before
    page.locator(".timeframes button[data-timeframe='1m']").click()
    page.set_viewport_size({"width": 1680, "height": 1000})


def outlives_its_kernel(page: Any) -> None:
    """Restart the kernel, then end it: the console moves on, knows its state and disarms. The page has none then."""
    page.evaluate(f"{KERNEL}.restart()")
    moves(page)
    assert page.evaluate(ARMED) == "DISARMED"
    page.evaluate(f"{KERNEL}.shutdown()")
    moves(page)
    disarm(page)


def disarm(page: Any) -> None:
    """Click DISARM and see that it is so."""
    page.locator(".mia-strip .disarm").click()
    until(page, f"{ARMED} === 'DISARMED'", 10)
