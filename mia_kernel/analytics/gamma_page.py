"""The gamma section of the day's page: which chain was in force, its levels on the future, how near price came.

How it moves: the rows of `chains_told` and the decisions of the run come in, one piece of HTML goes out. Price is
that of the decisions (every 15 s), so "nearest" may miss a spike between two of them; the section says so. A run
without a chain says that in one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.html import Cell, esc, facts, number, table, text
from mia_kernel.analytics.report_material import clock, short_name
from mia_kernel.analytics.say import Say, coded, mark, marks, plain
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import OK
from mia_kernel.core.instrument import TICK_POINTS

NO_CHAIN = mark("No option chain was in force: gamma levels and options flow were absent.")
COMPONENTS = ("gamma_levels", "options_flow")
TOUCH_TICKS = 8.0
_NAMES = (
    (mark("call wall"), "call_wall_ticks"),
    (mark("put wall"), "put_wall_ticks"),
    (mark("zero gamma"), "gamma_flip_ticks"),
    (mark("0DTE call wall"), "call_wall_0dte_ticks"),
    (mark("0DTE put wall"), "put_wall_0dte_ticks"),
    (mark("pin"), "pin_ticks"),
    (mark("expected high, 1 SD"), "expected_high_ticks"),
    (mark("expected low, 1 SD"), "expected_low_ticks"),
)
_SIDES = {
    1.0: mark("long gamma"),
    0.0: mark("neutral gamma (under 3 % of gross)"),
    -1.0: mark("short gamma"),
}


def gamma_section(rows: Sequence[Mapping[str, Any]], decisions: DecisionTable, say: Say = plain) -> str:
    """Return the section; one line where no chain was in force."""
    if not rows:
        return f"<p class='mia-note'>{esc(say(NO_CHAIN))}</p>"
    note = say(
        "Modelled dealer gamma: dealers long calls, short puts; open interest of the clearing before the chain. "
        "Levels are placed on the future by the ratio of the chain. Nearest: the price at decisions; within "
        "{points} points counts as met."
    ).format(points=f"{TOUCH_TICKS * TICK_POINTS:g}")
    return (
        _chains(rows, say)
        + _facts(rows, decisions, say)
        + _levels(rows, decisions, say)
        + f"<p class='mia-note'>{esc(note)}</p>"
    )


def _chains(rows: Sequence[Mapping[str, Any]], say: Say) -> str:
    spans: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        spans.setdefault((row["source"], row["as_of"]), []).append(row)
    cells = [
        [
            text(short_name(source)),
            text(clock(as_of)),
            text(clock(held[0]["ts"])),
            text(clock(held[0]["valid_until"]) if held[0]["valid_until"] else say("15 min after its quotes")),
            number(held[0]["quality"]),
        ]
        for (source, as_of), held in spans.items()
    ]
    shown = cells[:12]
    text_ = say("{n} more snapshots of the day are in the journal.").format(n=len(cells) - len(shown))
    more = f"<p class='mia-note'>{esc(text_)}</p>"
    heads = marks("chain", "quotes of", "in force from", "until", "confidence")
    return table(heads, shown, numeric=(4,), say=say) + (more if len(cells) > len(shown) else "")


def _facts(rows: Sequence[Mapping[str, Any]], decisions: DecisionTable, say: Say) -> str:
    first, last = rows[0], rows[-1]
    ratio, reference = last["put_call_volume_ratio"], last["put_call_reference"]
    beside = say("no reference yet")
    if reference is not None:
        beside = say("median of the last sessions {median}").format(median=f"{reference:.2f}")
    exposure = say("{first} to {last} bn USD per 1 %").format(first=_billion(first), last=_billion(last))
    pairs = [
        (say("dealers, first and last"), f"{_side(first, say)}, {_side(last, say)}"),
        (say("net exposure"), exposure),
        (say("put/call volume"), "—" if ratio is None else f"{ratio:.2f} ({beside})"),
        (say("25-delta skew, 30 days"), _percent(last["vol_skew_25_delta"], say)),
        (say("term slope, 30 − 90 days"), _percent(last["term_structure_slope"], say)),
        *((name.replace("_", " "), _known(decisions, name, say)) for name in COMPONENTS),
    ]
    return facts((name, esc(value)) for name, value in pairs)


def _side(row: Mapping[str, Any], say: Say) -> str:
    side = row["dealer_gamma_position"]
    return coded("unknown", say) if side is None else say(_SIDES[float(side)])


def _billion(row: Mapping[str, Any]) -> str:
    net = row["total_gamma_exposure_usd"]
    return "—" if net is None else f"{net / 1e9:+,.1f}".replace("-", "−")


def _percent(value: float | None, say: Say) -> str:
    if value is None:
        return "—"
    return say("{value} vol points").format(value=f"{value * 100:+.1f}".replace("-", "−"))


def _known(decisions: DecisionTable, name: str, say: Say) -> str:
    """How often a component was known and what it then contributed to the score."""
    if name not in decisions.names or not len(decisions):
        return "—"
    at = decisions.names.index(name)
    known = decisions.column("status")[:, at] == OK
    if not known.any():
        return say("never known")
    mean = float(np.abs(decisions.column("contributions")[known, at]).mean())
    text_ = say("known at {share} of {n} decisions, mean |contribution| {mean}")
    return text_.format(share=f"{known.mean():.0%}", n=f"{len(known):,}", mean=f"{mean:.3f}")


def _levels(rows: Sequence[Mapping[str, Any]], decisions: DecisionTable, say: Say) -> str:
    ts = decisions.column("ts_event")
    price = decisions.column("price_ticks").astype(np.float64)
    # The level in force at each decision: the last row at or before it.
    at = np.searchsorted(np.array([row["ts"] for row in rows], np.int64), ts, side="right") - 1
    cells = [
        _level(say(name), np.array([row[key] for row in rows], np.float64), at, price, say)
        for name, key in _NAMES
    ]
    heads = marks("level", "first", "last", "lowest", "highest", "nearest price came", "met")
    return table(heads, cells, numeric=range(1, 6), say=say)


def _level(
    name: str, values: NDArray[np.float64], at: NDArray[np.int64], price: NDArray[np.float64], say: Say
) -> list[Cell]:
    held = values[np.isfinite(values)] * TICK_POINTS
    if not len(held):
        return [text(name), *(number(None) for _ in range(5)), text("—", "faint")]
    in_force = np.where(at >= 0, values[np.maximum(at, 0)], np.nan)
    gaps = np.abs(price - in_force)
    gaps = gaps[np.isfinite(gaps)]
    nearest = float(gaps.min()) if len(gaps) else None
    met = "—" if nearest is None else say("yes") if nearest <= TOUCH_TICKS else say("no")
    return [
        text(name),
        number(float(values[0]) * TICK_POINTS),
        number(float(values[-1]) * TICK_POINTS),
        number(float(held.min())),
        number(float(held.max())),
        number(None if nearest is None else nearest * TICK_POINTS, unit=say("points")),
        text(met),
    ]
