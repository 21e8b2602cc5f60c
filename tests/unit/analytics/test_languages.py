"""Every word of a page passes through the catalogs: each page is made in a language of its own, and no English is left.

The language puts every sentence between « and »; what stands outside them was never translated. Names of the run
(components, strategies, contracts, grades, codes) and units stay what they are in every language.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest

from mia_kernel.adapters.archive import write_index
from mia_kernel.adapters.speech import speech
from mia_kernel.analytics.lookback import from_bars
from mia_kernel.analytics.postmortem import trade_report
from mia_kernel.analytics.postmortem_day import day_mortem
from mia_kernel.analytics.report import Material, day_report
from mia_kernel.analytics.weekly import week_report
from mia_kernel.state.costs import CostParams
from tests.fakes import journals
from tests.unit.analytics.test_gamma_page import told, view
from widgets.day import DayView
from widgets.gamma_day import gamma_day
from widgets.trade import trade as trade_picture
from widgets.week import week as week_picture

pytestmark = pytest.mark.unit

UNITS = {
    "USD",
    "EST",
    "EDT",
    "VWAP",
    "POC",
    "VAH",
    "VAL",
    "MAE",
    "MFE",
    "VIX",
    "min",
    "mia",
    "weights",
    "bars",
}
OF_THE_RUN = {
    *journals.NAMES, *" ".join(journals.NAMES).replace("_", " ").split(), *journals.GATE_CODES, "battle", "regime",
    "ESH", "confluence_entry", "confluence", "entry", "test", "WEAK", "STRONG", "GOOD", "PREMIUM", "NO_TRADE",
    "synthetic", "run", "day", "replay", "why", "High", "Low", "csv", "options", "flow",
}  # fmt: skip
ALLOWED = UNITS | OF_THE_RUN


def fenced(text: str) -> str:
    return f"«{text}»" if text else ""


def outside(text: str) -> set[str]:
    """Return the words that no catalog was asked for."""
    kept, depth = [], 0
    for char in re.sub(r"<(style|script).*?</\1>|<[^>]*>|&\w+;", " ", text, flags=re.DOTALL):
        depth += {"«": 1, "»": -1}.get(char, 0)
        if depth == 0 and char != "»":
            kept.append(char)
    words = re.findall(r"[A-Za-z_]{3,}", " ".join("".join(kept).split()))
    return {word for word in words if word not in ALLOWED and not re.fullmatch(r"[0-9a-f_]+", word)}


def pieces(page: object) -> dict[str, str]:
    return {k: v for k, v in vars(page).items() if isinstance(v, str) and k != "source_tag"}


def few() -> Material:
    material = journals.material(400)
    look = from_bars(None, material.table, material.trips, CostParams())
    far = view(1, source="b.csv", call_wall_ticks=30_000.0, put_call_volume_ratio=1.2, vol_skew_25_delta=0.03)
    chains = told(view(0), far).rows
    return replace(material, look=look, checks={"journal": ("proven", "«»")}, chains=chains)


def breach() -> Material:
    """A losing day of a source that carries little, with broken rules."""
    material = journals.material(400, absent=4)
    first = journals.material(400).trips[0]
    lost = replace(first, gross_cents=-60_000)
    again = replace(
        first, id=2, entry_ts=lost.exit_ts + 1, exit_ts=lost.exit_ts + 10**9, bracket_id="none", qty=9
    )
    trips = [lost, again]
    return replace(material, trips=trips, look=from_bars(None, material.table, trips, CostParams()))


def empty() -> Material:
    return journals.material(0)


def quiet() -> Material:
    return journals.material(100, signals=False)


@pytest.mark.parametrize("made", [few, breach, empty, quiet])
def test_no_english_is_left_on_the_page_of_a_day_or_a_week(made) -> None:  # type: ignore[no-untyped-def]
    material = made()
    for page in (day_report(material, fenced), week_report([material], fenced)):
        for name, text in pieces(page).items():
            assert outside(text) == set(), (made.__name__, type(page).__name__, name)


@pytest.mark.parametrize("made", [few, breach])
def test_no_english_is_left_on_a_post_mortem(made) -> None:  # type: ignore[no-untyped-def]
    for page in (trade_report(made(), [], "worst", fenced), day_mortem(made(), [], fenced)):
        for name, text in pieces(page).items():
            assert outside(text) == set(), (page.title, name)


def test_the_pictures_speak_the_language_of_their_page() -> None:
    material = few()
    day, week = day_report(material, fenced), week_report([material], fenced)
    trade = trade_report(material, [], "worst", fenced)
    chains = gamma_day(day.frame)
    assert isinstance(chains, go.Figure)
    pictures = (DayView(day.frame).static(), week_picture(week.frame), trade_picture(trade.frame), chains)
    for figure in pictures:
        texts = [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]
        texts += [figure.layout.title.text or ""]
        texts += [note.text for note in figure.layout.annotations if note.text]
        for text in texts:
            assert outside(text) == set(), text


def test_the_index_speaks_it_too(tmp_path: Path) -> None:
    (tmp_path / "daily").mkdir()
    (tmp_path / "daily" / "page.html").write_text("page")
    (tmp_path / "daily" / "page.json").write_text('{"title": "", "rules_broken": ["stop_moved"], "n": 1}')
    text = write_index(tmp_path, fenced, "xx").read_text("utf-8")
    assert outside(text.split("</head>")[1]) <= {"page"}, "a page without a title is called by its file"
    assert '<html lang="xx">' in text


def test_a_page_in_french_has_no_english_head() -> None:
    english, french = day_report(few()), day_report(few(), speech("fr"))
    heads = re.findall(r"<(?:th|dt)[^>]*>([^<]+)<", english.verdict + english.refusals + english.trades)
    found = set(re.findall(r"<(?:th|dt)[^>]*>([^<]+)<", french.verdict + french.refusals + french.trades))
    same = {head for head in heads if head in found}
    assert same <= {"grade", "phase", "ticks", "net USD", "R", "MAE ticks", "MFE ticks", "permission",
                    "confluence %", "profit factor"}  # fmt: skip
    assert "mercredi 25 février 2026" in french.title
