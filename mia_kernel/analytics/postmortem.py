"""The page of one trade: how it was decided, sent, filled and ended, and what other exits would have made of it.

How it moves: the trade's decision, orders and fills become a timeline; contributions at entry and exit stand side by
side; the same entry is ended in other ways along the recorded prices, costs on. Those are ghosts, not trades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from mia_kernel.analytics.explain import RunFacts, amount, why
from mia_kernel.analytics.html import Cell, esc, facts, number, table, text
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.mentor_words import capital
from mia_kernel.analytics.other_exits import AROUND_NS, other_exits, stops_of, target_of
from mia_kernel.analytics.picture import day_frame, picture_words
from mia_kernel.analytics.report_look import integrity
from mia_kernel.analytics.report_material import Material, clock, source_words, told_name
from mia_kernel.analytics.report_tables import note, post_mortem
from mia_kernel.analytics.report_verdict import result_line
from mia_kernel.analytics.say import Say, coded, mark, marks, plain
from mia_kernel.core.decisions import BLOCKING, FAILED, LEVEL_NAMES, OUTCOME_NAMES, PASSED, Decision
from mia_kernel.core.errors import InputError
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import OrderReport, RoundTrip

TITLES = {
    "timeline": mark("From decision to exit"),
    "gates": mark("What the gates said"),
    "contributions": mark("Contributions at entry and at exit"),
    "alternatives": mark("Other exits"),
    "story": mark("Post-mortem"),
    "again": mark("Replay it"),
    "integrity": mark("Integrity"),
}


@dataclass(frozen=True)
class TradeReport:
    """The pieces of the page, each ready to be shown; `frame` is for the picture around the trade."""

    title: str
    source_tag: str
    frame: Mapping[str, Any]
    verdict: str
    story: str
    timeline: str
    gates: str
    contributions: str
    alternatives: str
    again: str
    integrity: str
    titles: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)


def choose(trips: Sequence[RoundTrip], trade: int | str) -> RoundTrip:
    """Return a trade by its number, or the `worst` or `best` one.

    Raises
    ------
    InputError
        If there is none of that number, or no trade at all.
    """
    if not trips:
        raise InputError("no trade was closed in that journal", field="trade", value=trade)
    if trade in ("worst", "best", 0, ""):
        pick = max if trade == "best" else min
        return pick(trips, key=lambda trip: trip.net_cents)
    found = [trip for trip in trips if str(trip.id) == str(trade)]
    if not found:
        raise InputError(
            "no such trade", field="trade", value=trade, rule=f"1 to {len(trips)}, worst or best"
        )
    return found[0]


def trade_report(
    material: Material, reports: Sequence[OrderReport], trade: int | str = "worst", say: Say = plain
) -> TradeReport:
    """Build the page of one trade of a journal."""
    run = RunFacts.from_header(material.header)
    trip = choose(material.trips, trade)
    decision = next((d for _, d in material.table.signals if _belongs(d, trip)), None)
    lessons = () if material.look is None else material.look.lessons
    lesson = next((row for row in lessons if row.bracket_id == trip.bracket_id), None)
    side = coded("long" if trip.side > 0 else "short", say)
    title = f"{side} {trip.qty} {trip.symbol} · {clock(trip.entry_ts)}"
    stops = stops_of(material, trip)
    return TradeReport(
        title=title,
        source_tag=str(material.source["tag"]),
        frame={**_frame(material, trip, stops), "said": picture_words(say)},
        verdict=_verdict(material, trip, title, say),
        story=_story(lesson, decision, run, say),
        timeline=_timeline(trip, decision, reports, stops, say),
        gates=_gates(decision, run, say),
        contributions=_contributions(lesson, say),
        alternatives=_alternatives(material, trip, say),
        again=_again(material, trip),
        integrity=integrity(material.checks, say),
        titles={name: say(words) for name, words in TITLES.items()},
        card={
            "title": title,
            "source": told_name(material.source, say),
            "tag": material.source["tag"],
            "end_ts": trip.exit_ts,
            "n": 1,
            "net_usd": trip.net_cents / 100,
            "expectancy_r": trip.net_cents / trip.risk_cents if trip.risk_cents > 0 else None,
            "checks": {name: verdict for name, (verdict, _) in material.checks.items()},
            "next": "" if lesson is None else say(lesson.improvement_suggestion or ""),
        },
    )


def _belongs(decision: Decision, trip: RoundTrip) -> bool:
    return any(command.bracket_id == trip.bracket_id for command in decision.intents)


def _frame(material: Material, trip: RoundTrip, stops: Sequence[tuple[int, int]]) -> dict[str, Any]:
    frame = day_frame(
        material.table,
        [trip],
        title="",
        source_tag=str(material.source["tag"]),
        capital_cents=material.capital_cents,
        bars=material.bars,
    )
    lines = frame.get("bars", {})
    if len(lines.get("ts", ())):
        inside = (lines["ts"] >= trip.entry_ts - AROUND_NS) & (lines["ts"] <= trip.exit_ts + AROUND_NS)
        frame["bars"] = {name: np.asarray(values)[inside] for name, values in lines.items()}
        frame["lines"] = {name: np.asarray(values)[inside] for name, values in frame["lines"].items()}
    frame["refused"], frame["levels"] = {}, []
    until = max(
        trip.exit_ts, trip.entry_ts + AROUND_NS // 3
    )  # a trade of one bar would have lines of no length
    times = [ts for ts, _ in stops] + [until]
    prices = [ticks * TICK_POINTS for _, ticks in stops]
    target = target_of(material, trip)
    frame["stop"] = {"ts": np.array(times, np.int64), "price": np.array([*prices, *prices[-1:]], np.float64)}
    frame["target"] = None if target is None else target * TICK_POINTS
    tick = TICK_POINTS * trip.side
    frame["extremes"] = {
        "mae": (trip.entry_ticks - trip.side * trip.mae_ticks) * TICK_POINTS,
        "mfe": trip.entry_ticks * TICK_POINTS + tick * trip.mfe_ticks,
    }
    frame["span"] = (trip.entry_ts, until)
    return frame


def _verdict(material: Material, trip: RoundTrip, title: str, say: Say) -> str:
    in_r = trip.net_cents / trip.risk_cents if trip.risk_cents > 0 else None
    result = say("{result} R of {risk} USD planned").format(
        result="—" if in_r is None else f"{in_r:+.2f}".replace("-", "−"), risk=f"{trip.risk_cents / 100:,.2f}"
    )
    gross = number(trip.gross_cents / 100, signed=True).text
    rows = [
        (say("result"), "—" if in_r is None else esc(result)),
        (say("ended by"), esc(coded(trip.exit_reason, say))),
        (say("gross, costs"), f"{gross}, {trip.fees_cents / 100:,.2f} USD"),
        (say("MAE, MFE"), f"{trip.mae_ticks:.0f}, {trip.mfe_ticks:.0f} {say('ticks')}"),
        (say("time"), f"{(trip.exit_ts - trip.entry_ts) / 60e9:,.1f} min"),
        (say("confluence"), f"{trip.confluence_percent:.2f} %"),
    ]
    return (
        f"<section class='mia mia-verdict'>"
        f"<p class='mia-source'>{esc(source_words(str(material.source['tag']), say))}</p><h1>{esc(title)}</h1>"
        f"{result_line({'n': 1, 'net_usd': trip.net_cents / 100, 'net_r': in_r}, say)}{facts(rows)}</section>"
    )


def _story(lesson: Lesson | None, decision: Decision | None, run: RunFacts, say: Say) -> str:
    parts: list[str] = []
    if lesson is not None:
        lines = [capital(line) for line in post_mortem(lesson, say).split("\n")]
        parts.append(f"<p>{'<br>'.join(map(esc, lines))}</p>")
    if decision is not None:
        parts.append(f"<pre>{esc(why(decision, run, say=say))}</pre>")
    return "".join(parts) or note(say("Its decision is not in this record."))


def _timeline(
    trip: RoundTrip,
    decision: Decision | None,
    reports: Sequence[OrderReport],
    stops: Sequence[tuple[int, int]],
    say: Say,
) -> str:
    found: list[tuple[int, str, str, float | None]] = []
    if decision is not None and decision.signal is not None:
        s = decision.signal
        said = f"{s.strategy.replace('_', ' ')}: {s.reason}"
        found.append((decision.ts_event, say("decided"), said, decision.price_ticks * TICK_POINTS))
    for (_, before), (ts, ticks) in pairwise(stops):
        away = trip.side * (ticks - before) < 0
        way = say("away from the entry: more at risk") if away else say("in the trade's favour")
        found.append((ts, say("stop moved"), way, ticks * TICK_POINTS))
    for r in reports:
        if r.bracket_id != trip.bracket_id:
            continue
        filled = r.last_qty > 0 and r.last_ticks is not None
        price = r.last_ticks * TICK_POINTS if filled and r.last_ticks is not None else None
        words = f"{coded(r.role.value, say)} {coded(r.status.value, say)}"
        words += f" ({coded(r.reason, say)})" if r.reason else ""
        words += "".join(f", {coded(tag, say)}" for tag in r.tags)
        found.append((r.ts_event, say("filled") if filled else say("venue"), words, price))
    found.sort(key=lambda row: row[0])
    first = found[0][0] if found else trip.entry_ts
    rows = [
        [
            text(clock(ts)[11:19], "num"),
            number((ts - first) / 1e9, ",.1f"),
            text(kind),
            text(words),
            number(price),
        ]
        for ts, kind, words, price in found
    ]
    return table(marks("time", "s", "what", "how", "price"), rows, numeric=(0, 1, 4), say=say)


def _gates(decision: Decision | None, run: RunFacts, say: Say) -> str:
    if decision is None:
        return note(say("Its decision is not in this record."))
    rows: list[list[Cell]] = []
    passed: list[list[Cell]] = []
    silent: list[str] = []
    # What failed is read first; what passed is folded, what did not apply is only named.
    for i in sorted(range(len(run.gate_codes)), key=lambda i: decision.gate_outcome[i] != FAILED):
        outcome = int(decision.gate_outcome[i])
        if outcome not in (PASSED, FAILED):
            silent.append(coded(run.gate_codes[i], say))
            continue
        alarm = outcome == FAILED and int(run.gate_levels[i]) == BLOCKING
        (rows if outcome == FAILED else passed).append(
            [
                text(coded(run.gate_codes[i], say)),
                text(coded(LEVEL_NAMES[int(run.gate_levels[i])], say)),
                text(coded(OUTCOME_NAMES[outcome], say), "alarm" if alarm else ""),
                *_numbers(decision, run, i, say),
            ]
        )
    size = ""
    if decision.verdict is not None:
        limits = ", ".join(f"{coded(k, say)} {v:.0f}" for k, v in decision.verdict.limits.items())
        text_ = say("Size bound by {limit}; contracts each limit allows: {limits}.")
        size = note(text_.format(limit=coded(decision.verdict.binding, say), limits=limits))
    heads = marks("gate", "weight", "outcome", "requires", "found")
    rest = (
        note(say("Never asked, or without an answer: {gates}.").format(gates=", ".join(silent)))
        if silent
        else ""
    )
    failed = table(heads, rows, numeric=(3, 4), say=say) if rows else note(say("No gate failed."))
    folded = ""
    if passed:
        summary = esc(say("{n} gates passed").format(n=len(passed)))
        inside = table(heads, passed, numeric=(3, 4), say=say)
        folded = f"<details class='mia-quiet'><summary>{summary}</summary>{inside}</details>"
    return failed + folded + rest + size


def _numbers(decision: Decision, run: RunFacts, i: int, say: Say) -> tuple[Cell, Cell]:
    """Return what a gate asked and found, in its unit; a yes or no has no numbers."""
    if run.gate_units[i] in ("flag", "state"):
        return Cell("", "num"), Cell("", "num")
    asked, found = float(decision.gate_required[i]), float(decision.gate_actual[i])
    return _amount(asked, run.gate_units[i], say), _amount(found, run.gate_units[i], say)


def _amount(value: float, unit: str, say: Say) -> Cell:
    return text(amount(value if value == value else None, unit, say), "num")


def _contributions(lesson: Lesson | None, say: Say) -> str:
    if lesson is None:
        return ""
    names = sorted(
        {*lesson.contributions, *lesson.contributions_at_exit},
        key=lambda n: -abs(lesson.contributions.get(n, 0.0)),
    )
    rows = [
        [
            text(name.replace("_", " ")),
            number(lesson.contributions.get(name), ".4f", signed=True),
            number(lesson.contributions_at_exit.get(name), ".4f", signed=True),
        ]
        for name in names
    ]
    rows.append(
        [
            text(say("sum")),
            number(sum(lesson.contributions.values()), ".4f", signed=True),
            number(sum(lesson.contributions_at_exit.values()), ".4f", signed=True),
        ]
    )
    return table(marks("component", "at entry", "at exit"), rows, numeric=(1, 2), say=say)


def _alternatives(material: Material, trip: RoundTrip, say: Say) -> str:
    found = other_exits(material, trip)
    if not found:
        return note(say("The journal holds no prices to follow other exits along."))
    rows = [
        [
            text(say(row.name)),
            text(coded(row.how, say)),
            text(clock(row.ts)[11:19], "num"),
            number(row.price_ticks * TICK_POINTS),
            number(row.net_cents / 100, signed=True),
            number((row.net_cents - trip.net_cents) / 100, signed=True),
        ]
        for row in found
    ]
    text_ = say(
        "Along the stored bars, the worse side of each first; in the bar of the entry only the stop counts. One trade "
        "proves nothing."
    )
    heads = marks("exit", "ends by", "at", "price", "net USD", "against the trade USD")
    return table(heads, rows, numeric=(2, 3, 4, 5), say=say) + note(text_)


def _again(material: Material, trip: RoundTrip) -> str:
    weights = material.header["weights_name"]
    made = f"run = mia.day({material.source['name']!r}).replay(weights={weights!r})"
    return f"<pre>{esc(made)}\n{esc(f'run.at({trip.entry_ts}).why()')}</pre>"
