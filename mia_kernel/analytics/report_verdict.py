"""The verdict box of a page: the result, what it is worth, conduct, parity, and the sentences a person needs first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mia_kernel.analytics.adherence import Rule, rules
from mia_kernel.analytics.explain import RunFacts, reachable_coverage
from mia_kernel.analytics.halts import exchange_sentences, gap_sentences, halt_sentences, rejection_sentences
from mia_kernel.analytics.html import esc, facts, number
from mia_kernel.analytics.mentor_words import RULES, in_r, usd
from mia_kernel.analytics.performance import targets
from mia_kernel.analytics.picture import context
from mia_kernel.analytics.report_material import Material, clock, source_words, told_name
from mia_kernel.analytics.say import Say, coded, mark, plain
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import OK

MIN_INTERVAL_TRIPS = 10


def verdict(
    material: Material,
    run: RunFacts,
    figures: Mapping[str, Any],
    title: str,
    say: Say = plain,
    told: tuple[str, str] | None = None,
) -> str:
    """Return the box: source, result, sentences, what to do next, facts and what the targets show.

    `told` is what the mentor says of the next session, and its mood; None for a day without a decision.
    """
    name = esc(told_name(material.source, say))
    focus, mood = told or ("", "")
    head = f"<p class='mia-source'>{esc(source_words(str(material.source['tag']), say))} · {name}</p>"
    box = [
        head,
        f"<h1>{esc(title)}</h1>",
        result_line(figures, say),
        *(f"<p>{sentence}</p>" for sentence in _sentences(material, run, figures, say)),
        f"<p class='mia-focus'>{esc(focus)}</p>" if focus else "",
        facts(_headline(material, run, figures, mood, say)) if len(material.table) else "",
        targets_line(figures, say) if figures["n"] else "",
    ]
    return f"<section class='mia mia-verdict'>{''.join(box)}</section>"


def result_line(figures: Mapping[str, Any], say: Say = plain) -> str:
    """Return the one large number of a page, in USD and in R where every risk is known, or that there was no trade."""
    if not figures["n"]:
        return f"<p class='mia-result'>{esc(say('No trade'))}</p>"
    result = number(figures["net_usd"], unit="USD", signed=True)
    words = esc(say("net of costs"))
    if figures.get("net_r") is not None:
        words = f"{in_r(figures['net_r'])} R {words}"
    return f"<p class='mia-result'><span class='{result.kind}'>{result.text}</span> {words}</p>"


def _sentences(material: Material, run: RunFacts, figures: Mapping[str, Any], say: Say) -> list[str]:
    table = material.table
    if len(table) == 0:
        return [say("The source held no event inside an open session, so nothing was decided.")]
    out: list[str] = [
        *halt_sentences(material, say),
        *rejection_sentences(material.rejected, say),
        *exchange_sentences(material, say),
        *gap_sentences(material, say),
    ]
    if material.trailer.get("digest") is None:
        text = say("The run did not close: this page ends with its last written row, at {time}.")
        out.insert(
            0, f"<span class='alarm'>{esc(text.format(time=clock(int(table.column('ts_event')[-1]))))}</span>"
        )
    if figures["n"]:
        out.insert(0, _trade_sentence(figures, say))
    most = table.coverage_max()
    if most is not None and most < run.coverage_floor:
        out.append(_coverage_sentence(table, run, most, say))
    elif not figures["n"]:
        asked = len(table.signals)
        text = say("{n} signals were raised and none was permitted; the table of refusals says why.")
        if not asked:
            text = say("No strategy raised a signal; the table of refusals says what was in the way.")
        out.append(esc(text.format(n=asked)))
    return out


def _coverage_sentence(table: DecisionTable, run: RunFacts, most: float, say: Say) -> str:
    reachable = reachable_coverage(table.column("status"), table.names, run.static_weights)
    lost = [n.replace("_", " ") for n, w in run.static_weights.items() if w > 0 and not _ever(table, n)]
    text = say(
        "Coverage never reached the floor of {floor} (highest {most}): what this source carries can reach "
        "{reachable} of the weights of {weights}. Never present: {lost}."
    )
    said = esc(
        text.format(
            floor=f"{run.coverage_floor:.2f}",
            most=f"{most:.2f}",
            reachable=f"{reachable:.2f}",
            weights=run.weights_name,
            lost=", ".join(lost),
        )
    )
    if run.weights_name == "bars":
        return said
    way = say("{option} weighs only what a poor source can carry; it is a research preset.")
    return f"{said} {esc(way).format(option='<code>--weights bars</code>')}"


def _ever(table: DecisionTable, name: str) -> bool:
    return bool((table.column("status")[:, table.names.index(name)] == OK).any())


def _trade_sentence(figures: Mapping[str, Any], say: Say) -> str:
    text = say("{n} round trips: {wins} won, {losses} lost, {scratches} scratched.")
    if figures["n"] == 1:
        text = say("1 round trip: {wins} won, {losses} lost, {scratches} scratched.")
    text = text.format(**{key: figures[key] for key in ("n", "wins", "losses", "scratches")})
    if figures["expectancy_r"] is None:
        return esc(text)
    expects = say("Expectancy {value} R per trade, {interval}.")
    return esc(
        f"{text} {expects.format(value=in_r(figures['expectancy_r']), interval=interval_r(figures, say))}"
    )


def interval_r(figures: Mapping[str, Any], say: Say = plain) -> str:
    """Return the expectancy's interval in words, or that there are too few trades for one."""
    interval = figures["expectancy_r_ci"]
    if not interval:
        return say("too few for an interval (n\u00a0<\u00a0{n})").format(n=MIN_INTERVAL_TRIPS)
    low, high = map(in_r, interval)
    return say("95 % interval {low} to {high} R").format(low=low, high=high)


def _headline(
    material: Material, run: RunFacts, figures: Mapping[str, Any], mood: str, say: Say
) -> list[tuple[str, str]]:
    table = material.table
    coverage = table.coverage_mean()
    quality = context(table, "data_quality")
    quality = quality[np.isfinite(quality)]
    permitted = say("{n} ({permitted} permitted, {refused} refused)").format(
        n=len(table.signals), permitted=len(table.signals) - table.denied, refused=table.denied
    )
    covered = say("{mean} (floor {floor})")
    lowest = say("{mean} (lowest {low})")
    rows = [
        (say("decisions"), f"{len(table):,}"),
        (say("signals"), esc(permitted)),
        (
            say("mean coverage"),
            "—"
            if coverage is None
            else covered.format(mean=f"{coverage:.2f}", floor=f"{run.coverage_floor:.2f}"),
        ),
        (
            say("data quality"),
            lowest.format(mean=f"{quality.mean():.2f}", low=f"{quality.min():.2f}") if len(quality) else "—",
        ),
        (say("permission"), rules_kept(material, say)),
        (say("conduct"), _conduct(material, say)),
        (say("replay"), _parity(material, say)),
    ]
    if figures["n"]:
        rows.append((say("mood"), esc(coded(mood, say))))
    return rows + money_rows(figures, say)


def money_rows(figures: Mapping[str, Any], say: Say = plain, *, marked: bool = True) -> list[tuple[str, str]]:
    """Return what the closed trades say, each with its interval; empty without a trade.

    `marked`: the largest fall was measured on every price, not only between closed trades.
    """
    if not figures["n"]:
        return []
    low, high = figures["win_rate_ci"]
    rate = say("{value} (n = {n}, 95 % interval {low} to {high})").format(
        value=f"{figures['win_rate']:.0%}", n=figures["n"], low=f"{low:.0%}", high=f"{high:.0%}"
    )
    fall = number(-figures["max_drawdown_usd"], unit="USD").text
    how = say("{fall} ({percent} %, marked)") if marked else say("{fall} ({percent} %) between closed trades")
    factor = figures["profit_factor_text"]
    if factor.startswith("no losses"):
        factor = say("no losses, n = {n}").format(n=figures["n"])
    return [
        (say("win rate"), esc(rate)),
        (say("profit factor"), esc(factor)),
        (say("mean win, mean loss"), esc(_means(figures, say))),
        (say("best, worst trade"), f"{usd(figures['best_usd'])}, {usd(figures['worst_usd'])} USD"),
        (say("largest fall"), esc(how.format(fall=fall, percent=f"{figures['max_drawdown_percent']:.2f}"))),
        (say("costs"), f"{figures['costs_usd']:,.2f} USD"),
    ]


def _means(figures: Mapping[str, Any], say: Say) -> str:
    won, lost = figures["mean_win_usd"], figures["mean_loss_usd"]
    text = ", ".join("—" if value is None else usd(value) for value in (won, lost)) + " USD"
    if figures["payoff_ratio"] is None:
        return text
    return say("{means}, payoff {ratio}").format(means=text, ratio=f"{figures['payoff_ratio']:.2f}")


def _conduct(material: Material, say: Say) -> str:
    """Say in a few words which habits broke a rule, if any."""
    if not material.trips:
        return say("no trade")
    return rules_line(rules(material.trips, material.table), say)


def rules_line(found: Sequence[Rule], say: Say = plain) -> str:
    """Return that every rule was kept, or which were broken and how often."""
    broken = [rule for rule in found if not rule.kept]
    if not broken:
        return say("every rule kept")
    said = ", ".join(f"{say(RULES[rule.code])} ({len(rule.broken_by)})" for rule in broken)
    return f"<span class='alarm'>{esc(said)}</span>"


def _parity(material: Material, say: Say) -> str:
    verdict, sentence = material.checks.get("replay", ("not checked", ""))
    kind = {"differs": "alarm", "not checked": "faint"}.get(verdict, "")
    return f"<span class='{kind}'>{esc(say(verdict) if verdict == 'not checked' else sentence)}</span>"


def rules_kept(material: Material, say: Say = plain) -> str:
    """Say whether every closed position was permitted by the gate beforehand."""
    sent = {
        command.bracket_id
        for _, d in material.table.signals
        if d.verdict is not None and d.verdict.allowed
        for command in d.intents
    }
    broken = [trip.id for trip in material.trips if trip.bracket_id not in sent]
    if not material.trips:
        return say("no trade, none to break")
    n = len(material.trips)
    if broken:
        said = say("broken: round trips {trips} had no permission").format(trips=", ".join(map(str, broken)))
        return f"<span class='alarm'>{esc(said)}</span>"
    return esc(say("kept: {n} of {n} entries were permitted").format(n=n))


TARGETS = {
    "win_rate": mark("win rate ≥ 65 %"),
    "profit_factor": mark("profit factor > 2"),
    "max_drawdown": mark("drawdown < 15 %"),
}


def targets_line(figures: Mapping[str, Any], say: Say = plain) -> str:
    """Return the user's targets, each with what the figures say of it."""
    said = targets(figures)
    rows = " · ".join(f"{say(TARGETS[key])}: {coded(said[key], say)}" for key in TARGETS)
    text = say("Targets (n = {n}, under 300 nothing is shown): {rows}").format(n=figures["n"], rows=rows)
    return f"<p class='mia-note'>{esc(text)}</p>"
