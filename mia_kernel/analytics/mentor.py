"""Say in plain sentences what the day taught: every advice carries the trades, statistic, n and interval it stands on.

How it moves: closed trades, kept and broken rules and the proposals of `effectiveness` become `Advice`. The same data
give the same words; nothing statistical is advised under 30 trades; an advice expires with the data behind it.
Sentences pass through `say`, so a catalog can put them into another language; the numbers go in afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from mia_kernel.analytics.adherence import Rule, adherence
from mia_kernel.analytics.advice import Advice, Day, Evidence, Kind, Level, Mood
from mia_kernel.analytics.bootstrap import mean_interval
from mia_kernel.analytics.effectiveness import (
    DAY_NS,
    EXPIRES_DAYS,
    Group,
    Proposal,
    all_groups,
    proposals,
    strengths,
    trade_name,
    weaknesses,
)
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.mentor_words import (
    HABITS,
    PROPOSED,
    RULES,
    capital,
    group_words,
    in_r,
    usd,
)
from mia_kernel.analytics.performance import MIN_GROUP_TRIPS
from mia_kernel.analytics.say import Say, plain

MIN_DAY_TRADES = 3
DAY_LOSS_USD = -500.0
MEAN_LOSS_USD = -200.0
SCATTER_USD = 300.0
SUMMARY_EVERY = 25


def mood(day: Day) -> Mood:
    """Return the mood from expectancy and conduct together: luck without discipline is not praised."""
    kept = adherence(day.rules)
    figures = day.figures
    if kept is None:
        return "neutral"
    if kept < 0.8 or (day.days == 1 and figures["net_usd"] <= DAY_LOSS_USD):
        return "critical"
    if kept < 1.0:
        return "concerned"
    expectancy = figures["expectancy_r"]
    if expectancy is None or figures["n"] < MIN_DAY_TRADES:
        return "neutral"
    if expectancy < -0.1:
        return "concerned"
    interval = figures["expectancy_r_ci"]
    sure = interval is not None and interval[0] > 0
    # A few good trades may be luck: excellent is what an interval above 0 says.
    return "excellent" if expectancy > 0.25 and sure else "good" if expectancy > 0.05 else "neutral"


def advise(day: Day, say: Say = plain) -> list[Advice]:
    """Return everything the day gives reason to say, most important first; `advice.choose` keeps what is sent.

    Parameters
    ----------
    day : Day
    say : callable
        Translates a sentence with its `{}` fields still in it.
    """
    found = [
        daily(day, say),
        *_habits(day, say),
        *_alerts(day, say),
        *_summary(day, say),
        *_learned(day, say),
        *_improvements(day, say),
        *_celebrations(day, say),
    ]
    return sorted(found, key=lambda advice: (advice.priority, advice.key))


def daily(day: Day, say: Say = plain) -> Advice:
    """Return the one advice that every day has: its result, its conduct, and tomorrow's focus."""
    f, n = day.figures, day.figures["n"]
    ids = _ids(day.lessons)
    until = day.end_ts + DAY_NS
    if n == 0:
        text = say("No trade was made.")
    else:
        text = _result(f, say) + " " + rules_sentence(day.rules, say)
    level: Level = {"critical": "critical", "concerned": "warning"}.get(mood(day), "info")  # type: ignore[assignment]
    text += " " + focus(day, say)
    evidence = Evidence("net (USD)", float(f["net_usd"]), n, None, ids)
    title = say("The day") if day.days == 1 else say("The week")
    return Advice("daily", day.end_ts, Kind.DAILY_REPORT, level, title, text, evidence, False, 1, until)


def _result(f: Mapping[str, Any], say: Say) -> str:
    sentence = say("{n} trades, {net} USD net: {wins} won, {losses} lost, {scratches} scratched.")
    if f["n"] == 1:
        sentence = say("1 trade, {net} USD net: {wins} won, {losses} lost, {scratches} scratched.")
    text = sentence.format(
        n=f["n"], net=usd(f["net_usd"]), wins=f["wins"], losses=f["losses"], scratches=f["scratches"]
    )
    if f["n"] < MIN_DAY_TRADES or f["expectancy_r"] is None:
        return text
    interval = f["expectancy_r_ci"]
    said = say("too few for an interval")
    if interval:
        said = say("95 % interval {low} to {high} R").format(low=in_r(interval[0]), high=in_r(interval[1]))
    return (
        text
        + " "
        + say("Expectancy {value} R per trade, {interval}.").format(
            value=in_r(f["expectancy_r"]), interval=said
        )
    )


def rules_sentence(rules: Sequence[Rule], say: Say = plain) -> str:
    """Return whether the rules were kept, in one sentence."""
    broken = [rule for rule in rules if not rule.kept]
    if not broken:
        return say("Every rule was kept.")
    parts = [f"{say(RULES[rule.code])} ({len(rule.broken_by)})" for rule in broken]
    return say("Rules broken: {rules}.").format(rules=", ".join(parts))


def focus(day: Day, say: Say = plain) -> str:
    """Return what to watch next: conduct first, then the strongest finding of the window, else patience."""
    broken = [rule for rule in day.rules if not rule.kept]
    if broken:
        return say("Next session: {habit}.").format(habit=say(HABITS[broken[0].code]))
    weak = _weakest(day.window)
    if weak is not None:
        return say("Next session: watch {group}, {value} R per trade over {n}.").format(
            group=group_words(weak.by, weak.name, say), value=in_r(weak.expectancy_r or 0.0), n=weak.n
        )
    missing = MIN_GROUP_TRIPS - len(day.window)
    if missing == 1:
        return say("Next session: the same rules; 1 more trade until anything can be said about the method.")
    if missing > 0:
        return say(
            "Next session: the same rules; {n} more trades until anything can be said about the method."
        ).format(n=missing)
    return say("Next session: the same rules.")


def _weakest(window: Sequence[Lesson]) -> Group | None:
    found = weaknesses(all_groups(window)) if len(window) >= MIN_GROUP_TRIPS else []
    return found[0] if found else None


def _habits(day: Day, say: Say) -> list[Advice]:
    made = []
    ids = {row.trade_id: name for row, name in zip(day.lessons, _ids(day.lessons), strict=True)}
    for rule in day.rules:
        if rule.kept:
            continue
        names = tuple(ids.get(trip, f"#{trip}") for trip in rule.broken_by)
        text = say("{rule}: {count} of {asked} trades. {habit}.").format(
            rule=capital(say(RULES[rule.code])),
            count=len(rule.broken_by),
            asked=rule.asked,
            habit=capital(say(HABITS[rule.code])),
        )
        evidence = Evidence("trades that broke the rule", float(len(rule.broken_by)), rule.asked, None, names)
        level: Level = "critical" if rule.code in ("permission", "size", "stop_moved") else "warning"
        made.append(
            Advice(f"habit:{rule.code}", day.end_ts, Kind.HABIT_WARNING, level, say("A habit"), text, evidence, True, 2,
                   day.end_ts + DAY_NS)
        )  # fmt: skip
    return made


def _alerts(day: Day, say: Say) -> list[Advice]:
    f, made = day.figures, []
    ids, n = _ids(day.lessons), f["n"]
    until = day.end_ts + DAY_NS

    def add(key: str, level: Level, text: str, evidence: Evidence) -> None:
        made.append(
            Advice(
                key,
                day.end_ts,
                Kind.PERFORMANCE_ALERT,
                level,
                say("Performance"),
                text,
                evidence,
                True,
                3,
                until,
            )
        )

    # The limit of attention is a day's; over several days the fall stands in the verdict.
    if day.days == 1 and f["max_drawdown_usd"] is not None and -f["max_drawdown_usd"] < DAY_LOSS_USD:
        text = say(
            "The account fell {fall} USD from its peak of the day; the limit of attention is {limit} USD."
        )
        text = text.format(fall=usd(-f["max_drawdown_usd"]), limit=usd(DAY_LOSS_USD))
        add(
            "alert:drawdown",
            "critical",
            text,
            Evidence("fall (USD)", -float(f["max_drawdown_usd"]), n, None, ids),
        )
    losers = [row for row in day.window if row.pnl_net < 0]
    if len(losers) >= MIN_GROUP_TRIPS:
        mean = sum(row.pnl_net for row in losers) / len(losers)
        if mean < MEAN_LOSS_USD:
            text = say("The mean loss is {mean} USD over {n} losing trades.").format(
                mean=usd(mean), n=len(losers)
            )
            add(
                "alert:mean_loss",
                "warning",
                text,
                Evidence("mean loss (USD)", mean, len(losers), None, _ids(losers)),
            )
    made += _factor_alert(day, say, until)
    return made + _scatter_alert(day, say, until)


def _scatter_alert(day: Day, say: Say, until: int) -> list[Advice]:
    n = len(day.window)
    if n < MIN_GROUP_TRIPS:
        return []
    scatter = stdev(row.pnl_net for row in day.window)
    if scatter <= SCATTER_USD:
        return []
    text = say("Single trades scatter by {std} USD over {n} trades; the limit of attention is {limit} USD.")
    text = text.format(std=f"{scatter:,.2f}", n=n, limit=f"{SCATTER_USD:,.0f}")
    evidence = Evidence("standard deviation (USD)", scatter, n, None, _ids(day.window))
    return [
        Advice("alert:scatter", day.end_ts, Kind.PERFORMANCE_ALERT, "warning", say("Performance"), text, evidence,
               True, 3, until)
    ]  # fmt: skip


def _factor_alert(day: Day, say: Say, until: int) -> list[Advice]:
    won = sum(row.pnl_net for row in day.window if row.pnl_net > 0)
    lost = -sum(row.pnl_net for row in day.window if row.pnl_net < 0)
    n = len(day.window)
    if n < MIN_GROUP_TRIPS or lost <= 0 or won / lost >= 1.0:
        return []
    text = say("The profit factor is {value} over {n} trades: the method loses money as it is.").format(
        value=f"{won / lost:.2f}", n=n
    )
    evidence = Evidence("profit factor", won / lost, n, None, _ids(day.window))
    return [
        Advice("alert:profit_factor", day.end_ts, Kind.PERFORMANCE_ALERT, "warning", say("Performance"), text, evidence,
               True, 3, until)
    ]  # fmt: skip


def _summary(day: Day, say: Say) -> list[Advice]:
    """Return the window in one sentence when the day took its count of trades over a multiple of 25, from 30 on."""
    n = len(day.window)
    before = n - len(day.lessons)
    in_multiples = [row.result_r for row in day.window if row.result_r is not None]
    if n < MIN_GROUP_TRIPS or n // SUMMARY_EVERY == before // SUMMARY_EVERY or not in_multiples:
        return []
    value, interval = fmean(in_multiples), mean_interval(np.array(in_multiples))
    text = say(
        "{n} trades in 90 days: {wins} won, {losses} lost, {net} USD net, {value} R per trade{interval}."
    )
    text = text.format(
        n=n,
        wins=sum(row.outcome == "win" for row in day.window),
        losses=sum(row.outcome == "loss" for row in day.window),
        net=usd(sum(row.pnl_net for row in day.window)),
        value=in_r(value),
        interval=_interval(interval, say),
    )
    evidence = Evidence("expectancy (R)", value, n, interval, _ids(day.window))
    return [
        Advice("summary", day.end_ts, Kind.LESSON_LEARNED, "info", say("A summary"), text, evidence, False, 3,
               day.end_ts + EXPIRES_DAYS * DAY_NS)
    ]  # fmt: skip


def _interval(found: tuple[float, float] | None, say: Say) -> str:
    if found is None:
        return ""
    return say(" (95 % interval {low} to {high})").format(low=in_r(found[0]), high=in_r(found[1]))


def _learned(day: Day, say: Say) -> list[Advice]:
    """Return the best and the worst group of the window whose interval leaves out 0."""
    n = len(day.window)
    if n < MIN_GROUP_TRIPS:
        return []
    made = []
    found = all_groups(day.window)
    for rows, text in (
        (
            strengths(found),
            say("{group} worked: {value} R per trade over {n} (95 % interval {low} to {high})."),
        ),
        (
            weaknesses(found),
            say("{group} did not work: {value} R per trade over {n} (95 % interval {low} to {high})."),
        ),
    ):
        for group in rows[:1]:
            assert group.expectancy_r is not None
            assert group.expectancy_interval is not None
            low, high = group.expectancy_interval
            said = text.format(
                group=capital(group_words(group.by, group.name, say)),
                value=in_r(group.expectancy_r),
                n=group.n,
                low=in_r(low),
                high=in_r(high),
            )
            evidence = Evidence("expectancy (R)", group.expectancy_r, group.n, (low, high), group.trade_ids)
            key = f"lesson:{group.by}:{group.name}"
            made.append(
                Advice(key, day.end_ts, Kind.LESSON_LEARNED, "info", say("A lesson"), said, evidence, False, 4,
                       day.end_ts + EXPIRES_DAYS * DAY_NS)
            )  # fmt: skip
    return made


def _improvements(day: Day, say: Say) -> list[Advice]:
    return [_proposal(day, proposal, say) for proposal in proposals(day.window, day.end_ts)]


def _proposal(day: Day, p: Proposal, say: Say) -> Advice:
    group = group_words(p.by, p.group, say)
    interval = _interval(p.interval, say)
    text = say(PROPOSED[p.action]).format(group=group, value=in_r(p.value), n=p.n, interval=interval)
    return Advice(
        key=f"proposal:{p.key}",
        ts_event=day.end_ts,
        kind=Kind.IMPROVEMENT_SUGGESTION,
        level="info",
        title=say("A proposal"),
        message=text,
        evidence=Evidence(p.statistic, p.value, p.n, p.interval, p.trade_ids),
        actionable=True,
        priority=5,
        expires_ts=p.expires_ts,
    )


def _celebrations(day: Day, say: Say) -> list[Advice]:
    """Return a word for conduct that was right over 30 trades and paid: never for luck on a few."""
    found = strengths(all_groups(day.window)) if len(day.window) >= MIN_GROUP_TRIPS else []
    if not found or adherence(day.rules) != 1.0:
        return []
    group = found[0]
    text = say("Every rule was kept today, and {group} has earned {value} R per trade over {n}.").format(
        group=group_words(group.by, group.name, say), value=in_r(group.expectancy_r or 0.0), n=group.n
    )
    evidence = Evidence(
        "expectancy (R)", group.expectancy_r or 0.0, group.n, group.expectancy_interval, group.trade_ids
    )
    return [
        Advice("celebration", day.end_ts, Kind.CELEBRATION, "success", say("Well kept"), text, evidence, False, 6,
               day.end_ts + DAY_NS)
    ]  # fmt: skip


def _ids(rows: Sequence[Lesson]) -> tuple[str, ...]:
    return tuple(trade_name(row) for row in rows)
