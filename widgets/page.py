"""Pieces of HTML in a notebook or a report: tables, verdict boxes, sentences."""

from __future__ import annotations


class Html:
    """Show a piece of HTML as it is; the caller escapes what came from outside.

    Parameters
    ----------
    text : str
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Html({len(self.text)} characters)"
