"""Small pieces of HTML for reports: escaped text, tables, fact lists. No styling is decided here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mia_kernel.analytics.say import Say, plain


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: text already escaped, and the class that tells its meaning (`num`, `up`, `down`, `faint`)."""

    text: str
    kind: str = ""


def esc(value: object) -> str:
    """Return text safe to stand between tags; None becomes an em dash."""
    return "—" if value is None else html.escape(str(value))


def number(value: float | None, form: str = ",.2f", *, unit: str = "", signed: bool = False) -> Cell:
    """Return a right-aligned number; unknown is an em dash; `signed` colours it by its sign."""
    if value is None or value != value:
        return Cell("—", "num faint")
    value = round(value, 12) + 0.0  # −0.0 is printed as 0
    text = format(value, ("+" if signed else "") + form).replace("-", "−") + (f" {unit}" if unit else "")
    kind = "num" + ((" up" if value > 0 else " down" if value < 0 else "") if signed else "")
    return Cell(text, kind)


def text(value: object, kind: str = "") -> Cell:
    """Return an escaped text cell."""
    return Cell(esc(value), kind)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    numeric: Iterable[int] = (),
    faint: Iterable[int] = (),
    say: Say = plain,
) -> str:
    """Return an HTML table; `numeric` columns have right-aligned heads, `faint` rows are greyed.

    Heads are in the language of the code; `say` translates them.
    """
    right, grey = set(numeric), set(faint)
    head = "".join(
        f'<th{" class=num" if i in right else ""} scope="col">{esc(say(h))}</th>' for i, h in enumerate(heads)
    )
    body = "".join(
        f"<tr{' class=faint' if i in grey else ''}>"
        + "".join(f'<td class="{c.kind}">{c.text}</td>' if c.kind else f"<td>{c.text}</td>" for c in row)
        + "</tr>"
        for i, row in enumerate(rows)
    )
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="mia-scroll"><table class="mia-table">{inside}</table></div>'


def facts(pairs: Iterable[tuple[str, str]], say: Say = plain) -> str:
    """Return a list of names and values; names are translated by `say`, values are escaped by the caller."""
    inside = "".join(f"<div><dt>{esc(say(name))}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="mia-facts">{inside}</dl>'


def section(title: str, body: str, *, note: str = "") -> str:
    """Return a titled block with an optional sentence under the title."""
    small = f'<p class="mia-note">{esc(note)}</p>' if note else ""
    return f'<section class="mia"><h2>{esc(title)}</h2>{small}{body}</section>'


def unfold(summary: str, body: str) -> str:
    """Return a line that unfolds to preformatted text."""
    return f"<details><summary>{summary}</summary><pre>{esc(body)}</pre></details>"
