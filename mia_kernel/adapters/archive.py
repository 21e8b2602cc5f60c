"""Keep the archive of pages: one index over all of them, newest first, from the cards that lie beside the pages."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mia_kernel.core.errors import OutsideError
from mia_kernel.core.session_table import NEW_YORK
from widgets.page import page_style

KINDS = ("daily", "weekly", "postmortem", "model")
NUM = " class=num"
HEADS = (
    ("", ""),
    ("page", ""),
    ("source", ""),
    ("trades", NUM),
    ("net USD", NUM),
    ("R per trade", NUM),
    ("rules", ""),
    ("parity", ""),
    ("first sentence", ""),
)
NAMES = {"daily": "Day", "weekly": "Week", "postmortem": "Trade", "model": "Model"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the archive with what its card says; a page without a card has an empty one."""

    kind: str
    path: Path
    card: Mapping[str, Any]

    @property
    def end_ts(self) -> int:
        """When what the page is about ended, ns UTC; the file's own time where no card says it."""
        return int(self.card.get("end_ts") or self.path.stat().st_mtime_ns)


def entries(folder: Path) -> list[Entry]:
    """Return every page below the reports folder, newest subject first."""
    found = [Entry(kind, path, _card(path)) for kind in KINDS for path in (folder / kind).glob("*.html")]
    return sorted(found, key=lambda entry: (-entry.end_ts, entry.kind, entry.path.name))


def write_index(folder: Path) -> Path:
    """Write `index.html` over all pages of the folder and return its path.

    Raises
    ------
    OutsideError
        If the folder cannot be written.
    """
    target = folder / "index.html"
    partial = target.with_name("index.html.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(_page(folder, entries(folder)), "utf-8")
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


def _page(folder: Path, found: list[Entry]) -> str:
    rows = "".join(_row(folder, entry) for entry in found)
    heads = "".join(f'<th{kind} scope="col">{name}</th>' for name, kind in HEADS)
    body = (
        f'<div class="mia-scroll"><table class="mia-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        if found
        else "<p>No page yet: <code>mia report daily</code> makes one.</p>"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>MIA reports</title>'
        f'<style>{page_style()}</style></head><body class="mia-page"><section class="mia">'
        f"<h1>Reports</h1>{body}</section></body></html>\n"
    )


def _row(folder: Path, entry: Entry) -> str:
    card = entry.card
    link = html.escape(entry.path.relative_to(folder).as_posix(), quote=True)
    title = html.escape(str(card.get("title") or entry.path.stem))
    when = datetime.fromtimestamp(entry.end_ts // 1_000_000_000, UTC).astimezone(NEW_YORK)
    broken = card.get("rules_broken")
    rules = "—" if broken is None else "kept" if not broken else "broken: " + ", ".join(map(str, broken))
    parity = (card.get("checks") or {}).get("replay", "—")
    sentence = next(iter(card.get("sentences") or ()), "")
    tag = card.get("tag", "")
    source = ("SYNTHETIC " if tag == "synthetic" else "") + str(card.get("source", ""))
    cells = (
        NAMES[entry.kind],
        f"<a href='{link}'>{title}</a><br><span class='faint'>{when:%Y-%m-%d}</span>",
        html.escape(source),
    )
    said = (rules, str(parity), str(sentence))
    return (
        "<tr>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + f"<td class=num>{_number(card.get('n'), ',.0f')}</td>{_money(card.get('net_usd'))}"
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
