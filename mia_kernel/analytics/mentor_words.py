"""What the mentor's rules, habits, groups and proposals are called in a sentence, ready for another language."""

from __future__ import annotations

from mia_kernel.analytics.say import Say, coded, mark, plain

RULES = {
    "permission": mark("trades without permission"),
    "size": mark("larger than permitted"),
    "stop_moved": mark("stop moved away"),
    "revenge": mark("entered under 5 minutes after a loss"),
    "hours": mark("outside the entry hours"),
    "overtrading": mark("more trades than the rule allows"),
    "early_exit": mark("closed by hand before 0.3 R"),
}
HABITS = {
    "permission": mark("no order without the gate's permission"),
    "size": mark("the permitted size is the most, not a proposal"),
    "stop_moved": mark("a stop only moves in the trade's favour"),
    "revenge": mark("five minutes of pause after a loss"),
    "hours": mark("no entry outside the hours"),
    "overtrading": mark("the day has a limit of trades"),
    "early_exit": mark("the exit is in the plan; let stop or target end it"),
}
GROUPED_BY = {
    "window": mark("the last"),
    "pattern": mark("the pattern"),
    "phase": mark("the phase"),
    "hour": mark("the hour"),
    "weekday": mark("the weekday"),
    "grade": mark("the grade"),
    "volatility_regime": mark("the volatility regime"),
    "market_regime": mark("the market regime"),
    "exit": mark("the exit"),
}
PROPOSED = {
    "veto": mark("Consider not trading {group}: its median MAE is {value} R over {n} trades."),
    "promote": mark("Consider the full size in {group}: {value} R per trade over {n}{interval}."),
    "reduce": mark("Consider 0.85 of the size in {group}: {value} R per trade over {n}{interval}."),
}


def group_words(by: str, name: str, say: Say = plain) -> str:
    """Return how a group is called in a sentence."""
    return f"{say(GROUPED_BY[by])} {group_name(name, say)}"


def group_name(name: str, say: Say = plain) -> str:
    """Return the name of a group as words: one code, or a pattern and its side."""
    first, _, side = name.rpartition(" ")
    return f"{coded(first, say)} {say(side)}" if side in ("long", "short") else coded(name, say)


def usd(value: float) -> str:
    """Return money with its sign and a real minus."""
    return f"{value:+,.2f}".replace("-", "−")


def in_r(value: float) -> str:
    """Return a multiple of the planned risk with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def capital(text: str) -> str:
    """Return the text as the start of a sentence."""
    return text[:1].upper() + text[1:]
