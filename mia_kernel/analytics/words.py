"""How components, gates and units are called in a sentence."""

from __future__ import annotations

FEEDS = {
    "gamma_levels": "an option chain",
    "options_flow": "an option chain",
    "es_nq_correlation": "a NQ feed",
    "order_book": "book depth",
    "delta_divergence": "trades with the aggressor's side",
    "volume_confirmation": "trades with the aggressor's side",
    "tick_momentum": "single trades",
    "smart_money": "trades with the aggressor's side and quotes",
}
"""What would make an absent component present, in the trader's words."""

GATE_WORDS = {
    "battle_navale": "Battle Navale",
    "ball_gate": "the trend of the balls",
    "daily_loss": "the day's result",
    "hard_daily_loss": "the day's result",
    "weekly_loss": "the week's result",
    "minimum_balance": "the balance",
    "grade": "the grade",
    "rvol": "relative volume",
    "spread": "the spread",
    "spread_limit": "the spread",
    "stale_book": "the age of the book",
    "vix": "the VIX",
    "news": "the distance to news",
    "close_buffer": "the time to the close",
    "reward_risk": "reward to risk",
    "reward_risk_after_fees": "reward to risk after fees",
    "size": "the permitted size",
    "signal_gap": "the time since the last signal",
    "entry_distance": "the entry's distance from the mid",
}
"""How a gate is called in a sentence, where its code is not the word."""

FLAG_SENTENCES = {
    "market_open": "the market is closed",
    "volatility_regime": "the volatility regime is not known",
    "market_regime": "the market regime does not allow this side",
    "fomo": "the move is already extended",
    "trading_state": "trading is not active",
    "entry_hours": "it is outside the entry hours",
    "opposite_position": "a position the other way is open",
    "duplicate_order": "the same order was just sent",
}
"""What a failed yes-or-no gate means."""

FLAG_CHANGES = {
    "market_open": "an open market would pass",
    "volatility_regime": "a known VIX or ATR ratio would pass",
    "market_regime": "the other side, or a regime that allows this one, would pass",
    "fomo": "a price within one ATR of the last swing, after a bar that does not extend the move, would pass",
    "trading_state": "an active trading state would pass",
    "entry_hours": "an entry inside the entry hours would pass",
    "opposite_position": "a flat position would pass",
    "duplicate_order": "an order that differs, or a later one, would pass",
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
