"""The verdict box of a page: the result, what it is worth, conduct, parity, and the sentences a person needs first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mia_kernel.analytics.adherence import rules
from mia_kernel.analytics.explain import RunFacts, reachable_coverage
from mia_kernel.analytics.html import esc, facts, number
from mia_kernel.analytics.mentor_words import RULES
from mia_kernel.analytics.performance import targets
from mia_kernel.analytics.picture import context
from mia_kernel.analytics.report_material import Material, clock, short_name
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import FAILED, OK
from mia_kernel.core.session import open_mask

MIN_INTERVAL_TRIPS = 10
MINUTE_NS = 60_000_000_000
GAP_NS = 15 * MINUTE_NS
LIMIT_WORDS = {
    "daily_loss": "the daily loss limit",
    "hard_daily_loss": "the hard daily loss limit",
    "weekly_loss": "the weekly loss limit",
    "drawdown": "the drawdown limit",
    "minimum_balance": "the minimum balance",
    "consecutive_losses": "losses in a row",
}
"""Limits that close positions and halt, as exit reasons."""


def verdict(material: Material, run: RunFacts, figures: Mapping[str, Any], title: str) -> str:
    """Return the box: source, result, sentences, facts and what the targets show."""
    tag = str(material.source["tag"])
    mark = {"synthetic": "SYNTHETIC market: nothing on this page is a result", "live": "live feed"}
    name = esc(short_name(material.source["name"]))
    head = f"<p class='mia-source'>{esc(mark.get(tag, 'Replay of recorded data'))} · {name}</p>"
    result = number(figures["net_usd"], unit="USD", signed=True)
    box = [
        head,
        f"<h1>{esc(title)}</h1>",
        f"<p class='mia-result'><span class='{result.kind}'>{result.text}</span> net of costs</p>"
        if figures["n"]
        else "<p class='mia-result'>No trade</p>",
        *(f"<p>{sentence}</p>" for sentence in _sentences(material, run, figures)),
        facts(_headline(material, run, figures)),
        _targets(figures),
    ]
    return f"<section class='mia mia-verdict'>{''.join(box)}</section>"


def _sentences(material: Material, run: RunFacts, figures: Mapping[str, Any]) -> list[str]:
    table = material.table
    if len(table) == 0:
        return ["The source held no event inside an open session, so nothing was decided."]
    out: list[str] = [*_halts(material, run), *_gaps(table)]
    if figures["n"]:
        out.insert(0, _trade_sentence(figures))
    most = table.coverage_max()
    reachable = reachable_coverage(table.column("status"), table.names, run.static_weights)
    if most is not None and most < run.coverage_floor:
        lost = [n for n, w in run.static_weights.items() if w > 0 and not _ever(table, n)]
        weights = esc(run.weights_name)
        known = f"what this source carries can reach {reachable:.2f} of the weights of {weights}"
        way = (
            " <code>--weights bars</code> weighs only what a poor source can carry; it is a research preset."
            if run.weights_name != "bars"
            else ""
        )
        out.append(
            f"Coverage never reached the floor of {run.coverage_floor:.2f} (highest {most:.2f}): {known}. "
            f"Never present: {esc(', '.join(lost))}.{way}"
        )
    elif not figures["n"]:
        asked = len(table.signals)
        if asked:
            out.append(f"{asked} signals were raised and none was permitted; the table of refusals says why.")
        else:
            out.append("No strategy raised a signal; the table of refusals says what was in the way.")
    return out


def _halts(material: Material, run: RunFacts) -> list[str]:
    """Say from when to when trading was not active, and how many decisions that refused."""
    if "trading_state" not in run.gate_codes or len(material.table) == 0:
        return []
    failed = material.table.column("gate_outcome")[:, run.gate_codes.index("trading_state")] == FAILED
    if not failed.any():
        return []
    ts = material.table.column("ts_event")[failed]
    by = sorted({t.exit_reason for t in material.trips if t.exit_reason in LIMIT_WORDS})
    because = f" after {esc(', '.join(LIMIT_WORDS[name] for name in by))}" if by else ""
    return [
        f"Trading was halted{because}: from {clock(int(ts[0]))} to {clock(int(ts[-1]))[11:]} "
        f"{int(failed.sum()):,} decisions could not enter."
    ]


def _gaps(table: DecisionTable) -> list[str]:
    """Say where the record is silent for a quarter of an hour and more while the market was open."""
    ts = table.column("ts_event")
    wide = np.flatnonzero(np.diff(ts) >= GAP_NS)
    silent = [(int(ts[i]), int(ts[i + 1])) for i in wide if open_mask(ts[i : i + 1] + MINUTE_NS)[0]]
    if not silent:
        return []
    first, last = max(silent, key=lambda gap: gap[1] - gap[0])
    times = f"{len(silent)} time{'s' if len(silent) > 1 else ''}"
    return [
        f"No data for 15 minutes and more {times} while the market was open; the longest gap lasted "
        f"{(last - first) / 60e9:,.0f} minutes from {clock(first)}."
    ]


def _ever(table: DecisionTable, name: str) -> bool:
    return bool((table.column("status")[:, table.names.index(name)] == OK).any())


def _trade_sentence(figures: Mapping[str, Any]) -> str:
    n = figures["n"]
    text = (
        f"{n} round trip{'s' if n > 1 else ''}: {figures['wins']} won, {figures['losses']} lost, "
        f"{figures['scratches']} scratched."
    )
    if figures["expectancy_r"] is None:
        return text
    interval = figures["expectancy_r_ci"]
    said = (
        f"95 % interval {interval[0]:+.2f} to {interval[1]:+.2f} R"
        if interval
        else f"too few for an interval (n &lt; {MIN_INTERVAL_TRIPS})"
    )
    return f"{text} Expectancy {figures['expectancy_r']:+.2f} R per trade, {said}."


def _headline(material: Material, run: RunFacts, figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    table = material.table
    signals = len(table.signals)
    coverage = table.coverage_mean()
    quality = context(table, "data_quality")
    quality = quality[np.isfinite(quality)]
    rows = [
        ("decisions", f"{len(table):,}"),
        ("signals", f"{signals} ({signals - table.denied} permitted, {table.denied} refused)"),
        ("mean coverage", "—" if coverage is None else f"{coverage:.2f} (floor {run.coverage_floor:.2f})"),
        ("data quality", f"{quality.mean():.2f} (lowest {quality.min():.2f})" if len(quality) else "—"),
        ("rules", rules_kept(material)),
        ("conduct", _conduct(material)),
        ("parity", _parity(material)),
    ]
    if figures["n"]:
        low = number(-figures["max_drawdown_usd"], unit="USD").text
        rows += [
            ("win rate", _win_rate(figures)),
            ("profit factor", esc(figures["profit_factor_text"])),
            ("largest fall", f"{low} ({figures['max_drawdown_percent']:.2f} %, marked)"),
            ("costs", f"{figures['costs_usd']:,.2f} USD"),
        ]
    return rows


def _conduct(material: Material) -> str:
    """Say in a few words which habits broke a rule, if any."""
    if not material.trips:
        return "no trade"
    broken = [rule for rule in rules(material.trips, material.table) if not rule.kept]
    if not broken:
        return "every rule kept"
    said = ", ".join(f"{RULES[rule.code]} ({len(rule.broken_by)})" for rule in broken)
    return f"<span class='alarm'>{esc(said)}</span>"


def _parity(material: Material) -> str:
    verdict, sentence = material.checks.get("replay", ("not checked", ""))
    kind = {"differs": "alarm", "not checked": "faint"}.get(verdict, "")
    return f"<span class='{kind}'>{esc(sentence if verdict != 'not checked' else verdict)}</span>"


def _win_rate(figures: Mapping[str, Any]) -> str:
    low, high = figures["win_rate_ci"]
    return f"{figures['win_rate']:.0%} (n = {figures['n']}, 95 % interval {low:.0%} to {high:.0%})"


def rules_kept(material: Material) -> str:
    """Say whether every closed position was permitted by the gate beforehand."""
    sent = {
        command.bracket_id
        for _, d in material.table.signals
        if d.verdict is not None and d.verdict.allowed
        for command in d.intents
    }
    broken = [trip.id for trip in material.trips if trip.bracket_id not in sent]
    if not material.trips:
        return "no trade, none to break"
    if broken:
        return f"<span class='alarm'>broken: round trips {esc(broken)} had no permission</span>"
    return f"kept: {len(material.trips)} of {len(material.trips)} entries were permitted"


def _targets(figures: Mapping[str, Any]) -> str:
    words = {
        "win_rate": "win rate ≥ 65 %",
        "profit_factor": "profit factor > 2",
        "max_drawdown": "drawdown < 15 %",
    }
    said = targets(figures)
    rows = " · ".join(f"{words[key]}: {said[key]}" for key in words)
    return f"<p class='mia-note'>Targets (n = {figures['n']}, under 300 nothing is shown): {esc(rows)}</p>"
