"""The walls: one door to numba, budgets of size, no blanket except, no path of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from mia_kernel.cli.checks import run_tool, script
from tests.contract.project import ROOT, sources, texts

pytestmark = pytest.mark.unit

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60
KEPT_LONG: dict[str, str] = {}
"""path or path:function -> why it may be longer."""


def test_import_contracts_hold() -> None:
    code, text = run_tool(script("lint-imports"), ROOT)
    assert code == 0, text


def test_only_the_kernel_door_imports_numba() -> None:
    importers = [name for name, tree in sources().items() if "numba" in _imported(tree)]
    assert importers == ["mia_kernel/core/kernel.py"]


def test_every_room_says_what_it_does() -> None:
    silent = [name for name, tree in sources().items() if not ast.get_docstring(tree)]
    assert silent == []


def test_files_stay_small_enough_to_read() -> None:
    long = [
        f"{name}: {text.count(chr(10))} lines"
        for name, text in texts().items()
        if name in sources() and text.count("\n") > MOST_FILE_LINES and name not in KEPT_LONG
    ]
    assert long == [], f"budget {MOST_FILE_LINES}: split by noun"


def test_functions_stay_small_enough_to_read() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}: {lines} lines"
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _lines(node)) > MOST_FUNCTION_LINES
        and f"{name}:{node.name}" not in KEPT_LONG
    ]
    assert long == [], f"budget {MOST_FUNCTION_LINES} without the docstring"


def test_nothing_catches_everything() -> None:
    blanket = [
        f"{name}:{node.lineno}"
        for name, tree in sources().items()
        if name != "mia_kernel/runtime.py"  # its outermost loop may, once
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
        and not _raises_again(node)
    ]
    assert blanket == []


def test_no_unfinished_work_is_left_behind() -> None:
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    left = [
        f"{name}:{number}"
        for name, text in texts().items()
        if name.endswith(".py")
        for number, line in enumerate(text.splitlines(), 1)
        if words.search(line)
    ]
    assert left == []


def test_no_file_names_one_machine_or_a_package_host() -> None:
    hosts = (
        "pypi" + r"\.org",
        "python" + r"hosted\.org",
        "registry" + r"\.npmjs",
        r"https?://[^ ]+(/simple\b|\.whl|\.tgz|\.deb)",
    )
    homes = (
        r"/home/[a-z]+/",
        r"/ro" + "ot/",
        r"/Us" + "ers/",
        re.escape(str(ROOT)),
        re.escape(str(ROOT.parent)) + "/",
    )
    pattern = re.compile("|".join((*hosts, *homes)))
    named = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert named == []


def test_every_test_file_carries_an_area() -> None:
    areas = re.compile(r"pytest\.mark\.(unit|integration|performance|safety|orderflow|options)\b")
    bare = [
        name
        for name, text in texts().items()
        if re.search(r"(^|/)test_\w+\.py$", name) and name.startswith("tests/") and not areas.search(text)
    ]
    assert bare == [], "pytestmark = pytest.mark.unit (or another area)"


def test_unit_tests_mirror_the_rooms() -> None:
    rooms = {path.parent.name for path in (ROOT / "mia_kernel").glob("*/__init__.py")} | {"widgets"}
    folders = {
        name.split("/")[2] for name in texts() if name.startswith("tests/unit/") and name.count("/") > 2
    }
    assert folders <= rooms


@pytest.mark.integration
def test_importing_everything_opens_no_connection() -> None:
    script_text = """
import importlib, pkgutil, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise SystemExit(f"{event} {arguments} while importing")
sys.addaudithook(refuse)
import mia_kernel, widgets
count = 0
for package in (mia_kernel, widgets):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        count += 1
print(count)
"""
    done = subprocess.run([sys.executable, "-c", script_text], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 20


def _raises_again(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or 0) - node.lineno + 1
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines
