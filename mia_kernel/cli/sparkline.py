"""A line chart of characters: eight dots a cell, so a day fits into a corner of the terminal."""

from __future__ import annotations

from collections.abc import Sequence

BLANK = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of the dot in row 0-3 (downwards) and column 0-1 of a braille cell."""


def braille(values: Sequence[float], *, width: int, height: int) -> str:
    """Return `values` as a line in `height` rows of `width` characters.

    Parameters
    ----------
    values : sequence of float
        Finite; more values than dots are thinned to the last of each dot's share.
    width, height : int
        Characters.

    Returns
    -------
    str
        `height` lines joined by newlines; blank without values.
    """
    cells = [[0] * width for _ in range(height)]
    columns, rows = width * 2, height * 4
    if values:
        low, high = min(values), max(values)
        span = (high - low) or 1.0
        n = min(columns, len(values))
        picked = [values[(i + 1) * len(values) // n - 1] for i in range(n)]
        previous = None
        for x, value in enumerate(picked):
            y = rows - 1 - round((value - low) / span * (rows - 1))
            start = y if previous is None else previous
            for dot in range(min(start, y), max(start, y) + 1):
                if dot != start or dot == y:
                    cells[dot // 4][x // 2] |= DOTS[dot % 4][x % 2]
            previous = y
    return "\n".join("".join(chr(BLANK + cell) for cell in row) for row in cells)
