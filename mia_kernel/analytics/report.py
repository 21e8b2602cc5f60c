"""The daily page's content: sentences, tables and the frame of the day, in the order a person asks.

How it moves: a run's columns, round trips and header come in (from a journal or from memory), a `DayReport`
of HTML pieces and one frame goes out. The notebook of the page shows them one under the other; nothing here
opens a file or draws. A day without a trade says which gate refused how often, a losing day reads as calmly
as a winning one, and every figure stands with its n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mia_kernel.analytics import adherence, mentor
from mia_kernel.analytics import report_look as look
from mia_kernel.analytics import report_tables as tables
from mia_kernel.analytics.advice import Advice, Day, choose
from mia_kernel.analytics.chains_told import series
from mia_kernel.analytics.effectiveness import expired, like, proposals
from mia_kernel.analytics.explain import RunFacts
from mia_kernel.analytics.gamma_page import gamma_section
from mia_kernel.analytics.halts import halt_bands
from mia_kernel.analytics.html import esc, facts
from mia_kernel.analytics.performance import performance
from mia_kernel.analytics.picture import context, day_frame, picture_words
from mia_kernel.analytics.report_material import (
    Material,
    clock,
    days_in_words,
    short_name,
    source_words,
    told_name,
)
from mia_kernel.analytics.report_verdict import rules_kept, verdict
from mia_kernel.analytics.say import Say, coded, mark, marks, plain

TITLES = {
    "trades": mark("Trades"),
    "saved": mark("What the gates saved and cost"),
    "fills": mark("Fills, taken apart"),
    "refusals": mark("What was refused, and by which gate"),
    "groups": mark("What worked"),
    "mentor": mark("The mentor"),
    "conduct": mark("Rules"),
    "components": mark("What was known"),
    "gamma": mark("Option gamma"),
    "quality": mark("Data quality"),
    "integrity": mark("Integrity"),
    "provenance": mark("Provenance"),
}


@dataclass(frozen=True)
class DayReport:
    """The pieces of the page, each ready to be shown; `frame` is for the day view."""

    title: str
    source_tag: str
    figures: Mapping[str, Any]
    frame: Mapping[str, Any]
    verdict: str
    trades: str
    saved: str
    fills: str
    refusals: str
    components: str
    gamma: str
    groups: str
    mentor: str
    conduct: str
    quality: str
    integrity: str
    provenance: str
    advices: Sequence[Advice] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)


def day_report(material: Material, say: Say = plain) -> DayReport:
    """Build the page of a run; `say` puts the mentor's and the headings' sentences into another language."""
    run = RunFacts.from_header(material.header)
    table = material.table
    figures = performance(
        material.trips,
        capital_cents=material.capital_cents,
        mark_ts=table.column("ts_event"),
        mark_ticks=table.column("price_ticks").astype(np.float64),
    )
    title = f"{run.symbol} · {days_in_words(table, say)}"
    tag = str(material.source["tag"])
    frame = day_frame(
        table,
        material.trips,
        title=title,
        source_tag=tag,
        capital_cents=material.capital_cents,
        bars=material.bars,
    )
    frame["gamma"], frame["bands"] = series(material.chains), halt_bands(material, say)
    frame["said"] = picture_words(say)
    ghosts, fills, lessons = ((), (), ()) if material.look is None else material.look
    decided = len(table) > 0
    rules = adherence.rules(material.trips, table)
    ends = [int(table.column("ts_event")[-1])] if len(table) else [t.exit_ts for t in material.trips]
    if not ends and material.bars is not None and len(material.bars):
        ends = [int(material.bars["end"][-1])]
    day = Day(max(ends, default=0), figures, lessons, rules, material.window or lessons, material.earlier)
    advices = mentor.advise(day, say)
    gone = expired(material.earlier, proposals(day.window, day.end_ts))
    return DayReport(
        title=title,
        source_tag=tag,
        figures=figures,
        frame=frame,
        # Where nothing was decided there is nothing under most heads, and a head over nothing is left out.
        verdict=verdict(
            material,
            run,
            figures,
            title,
            say,
            (mentor.focus(day, say), mentor.mood(day)) if decided else None,
        ),
        trades=tables.trades(material.trips, table, run, lessons, like(day.window), say) if decided else "",
        saved=look.saved(ghosts, _basis(material, say), say) if decided else "",
        fills=look.fills(fills, say) if decided else "",
        refusals=tables.refusals(table, run, say) if decided else "",
        components=tables.components(table, run, say) if decided else "",
        gamma=gamma_section(material.chains, table, say) if decided or material.chains else "",
        groups=_groups(material, day, say) if decided else "",
        mentor=look.mentor(advices, gone, say),
        conduct=look.conduct(rules, say),
        quality=_quality(material, frame, say),
        integrity=look.integrity(material.checks, say),
        provenance=_provenance(material, run, say),
        advices=advices,
        titles={name: say(title) for name, title in TITLES.items()},
        card=_card(material, title, day, advices, say),
    )


def _groups(material: Material, day: Day, say: Say) -> str:
    if day.lessons or day.window:
        return look.effectiveness(day.window, day.end_ts, say)
    return tables.groups(material.trips, say)


def _card(material: Material, title: str, day: Day, advices: Sequence[Advice], say: Say) -> dict[str, Any]:
    """Return what an index, a message or the next evening's page wants to know of this one."""
    figures = day.figures
    keys = ("n", "wins", "losses", "scratches", "net_usd", "expectancy_r", "max_drawdown_usd", "costs_usd")
    return {
        "title": title,
        "source": told_name(material.source, say),
        "tag": material.source["tag"],
        "end_ts": day.end_ts,
        **{key: figures[key] for key in keys},
        "mood": mentor.mood(day),
        "rules_broken": [rule.code for rule in day.rules if not rule.kept],
        "rules_said": look.rules_said(day.rules, say),
        "next": mentor.focus(day, say),
        "checks": {name: verdict for name, (verdict, _) in material.checks.items()},
        "digest": material.trailer.get("digest"),
        "proposals": [
            advice.key.removeprefix("proposal:") for advice in advices if advice.key.startswith("proposal:")
        ],
        "sentences": [advice.message for advice in advices[:3]],
        "messages": [_message(advice, say) for advice in choose(advices, {}, day.end_ts)],
    }


def _message(advice: Advice, say: Say) -> dict[str, str]:
    return {
        "kind": advice.kind,
        "level": advice.level,
        "title": advice.title,
        "text": advice.message,
        "evidence": look.evidence(advice, say),
    }


def _basis(material: Material, say: Say) -> str:
    carries = material.source.get("carries") or {}
    if carries.get("trades"):
        return say("along the recorded trades")
    seconds = carries.get("bar_seconds")
    text = say("along bars of {seconds} s, the worse side of each first")
    return text.format(seconds=seconds) if seconds else say("along recorded bars")


CARRIED = marks("trades", "quotes", "book", "aggressor", "bar seconds", "aggressor kind", "bars")
"""What a source may carry, as its description names it."""


def _quality(material: Material, frame: Mapping[str, Any], say: Say) -> str:
    table, source = material.table, material.source
    quality = context(table, "data_quality")
    known = quality[np.isfinite(quality)]
    carries = source.get("carries") or {}
    has = [coded(name, say) for name, value in carries.items() if value and value != "none"]
    lacks = [coded(name, say) for name, value in carries.items() if not value or value == "none"]
    under = say("{n} of {total} decisions").format(n=f"{int((known < 0.8).sum()):,}", total=f"{len(known):,}")
    rows = [
        (say("source"), esc(told_name(source, say))),
        (say("market"), esc(source_words(str(source["tag"]), say))),
        (say("carries"), esc(", ".join(has)) or "—"),
        (say("lacks"), esc(", ".join(lacks)) or "—"),
        (say("quality at decisions"), _spread(known, say)),
        (say("under 0.80"), esc(under) if len(known) else "—"),
        (say("candles from"), esc(say(frame["bars_from"]))),
    ]
    rows += [(say("note"), esc(note)) for note in source.get("notes") or ()]
    return facts(rows)


def _spread(values: Any, say: Say) -> str:
    if not len(values):
        return "—"
    low, middle, high = np.quantile(values, (0.0, 0.5, 1.0))
    text = say("lowest {low}, median {middle}, highest {high}")
    return esc(text.format(low=f"{low:.2f}", middle=f"{middle:.2f}", high=f"{high:.2f}"))


def _provenance(material: Material, run: RunFacts, say: Say) -> str:
    header, trailer, source = material.header, material.trailer, material.source
    ts = material.table.column("ts_event")
    rows = [
        (say("code"), esc(header["code_version"])),
        (say("settings"), f"<code>{esc(header['settings_id'])}</code>"),
        (say("model"), esc(header["model_id"])),
        (say("weights"), esc(run.weights_name)),
        (say("decision digest"), f"<code>{esc(trailer.get('digest'))}</code>"),
        (
            say("journal head"),
            f"<code>{esc(material.chain)}</code>" if material.chain else esc(say("not journalled")),
        ),
        (say("adapter"), esc(source.get("adapter"))),
        (say("contract"), esc(source.get("contract") or run.symbol)),
        (say("data sha-256"), f"<code>{esc(source.get('content_sha256'))}</code>"),
        (say("prices"), esc(coded(str(source.get("adjustment", "unknown")), say))),
        (say("first decision"), clock(int(ts[0])) if len(ts) else "—"),
        (say("last decision"), clock(int(ts[-1])) if len(ts) else "—"),
    ]
    return facts(rows)


__all__ = ["DayReport", "Material", "clock", "day_report", "days_in_words", "rules_kept", "short_name"]
