"""The report's page without running a notebook: outputs only, nothing remote, failures on top."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from mia_kernel.adapters import papermill_report
from mia_kernel.core.errors import OutsideError

pytestmark = pytest.mark.unit


def book(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("# heading"), *cells]
    return notebook


def cell(*outputs: nbformat.NotebookNode, tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    made = nbformat.v4.new_code_cell("secret_code = 1", outputs=list(outputs))
    made.metadata["tags"] = list(tags)
    return made


def html(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data={"text/html": text, "text/plain": "plain"})


def test_a_page_shows_outputs_and_no_code() -> None:
    page = papermill_report.page(
        book(cell(html("<b>shown</b>")), cell(html("hidden"), tags=("remove-output",))), title="A <day>"
    )
    assert "<b>shown</b>" in page
    for absent in ("secret_code", "hidden", "plain", "heading"):
        assert absent not in page
    assert "<title>A &lt;day&gt;</title>" in page


def test_a_page_asks_no_server() -> None:
    figure = (
        '<script src="https://cdn.example/mathjax.js"></script><div>chart</div><script>var a = 1;</script>'
    )
    page = papermill_report.page(book(cell(html(figure))), title="t")
    assert "cdn.example" not in page
    assert "<div>chart</div><script>var a = 1;</script>" in page


def test_text_is_escaped() -> None:
    stream = nbformat.v4.new_output("stream", text="a < b")
    result = nbformat.v4.new_output("execute_result", data={"text/plain": "<x>"}, execution_count=1)
    page = papermill_report.page(book(cell(stream, result)), title="t")
    assert "<pre>a &lt; b</pre>" in page
    assert "<pre>&lt;x&gt;</pre>" in page


def test_a_failure_stands_on_top() -> None:
    failure = SimpleNamespace(ename="InputError", evalue="no <journal>", exec_count=3)
    page = papermill_report.page(book(cell(html("before"))), title="t", failure=failure)  # type: ignore[arg-type]
    assert page.index("FAILED") < page.index("before")
    assert "InputError: no &lt;journal&gt;" in page


def test_a_pdf_without_chromium_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    with pytest.raises(OutsideError, match="no Chromium"):
        papermill_report.print_pdf(tmp_path / "a.html")
    browser = tmp_path / "chromium"
    browser.write_text("")
    assert papermill_report.find_chromium() == str(browser)


def test_a_folder_that_cannot_be_made_is_an_outside_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError, match="way out"):
        papermill_report.run_report("09_daily_review", tmp_path / "file" / "a.html", parameters={})
