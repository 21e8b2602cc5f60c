"""The monitor page in a browser: what it shows is what was decided; arming, disarming and halting by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from tests.browser import desk
from tests.browser.desk import until
from tests.shared_data import SHARED

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.safety]

REAL = "es_ticks_sierra_dom/ES_trades_dom40_20220124_133000-133100utc.txt"
CONSOLE = "document.querySelector('.mia-console')"


def source_of(folder: Path) -> tuple[str, str | None]:
    """A real minute with depth where the shared data is, else a small synthetic one."""
    if SHARED is not None and (SHARED / REAL).exists():
        return str(SHARED / REAL), "UTC"
    path = folder / "small.parquet"
    write_recording(path, synthetic_recording(3, warm_up=False, scale=0.02))
    return str(path), None


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[desk.Loop]:
    home = tmp_path_factory.mktemp("home")
    source, tz = source_of(home)
    with desk.loop(home, source, tz=tz, speed=4.0) as loop:
        yield loop


@pytest.fixture(scope="module")
def address(played: desk.Loop) -> Iterator[str]:
    with desk.page_server(played.home) as found:
        yield found


@pytest.fixture
def opened(page: Any, address: str) -> Iterator[Any]:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(address)
    until(page, f"Number({CONSOLE}?.dataset.frames || 0) > 3", 60)
    yield page
    assert errors == []


def cell(page: Any, name: str) -> str:
    return page.locator(f".mia-strip .{name}").inner_text()


def disarmed(page: Any) -> None:
    page.locator(".mia-strip .disarm").click()
    until(page, "document.querySelector('.mia-strip .armed').textContent === 'DISARMED'")


def arm(page: Any) -> None:
    page.locator(".mia-strip button.arm").click()
    sheet = page.locator("dialog[data-sheet='arm']")
    sheet.locator("input[name='phrase']").fill("arm es")
    sheet.locator("input[name='account']").fill("DRY-RUN")
    sheet.get_by_role("button", name="Ask for a code").click()
    sheet.locator("p.code").wait_for(state="visible")
    code = sheet.locator("p.code").inner_text()
    assert re.fullmatch(r"\d{6}", code)
    assert "daily loss" in sheet.locator(".allows").inner_text()
    until(page, "/valid for \\d+ s/.test(document.querySelector('dialog .left').textContent)")
    sheet.locator("input[name='code']").fill(code)
    sheet.get_by_role("button", name="Arm", exact=True).click()


def test_what_the_page_shows_is_what_the_journal_holds(opened: Any, played: desk.Loop) -> None:
    played.wait_ended(120)
    with JournalReader(played.journal) as reader:
        decisions = {decision.sequence: decision for decision in reader.decisions()}
        trips = reader.round_trips()
    last = max(decisions)
    until(opened, f"document.querySelector('.mia-decision').dataset.sequence === '{last}'")
    score = decisions[last].score
    assert opened.locator(".mia-grade .percent").inner_text() == f"{score.percent:.2f} %"
    assert opened.locator(".mia-grade .coverage").inner_text() == f"coverage {score.coverage:.2f}"
    total = opened.locator(".mia-waterfall li[data-total='true'] .number").inner_text()
    assert float(total.replace("−", "-")) == pytest.approx(score.total, abs=5e-5)
    price = decisions[last].price_ticks / 4
    assert abs(float(cell(opened, "price").split()[1]) - price) <= 25
    assert opened.locator(".mia-trips tr").count() == min(8, len(trips))
    assert opened.locator(".mia-signals li").count() == min(
        24, sum(decision.signal is not None for decision in decisions.values())
    )


def test_arming_takes_two_steps_and_disarming_one(opened: Any) -> None:
    disarmed(opened)
    arm(opened)
    until(opened, "document.querySelector('.mia-strip .armed').textContent.startsWith('ARMED')")
    assert opened.locator("dialog[data-sheet='arm']").is_hidden()
    opened.keyboard.press("Escape")
    opened.keyboard.press("Escape")
    until(opened, "document.querySelector('.mia-strip .armed').textContent === 'DISARMED'", 5)


def test_a_wrong_code_arms_nothing(opened: Any) -> None:
    disarmed(opened)
    opened.keyboard.press("a")
    sheet = opened.locator("dialog[data-sheet='arm']")
    sheet.locator("input[name='phrase']").fill("arm es")
    sheet.locator("input[name='account']").fill("DRY-RUN")
    sheet.get_by_role("button", name="Ask for a code").click()
    sheet.locator("input[name='code']").fill("000000x")
    sheet.get_by_role("button", name="Arm", exact=True).click()
    until(
        opened,
        "document.querySelector('dialog[data-sheet=arm] .said').textContent.includes('nothing is armed')",
    )
    sheet.get_by_role("button", name="Close").click()
    assert cell(opened, "armed") == "DISARMED"


def test_two_tabs_show_one_truth(opened: Any, address: str) -> None:
    disarmed(opened)
    other = opened.context.new_page()
    other.goto(address)
    until(other, f"Number({CONSOLE}?.dataset.frames || 0) > 1")
    arm(other)
    until(opened, "document.querySelector('.mia-strip .armed').textContent.startsWith('ARMED')")
    disarmed(opened)
    until(other, "document.querySelector('.mia-strip .armed').textContent === 'DISARMED'")
    other.close()


def test_everything_is_reached_by_keyboard_and_the_focus_is_seen(opened: Any) -> None:
    opened.locator("body").click(position={"x": 1, "y": 1})
    seen: set[str] = set()
    for _ in range(40):
        opened.keyboard.press("Tab")
        seen.add(opened.evaluate("document.activeElement.textContent.trim()"))
    assert {"Arm …", "DISARM", "HALT", "1m", "4h", "Price", "Decision"} <= seen
    opened.keyboard.press("?")
    assert opened.locator("dialog[data-sheet='keys']").is_visible()
    opened.keyboard.press("Escape")


CONTRAST = """
() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const c = rgb(getComputedStyle(n).backgroundColor);
      if (c.length === 3 || c[3] > 0.5) return c;
    }
    return [255, 255, 255];
  };
  const worst = [];
  for (const node of document.querySelectorAll(".mia-console *, #machine *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.offsetParent || node.disabled) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const name = `${node.className || node.tagName} ${node.textContent.slice(0, 20)}`;
    if (ratio < 4.5) worst.push(`${name} ${ratio.toFixed(2)}`);
  }
  return worst;
}
"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("palette", ["classic", "colour_blind"])
def test_text_stands_out_from_its_ground(opened: Any, scheme: str, palette: str) -> None:
    # Without motion: a ground halfway between two schemes is neither's.
    opened.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if palette == "colour_blind":
        opened.keyboard.press("p")
    until(opened, f"{CONSOLE}.dataset.theme === '{scheme}' && {CONSOLE}.dataset.palette === '{palette}'")
    opened.wait_for_timeout(200)
    assert opened.evaluate(CONTRAST) == []
    opened.keyboard.press("a")  # the sheet's words too
    assert opened.locator("dialog[data-sheet='arm']").is_visible()
    assert opened.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [390, 1280, 1440, 1920])
def test_nothing_sticks_out_and_halt_is_in_reach(opened: Any, width: int, tmp_path: Path) -> None:
    opened.set_viewport_size({"width": width, "height": 844 if width < 500 else 900})
    opened.wait_for_timeout(300)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    box = opened.locator(".mia-strip .halt").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 900
    if width < 500:
        assert box["y"] > 700, "within thumb's reach"
        assert box["height"] >= 44
    opened.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"monitor_{width}.png")


def test_halt_asks_once_and_shows_how_it_happens(opened: Any) -> None:
    opened.keyboard.press("h")
    sheet = opened.locator("dialog[data-sheet='halt']")
    assert sheet.is_visible()
    assert cell(opened, "armed") != "HALTED"
    sheet.get_by_role("button", name="HALT now").click()
    until(opened, "document.querySelector('.mia-strip .armed').textContent === 'HALTED'")
    until(opened, "document.querySelectorAll('dialog .steps li').length >= 4")
    steps = sheet.locator(".steps li").all_inner_texts()
    assert "sent" in steps[0]
    assert any("locked" in step for step in steps)
    sheet.get_by_role("button", name="Close").click()
    assert opened.locator(".mia-strip button.arm").is_disabled()


def test_a_dead_loop_is_unknown_and_stale_and_never_its_last_word(opened: Any, played: desk.Loop) -> None:
    played.process.kill()
    until(opened, "document.querySelector('.mia-strip .armed').textContent === 'UNKNOWN'", 15)
    until(opened, f"{CONSOLE}.dataset.stale === 'true'", 15)
    assert "no new frame for" in opened.locator("[data-panel='price'] .since").inner_text()
    assert opened.locator(".mia-strip button.arm").is_disabled()
    assert opened.locator(".mia-strip .disarm").is_enabled()
