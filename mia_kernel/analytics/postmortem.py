"""The page of one trade: how it was decided, sent, filled and ended, and what other exits would have made of it.

How it moves: the trade's decision, orders and fills become a timeline; contributions at entry and exit stand side by
side; the same entry is ended in other ways along the recorded prices, costs on. Those are ghosts, not trades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mia_kernel.analytics.explain import RunFacts, amount, why
from mia_kernel.analytics.html import Cell, esc, facts, number, table, text
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.picture import day_frame, picture_words
from mia_kernel.analytics.report_material import Material, clock, source_words
from mia_kernel.analytics.report_tables import note, post_mortem
from mia_kernel.analytics.report_verdict import result_line
from mia_kernel.analytics.say import Say, coded, mark, marks, plain
from mia_kernel.core.decisions import FAILED, LEVEL_NAMES, OUTCOME_NAMES, PASSED, Decision
from mia_kernel.core.errors import InputError
from mia_kernel.core.instrument import TICK_POINTS, instrument
from mia_kernel.core.orders import OrderReport, PlaceBracket, ReplaceStop, RoundTrip

AROUND_NS = 30 * 60 * 1_000_000_000
TITLES = {
    "timeline": mark("From decision to exit"),
    "gates": mark("What the gates said"),
    "contributions": mark("Contributions at entry and at exit"),
    "alternatives": mark("Other exits"),
    "story": mark("Post-mortem"),
    "again": mark("Replay it"),
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
    stops = _stops(material, trip)
    return TradeReport(
        title=title,
        source_tag=str(material.source["tag"]),
        frame={**_frame(material, trip, stops), "said": picture_words(say)},
        verdict=_verdict(material, trip, title, say),
        story=_story(lesson, decision, run, say),
        timeline=_timeline(trip, decision, reports, stops, say),
        gates=_gates(decision, run, say),
        contributions=_contributions(lesson, say),
        alternatives=_alternatives(material, trip, stops, say),
        again=_again(material, trip),
        titles={name: say(words) for name, words in TITLES.items()},
        card={
            "title": title,
            "tag": material.source["tag"],
            "end_ts": trip.exit_ts,
            "n": 1,
            "net_usd": trip.net_cents / 100,
        },
    )


def _belongs(decision: Decision, trip: RoundTrip) -> bool:
    return any(command.bracket_id == trip.bracket_id for command in decision.intents)


def _stops(material: Material, trip: RoundTrip) -> list[tuple[int, int]]:
    """Return (time, ticks) of each stop that protected the trade, first to last."""
    found: list[tuple[int, int]] = []
    for decision in material.table.with_intents:
        for command in decision.intents:
            if command.bracket_id != trip.bracket_id:
                continue
            if isinstance(command, PlaceBracket) and command.stop.stop_ticks is not None:
                found.append((trip.entry_ts, command.stop.stop_ticks))
            elif isinstance(command, ReplaceStop):
                found.append((command.ts_event, command.stop_ticks))
    return found


def _target(material: Material, trip: RoundTrip) -> int | None:
    for decision in material.table.with_intents:
        for command in decision.intents:
            if isinstance(command, PlaceBracket) and command.bracket_id == trip.bracket_id:
                return command.target.limit_ticks
    return None


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
    target = _target(material, trip)
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
    parts = [post_mortem(lesson, say)] if lesson is not None else []
    if decision is not None:
        parts.append(why(decision, run, say=say))
    if not parts:
        return note(say("Its decision is not in this record."))
    return "".join(f"<pre>{esc(part)}</pre>" for part in parts)


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
    for ts, ticks in stops[1:]:
        found.append((ts, say("stop moved"), say("in the trade's favour"), ticks * TICK_POINTS))
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
    silent: list[str] = []
    # What failed is read first; what did not apply is only named.
    for i in sorted(range(len(run.gate_codes)), key=lambda i: decision.gate_outcome[i] != FAILED):
        outcome = int(decision.gate_outcome[i])
        if outcome not in (PASSED, FAILED):
            silent.append(coded(run.gate_codes[i], say))
            continue
        rows.append(
            [
                text(coded(run.gate_codes[i], say)),
                text(coded(LEVEL_NAMES[int(run.gate_levels[i])], say)),
                text(coded(OUTCOME_NAMES[outcome], say), "alarm" if outcome == FAILED else ""),
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
    return table(heads, rows, numeric=(3, 4), say=say) + rest + size


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


def _alternatives(material: Material, trip: RoundTrip, stops: Sequence[tuple[int, int]], say: Say) -> str:
    bars, target = material.bars, _target(material, trip)
    if bars is None or not len(bars) or not stops or target is None:
        return note(say("The journal holds no prices to follow other exits along."))
    after = bars[bars["start"] >= trip.entry_ts]
    risk = abs(trip.entry_ticks - stops[0][1])
    cents = instrument(trip.symbol).tick_cents or 0
    rows: list[list[Cell]] = []
    for name, stop, goal, hold in (
        (mark("as planned: first stop, target"), stops[0][1], float(target), None),
        (mark("target at 1 R"), stops[0][1], trip.entry_ticks + trip.side * risk, None),
        (mark("target at 3 R"), stops[0][1], trip.entry_ticks + trip.side * 3 * risk, None),
        (mark("stop half as far"), trip.entry_ticks - trip.side * risk / 2, float(target), None),
        (mark("stop twice as far"), trip.entry_ticks - trip.side * risk * 2, float(target), None),
        (mark("out after 30 minutes"), stops[0][1], float(target), AROUND_NS),
    ):
        ended = _end(after, trip, float(stop), float(goal), hold)
        if ended is None:
            continue
        ts, price, how = ended
        net = round(trip.side * (price - trip.entry_ticks) * cents) * trip.qty - trip.fees_cents
        rows.append(
            [
                text(say(name)),
                text(coded(how, say)),
                text(clock(ts)[11:19], "num"),
                number(price * TICK_POINTS),
                number(net / 100, signed=True),
                number((net - trip.net_cents) / 100, signed=True),
            ]
        )
    text_ = say(
        "Along the stored bars, the worse side of each first, from the bar after entry. One trade proves nothing."
    )
    heads = marks("exit", "ends by", "at", "price", "net USD", "against the trade USD")
    return table(heads, rows, numeric=(2, 3, 4, 5), say=say) + note(text_)


def _end(
    bars: Any, trip: RoundTrip, stop: float, target: float, hold_ns: int | None
) -> tuple[int, float, str] | None:
    """Return when, where and by what an exit would have come, None where the bars end before."""
    side = trip.side
    worst, best = (bars["low"], bars["high"]) if side > 0 else (bars["high"], bars["low"])
    stopped, reached = side * (worst - stop) <= 0, side * (best - target) > 0
    ends = stopped | reached
    if hold_ns is not None:
        ends |= bars["end"] >= trip.entry_ts + hold_ns
    if not ends.any():
        return None
    i = int(np.argmax(ends))
    if stopped[i]:
        opened = float(bars["open"][i])
        return int(bars["end"][i]), opened if side * (opened - stop) < 0 else stop - side, "stop"
    if reached[i]:
        return int(bars["end"][i]), target, "target"
    return int(bars["end"][i]), float(bars["close"][i]), "time"


def _again(material: Material, trip: RoundTrip) -> str:
    weights = material.header["weights_name"]
    made = f"run = mia.day({material.source['name']!r}).replay(weights={weights!r})"
    return f"<pre>{esc(made)}\n{esc(f'run.at({trip.entry_ts}).why()')}</pre>"
