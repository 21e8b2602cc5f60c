"""Run a report notebook and turn it into one HTML file that needs nothing else.

How it moves: papermill executes the notebook in a process of its own with the given parameters and keeps
the executed notebook beside the page as the record; its outputs, without the code, go into one page with
the charts' library embedded once. A notebook that fails leaves a page that says FAILED, with the error and
everything that was made before it, and the caller gets an error with its exit code.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from mia_kernel.core.errors import MiaError, OutsideError
from widgets.page import page_script, page_style

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TIMEOUT_S = 900
PRINT_S = 300

_REMOTE = re.compile(r"<script[^>]*\ssrc=[\"']?https?:[^>]*>\s*</script>")
"""plotly asks a server for MathJax with every figure; the page has no formulas and must not ask anybody."""

_FIGURE_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
"""plotly names every figure anew each time; the same journal must give the same page."""

CARD = "application/x-mia-card+json"
"""What a notebook hands over beside its page: a few facts for the index and for messages."""

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class ReportFailed(MiaError):
    """The notebook of a report raised; the page says so."""


@dataclass(frozen=True, slots=True)
class Page:
    """A finished report: the page, the executed notebook beside it, and the PDF where one was asked for."""

    html: Path
    notebook: Path
    pdf: Path | None = None
    card: Mapping[str, Any] = field(default_factory=dict)


def run_report(
    name: str,
    out: Path,
    *,
    parameters: Mapping[str, Any],
    title: str = "MIA report",
    notebooks: Path = NOTEBOOKS,
    pdf: bool = False,
    language: str = "en",
) -> Page:
    """Run `notebooks/<name>.ipynb` and write `out` (an .html path).

    Parameters
    ----------
    name : str
        Notebook without its ending, e.g. `09_daily_review`.
    out : Path
        The page; its folder is made. The executed notebook gets the same name with `.ipynb`.
    parameters : mapping
        Plain values for the cell tagged `parameters`.
    pdf : bool
        Also print the page through a Chromium of this machine.
    language : str
        What the page says it is written in.

    Raises
    ------
    ReportFailed
        If a cell raised; `out` then shows FAILED and what the error was.
    OutsideError
        If the folder cannot be written, the kernel died, or a PDF is asked for and no Chromium is there.
    """
    record = out.with_suffix(".ipynb")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _quiet_kernel():
            papermill.execute_notebook(
                notebooks / f"{name}.ipynb",
                record,
                parameters=dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                log_output=False,
                cwd=notebooks,
                execution_timeout=TIMEOUT_S,
            )
        failure = None
    except PapermillExecutionError as error:
        failure = error
    except (CellTimeoutError, DeadKernelError) as error:
        raise OutsideError(f"{name}: the notebook's kernel ended: {error}; way out: run it again") from error
    except OSError as error:
        raise OutsideError(f"{out}: {error.strerror or error}; way out: make room or choose --out") from error
    executed = nbformat.read(record, 4)
    card = card_of(executed)
    _write(out, renumbered(page(executed, title=title, failure=failure, language=language)))
    if card:
        _write(out.with_suffix(".json"), json.dumps(card, ensure_ascii=False, sort_keys=True, indent=1))
    if failure is not None:
        raise ReportFailed(
            f"{name}: cell {failure.exec_count} failed: {failure.ename}: {failure.evalue}; see {out}"
        )
    return Page(out, record, print_pdf(out) if pdf else None, card)


def card_of(notebook: Any) -> dict[str, Any]:
    """Return the card that an executed notebook handed over, empty where it has none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if CARD in output.get("data", {}):
                return dict(output["data"][CARD])
    return {}


def renumbered(text: str) -> str:
    """Return a page whose generated figure names are counted instead: the same journal, the same bytes."""
    names: dict[str, str] = {}
    return _FIGURE_ID.sub(lambda found: names.setdefault(found[0], f"figure-{len(names) + 1}"), text)


def page(
    notebook: Any, *, title: str, failure: PapermillExecutionError | None = None, language: str = "en"
) -> str:
    """Return the outputs of an executed notebook as one page without code."""
    body = "\n".join(f'<div class="output">{part}</div>' for part in _outputs(notebook))
    failed = ""
    if failure is not None:
        said = html.escape(f"{failure.ename}: {failure.evalue}")
        failed = (
            f'<div class="failed"><h1>FAILED</h1><p>This report is not complete. Cell {failure.exec_count} '
            f"raised:</p><pre>{said}</pre></div>"
        )
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="{html.escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{page_style()}</style></head>"
        f'<body class="mia-page">{failed}{body}<script>{page_script()}</script></body></html>\n'
    )


def _outputs(notebook: Any) -> Iterator[str]:
    """Yield what each code cell showed, richest form first; markdown and code stay in the notebook."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or "remove-output" in cell.metadata.get("tags", ()):
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if "text/html" in data:
                yield _REMOTE.sub("", "".join(data["text/html"]))
            elif output.output_type == "stream":
                yield f"<pre>{html.escape(output.text)}</pre>"
            elif "text/plain" in data and output.output_type == "execute_result":
                yield f"<pre>{html.escape(data['text/plain'])}</pre>"


def print_pdf(source: Path) -> Path:
    """Print a page to PDF beside it through a Chromium of this machine.

    Raises
    ------
    OutsideError
        If none is found or it fails.
    """
    target = source.with_suffix(".pdf")
    browser = find_chromium()
    if browser is None:
        raise OutsideError("no Chromium on this machine; way out: install one, or set BROWSER_PATH to it")
    command = [
        browser,
        "--headless",
        "--disable-gpu",
        "--no-pdf-header-footer",
        "--virtual-time-budget=15000",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")
    command += [f"--print-to-pdf={target}", source.resolve().as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PRINT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"{browser}: {error}; way out: open {source} and print it there") from error
    if done.returncode != 0 or not target.exists():
        raise OutsideError(f"{browser} did not print {source}: {done.stderr.strip()[-300:]}")
    return target


def find_chromium() -> str | None:
    """Return the path of a Chromium: BROWSER_PATH first, then PATH; None where there is none."""
    named = os.environ.get("BROWSER_PATH")
    if named and Path(named).is_file():
        return named
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in CHROMIUMS:
            if (found := Path(folder) / name).is_file():
                return str(found)
    return None


@contextmanager
def _quiet_kernel() -> Iterator[None]:
    """Let the notebook's process draw with the embedded library and find the same packages as this one."""
    wanted = {
        "PLOTLY_RENDERER": "notebook",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(NOTEBOOKS.parent), os.environ.get("PYTHONPATH")])),
    }
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.partial")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutsideError(
            f"{path}: {error.strerror or error}; way out: make room or choose --out"
        ) from error
