"""The page of a week, or of any few days: result day by day, conduct, what the gates did, what the trades suggest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mia_kernel.analytics import mentor
from mia_kernel.analytics import report_look as look
from mia_kernel.analytics.adherence import Rule, rules
from mia_kernel.analytics.advice import Advice, Day
from mia_kernel.analytics.effectiveness import expired, proposals
from mia_kernel.analytics.html import Cell, esc, facts, number, table, text
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.mentor_words import RULES, capital, in_r
from mia_kernel.analytics.performance import performance
from mia_kernel.analytics.picture import picture_words
from mia_kernel.analytics.report_material import Material, days_in_words, short_name, source_words
from mia_kernel.analytics.report_verdict import interval_r, money_rows, result_line, rules_line, targets_line
from mia_kernel.analytics.say import WEEKDAYS, Say, day_words, mark, marks, plain
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.session import trading_day_of, trading_days_of
from mia_kernel.core.session_table import date_of

TITLES = {
    "days": mark("Day by day"),
    "saved": mark("What the gates saved and cost"),
    "fills": mark("Fills, taken apart"),
    "groups": mark("What worked"),
    "mentor": mark("The mentor"),
    "conduct": mark("Rules"),
    "integrity": mark("Integrity"),
}


@dataclass(frozen=True)
class WeekReport:
    """The pieces of the page, each ready to be shown; `frame` is for the picture of the days."""

    title: str
    source_tag: str
    figures: Mapping[str, Any]
    frame: Mapping[str, Any]
    verdict: str
    days: str
    saved: str
    fills: str
    groups: str
    mentor: str
    conduct: str
    integrity: str
    advices: Sequence[Advice] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)


def week_report(parts: Sequence[Material], say: Say = plain) -> WeekReport:
    """Build the page of several journals, in order of time; a trade found in two of them counts once."""
    trips = _once([trip for part in parts for trip in part.trips])
    ghosts = [ghost for part in parts if part.look is not None for ghost in part.look.ghosts]
    fills = [fill for part in parts if part.look is not None for fill in part.look.fills]
    days = sorted({int(day) for part in parts for day in _days(part)})
    figures = performance(trips, capital_cents=parts[0].capital_cents, days=days)
    kept, lessons = _conduct(parts)
    ends = [int(part.table.column("ts_event")[-1]) for part in parts if len(part.table)]
    window = max((part.window for part in parts), key=len)
    day = Day(
        max(ends, default=0), figures, lessons, kept, window or lessons, parts[-1].earlier, max(len(days), 1)
    )
    advices = mentor.advise(day, say)
    gone = expired(day.earlier, proposals(day.window, day.end_ts))
    title = days_in_words(parts[-1].table, say)
    if len(days) > 1:
        first = day_words(days[0], say, weekday=False, year=False)
        title = say("{first} to {last}").format(first=first, last=day_words(days[-1], say, weekday=False))
    return WeekReport(
        title=title,
        source_tag=str(parts[-1].source["tag"]),
        figures=figures,
        frame={**_frame(trips, days, str(parts[-1].source["tag"]), say), "said": picture_words(say)},
        verdict=_verdict(parts, figures, title, (len(days), kept), mentor.focus(day, say), say),
        days=_table(trips, days, parts, say),
        saved=look.saved(ghosts, say("as each day's page says"), say),
        fills=look.fills(fills, say),
        groups=look.effectiveness(day.window, day.end_ts, say),
        mentor=look.mentor(advices, gone, say, most=6),
        conduct=_rules_by_day(parts, say),
        integrity=_integrity(parts, say),
        advices=advices,
        titles={name: say(words) for name, words in TITLES.items()},
        card={
            "title": title,
            "tag": parts[-1].source["tag"],
            "end_ts": day.end_ts,
            **{
                key: figures[key]
                for key in ("n", "wins", "losses", "scratches", "net_usd", "expectancy_r", "costs_usd")
            },
            "max_drawdown_usd": figures["max_drawdown_usd"],
            "mood": mentor.mood(day),
            "rules_broken": sorted({rule.code for rule in kept if not rule.kept}),
            "rules_said": look.rules_said(kept, say),
            "checks": _worst_checks(parts),
            "next": mentor.focus(day, say),
            "sentences": [advice.message for advice in advices[:3]],
        },
    )


def _conduct(parts: Sequence[Material]) -> tuple[list[Rule], list[Lesson]]:
    """Return the rules over all journals and their lessons, trades numbered through: numbers start anew in each."""
    asked: dict[str, int] = {}
    broken: dict[str, list[int]] = {}
    lessons: list[Lesson] = []
    before = 0
    for part in parts:
        for rule in rules(part.trips, part.table):
            asked[rule.code] = asked.get(rule.code, 0) + rule.asked
            broken.setdefault(rule.code, []).extend(before + trip for trip in rule.broken_by)
        rows = () if part.look is None else part.look.lessons
        lessons += [replace(row, trade_id=before + row.trade_id) for row in rows]
        before += max((trip.id for trip in part.trips), default=0)
    return [Rule(code, asked[code], tuple(broken[code])) for code in asked], lessons


def _rules_by_day(parts: Sequence[Material], say: Say) -> str:
    """Return each rule: kept, or how many trades broke it on which day."""
    by_rule: dict[str, list[str]] = {}
    asked: dict[str, int] = {}
    for part in parts:
        for rule in rules(part.trips, part.table):
            asked[rule.code] = asked.get(rule.code, 0) + rule.asked
            words = by_rule.setdefault(rule.code, [])
            if rule.broken_by:
                words += [f"{_short(day, say)} ({n})" for day, n in _count(part.trips, rule).items()]
    pairs = [
        (
            capital(say(RULES[code])),
            f"<span class='alarm'>{esc(say('broken: {days}').format(days=', '.join(broken)))}</span>"
            if broken
            else esc(say("kept")),
        )
        for code, broken in by_rule.items()
        if asked[code]
    ]
    return facts(pairs) if pairs else ""


def _count(trips: Sequence[RoundTrip], rule: Rule) -> dict[int, int]:
    """Return how many trades broke a rule on which trading day."""
    found: dict[int, int] = {}
    for trip in trips:
        if trip.id in rule.broken_by:
            day = trading_day_of(trip.entry_ts)
            found[day] = found.get(day, 0) + 1
    return found


def _worst_checks(parts: Sequence[Material]) -> dict[str, str]:
    """Return for each check the worst of its verdicts over the journals."""
    order = ("proven", "not checked", "differs")
    found: dict[str, str] = {}
    for part in parts:
        for name, (verdict, _) in part.checks.items():
            found[name] = max(found.get(name, verdict), verdict, key=order.index)
    return found


def _once(trips: Sequence[RoundTrip]) -> list[RoundTrip]:
    found = {(t.symbol, t.side, t.entry_ts, t.exit_ts): t for t in trips}
    return sorted(found.values(), key=lambda trip: trip.exit_ts)


def _days(part: Material) -> Sequence[int]:
    ts = part.table.column("ts_event")
    return np.unique(trading_days_of(ts)).tolist() if len(ts) else []


def _by_day(trips: Sequence[RoundTrip], days: Sequence[int]) -> dict[int, list[RoundTrip]]:
    found: dict[int, list[RoundTrip]] = {day: [] for day in days}
    if trips:
        for trip, day in zip(trips, trading_days_of(np.array([t.exit_ts for t in trips])), strict=True):
            found.setdefault(int(day), []).append(trip)
    return found


def _frame(trips: Sequence[RoundTrip], days: Sequence[int], tag: str, say: Say) -> dict[str, Any]:
    by_day = _by_day(trips, days)
    net = [sum(trip.net_cents for trip in by_day[day]) / 100 for day in by_day]
    return {
        "source_tag": tag,
        "days": {
            "label": [_short(day, say) for day in by_day],
            "net_usd": np.array(net),
            "cumulative_usd": np.cumsum(net),
            "trades": np.array([len(by_day[day]) for day in by_day]),
        },
        "trades": {"net_usd": np.array([trip.net_cents / 100 for trip in trips])},
    }


def _verdict(
    parts: Sequence[Material],
    figures: Mapping[str, Any],
    title: str,
    held: tuple[int, Sequence[Rule]],
    focus: str,
    say: Say,
) -> str:
    days, kept = held
    names = {short_name(str(part.source["name"])) for part in parts}
    kind = esc(source_words(str(parts[-1].source["tag"]), say))
    source = f"{kind} · {esc(names.pop())}" if len(names) == 1 else kind
    rows = [
        (say("days"), f"{days}"),
        (say("journals"), esc(say("{n}, every chain verified").format(n=len(parts)))),
        (say("trades"), f"{figures['n']}"),
        (say("conduct"), rules_line(kept, say) if figures["n"] else esc(say("no trade"))),
    ]
    if figures["n"]:
        expectancy = "—"
        if figures["expectancy_r"] is not None:
            expectancy = f"{in_r(figures['expectancy_r'])} R ({interval_r(figures, say)})"
        rows.append((say("expectancy"), esc(expectancy)))
    rows += money_rows(figures, say, marked=False)
    return (
        f"<section class='mia mia-verdict'><p class='mia-source'>{source}</p><h1>{esc(title)}</h1>"
        f"{result_line(figures, say)}<p class='mia-focus'>{esc(focus)}</p>{facts(rows)}"
        f"{targets_line(figures, say)}</section>"
    )


def _short(day: int, say: Say) -> str:
    """Return a day as an axis has room for it."""
    when = date_of(day)
    return f"{say(WEEKDAYS[when.weekday()])[:3]} {when.day}"


def _table(trips: Sequence[RoundTrip], days: Sequence[int], parts: Sequence[Material], say: Say) -> str:
    refused: dict[int, int] = {}
    for part in parts:
        for ghost in part.look.ghosts if part.look is not None else ():
            day = int(trading_days_of(np.array([ghost.ts_event]))[0])
            refused[day] = refused.get(day, 0) + 1
    rows: list[list[Cell]] = []
    total = 0
    for day, members in _by_day(trips, days).items():
        net = sum(trip.net_cents for trip in members)
        total += net
        in_r = [trip.net_cents / trip.risk_cents for trip in members if trip.risk_cents > 0]
        rows.append(
            [
                text(day_words(day, say, year=False)),
                number(len(members), ",.0f"),
                number(sum(trip.net_cents > 0 for trip in members), ",.0f"),
                number(refused.get(day, 0), ",.0f"),
                number(sum(in_r) if in_r else None, ".2f", signed=True),
                number(sum(trip.fees_cents for trip in members) / 100),
                number(net / 100, signed=True) if members else Cell("—", "num faint"),
                number(total / 100, signed=True),
            ]
        )
    heads = marks("day", "trades", "winners", "refused signals", "R", "costs USD", "net USD", "running USD")
    faint = [i for i, row in enumerate(rows) if row[1].text == "0"]
    return table(heads, rows, numeric=range(1, 8), faint=faint, say=say)


def _integrity(parts: Sequence[Material], say: Say) -> str:
    rows = [
        [
            text(days_in_words(part.table, say)),
            text(f"{(part.chain or '')[:16]}"),
            *(
                text(say(part.checks.get(name, ("not checked", ""))[0]))
                for name in ("journal", "decisions", "replay")
            ),
        ]
        for part in parts
    ]
    return table(marks("day", "journal head", "journal", "decisions", "replay"), rows, say=say)
