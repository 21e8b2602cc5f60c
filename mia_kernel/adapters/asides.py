"""Tell files that lie beside market data and hold none: prose, a vendor's account of a download, a broker's statement.

Only a file whose content no reader knows is asked about, so a table is read whatever its name is. Met in a folder such
a file is passed over with a word; meant by name it is refused, as every other content nobody knows.
"""

from __future__ import annotations

from pathlib import Path

_PROSE = frozenset(
    ".md .rst .pdf .htm .html .doc .docx .rtf .xlsx .py .ipynb .cpp .h .dll .png .jpg .jpeg .gif .svg .ini .cfg .toml "
    ".yaml .yml .log .url .lnk .md5 .sha1 .sha256".split()
)
_NAMES = frozenset(("readme", "license", "notice", "changelog", "sha256sums", "md5sums"))
_DATABENTO = frozenset(("condition.json", "manifest.json", "metadata.json", "symbology.json"))
_SIERRA = frozenset(".cht .stdycollct .twconfig .symbolsettings .tradeactivitylog".split())
_STATEMENTS = (b"<FlexQueryResponse", b"Statement,Header,Field Name")
_HEAD = 4_096


def aside(file: Path) -> str | None:
    """Return what a file beside the data is, in words; None where it may be market data."""
    name, suffix = file.name.lower(), file.suffix.lower()
    if name in _DATABENTO:
        return "Databento's account of a download, no market data"
    if suffix in _SIERRA:
        return "a chart or settings of Sierra, no market data"
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return None
    if any(mark in head for mark in _STATEMENTS):
        return "a broker's statement, no market data"
    if suffix in _PROSE or name in _NAMES or file.stem.lower() in ("readme", "license"):
        return "prose, a program or a picture, no market data"
    return None
