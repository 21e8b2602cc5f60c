"""What the house tests look at: the project's folder, its tracked files, its parsed sources."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from mia_kernel.cli.checks import tracked_files

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[str, ...]:
    return tuple(tracked_files(ROOT))


@cache
def sources() -> dict[str, ast.Module]:
    """Parsed Python files of the package and the widgets, by path."""
    names = [n for n in files() if n.endswith(".py") and n.startswith(("mia_kernel/", "widgets/"))]
    return {name: ast.parse((ROOT / name).read_text(encoding="utf-8")) for name in names}


@cache
def texts() -> dict[str, str]:
    """Every tracked text file but the locks, by path."""
    found: dict[str, str] = {}
    for name in files():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content[:4096] and not name.startswith("requirements/"):
            found[name] = content.decode("utf-8")
    return found
