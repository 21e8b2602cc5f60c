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
from mia_kernel.analytics.effectiveness import expired, proposals
from mia_kernel.analytics.explain import RunFacts
from mia_kernel.analytics.gamma_page import gamma_section
from mia_kernel.analytics.html import esc, facts
from mia_kernel.analytics.mentor_words import Say, mark, plain
from mia_kernel.analytics.performance import performance
from mia_kernel.analytics.picture import context, day_frame
from mia_kernel.analytics.report_material import Material, clock, days_in_words, short_name
from mia_kernel.analytics.report_verdict import rules_kept, verdict

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
    title = f"{run.symbol} · {days_in_words(table)}"
    tag = str(material.source["tag"])
    frame = day_frame(
        table,
        material.trips,
        title=title,
        source_tag=tag,
        capital_cents=material.capital_cents,
        bars=material.bars,
    )
    frame["gamma"] = series(material.chains)
    ghosts, fills, lessons = ((), (), ()) if material.look is None else material.look
    rules = adherence.rules(material.trips, table)
    ends = [int(table.column("ts_event")[-1])] if len(table) else [t.exit_ts for t in material.trips] or [0]
    day = Day(max(ends), figures, lessons, rules, material.window or lessons, material.earlier)
    advices = mentor.advise(day, say)
    gone = expired(material.earlier, proposals(day.window, day.end_ts))
    return DayReport(
        title=title,
        source_tag=tag,
        figures=figures,
        frame=frame,
        verdict=verdict(material, run, figures, title),
        trades=tables.trades(material.trips, table, run, lessons),
        saved=look.saved(ghosts, _basis(material), say),
        fills=look.fills(fills, say),
        refusals=tables.refusals(table, run),
        components=tables.components(table, run),
        gamma=gamma_section(material.chains, table),
        groups=look.effectiveness(day.window, say) if lessons else tables.groups(material.trips),
        mentor=look.mentor(advices, gone, say),
        conduct=look.conduct(rules, say),
        quality=_quality(material, frame),
        integrity=look.integrity(material.checks, say),
        provenance=_provenance(material, run),
        advices=advices,
        titles={name: say(title) for name, title in TITLES.items()},
        card=_card(material, title, day, advices),
    )


def _card(material: Material, title: str, day: Day, advices: Sequence[Advice]) -> dict[str, Any]:
    """Return what an index, a message or the next evening's page wants to know of this one."""
    figures = day.figures
    keys = ("n", "wins", "losses", "scratches", "net_usd", "expectancy_r", "max_drawdown_usd", "costs_usd")
    return {
        "title": title,
        "source": short_name(str(material.source["name"])),
        "tag": material.source["tag"],
        "end_ts": day.end_ts,
        **{key: figures[key] for key in keys},
        "mood": mentor.mood(day),
        "rules_broken": [rule.code for rule in day.rules if not rule.kept],
        "checks": {name: verdict for name, (verdict, _) in material.checks.items()},
        "digest": material.trailer.get("digest"),
        "proposals": [
            advice.key.removeprefix("proposal:") for advice in advices if advice.key.startswith("proposal:")
        ],
        "sentences": [advice.message for advice in advices[:3]],
        "messages": [_message(advice) for advice in choose(advices, {}, day.end_ts)],
    }


def _message(advice: Advice) -> dict[str, str]:
    e = advice.evidence
    interval = "" if e.interval is None else f", 95 % interval {e.interval[0]:+.2f} to {e.interval[1]:+.2f}"
    evidence = f"{e.statistic} {e.value:,.2f}, n = {e.n}{interval}"
    return {
        "kind": advice.kind,
        "level": advice.level,
        "title": advice.title,
        "text": advice.message,
        "evidence": evidence,
    }


def _basis(material: Material) -> str:
    carries = material.source.get("carries") or {}
    if carries.get("trades"):
        return "along the recorded trades"
    seconds = carries.get("bar_seconds")
    return f"along bars of {seconds} s, the worse side of each first" if seconds else "along recorded bars"


def _quality(material: Material, frame: Mapping[str, Any]) -> str:
    table, source = material.table, material.source
    quality = context(table, "data_quality")
    known = quality[np.isfinite(quality)]
    carries = source.get("carries") or {}
    has = [name.replace("_", " ") for name, value in carries.items() if value and value != "none"]
    lacks = [name.replace("_", " ") for name, value in carries.items() if not value or value == "none"]
    rows = [
        ("source", esc(short_name(source["name"]))),
        ("tag", esc(str(source["tag"]).upper() if source["tag"] == "synthetic" else source["tag"])),
        ("carries", esc(", ".join(has)) or "—"),
        ("lacks", esc(", ".join(lacks)) or "—"),
        ("quality at decisions", _spread(known)),
        ("under 0.80", f"{int((known < 0.8).sum()):,} of {len(known):,} decisions" if len(known) else "—"),
        ("candles from", esc(frame["bars_from"])),
    ]
    rows += [("note", esc(note)) for note in source.get("notes") or ()]
    return facts(rows)


def _spread(values: Any) -> str:
    if not len(values):
        return "—"
    low, middle, high = np.quantile(values, (0.0, 0.5, 1.0))
    return f"lowest {low:.2f}, median {middle:.2f}, highest {high:.2f}"


def _provenance(material: Material, run: RunFacts) -> str:
    header, trailer, source = material.header, material.trailer, material.source
    ts = material.table.column("ts_event")
    rows = [
        ("code", esc(header["code_version"])),
        ("settings", f"<code>{esc(header['settings_id'])}</code>"),
        ("model", esc(header["model_id"])),
        ("weights", esc(run.weights_name)),
        ("decision digest", f"<code>{esc(trailer.get('digest'))}</code>"),
        ("journal head", f"<code>{esc(material.chain)}</code>" if material.chain else "not journalled"),
        ("adapter", esc(source.get("adapter"))),
        ("contract", esc(source.get("contract") or run.symbol)),
        ("data sha-256", f"<code>{esc(source.get('content_sha256'))}</code>"),
        ("prices", esc(str(source.get("adjustment", "unknown")).replace("_", " "))),
        ("first decision", clock(int(ts[0])) if len(ts) else "—"),
        ("last decision", clock(int(ts[-1])) if len(ts) else "—"),
    ]
    return facts(rows)


__all__ = ["DayReport", "Material", "clock", "day_report", "days_in_words", "rules_kept", "short_name"]
