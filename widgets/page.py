"""Pieces of HTML in a notebook or a report: tables, verdict boxes, sentences, and the style they share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from widgets import theme

STATIC = Path(__file__).parent / "static"


class Html:
    """Show a piece of HTML as it is; the caller escapes what came from outside.

    Parameters
    ----------
    text : str
    title : str, optional
        A heading over it.
    note : str, optional
        A quiet sentence under the heading.
    """

    def __init__(self, text: str, *, title: str = "", note: str = "") -> None:
        head = f"<h2>{title}</h2>" if title else ""
        small = f'<p class="mia-note">{note}</p>' if note else ""
        # A heading over nothing would look like something that got lost.
        self.text = (
            f'<section class="mia">{head}{small}{text}</section>' if text and (head or small) else text
        )

    def _repr_html_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Html({len(self.text)} characters)"


class Card:
    """Hand a few facts of a page to whoever made it run: the archive's index, a message. Nothing is shown.

    Parameters
    ----------
    facts : mapping
        Plain values.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = dict(facts)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"application/x-mia-card+json": self.facts, "text/plain": ""}


def style() -> Html:
    """Return the style of the pieces, to be shown once at the top of a page."""
    return Html(f"<style>{(STATIC / 'report.css').read_text('utf-8')}</style>")


def page_style() -> str:
    """Return the style of a whole report page: its own surface, paper and print rules, after `style`."""
    return (STATIC / "report.css").read_text("utf-8") + (STATIC / "report_page.css").read_text("utf-8")


def page_script() -> str:
    """Return the script that turns a report's charts to the page's theme and to paper."""
    marks = json.dumps(theme.LIGHT_MARKS)
    return (STATIC / "report.js").read_text("utf-8").replace("/*LIGHT_MARKS*/{}", marks)
