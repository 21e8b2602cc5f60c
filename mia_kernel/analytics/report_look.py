"""The pieces of a page that look back: what gates saved and cost, fills taken apart, the mentor, conduct, integrity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mia_kernel.analytics.adherence import Rule
from mia_kernel.analytics.advice import Advice
from mia_kernel.analytics.autopsy import Fill, by_role
from mia_kernel.analytics.effectiveness import LIST_FROM, Group, all_groups, windows
from mia_kernel.analytics.ghosts import Account, Ghost, ledger
from mia_kernel.analytics.html import Cell, esc, facts, number, table, text
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.mentor_words import GROUPED_BY, RULES, capital, group_name, group_words, in_r
from mia_kernel.analytics.performance import MIN_GROUP_TRIPS
from mia_kernel.analytics.report_material import NEW_YORK
from mia_kernel.analytics.say import Say, coded, mark, marks, plain

SHOWN_IDS = 3
BROKEN = "trades that broke the rule"
"""The one statistic that is a count."""

NOTHING_REFUSED = mark("No signal was refused, so no gate saved or cost anything.")
CHECKS = (mark("journal"), mark("decisions"), mark("replay"), mark("broker statement"))
VERDICTS = (mark("proven"), mark("differs"), mark("not checked"))
"""What is verified on a page, and how it may end."""


def saved(ghosts: Sequence[Ghost], basis: str, say: Say = plain) -> str:
    """Return what each gate saved and cost, with its interval; "too few" in grey.

    Parameters
    ----------
    ghosts : sequence of Ghost
    basis : str
        What they were followed on, in words.
    """
    if not ghosts:
        return f"<p class='mia-note'>{esc(say(NOTHING_REFUSED))}</p>"
    accounts = ledger(ghosts)
    rows = [_account(account, say) for account in accounts]
    faint = [i for i, account in enumerate(accounts) if account.too_few]
    heads = marks(
        "gate", "refused", "alone", "followed", "winners", "saved USD", "cost USD", "balance USD",
        "mean per signal USD", "95 % interval", "says",
    )  # fmt: skip
    note = say(
        "Each refused signal was followed to its own stop, target or the session's end, one ES contract, costs on "
        "({basis}). A signal refused by several gates stands with each; the last row counts it once. "
        "These are ghosts: none of this was traded."
    ).format(basis=basis)
    return (
        table(heads, rows, numeric=range(1, 10), faint=faint, say=say)
        + f"<p class='mia-note'>{esc(note)}</p>"
    )


def _account(account: Account, say: Say) -> list[Cell]:
    return [
        text(coded(account.gate, say)),
        number(account.n, ",.0f"),
        number(account.alone, ",.0f"),
        number(account.followed, ",.0f"),
        number(account.winners, ",.0f"),
        number(account.saved_usd),
        number(account.cost_usd),
        number(account.balance_usd, signed=True),
        number(account.mean_usd, signed=True),
        _interval(account.interval_usd, ",.0f", say),
        text(coded(account.said, say), "faint" if account.too_few else ""),
    ]


def _interval(found: tuple[float, float] | None, form: str, say: Say) -> Cell:
    if found is None:
        return Cell("—", "num faint")
    low, high = (format(x, "+" + form).replace("-", "−") for x in found)
    return Cell(esc(say("{low} to {high}").format(low=low, high=high)), "num")


def fills(found: Sequence[Fill], say: Say = plain) -> str:
    """Return fills by role: delay, slippage in its parts, the move afterwards, the cost model beside it."""
    if not found:
        sentence = say("No fill was taken apart: nothing was filled, or its run kept no market rows.")
        return f"<p class='mia-note'>{esc(sentence)}</p>"
    rows = [
        [
            text(coded(role.role, say)),
            number(role.n, ",.0f"),
            number(None if role.delay_ms is None else role.delay_ms / 1000, ",.1f"),
            number(role.slippage_ticks, ".2f"),
            _interval(role.slippage_interval, ".2f", say),
            number(role.delay_ticks, ".2f"),
            number(role.spread_ticks, ".2f"),
            number(role.impact_ticks, ".2f"),
            *(number(value, ".2f") for value in role.adverse_ticks),
            number(role.modelled_ticks, ".2f"),
            number(role.excess_ticks, ".2f"),
            number(role.fee_difference_cents / 100, ".2f"),
        ]
        for role in by_role(found)
    ]
    heads = marks(
        "fill", "n", "order to fill s", "slippage", "95 % interval", "delay", "half spread", "impact", "after 1 s",
        "10 s", "60 s", "model", "over model", "fees over model USD",
    )  # fmt: skip
    note = say(
        "Ticks, positive is worse for us. Slippage is against the mid at the decision; delay is what the mid moved "
        "before the fill, impact the rest. A stop or target waits in the market: its time is how long it waited. A "
        "dash: the source does not carry it."
    )
    return table(heads, rows, numeric=range(1, 14), say=say) + f"<p class='mia-note'>{esc(note)}</p>"


def conduct(rules: Sequence[Rule], say: Say = plain) -> str:
    """Return each rule, kept or broken, with the round trips that broke it."""
    pairs = []
    for rule in rules:
        if not rule.asked:
            continue
        word = (
            say("kept")
            if rule.kept
            else say("broken by {trips}").format(trips=", ".join(map(str, rule.broken_by[:12])))
        )
        kind = "" if rule.kept else " class='alarm'"
        pairs.append((capital(say(RULES[rule.code])), f"<span{kind}>{esc(word)}</span>"))
    return facts(pairs) if pairs else ""


def rules_said(rules: Sequence[Rule], say: Say = plain) -> list[str]:
    """Return the broken rules in words, for a list of pages."""
    return [say(RULES[rule.code]) for rule in rules if not rule.kept]


def mentor(advices: Sequence[Advice], gone: Sequence[str], say: Say = plain, most: int = 3) -> str:
    """Return the mentor's sentences, the most important first, each with the evidence it stands on."""
    shown = list(advices[:most])
    parts = [_advice(advice, say) for advice in shown]
    if gone:
        names = ", ".join(proposal_name(key, say) for key in gone)
        words = say("No longer supported by the data: {proposals}.").format(proposals=names)
        parts.append(f"<p class='mia-note'>{esc(words)}</p>")
    more = len(advices) - len(shown)
    if more > 0:
        rest = "".join(_advice(advice, say) for advice in advices[most:])
        parts.append(f"<details><summary>{esc(say('{n} more').format(n=more))}</summary>{rest}</details>")
    return "".join(parts)


def _advice(advice: Advice, say: Say) -> str:
    e = advice.evidence
    rest = len(e.trade_ids) - SHOWN_IDS
    trades = ", ".join(trade_words(name) for name in e.trade_ids[:SHOWN_IDS])
    if rest > 0:
        trades = say("{trades} and {n} more").format(trades=trades, n=rest)
    stands_on = evidence(advice, say)
    if trades:
        stands_on = say("{evidence}; trades {trades}").format(evidence=stands_on, trades=trades)
    kind = " class='alarm'" if advice.level == "critical" else ""
    return (
        f"<div class='mia-advice'><p><b{kind}>{esc(advice.title)}.</b> {esc(advice.message)}</p>"
        f"<p class='mia-note'>{esc(say('Evidence: {evidence}').format(evidence=stands_on))}</p></div>"
    )


def evidence(advice: Advice, say: Say = plain) -> str:
    """Return what an advice stands on: statistic, value, n and interval."""
    e = advice.evidence
    value = f"{e.value:,.0f}" if e.statistic == BROKEN else f"{e.value:,.2f}".replace("-", "−")
    text = f"{say(e.statistic)} {value}, n = {e.n}"
    if e.interval is None:
        return text
    low, high = map(in_r, e.interval)
    return text + say(", 95 % interval {low} to {high}").format(low=low, high=high)


def trade_words(name: str) -> str:
    """Return the name of a trade (entry in UTC and number) as New York time and number, as the tables show it."""
    ts, _, number_ = name.partition("Z#")
    if not number_:
        return name
    when = datetime.fromisoformat(ts).replace(tzinfo=UTC).astimezone(NEW_YORK)
    return f"#{number_} {when:%Y-%m-%d %H:%M}"


ACTIONS = {"veto": mark("not trading"), "promote": mark("the full size in"), "reduce": mark("less size in")}


def proposal_name(key: str, say: Say = plain) -> str:
    """Return the key of a proposal (`action:grouping:group`) as words."""
    action, by, name = key.split(":", 2)
    return (
        f"{say(ACTIONS[action])} {group_words(by, name, say)}"
        if action in ACTIONS and by in GROUPED_BY
        else key
    )


def effectiveness(lessons: Sequence[Lesson], end_ts: int, say: Say = plain) -> str:
    """Return the last 7, 30 and 90 days, then what worked by pattern, phase, hour and regime, with n and interval."""
    if not lessons:
        return f"<p class='mia-note'>{esc(say('Nothing to compare: no round trip was closed.'))}</p>"
    parts = [_groups("window", windows(lessons, end_ts), 0, say)]
    for by, rows in all_groups(lessons).items():
        listed = [group for group in rows if group.n >= LIST_FROM or len(lessons) < MIN_GROUP_TRIPS]
        rest = sum(group.n for group in rows) - sum(group.n for group in listed)
        if not listed:
            continue
        parts.append(_groups(by, listed, rest, say))
    note = say("Under {n} trades a group proves nothing and is grey; R is the risk planned at entry.").format(
        n=MIN_GROUP_TRIPS
    )
    return f"<div class='mia-columns'>{''.join(parts)}</div><p class='mia-note'>{esc(note)}</p>"


def _groups(by: str, listed: Sequence[Group], rest: int, say: Say) -> str:
    rows = [
        [
            text(say("{n} days").format(n=group.name) if by == "window" else group_name(group.name, say)),
            number(group.n, ",.0f"),
            number(group.win_rate * 100, ".0f", unit="%"),
            Cell(
                "—"
                if group.win_rate_interval is None
                else "–".join(f"{x:.0%}" for x in group.win_rate_interval),
                "num",
            ),
            number(group.expectancy_r, ".2f", signed=True),
            Cell(esc(say("too few")), "num faint")
            if group.too_few
            else _interval(group.expectancy_interval, ".2f", say),
            number(group.median_mae_r, ".2f"),
            number(group.net_usd, ",.0f", signed=True),
        ]
        for group in listed
    ]
    heads = (GROUPED_BY[by], *marks("n", "win", "95 % of win", "R", "95 % of R", "MAE R", "net USD"))
    small = say("{n} trades in groups under {least}.").format(n=rest, least=LIST_FROM)
    more = f"<p class='mia-note'>{esc(small)}</p>" if rest else ""
    faint = [i for i, group in enumerate(listed) if group.too_few]
    body = table(heads, rows, numeric=range(1, 8), faint=faint, say=say)
    return f"<div>{body}{more}</div>"


def integrity(found: Mapping[str, Any], say: Say = plain) -> str:
    """Return what was verified: the journal's chain, its decisions' digest, the replay, a broker's statement.

    Parameters
    ----------
    found : mapping
        Name of a check to (verdict, sentence); verdicts are `proven`, `differs`, `not checked`.
    """
    pairs = []
    for name, (verdict, sentence) in found.items():
        kind = {"differs": "alarm", "not checked": "faint"}.get(verdict, "")
        pairs.append((say(name), f"<span class='{kind}'>{esc(say(verdict))}</span>: {esc(sentence)}"))
    return facts(pairs)
