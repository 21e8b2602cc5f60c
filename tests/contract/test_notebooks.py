"""Laws of the notebooks: thin, parameterised, through the front door, without outputs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.unit

PAGES = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
DOORS = {"mia_kernel": "mia", "widgets": None}
MAX_LINES = 12


def code(page: Path) -> list[Any]:
    return [cell for cell in nbformat.read(page, 4).cells if cell.cell_type == "code"]


def parsed(cell: Any) -> ast.Module:
    """The Python of a cell; its lines of magic are IPython's."""
    return ast.parse("\n".join(line for line in cell.source.splitlines() if not line.startswith("%")))


def tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_the_pages_of_this_version_exist() -> None:
    assert {"00_tour", "06_replay", "09_daily_review"} <= {page.stem for page in PAGES}


def test_the_first_code_cell_holds_the_parameters(page: Path) -> None:
    first = code(page)[0]
    assert "parameters" in tags(first)
    for node in parsed(first).body:
        assert isinstance(node, ast.Assign)
        assert isinstance(ast.literal_eval(node.value), str | int | float | bool | None)


def test_cells_are_thin_and_define_nothing(page: Path) -> None:
    for cell in code(page):
        assert len(cell.source.splitlines()) <= MAX_LINES
        if "example" not in tags(cell):
            defined = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.Lambda)
            assert not [node for node in ast.walk(parsed(cell)) if isinstance(node, defined)]


def test_imports_go_through_the_front_door(page: Path) -> None:
    for cell in code(page):
        for node in ast.walk(parsed(cell)):
            assert not isinstance(node, ast.ImportFrom), "names come from `mia.` and `widgets.`"
            if isinstance(node, ast.Import):
                assert all(DOORS.get(alias.name, "no") == alias.asname for alias in node.names)


def test_nothing_is_kept_but_source(page: Path) -> None:
    book = nbformat.read(page, 4)
    assert "widgets" not in book.metadata
    for cell in code(page):
        assert cell.outputs == []
        assert cell.execution_count is None
