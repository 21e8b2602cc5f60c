"""What is in sight on a laptop: the console at the sizes a notebook gives it, with and without a book, folded and not.

The page is held still on one frame of a running loop, so that a test can say what the frame holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import desk, live_page
from tests.browser.desk import until

pytestmark = [pytest.mark.integration, pytest.mark.browser]

LOW, LAPTOP = (1230, 585), (1390, 765)
"""px of the console in JupyterLab at 1280 x 720 and 1440 x 900: `live_page.fits_the_page` holds the notebook to it."""

STILL = """
() => {
  const link = window.miaDesk.link;
  link.close();
  window.kept = link.frame;
  window.word = { ...link.guardian() };
  window.put = (change, word = {}) => {
    link.frame = { ...window.kept, live: false, ...change };
    link.frameAt = performance.now();
    link.status = { known: true, age_s: 0, guardian: { ...window.word, ...word } };
    link.statusAt = performance.now() + 60000;
    link.open = true;
    window.miaDesk.show();
  };
  window.signal = (n) => ({ sequence: n, ts: link.frame.ts_event, side: 1, grade: "WEAK", percent: 57.5, entry: 5000.25,
    stop: 4998, target: 5004, allowed: n === 3, qty: 1, code: "coverage",
    sentence: "Refused: coverage 0.58 is under 0.60, and 2 more; a NQ feed would add 0.10." });
  window.put({});
}
"""


@pytest.fixture(scope="module")
def still(browser: Any, loop: desk.Loop) -> Iterator[Any]:
    page = browser.new_context().new_page()
    errors = live_page.listen(page)
    with desk.page_server(loop.home) as address:
        page.goto(address)
        until(
            page, "window.miaDesk?.link.frame?.ladder?.bid.length > 0 && window.miaDesk.link.guardian()", 60
        )
        page.evaluate(STILL)
        yield page
        assert live_page.ours(errors) == []
        page.context.close()


def sized(page: Any, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate(
        "h => { const d = document.getElementById('desk'); d.style.minHeight = '0'; d.style.height = `${h}px`; }",
        size[1],
    )
    page.evaluate("() => window.put({})")
    page.wait_for_timeout(150)


def box(page: Any, name: str) -> dict[str, float]:
    found = page.locator(f".mia-panel[data-panel='{name}']").bounding_box()
    assert found is not None, f"{name} is not shown"
    return found


@pytest.mark.parametrize(("size", "least"), [(LOW, 2.5), (LAPTOP, 4.0)])
def test_several_signals_are_in_sight(still: Any, size: tuple[int, int], least: float) -> None:
    sized(still, size)
    still.evaluate("() => window.put({ signals: [5, 4, 3, 2, 1].map(window.signal) })")
    seen = still.evaluate(
        "() => { const b = document.querySelector('[data-panel=signals] .mia-body'), l = b.querySelectorAll('li');"
        " const end = b.getBoundingClientRect().bottom; return [...l].map((one) => one.getBoundingClientRect())"
        " .reduce((n, at) => n + Math.max(0, Math.min(1, (end - at.top) / at.height)), 0); }"
    )
    assert seen >= least
    newest = still.locator(".mia-signals li p").first.evaluate("p => p.scrollHeight - p.clientHeight")
    assert newest <= 0, "the newest reason is cut"


@pytest.mark.parametrize("size", [LOW, LAPTOP])
def test_components_battle_and_limits_are_seen_without_scrolling(still: Any, size: tuple[int, int]) -> None:
    sized(still, size)
    assert still.locator(".mia-waterfall li").count() >= 12
    for place in (".mia-waterfall", "[data-panel='battle'] .mia-body", "[data-panel='decision'] .mia-body"):
        high, shown = still.evaluate(
            "s => { const n = document.querySelector(s); return [n.scrollHeight, n.clientHeight]; }", place
        )
        assert high <= shown + 1, place
    still.evaluate(
        "() => window.put({ decision: { ...window.kept.decision, grade: 'NO_TRADE', side: -1, percent: 58.94 } })"
    )
    time = still.locator(".mia-grade .time").bounding_box()
    frame = box(still, "decision")
    assert time["x"] + time["width"] <= frame["x"] + frame["width"], "the decision's time is cut"
    body = still.locator("[data-panel='account'] .mia-body").bounding_box()
    last = still.locator(".mia-limits li").last.bounding_box()
    assert last["y"] + last["height"] <= body["y"] + body["height"] + 1


@pytest.mark.parametrize("size", [LOW, LAPTOP])
def test_the_ladder_shows_as_much_of_both_sides_about_the_touch(still: Any, size: tuple[int, int]) -> None:
    sized(still, size)
    sides = [side.split()[0] for side in still.evaluate(
        "() => [...document.querySelectorAll('.mia-ladder tbody tr')].map((row) => row.className)")]  # fmt: skip
    half = len(sides) // 2
    assert half >= 3
    assert sides == ["ask"] * half + ["bid"] * half
    shown = still.evaluate("() => document.querySelector('[data-panel=ladder] .mia-body').scrollHeight")
    assert shown <= box(still, "ladder")["height"]


def test_without_a_book_price_gets_the_room_of_ladder_and_depth(still: Any) -> None:
    sized(still, LAPTOP)
    before = box(still, "price")
    still.evaluate(
        "() => { const none = { bid: [], ask: [], bid_size: [], ask_size: [] };"
        " window.put({ ladder: none, depth: { ...window.kept.depth, ts: [] } }); }"
    )
    assert still.locator(".mia-panel[data-panel='ladder']").is_hidden()
    assert still.locator(".mia-panel[data-panel='depth']").is_hidden()
    assert "no order book" in still.locator(".nobook").inner_text()
    assert box(still, "price")["width"] >= before["width"] + 200
    assert box(still, "battle")["y"] == pytest.approx(box(still, "delta")["y"])
    still.evaluate("() => window.put({})")
    assert box(still, "price")["width"] == before["width"]
    assert box(still, "battle")["x"] == box(still, "ladder")["x"]


@pytest.mark.parametrize(
    ("folded", "gains", "side"),
    [("mentor", "decision", "height"), ("depth", "delta", "width"), ("ladder", "battle", "height"),
     ("price", "depth", "height")],
)  # fmt: skip
def test_a_folded_panel_gives_its_room_to_its_neighbour(
    still: Any, folded: str, gains: str, side: str
) -> None:
    sized(still, LAPTOP)
    before = box(still, gains)[side]
    fold = still.locator(f".mia-panel[data-panel='{folded}'] .fold")
    fold.click()
    assert box(still, folded)[side] <= 30
    assert box(still, gains)[side] > before + 15
    fold.click()
    assert box(still, gains)[side] == pytest.approx(before)


def test_walls_are_named_with_price_whose_chain_it_is_and_how_old(still: Any) -> None:
    sized(still, LOW)
    still.evaluate(
        "() => { const at = (name, price) => ({ name, price, family: 'gamma', style: 'solid', weight: 1, touches: 0,"
        " fresh: true }); const ts = window.kept.ts_event;"
        " window.put({ levels: [at('call_wall', 9000.25), at('gamma_flip', 1001.5), at('put_wall', 1000)],"
        " gamma: { as_of: ts - 240e9, source: 'a chain of this test', fresh: true, quality: 0.5, net_usd: -8.1e10,"
        " dealers: -1, put_call_ratio: null } }); }"
    )
    said = still.locator("[data-panel='price'] .gamma")
    assert said.inner_text() == "net gamma −81.00 bn USD per 1 %, dealers short gamma, 4 min old"
    assert said.get_attribute("title").startswith("from a chain of this test, quotes of ")
    label = still.locator("[data-panel='price'] canvas").get_attribute("aria-label")
    assert label.endswith(", Call wall 9000.25, Flip 1001.50, Put wall 1000.00")
    still.wait_for_timeout(200)
    violet = still.evaluate(
        "() => { const c = document.querySelector('[data-panel=price] canvas'), d = c.getContext('2d');"
        " const near = (y) => { const p = d.getImageData(0, y, c.width, 24).data; let n = 0;"
        " for (let i = 0; i < p.length; i += 4) n += p[i + 2] > p[i] + 25 && p[i] > p[i + 1] + 15; return n; };"
        " return [near(6), near(c.height - 52)]; }"
    )
    assert min(violet) > 20, "both edges name what lies behind them"
    still.evaluate("() => window.put({})")


def test_a_position_says_of_which_contract(still: Any) -> None:
    sized(still, LAPTOP)
    still.evaluate(
        "() => window.put({ money: { ...window.kept.money, position: 4, symbols: ['MES'], average: 5000.25 } },"
        " { mode: 'dry-run', position: null })"
    )
    assert still.locator(".mia-strip .position").inner_text() == "LONG 4 MES"
    assert (
        still.locator("[data-panel='account'] .mia-position .position").inner_text()
        == "LONG 4 MES at 5000.25"
    )


def test_what_speaks_against_arming_is_seen_in_the_sheet(still: Any) -> None:
    still.evaluate(
        "() => { const of = (n, level, text) => ({ alert_id: n, ts: 0, level, code: 'x', text, acknowledged: false });"
        " window.put({}, { alerts: [of(7, 'critical', 'the engine is silent'), of(8, 'info', 'no matter')] }); }"
    )
    still.locator(".mia-strip button.arm").click()
    sheet = still.locator("dialog[data-sheet='arm']")
    assert [text.split()[-2:] for text in sheet.locator(".unseen .text").all_inner_texts()] == [
        ["is", "silent"]
    ]
    asked: list[Any] = []
    still.route(
        "**/command/acknowledge",
        lambda route: (
            asked.append(route.request.post_data_json),
            route.fulfill(json={"kind": "error", "text": "of a test"}),
        ),
    )
    sheet.get_by_role("button", name="Seen").click()
    still.wait_for_timeout(200)
    still.unroute("**/command/acknowledge")
    assert asked == [{"alert_id": 7}]
    sheet.get_by_role("button", name="Close").click()


@pytest.mark.safety
def test_words_from_outside_are_shown_and_never_run(still: Any) -> None:
    sized(still, LAPTOP)
    hostile = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>\u202e=cmd()"
    still.evaluate(
        "text => { const one = { ...window.signal(9), sentence: text, grade: text, code: text };"
        " window.put({ contract: text, source_name: text, signals: [one],"
        " decision: { ...window.kept.decision, why_not: text, grade: text,"
        " refusals: [{ code: text, sentence: text, level: 'blocking' }] } },"
        " { account: text, last_reason: text, phrase: text,"
        " alerts: [{ alert_id: 9, ts: 0, level: 'critical', code: text, text, acknowledged: false }] }); }",
        hostile,
    )
    still.locator(".mia-strip button.arm").click()
    still.wait_for_timeout(300)
    assert still.evaluate("() => window.hit") is None
    assert (
        still.evaluate("() => document.querySelectorAll('.mia-console img, .mia-console script').length") == 0
    )
    for place in (".mia-why", ".mia-signals p", ".unseen .text", ".allows", ".mia-strip .price"):
        assert "<img src=x" in still.locator(place).first.inner_text(), place
    still.locator("dialog[data-sheet='arm']").get_by_role("button", name="Close").click()
