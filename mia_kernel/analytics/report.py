"""The daily page's content: sentences, tables and the frame of the day, in the order a person asks.

How it moves: a run's columns, round trips and header come in (from a journal or from memory), a `DayReport`
of HTML pieces and one frame goes out. The notebook of the page shows them one under the other; nothing here
opens a file or draws. A day without a trade says which gate refused how often, a losing day reads as calmly
as a winning one, and every figure stands with its n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mia_kernel.analytics import report_tables as tables
from mia_kernel.analytics.explain import RunFacts, reachable_coverage
from mia_kernel.analytics.html import esc, facts, number
from mia_kernel.analytics.performance import performance, targets
from mia_kernel.analytics.picture import context, day_frame
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import OK
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.session import trading_days_of

NEW_YORK = ZoneInfo("America/New_York")
MIN_INTERVAL_TRIPS = 10


@dataclass(frozen=True)
class DayReport:
    """The pieces of the page, each ready to be shown; `frame` is for the day view."""

    title: str
    source_tag: str
    figures: Mapping[str, Any]
    frame: Mapping[str, Any]
    verdict: str
    trades: str
    refusals: str
    components: str
    groups: str
    quality: str
    provenance: str


@dataclass(frozen=True)
class Material:
    """What a page is made of.

    Parameters
    ----------
    header : mapping
        Of the run (names, weights, gates, source, fingerprints).
    table : DecisionTable
    trips : sequence of RoundTrip
    trailer : mapping
        Summary that closed the run; empty where it did not close by itself.
    bars : structured array or None
    chain : str or None
        Head of the journal's hash chain, None for a run in memory.
    """

    header: Mapping[str, Any]
    table: DecisionTable
    trips: Sequence[RoundTrip]
    trailer: Mapping[str, Any]
    bars: Any = None
    chain: str | None = None

    @property
    def source(self) -> Mapping[str, Any]:
        """The source as the header describes it; an older header holds only its name."""
        source = self.header["source"]
        if isinstance(source, Mapping):
            return source
        return {"name": source, "tag": self.header.get("source_tag", "replay")}

    @property
    def capital_cents(self) -> int:
        """Starting capital of the run."""
        return round(float(self.header["equity_usd"]) * 100)


def day_report(material: Material) -> DayReport:
    """Build the page of a run."""
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
    return DayReport(
        title=title,
        source_tag=tag,
        figures=figures,
        frame=frame,
        verdict=_verdict(material, run, figures, title),
        trades=tables.trades(material.trips, table, run),
        refusals=tables.refusals(table, run),
        components=tables.components(table, run),
        groups=tables.groups(material.trips),
        quality=_quality(material, frame),
        provenance=_provenance(material, run),
    )


def short_name(name: str) -> str:
    """Return the last part of a path, or a URI as it is: where a file lay on some machine is nobody's news."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def days_in_words(table: DecisionTable) -> str:
    """Return the trading day of a run, or its first and last."""
    ts = table.column("ts_event")
    if len(ts) == 0:
        return "no decision"
    first, last = (_day_words(int(d)) for d in trading_days_of(ts[[0, -1]]))
    return first if first == last else f"{first} to {last}"


def _day_words(day: int) -> str:
    when = datetime(day // 10000, day // 100 % 100, day % 100, tzinfo=UTC)
    return f"{when:%A} {when.day} {when:%B %Y}"


def _verdict(material: Material, run: RunFacts, figures: Mapping[str, Any], title: str) -> str:
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
    out: list[str] = []
    if figures["n"]:
        out.append(_trade_sentence(figures))
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


def clock(ns: int) -> str:
    """Return a time as New York wall time with its offset."""
    when = datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone(NEW_YORK)
    return f"{when:%Y-%m-%d %H:%M:%S %Z}"
