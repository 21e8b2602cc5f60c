"""The post-mortem of a day: all its trades together, what they had in common, and what other exits would have made.

How it moves: the same pieces as the page of one trade, over every trade of a journal: one timeline, contributions of
winners beside those of losers, findings counted, gates as they refused, and each other way out summed over the day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from mia_kernel.analytics import adherence
from mia_kernel.analytics import report_look as look
from mia_kernel.analytics.autopsy import Fill
from mia_kernel.analytics.halts import halt_bands, halt_sentences, halts
from mia_kernel.analytics.html import Cell, esc, facts, number, table, text
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.mentor_words import HABITS
from mia_kernel.analytics.other_exits import other_exits, summed
from mia_kernel.analytics.performance import performance
from mia_kernel.analytics.picture import day_frame, picture_words
from mia_kernel.analytics.postmortem import TradeReport
from mia_kernel.analytics.report_material import Material, clock, days_in_words, source_words, told_name
from mia_kernel.analytics.report_tables import note
from mia_kernel.analytics.report_verdict import money_rows, result_line, rules_line
from mia_kernel.analytics.say import Say, coded, mark, marks, plain
from mia_kernel.core.errors import InputError
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import OrderReport, RoundTrip

DAY = "day"
"""What asks for all trades instead of one."""

MOST_ROWS = 120
TITLES = {
    "timeline": mark("The day, step by step"),
    "gates": mark("What the gates saved and cost"),
    "contributions": mark("Contributions at entry: winners beside losers"),
    "alternatives": mark("Other exits, over all trades"),
    "story": mark("What the trades had in common"),
    "again": mark("Replay it"),
    "integrity": mark("Integrity"),
}


def day_mortem(material: Material, reports: Sequence[OrderReport], say: Say = plain) -> TradeReport:
    """Build the page of all trades of a journal.

    Raises
    ------
    InputError
        If no trade was closed in it.
    """
    if not material.trips:
        raise InputError(
            "no trade was closed in that journal",
            field="trade",
            value=DAY,
            way_out="`mia report daily` tells why",
        )
    ts = material.table.column("ts_event")
    figures = performance(
        material.trips,
        capital_cents=material.capital_cents,
        mark_ts=ts,
        mark_ticks=material.table.column("price_ticks").astype(float),
    )
    rules = adherence.rules(material.trips, material.table)
    lessons = () if material.look is None else material.look.lessons
    ghosts = () if material.look is None else material.look.ghosts
    title = say("Post-mortem of {day}").format(day=days_in_words(material.table, say))
    return TradeReport(
        title=title,
        source_tag=str(material.source["tag"]),
        frame=_frame(material, say),
        verdict=_verdict(material, figures, rules, title, say),
        story=_story(lessons, say),
        timeline=_timeline(material, reports, say),
        gates=look.saved(ghosts, say("as the day's page says"), say),
        contributions=_contributions(lessons, say),
        alternatives=_alternatives(material, say),
        again=_again(material),
        integrity=look.integrity(material.checks, say),
        titles={name: say(words) for name, words in TITLES.items()},
        card={
            "title": title,
            "source": told_name(material.source, say),
            "tag": material.source["tag"],
            "end_ts": int(ts[-1]) if len(ts) else material.trips[-1].exit_ts,
            **{key: figures[key] for key in ("n", "net_usd", "expectancy_r")},
            "rules_broken": [rule.code for rule in rules if not rule.kept],
            "rules_said": look.rules_said(rules, say),
            "next": _next(rules, say),
            "checks": {name: verdict for name, (verdict, _) in material.checks.items()},
        },
    )


def _next(rules: Sequence[adherence.Rule], say: Say) -> str:
    broken = [rule for rule in rules if not rule.kept]
    return say("Next session: {habit}.").format(habit=say(HABITS[broken[0].code])) if broken else ""


def _frame(material: Material, say: Say) -> dict[str, Any]:
    frame = day_frame(
        material.table,
        material.trips,
        title="",
        source_tag=str(material.source["tag"]),
        capital_cents=material.capital_cents,
        bars=material.bars,
    )
    return {**frame, "bands": halt_bands(material, say), "said": picture_words(say)}


def _verdict(
    material: Material, figures: Mapping[str, Any], rules: Sequence[adherence.Rule], title: str, say: Say
) -> str:
    fills = () if material.look is None else material.look.fills
    rows = [
        (say("trades"), f"{figures['n']}"),
        (say("conduct"), rules_line(rules, say)),
        *money_rows(figures, say),
        (say("slippage"), esc(_slipped(fills, say))),
    ]
    head = f"{esc(source_words(str(material.source['tag']), say))} · {esc(told_name(material.source, say))}"
    said = "".join(f"<p>{sentence}</p>" for sentence in halt_sentences(material, say))
    return (
        f"<section class='mia mia-verdict'><p class='mia-source'>{head}</p><h1>{esc(title)}</h1>"
        f"{result_line(figures, say)}{said}{facts(rows)}</section>"
    )


def _slipped(fills: Sequence[Fill], say: Say) -> str:
    """Return the day's slippage in ticks and its parts, where they are known."""
    known = [fill.slippage_ticks for fill in fills if fill.slippage_ticks is not None]
    if not known:
        return "—"
    parts = (
        (say("delay"), [fill.delay_ticks for fill in fills]),
        (say("half spread"), [fill.spread_ticks for fill in fills]),
        (say("impact"), [fill.impact_ticks for fill in fills]),
    )
    named = [
        f"{name} {sum(v for v in values if v is not None):.1f}"
        for name, values in parts
        if any(v is not None for v in values)
    ]
    text_ = say("{ticks} ticks over {n} fills").format(ticks=f"{sum(known):.1f}", n=len(known))
    return f"{text_} ({', '.join(named)})" if named else text_


def _story(lessons: Sequence[Lesson], say: Say) -> str:
    """Return what stated rules found at more than nobody's trade, and medians of the excursions."""
    if not lessons:
        return note(say("The journal holds no lessons of its trades."))
    counted = Counter((kind, words) for row in lessons for kind, words in _findings(row))
    rows = [
        [
            text(say(kind)),
            text(say(words)),
            number(n, ",.0f"),
            number(n / len(lessons) * 100, ".0f", unit="%"),
        ]
        for (kind, words), n in counted.most_common()
    ]
    medians = [
        (say("median MAE"), _median([row.mae_r for row in lessons], "R")),
        (say("median MFE"), _median([row.mfe_r for row in lessons], "R")),
        (say("median time in trade"), _median([row.duration_min for row in lessons], "min")),
        (say("median time to profit"), _median([row.time_to_profit_min for row in lessons], "min")),
    ]
    body = table(marks("", "finding", "trades", "share"), rows, numeric=(2, 3), say=say) if rows else ""
    return facts(medians) + body


def _findings(row: Lesson) -> list[tuple[str, str]]:
    timing = {"early": mark("entry too early"), "late": mark("entry too late")}.get(row.entry_timing or "")
    return [
        *((mark("went well"), words) for words in row.what_worked),
        *((mark("went wrong"), words) for words in row.what_failed),
        *((mark("note"), words) for words in row.risk_management_notes),
        *([(mark("timing"), timing)] if timing else []),
    ]


def _median(values: Sequence[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.2f} {unit} (n = {len(known)})" if known else "—"


def _timeline(material: Material, reports: Sequence[OrderReport], say: Say) -> str:
    """Return decisions with a signal, fills, closed trades and halts in order of time."""
    found: list[tuple[int, str, str, float | None]] = []
    for _, d in material.table.signals:
        if d.signal is None:
            continue
        allowed = d.verdict is not None and d.verdict.allowed
        side = coded("long" if d.signal.side > 0 else "short", say)
        why = "" if allowed or d.verdict is None else f": {coded(d.verdict.code, say)}"
        words = f"{side} {d.score.percent:.2f} %{why}"
        kind = say("permitted") if allowed else say("not permitted")
        found.append((d.ts_event, kind, words, d.price_ticks * TICK_POINTS))
    for r in reports:
        if r.last_qty > 0 and r.last_ticks is not None:
            words = f"{coded(r.role.value, say)} {r.side * r.last_qty:+d} {r.symbol}".replace("-", "−")
            found.append((r.ts_event, say("filled"), words, r.last_ticks * TICK_POINTS))
    for trip in material.trips:
        words = f"#{trip.id} {coded(trip.exit_reason, say)} {trip.net_cents / 100:+,.2f} USD".replace(
            "-", "−"
        )
        found.append((trip.exit_ts, say("closed"), words, trip.exit_ticks * TICK_POINTS))
    for halt in halts(material):
        words = say("{n} decisions could not enter").format(n=f"{halt.n:,}")
        found.append((halt.first, say("entries off"), words, None))
    found.sort(key=lambda row: row[0])
    rows = [
        [text(clock(ts)[11:19], "num"), text(kind), text(words), number(price)]
        for ts, kind, words, price in found[:MOST_ROWS]
    ]
    body = table(marks("time", "what", "how", "price"), rows, numeric=(0, 3), say=say)
    more = len(found) - len(rows)
    return body + (note(say("{n} more steps are in the journal.").format(n=more)) if more > 0 else "")


def _contributions(lessons: Sequence[Lesson], say: Say) -> str:
    won = [row for row in lessons if row.pnl_net > 0]
    lost = [row for row in lessons if row.pnl_net < 0]
    names = sorted({name for row in lessons for name in row.contributions})
    if not names:
        return ""

    def mean(rows: Sequence[Lesson], name: str) -> float | None:
        # Towards the side taken: positive spoke for the trade.
        signs = [
            row.contributions[name] * (1 if row.direction == "long" else -1)
            for row in rows
            if name in row.contributions
        ]
        return fmean(signs) if signs else None

    rows: list[list[Cell]] = [
        [
            text(name.replace("_", " ")),
            number(mean(won, name), ".4f", signed=True),
            number(mean(lost, name), ".4f", signed=True),
        ]
        for name in names
    ]
    heads = (
        mark("component"),
        say("winners (n = {n})").format(n=len(won)),
        say("losers (n = {n})").format(n=len(lost)),
    )
    said = say("Means in the direction of the trade: positive spoke for it.")
    return table(heads, rows, numeric=(1, 2), say=_once(say, heads[1:])) + note(said)


def _once(say: Say, done: Sequence[str]) -> Say:
    """Return `say` that leaves heads alone that were already said."""
    return lambda text_: text_ if text_ in done else say(text_)


def _alternatives(material: Material, say: Say) -> str:
    by_trade = [(trip, other_exits(material, trip)) for trip in material.trips]
    named = summed([rows for _, rows in by_trade])
    if not named:
        return note(say("The journal holds no prices to follow other exits along."))
    done: dict[str, int] = {}
    for trip, rows in by_trade:
        for row in rows:
            done[row.name] = done.get(row.name, 0) + trip.net_cents
    cells = [
        [
            text(say(name)),
            number(len(rows), ",.0f"),
            number(sum(row.net_cents > 0 for row in rows), ",.0f"),
            number(sum(row.net_cents for row in rows) / 100, signed=True),
            number((sum(row.net_cents for row in rows) - done[name]) / 100, signed=True),
        ]
        for name, rows in named.items()
    ]
    heads = marks("exit", "trades", "winners", "net USD", "against the day USD")
    said = say(
        "Each trade ended in each way along the stored bars, costs on, the worse side of each bar first. Ghosts of one "
        "day prove nothing."
    )
    return table(heads, cells, numeric=(1, 2, 3, 4), say=say) + note(said)


def _again(material: Material) -> str:
    weights, trip = material.header["weights_name"], _worst(material.trips)
    lines = (
        f"run = mia.day({material.source['name']!r}).replay(weights={weights!r})",
        f"run.at({trip.entry_ts}).why()",
    )
    return f"<pre>{esc(chr(10).join(lines))}</pre>"


def _worst(trips: Sequence[RoundTrip]) -> RoundTrip:
    return min(trips, key=lambda trip: trip.net_cents)
