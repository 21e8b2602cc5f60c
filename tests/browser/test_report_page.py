"""`mia report daily` as a person meets it: one file, offline, dark, light and on paper; a failure is visible."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.adapters.papermill_report import Page, ReportFailed, find_chromium, print_pdf, run_report
from tests.fakes import journals

pytestmark = [pytest.mark.integration, pytest.mark.browser]

NAME = "09_daily_review"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of an invented day, made by the real notebook from a real journal."""
    folder = tmp_path_factory.mktemp("report")
    found = journals.decisions(400)
    trips, reports = journals.round_trips(found)
    with JournalWriter(folder / "day.sqlite", live=False) as writer:
        writer.open_run(journals.header())
        writer.append(found)
        writer.append_reports(reports)
        writer.append_round_trips(trips)
        writer.close({"digest": "d" * 64})
    return run_report(
        NAME, folder / "day.html", parameters={"journal": str(folder / "day.sqlite")}, title="a day"
    )


def visit(page: Any, file: Path, scheme: str) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.url.startswith("http") else None)
    page.emulate_media(color_scheme=scheme)
    page.goto(file.as_uri())
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length > 0")
    return asked


def test_the_file_names_no_server_it_would_ask(report: Page) -> None:
    text = report.html.read_text("utf-8")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']?https?:", text)
    assert "<code>mia</code>" not in text
    assert "widgets.Html(" not in text, "code must not show"
    assert report.notebook.exists()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_draws_offline_in_both_themes(page: Any, report: Page, scheme: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.context.set_offline(True)
    asked = visit(page, report.html, scheme)
    assert page.locator(".js-plotly-plot").count() == 1
    assert page.locator(".js-plotly-plot .cartesianlayer .trace").count() >= 6
    assert asked == []
    assert errors == []
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == ("rgb(18, 21, 27)" if scheme == "dark" else "rgb(255, 255, 255)")
    expected = "rgb(195, 201, 212)" if scheme == "dark" else "rgb(58, 67, 79)"
    tick = page.locator(".js-plotly-plot .ytick text").first
    assert tick.evaluate("e => getComputedStyle(e).fill") == expected


def test_the_page_answers_in_the_order_a_person_asks(page: Any, report: Page) -> None:
    visit(page, report.html, "light")
    heads = page.locator("h1, h2").all_inner_texts()
    assert heads[0] == "ESH6 · Wednesday 25 February 2026"
    assert heads[1:] == [
        "Trades",
        "What the gates saved and cost",
        "What worked",
        "The mentor",
        "Rules",
        "Fills, taken apart",
        "What was refused, and by which gate",
        "Option gamma",
        "What was known",
        "Data quality",
        "Integrity",
        "Provenance",
    ]
    assert page.locator(".js-plotly-plot", has_text="SYNTHETIC").count() == 1
    page.locator("details summary").first.click()
    assert "sum" in page.locator("details pre").first.inner_text()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_sticks_out_of_the_page(page: Any, report: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    visit(page, report.html, "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_the_chart_is_whole(report: Page) -> None:
    assert find_chromium() is not None
    pdf = print_pdf(report.html)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert pdf.stat().st_size > 20_000


def test_a_failing_report_is_visible_and_an_error(page: Any, tmp_path: Path) -> None:
    out = tmp_path / "broken.html"
    with pytest.raises(ReportFailed, match="no such journal") as caught:
        run_report(NAME, out, parameters={"journal": str(tmp_path / "missing.sqlite")})
    assert caught.value.exit_code == 1
    page.goto(out.as_uri())
    assert page.locator(".failed h1").inner_text() == "FAILED"
    assert "no such journal" in page.locator(".failed pre").inner_text()
