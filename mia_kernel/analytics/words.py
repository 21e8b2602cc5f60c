"""How components, gates and units are called in a sentence."""

from __future__ import annotations

from mia_kernel.analytics.say import mark, marks

FEEDS = {
    "gamma_levels": mark("an option chain"),
    "options_flow": mark("an option chain"),
    "es_nq_correlation": mark("a NQ feed"),
    "order_book": mark("book depth"),
    "delta_divergence": mark("trades with the aggressor's side"),
    "volume_confirmation": mark("trades with the aggressor's side"),
    "tick_momentum": mark("single trades"),
    "smart_money": mark("trades with the aggressor's side and quotes"),
}
"""What would make an absent component present, in the trader's words."""

GATE_WORDS = {
    "battle_navale": mark("Battle Navale"),
    "ball_gate": mark("the trend of the balls"),
    "daily_loss": mark("the day's result"),
    "hard_daily_loss": mark("the day's result"),
    "weekly_loss": mark("the week's result"),
    "minimum_balance": mark("the balance"),
    "grade": mark("the grade"),
    "rvol": mark("relative volume"),
    "spread": mark("the spread"),
    "spread_limit": mark("the spread"),
    "stale_book": mark("the age of the book"),
    "vix": mark("the VIX"),
    "news": mark("the distance to news"),
    "close_buffer": mark("the time to the close"),
    "reward_risk": mark("reward to risk"),
    "reward_risk_after_fees": mark("reward to risk after fees"),
    "size": mark("the permitted size"),
    "signal_gap": mark("the time since the last signal"),
    "entry_distance": mark("the entry's distance from the mid"),
}
"""How a gate is called in a sentence, where its code is not the word."""

FLAG_SENTENCES = {
    "market_open": mark("the market is closed"),
    "volatility_regime": mark("the volatility regime is not known"),
    "market_regime": mark("the market regime does not allow this side"),
    "fomo": mark("the move is already extended"),
    "trading_state": mark("trading is not active"),
    "entry_hours": mark("it is outside the entry hours"),
    "opposite_position": mark("a position the other way is open"),
    "duplicate_order": mark("the same order was just sent"),
}
"""What a failed yes-or-no gate means."""

FLAG_CHANGES = {
    "market_open": mark("an open market would pass"),
    "volatility_regime": mark("a known VIX or ATR ratio would pass"),
    "market_regime": mark("the other side, or a regime that allows this one, would pass"),
    "fomo": mark(
        "a price within one ATR of the last swing, after a bar that does not extend the move, would pass"
    ),
    "trading_state": mark("an active trading state would pass"),
    "entry_hours": mark("an entry inside the entry hours would pass"),
    "opposite_position": mark("a flat position would pass"),
    "duplicate_order": mark("an order that differs, or a later one, would pass"),
}
"""What would have passed it."""

UNIT_WORDS = {
    "share": "",
    "score": "",
    "ratio": "",
    "trend": "",
    "count": "",
    "grade": "",
    "percent": "%",
    "usd": "USD",
}
"""Units that are not their own word."""

ONE_OF = {
    "ticks": mark("tick"),
    "contracts": mark("contract"),
    "minutes": mark("minute"),
    "points": mark("point"),
}
UNITS = marks("ticks", "contracts", "minutes", "points", "ms", "s")
