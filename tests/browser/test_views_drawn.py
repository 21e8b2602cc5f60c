"""The views' own modules in a real browser: they draw, coalesce, grey out, and follow the theme."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import widgets
from mia_kernel.analytics.report import day_report
from tests.fakes import journals
from widgets import base

pytestmark = [pytest.mark.integration, pytest.mark.browser]

VIEWS = {"price": widgets.PriceView, "delta": widgets.DeltaView, "equity": widgets.EquityView}

SHIM = """
async (given) => {
  const listeners = {};
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const state = { header: given.header, columns: bytes(given.columns), height: 320, palette: "classic" };
  window.model = {
    get: (name) => state[name],
    on: (names, f) => names.split(" ").forEach((n) => (listeners[n] = listeners[n] || []).push(f)),
    off: () => {},
    send: (header, columns) => {
      state.header = header;
      if (columns !== undefined) state.columns = bytes(columns);
      (listeners["change:header"] || []).forEach((f) => f());
    },
  };
  const el = document.getElementById("view");
  const url = URL.createObjectURL(new Blob([given.module], { type: "text/javascript" }));
  const view = (await import(url)).default;
  window.close_view = view.render({ model: window.model, el });
}
"""


def show(page: Any, name: str, frame: dict[str, Any], *, dark: bool = True) -> Any:
    view = VIEWS[name](frame)
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.goto("about:blank")
    page.set_content(
        f"<style>body{{margin:0}}{base.View._css}</style><div id='view' style='width:900px'></div>"
    )
    given = {
        "header": view.header,
        "columns": base64.b64encode(view.columns).decode(),
        "module": base.module(name),
    }
    page.evaluate(SHIM, json.loads(json.dumps(given)))
    page.wait_for_function("document.querySelector('.mia-view')?.dataset.drawn > 0")
    return page.locator(".mia-view")


def coloured(page: Any) -> int:
    """Return how many pixels of the canvas are neither empty nor grey."""
    return page.evaluate(
        """() => {
          const c = document.querySelector("canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
          let n = 0;
          for (let i = 0; i < d.length; i += 4) {
            const rgb = [d[i], d[i + 1], d[i + 2]];
            n += d[i + 3] > 200 && Math.max(...rgb) - Math.min(...rgb) > 60;
          }
          return n;
        }"""
    )


def frame(count: int = 200) -> dict[str, Any]:
    return dict(day_report(journals.material(count)).frame)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dark", [True, False])
def test_a_view_draws_its_frame(page: Any, name: str, dark: bool) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    root = show(page, name, frame(), dark=dark)
    assert root.get_attribute("data-theme") == ("dark" if dark else "light")
    assert root.get_attribute("data-seq") == "200"
    assert coloured(page) > (100 if name == "price" else -1)
    page.mouse.move(400, 150)
    page.wait_for_function("document.querySelector('.mia-tip').style.visibility === 'visible'")
    assert "New York" in page.locator(".mia-tip").inner_text()
    assert errors == []


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_without_data_says_so_and_raises_nothing(page: Any, name: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    show(page, name, {"source_tag": "live", "seq": 0})
    assert errors == []


def test_frames_faster_than_the_screen_are_dropped_not_queued(page: Any) -> None:
    show(page, "price", frame(60))
    page.evaluate(
        "() => { for (let i = 0; i < 500; i++) window.model.send({ ...window.model.get('header'), seq: i }); }"
    )
    page.wait_for_function("document.querySelector('.mia-view').dataset.seq === '499'")
    assert int(page.locator(".mia-view").get_attribute("data-drawn")) < 20


def test_a_live_view_without_frames_turns_stale_by_its_own_clock(page: Any) -> None:
    root = show(page, "price", {**frame(60), "live": True, "source_tag": "live"})
    assert root.get_attribute("data-stale") == "false"
    page.wait_for_function("document.querySelector('.mia-view').dataset.stale === 'true'", timeout=6000)
