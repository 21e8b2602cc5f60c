"""Read levels other services publish: a wide table with a symbol a row, or the string for a chart.

How it moves: names are brought to one spelling and known synonyms to one kind; what is not known is kept under its
own name, so nothing is lost and nothing is guessed. Prices are those of the symbol that stands beside them.
"""

from __future__ import annotations

import csv
import io
import re

from mia_kernel.core.errors import FormatError

KINDS = {
    "call wall": "call_wall",
    "call resistance": "call_wall",
    "put wall": "put_wall",
    "put support": "put_wall",
    "zero gamma": "zero_gamma",
    "gamma flip": "zero_gamma",
    "volatility trigger": "vol_trigger_proxy",
    "vol trigger": "vol_trigger_proxy",
    "hvl": "hvl",
    "high vol level": "hvl",
    "key gamma strike": "absolute_gamma_strike",
    "absolute gamma strike": "absolute_gamma_strike",
}
"""Vendor's word to the key of `mia options levels`: what can be compared."""

_SYMBOL = ("symbol", "ticker", "sym")
_PAIRS = re.compile(r"^\$?(?P<symbol>[A-Z0-9!.]{1,8})\s*:\s*(?P<rest>.+)$")


def read_vendor_levels(data: bytes, path: str) -> dict[str, dict[str, float]]:
    """Return level prices by symbol and kind.

    Two shapes are read: a table whose header has `symbol` and level names, and lines
    `$SPX: Call Resistance, 4300, Put Support, 4000, …`.

    Raises
    ------
    FormatError
        If it is neither, or a price is no number.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("not UTF-8 text", path=path, offset=error.start) from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and _PAIRS.match(lines[0]):
        return {found[0]: found[1] for found in (_pairs(line, path, n + 1) for n, line in enumerate(lines))}
    rows = csv.DictReader(io.StringIO("\n".join(lines)))
    names = {name: (name or "").strip().lower() for name in rows.fieldnames or ()}
    symbol = next((name for name, plain in names.items() if plain in _SYMBOL), None)
    if symbol is None or not set(names.values()) & set(KINDS):
        raise FormatError("no table of levels", path=path, value=text[:60],
                          rule="a column `symbol` and one of " + ", ".join(KINDS))  # fmt: skip
    out: dict[str, dict[str, float]] = {}
    for row in rows:
        found = {
            KINDS.get(plain, plain.replace(" ", "_")): _price(row[name], path, rows.line_num, plain)
            for name, plain in names.items()
            if plain in KINDS and (row[name] or "").strip()
        }
        out[(row[symbol] or "").strip().lstrip("$").upper()] = found
    return out


def _pairs(line: str, path: str, number: int) -> tuple[str, dict[str, float]]:
    match = _PAIRS.match(line)
    parts = [part.strip() for part in match["rest"].split(",")] if match else []
    if match is None or len(parts) % 2:
        raise FormatError("names and prices do not come in pairs", path=path, line=number, value=line[:60],
                          rule="$SPX: Call Resistance, 4300, Put Support, 4000")  # fmt: skip
    found: dict[str, float] = {}
    for name, price in zip(parts[::2], parts[1::2], strict=True):
        kind = KINDS.get(name.lower(), name.lower().replace(" ", "_"))
        found[kind] = _price(price, path, number, name)
    return match["symbol"], found


def _price(text: str | None, path: str, line: int, name: str) -> float:
    try:
        price = float((text or "").replace(",", "").replace("$", ""))
    except ValueError:
        price = 0.0
    if not price > 0:
        raise FormatError(
            "not a price", path=path, line=line, field=name, value=text, rule="a number above 0"
        )
    return price
