"""The `%mia` magic: `%%mia sql` asks the catalog from a cell; further words join the table `COMMANDS`.

    %load_ext mia_kernel
    %%mia sql
    SELECT day, count(*) AS bars FROM bars GROUP BY day ORDER BY day

    %mia status          the guardian's word; also arm, confirm, disarm, halt, why, why_not

A word gets the rest of its line and the cell's text (None for a line magic) and answers what the cell shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mia_kernel.core.errors import InputError
from mia_kernel.desk.holdings import sql
from mia_kernel.desk.words import Words

Command = Callable[[str, str | None], Any]


def _sql(rest: str, cell: str | None) -> Any:
    query = (cell if cell is not None else rest).strip()
    if not query:
        raise InputError("no query", field="cell", value="", rule="SQL below `%%mia sql`")
    return sql(query)


_words = Words()


def _of_the_loop(word: str) -> Command:
    return lambda rest, cell: _words.say(f"{word} {rest}")


COMMANDS: dict[str, Command] = {"sql": _sql, **{word: _of_the_loop(word) for word in _words.rows}}
"""Word behind `%mia` to what it does."""


def mia(line: str, cell: str | None = None) -> Any:
    """Run one word of the magic.

    Raises
    ------
    InputError
        If the word is not known.
    """
    word, _, rest = line.strip().partition(" ")
    if word not in COMMANDS:
        raise InputError(
            "no such word behind %mia", field="word", value=word, rule="one of " + ", ".join(COMMANDS)
        )
    return COMMANDS[word](rest.strip(), cell)


def register(ipython: Any) -> None:
    """Register the magic with a running IPython."""
    ipython.register_magic_function(mia, "line_cell", "mia")
