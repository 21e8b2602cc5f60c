"""Gamma in tables: a chain at a glance, levels with bands and scores, other assumptions, defects, the unusual."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mia_kernel.analytics.html import Cell, esc, facts, number, table, text
from widgets.page import Html

BILLION = 1e9
LEVELS = {
    "call_wall": "call wall",
    "put_wall": "put wall",
    "zero_gamma": "zero gamma",
    "vol_trigger_proxy": "volatility trigger (proxy)",
    "absolute_gamma_strike": "absolute gamma strike",
    "hvl": "HVL",
    "max_pain": "max pain, next expiry",
}
_SHARES = {
    "no_bid_share": "live contracts without a bid",
    "no_quote_share": "live contracts without any quote",
    "iv_missing_oi_share": "open interest without a volatility in the file",
    "gamma_zero_oi_share": "open interest whose gamma is printed as 0 (recomputed here)",
    "oi_zero_share": "live contracts without open interest",
}
_COUNTS = {
    "rows": "rows read",
    "unreadable_rows": "rows that could not be read",
    "expired_legs": "expired contracts still in the file, left out",
    "expired_oi": "their open interest",
    "duplicate_symbols": "contracts given twice",
    "crossed_quotes": "crossed quotes",
}


def gamma_facts(levels: Any) -> Html:
    """Return the chain at a glance: source and time, net and gross, confidence with its causes, cycle, volatility."""
    told = levels.to_dict()
    when = datetime.fromtimestamp(levels.chain.as_of / 1e9, UTC).astimezone(ZoneInfo("America/New_York"))
    cycle, tape = told["cycle"], told["put_call"]
    share = abs(levels.net) / levels.gross if levels.gross else 0.0
    pairs = [
        ("chain", esc(Path(told["source"]).name)),
        ("quotes of", esc(f"{when:%Y-%m-%d %H:%M %Z}")),
        (told["underlying"], esc(f"{told['spot']:,.2f}")),
        ("open interest of", esc(_day(levels.chain.defects.oi_date))),
        ("net exposure", esc(_signed(levels.net / BILLION, ",.1f") + " bn USD per 1 %")),
        ("gross exposure", esc(f"{levels.gross / BILLION:,.1f} bn USD per 1 %")),
        ("dealers, modelled", esc(f"{told['dealer_position']} gamma, {share:.0%} of gross")),
        ("confidence", esc(f"{levels.confidence.score:.2f}")),
        ("next expiry holds", esc(f"{levels.expiring_share:.0%} of gross")),
        (
            "put/call of OI and of volume",
            esc(f"{_plain(tape['live']['oi'])} and {_plain(tape['all_rows']['volume'])}"),
        ),
        ("at the money, 30 days", esc(_percent(told["atm_iv"].get("30")))),
        ("25-delta skew, 30 days", esc(_percent(told["skew_25d"].get("30")))),
        ("cycle", esc("—" if cycle is None else _cycle(cycle))),
        (
            "next monthly",
            esc("—" if cycle is None else f"{cycle['next_monthly']}, {cycle['days_to_monthly']} cash days"),
        ),
    ]
    causes = "".join(f"<li>{esc(cause)}</li>" for cause in levels.confidence.causes)
    why = f"<p class='mia-note'>What lowers the confidence:</p><ul>{causes}</ul>" if causes else ""
    return Html(f'<section class="mia">{facts(pairs)}{why}</section>')


_MARKS = {
    "quarterly": "quarterly",
    "vix_expiry": "VIX expiry",
    "am_settled_last_trade": "last trade of the AM series",
    "month_end": "month end",
    "quarter_end": "quarter end",
}


def _cycle(cycle: dict[str, Any]) -> str:
    return " · ".join(
        [cycle["phase"].replace("_", " "), *(name for key, name in _MARKS.items() if cycle[key])]
    )


def level_table(levels: Any) -> Html:
    """Return a table of levels: on the index, on the future, its band under other assumptions, its score."""
    told = levels.to_dict()
    future, scores, bands = told["es"] or {}, levels.confidence.levels, levels.bands
    rows: list[list[Cell]] = []
    for key, name in LEVELS.items():
        band = bands.get(key)
        rows.append(
            [
                text(name),
                number(told[key]),
                number(future.get(key)),
                number(None if told[key] is None else 100 * (told[key] / told["spot"] - 1), "+.2f", unit="%"),
                number(None if band is None else band.low),
                number(None if band is None else band.high),
                number(scores.get(key)),
            ]
        )
    heads = (
        "level",
        told["underlying"],
        future.get("contract", "ES"),
        "from spot",
        "lowest",
        "highest",
        "score",
    )
    return _piece(table(heads, rows, numeric=range(1, 7)), told["es_reason"] or told["zero_gamma_reason"])


def alternatives_table(levels: Any) -> Html:
    """Return one row per assumption: net in bn USD per 1 %, walls, zero gamma."""
    rows = [
        [
            text(one.name),
            number(one.net / BILLION, ",.1f", signed=True),
            number(one.call_wall, ",.0f"),
            number(one.put_wall, ",.0f"),
            number(one.zero_gamma, ",.1f"),
        ]
        for one in levels.alternatives
    ]
    heads = ("assumption", "net, bn per 1 %", "call wall", "put wall", "zero gamma")
    return _piece(table(heads, rows, numeric=range(1, 5)))


def defect_table(levels: Any) -> Html:
    """Return what the file holds and what is wrong with it; what is right is left out."""
    found = asdict(levels.chain.defects)
    rows = [[text(words), number(found[name], ",.0f")] for name, words in _COUNTS.items() if found[name]]
    rows += [
        [text(words), number(100 * found[name], ".1f", unit="%")]
        for name, words in _SHARES.items()
        if found[name]
    ]
    notes = "".join(f"<p class='mia-note'>{esc(note)}</p>" for note in (*found["partial"], *found["notes"]))
    return Html(
        f'<section class="mia">{table(("the file", "how many"), rows, numeric=(1,))}{notes}</section>'
    )


def unusual_table(levels: Any) -> Html:
    """Return contracts with more volume than open interest explains; the traded side is not known."""
    rows = [
        [
            text(one.symbol),
            number(one.volume, ",.0f"),
            number(one.oi, ",.0f"),
            number(one.volume / one.oi if one.oi else None, ",.1f"),
            number(None if one.premium_usd is None else one.premium_usd / 1e6),
        ]
        for one in levels.unusual[:12]
    ]
    if not rows:
        return Html("<p class='mia-note'>No contract traded more than three times its open interest.</p>")
    heads = ("contract", "volume", "open interest", "volume over it", "premium, m USD")
    return _piece(table(heads, rows, numeric=range(1, 5)))


def _piece(body: str, note: str | None = None) -> Html:
    small = f"<p class='mia-note'>{esc(note)}</p>" if note else ""
    return Html(f'<section class="mia">{body}{small}</section>')


def _day(day: int | None) -> str:
    return "—" if day is None else f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"


def _signed(value: float, form: str) -> str:
    return format(value, "+" + form).replace("-", "−")


def _plain(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value * 100:.1f} %"
