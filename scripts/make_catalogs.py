"""Make the compiled sentence catalogs (.mo) from the written ones (.po), and say which sentences are missing.

    python scripts/make_catalogs.py          # after a sentence was added or a translation changed

Sentences are the texts given to `say(...)`, `mark(...)` and `marks(...)` in the package.
"""

from __future__ import annotations

import ast
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

PACKAGE = Path(__file__).resolve().parents[1] / "mia_kernel"


def sentences() -> dict[str, str]:
    """Return every sentence of the code with the file it stands in."""
    found: dict[str, str] = {}
    for path in sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "bootstrap.py"}):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("say", "mark", "marks")
            ):
                for text in node.args:
                    if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value:
                        found.setdefault(text.value, path.relative_to(PACKAGE).as_posix())
    return found


def catalog(path: Path) -> Catalog:
    """Return a written catalog."""
    with path.open("rb") as handle:
        return read_po(handle)


def compiled(path: Path) -> bytes:
    """Return the compiled form of a written catalog."""
    out = io.BytesIO()
    found = catalog(path)
    # The same sentences must give the same bytes, whenever they are compiled.
    found.creation_date = found.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(out, found)
    return out.getvalue()


def main() -> int:
    """Compile every catalog; 1 where one lacks a sentence."""
    known, missing = sentences(), 0
    for path in sorted(PACKAGE.glob("locale/*/LC_MESSAGES/*.po")):
        have = {str(message.id) for message in catalog(path) if message.id and message.string}
        for text, place in known.items():
            if text not in have:
                missing += 1
                print(f"{path.parents[1].name}: not translated ({place}): {text}")
        path.with_suffix(".mo").write_bytes(compiled(path))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
