"""Put words into the reader's language: a sentence passes through `say` with its `{}` fields still in it.

English is the language of the code, so a sentence is its own key; the catalogs lie in `locale`. `mark` and `marks` only
tell them that a text is there: it is translated where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from mia_kernel.core.session_table import date_of

Say = Callable[[str], str]
"""Puts a sentence, its `{}` fields still in it, into the reader's language."""


def plain(text: str) -> str:
    """Return the sentence as it is: English is the language of the code."""
    return text


def mark(text: str) -> str:
    """Return the text: it is translated where it is shown."""
    return text


def marks(*texts: str) -> tuple[str, ...]:
    """Return the texts: each is translated where it is shown."""
    return texts


WEEKDAYS = marks("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = marks("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
               "November", "December")  # fmt: skip
CODES = marks(
    # sides, statuses, what weighs, how a gate came out
    "long", "short", "no side", "not ready", "stale", "absent", "blocking", "warning", "info", "passed", "failed",
    "not applicable", "unknown",
    # phases and regimes
    "asia", "london", "pre market", "ny open", "morning", "lunch", "afternoon", "power hour", "post", "break",
    "weekend", "holiday", "low", "normal", "high", "extreme", "transition", "trend up strong", "trend up weak",
    "trend down strong", "trend down weak", "range", "unclear",
    # orders and how a position ended
    "entry", "exit", "stop", "target", "trailing stop", "flat before close", "daily loss", "hard daily loss",
    "weekly loss", "drawdown", "minimum balance", "halt", "operator", "manual", "created", "submitted", "working",
    "partially filled", "filled", "cancel pending", "cancelled", "rejected", "expired", "entry timeout",
    # gates
    "data quality", "market open", "coverage", "grade", "phase threshold", "battle navale", "ball gate",
    "volatility regime", "market regime", "spread", "fomo", "rvol", "confidence", "signal gap", "ml",
    "trading state", "phase size", "entry hours", "open risk", "max position", "concurrent", "opposite position",
    "trades per hour", "trades per day", "consecutive losses", "spread limit", "slippage", "volume", "news",
    "close buffer", "vix", "stale book", "profit target", "duplicate order", "orders per second", "orders per hour",
    "entry distance", "reward risk", "reward risk after fees", "size", "together",
    # what binds a size, how well a trade was set up
    "post expiry", "expiry week", "gamma peak", "gamma moderate", "risk per trade", "risk budget",
    "share of remaining daily loss", "volatility max position",
    "vix max position", "early", "late", "good", "above value", "below value", "in value", "neutral", "concerned",
    "critical", "poor", "average", "excellent",
    # what a ledger, a group or a target says
    "saves", "costs", "not shown", "supported", "refuted", "too few",
    # how the simulator filled
    "through", "touch", "queue", "from bars", "one cancels other", "never sent",
    # rules by their code, as the index lists them
    "permission", "stop moved", "revenge", "hours", "overtrading", "early exit",
    # statistics an advice stands on
    "net (USD)", "trades that broke the rule", "fall (USD)", "mean loss (USD)", "standard deviation (USD)",
    "profit factor", "expectancy (R)", "median MAE (R)",
)  # fmt: skip
"""Codes of the engine as words."""


def coded(code: str, say: Say = plain) -> str:
    """Return a code of the engine as words; one that no catalog knows stays as it is."""
    return say(code.replace("_", " "))


def day_words(day: int, say: Say = plain, *, weekday: bool = True, year: bool = True) -> str:
    """Return a trading day (yyyymmdd) as a person says it."""
    when: date = date_of(day)
    text = f"{when.day} {say(MONTHS[when.month - 1])}" + (f" {when.year}" if year else "")
    return f"{say(WEEKDAYS[when.weekday()])} {text}" if weekday else text
