"""Keep the archive of pages: one index over all of them, newest first, from the cards that lie beside the pages."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import get_ident
from typing import Any

from mia_kernel.core.errors import OutsideError
from mia_kernel.core.session_table import NEW_YORK
from widgets.page import page_style

KINDS = ("daily", "weekly", "postmortem", "model")
NUM = " class=num"
OF_THE_LIST = (
    ".mia .mia-table td:nth-child(2) { white-space: nowrap; } "
    ".mia .mia-table td:nth-child(3) { overflow-wrap: anywhere; min-width: 14ch; } "
    ".mia .mia-table td:nth-child(7) { min-width: 24ch; }"
)
"""What only the list of pages needs of style: a title on one line, a long file name in pieces."""

Say = Callable[[str], str]
"""Puts a text of the index into the reader's language."""


def as_it_is(text: str) -> str:
    """Return the text: English is the language of the code."""
    return text


def heads(say: Say) -> tuple[tuple[str, str], ...]:
    """Return the heads of the list with what their columns hold."""
    return (
        ("", ""),
        (say("page"), ""),
        (say("source"), ""),
        (say("trades"), NUM),
        (say("net USD"), NUM),
        (say("R per trade"), NUM),
        (say("rules"), ""),
        (say("parity"), ""),
        (say("next"), ""),
    )


def names(say: Say) -> Mapping[str, str]:
    """Return what each kind of page is called."""
    return {
        "daily": say("Day"),
        "weekly": say("Week"),
        "postmortem": say("Post-mortem"),
        "model": say("Model"),
    }


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the archive with what its card says; a page without a card has an empty one."""

    kind: str
    path: Path
    card: Mapping[str, Any]

    @property
    def end_ts(self) -> int:
        """When what the page is about ended, ns UTC; the file's own time where no card says it, 0 where it is gone."""
        if self.card.get("end_ts"):
            return int(self.card["end_ts"])
        return self.path.stat().st_mtime_ns if self.path.exists() else 0


def entries(folder: Path) -> list[Entry]:
    """Return every page below the reports folder, newest subject first."""
    found = [Entry(kind, path, _card(path)) for kind in KINDS for path in (folder / kind).glob("*.html")]
    return sorted(found, key=lambda entry: (-entry.end_ts, entry.kind, entry.path.name))


def write_index(folder: Path, say: Say = as_it_is, language: str = "en") -> Path:
    """Write `index.html` over all pages of the folder and return its path.

    Raises
    ------
    OutsideError
        If the folder cannot be written.
    """
    target = folder / "index.html"
    # Two pages may be made at once: each writes a list of its own, and the last whole one stands.
    partial = target.with_name(f"index.html.{os.getpid()}-{get_ident()}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(_page(folder, entries(folder), say, language), "utf-8")
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutsideError(
            f"{target}: {error.strerror or error}; way out: make room or choose MIA_HOME"
        ) from error
    return target


def _card(path: Path) -> Mapping[str, Any]:
    try:
        card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # a page that failed, or one of an older version
    return card if isinstance(card, dict) else {}


def _page(folder: Path, found: list[Entry], say: Say, language: str) -> str:
    rows = "".join(_row(folder, entry, say) for entry in found)
    head = "".join(f'<th{kind} scope="col">{html.escape(name)}</th>' for name, kind in heads(say))
    empty = html.escape(say("No page yet: {command} makes one.")).format(
        command="<code>mia report daily</code>"
    )
    body = (
        f'<div class="mia-scroll"><table class="mia-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        if found
        else f"<p>{empty}</p>"
    )
    title = html.escape(say("Reports"))
    return (
        f'<!DOCTYPE html>\n<html lang="{html.escape(language)}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>MIA · {title}</title>'
        f'<style>{page_style()}{OF_THE_LIST}</style></head><body class="mia-page"><section class="mia">'
        f"<h1>{title}</h1>{body}</section></body></html>\n"
    )


def _row(folder: Path, entry: Entry, say: Say) -> str:
    card = entry.card
    link = html.escape(entry.path.relative_to(folder).as_posix(), quote=True)
    title = html.escape(str(card.get("title") or entry.path.stem))
    when = datetime.fromtimestamp(entry.end_ts // 1_000_000_000, UTC).astimezone(NEW_YORK)
    # The name of a file only where it is not the day that stands beside it.
    name = "" if entry.path.stem.endswith(f"{when:%Y-%m-%d}") else f" · {html.escape(entry.path.stem)}"
    broken = card.get("rules_broken")
    rules = "—"
    if broken is not None and card.get("n"):
        # The card says it in its page's language; an older card only has the codes.
        said = ", ".join(
            map(str, card.get("rules_said") or (say(str(code).replace("_", " ")) for code in broken))
        )
        rules = say("broken: {rules}").format(rules=said) if broken else say("kept")
    parity = say(str((card.get("checks") or {}).get("replay", "—")))
    sentence = str(card.get("next") or next(iter(card.get("sentences") or ()), ""))
    tag = card.get("tag", "")
    source = ("SYNTHETIC " if tag == "synthetic" else "") + str(card.get("source", ""))
    cells = (
        html.escape(names(say)[entry.kind]),
        f"<a href='{link}'>{title}</a><br><span class='faint'>{when:%Y-%m-%d}{name}</span>",
        html.escape(source),
    )
    said = (rules, str(parity), sentence)
    return (
        "<tr>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + f"<td class=num>{_number(card.get('n'), ',.0f')}</td>{_money(card.get('net_usd') if card.get('n') else None)}"
        + f"<td class=num>{_number(card.get('expectancy_r'), '+.2f')}</td>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in said)
        + "</tr>"
    )


def _number(value: Any, form: str) -> str:
    return format(value, form).replace("-", "−") if isinstance(value, int | float) else "—"


def _money(value: Any) -> str:
    if not isinstance(value, int | float):
        return "<td class=num>—</td>"
    side = "up" if value > 0 else "down" if value < 0 else ""
    return f"<td class='num {side}'>{_number(value, '+,.2f')}</td>"
