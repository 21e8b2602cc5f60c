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
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import OK
from mia_kernel.core.instrument import TICK_POINTS

NO_CHAIN = "No option chain was in force: gamma levels and options flow were absent."
COMPONENTS = ("gamma_levels", "options_flow")
TOUCH_TICKS = 8.0
_NAMES = (
    ("call wall", "call_wall_ticks"),
    ("put wall", "put_wall_ticks"),
    ("zero gamma", "gamma_flip_ticks"),
    ("0DTE call wall", "call_wall_0dte_ticks"),
    ("0DTE put wall", "put_wall_0dte_ticks"),
    ("pin", "pin_ticks"),
    ("expected high, 1 SD", "expected_high_ticks"),
    ("expected low, 1 SD", "expected_low_ticks"),
)
_SIDES = {1.0: "long", 0.0: "neutral (under 3 % of gross)", -1.0: "short"}


def gamma_section(rows: Sequence[Mapping[str, Any]], decisions: DecisionTable) -> str:
    """Return the section; one line where no chain was in force."""
    if not rows:
        return f"<p class='mia-note'>{esc(NO_CHAIN)}</p>"
    note = (
        "Modelled dealer gamma: dealers long calls, short puts; open interest of the clearing before the chain. "
        f"Levels are placed on the future by the ratio of the chain. Nearest: the price at decisions; within "
        f"{TOUCH_TICKS * TICK_POINTS:g} points counts as met."
    )
    return (
        _chains(rows)
        + _facts(rows, decisions)
        + _levels(rows, decisions)
        + f"<p class='mia-note'>{esc(note)}</p>"
    )


def _chains(rows: Sequence[Mapping[str, Any]]) -> str:
    spans: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        spans.setdefault((row["source"], row["as_of"]), []).append(row)
    cells = [
        [
            text(short_name(source)),
            text(clock(as_of)),
            text(clock(held[0]["ts"])),
            text(clock(held[0]["valid_until"]) if held[0]["valid_until"] else "15 min after its quotes"),
            number(held[0]["quality"]),
        ]
        for (source, as_of), held in spans.items()
    ]
    shown = cells[:12]
    more = f"<p class='mia-note'>{len(cells) - len(shown)} more snapshots of the day are in the journal.</p>"
    heads = ("chain", "quotes of", "in force from", "until", "confidence")
    return table(heads, shown, numeric=(4,)) + (more if len(cells) > len(shown) else "")


def _facts(rows: Sequence[Mapping[str, Any]], decisions: DecisionTable) -> str:
    first, last = rows[0], rows[-1]
    ratio, reference = last["put_call_volume_ratio"], last["put_call_reference"]
    beside = "no reference yet" if reference is None else f"median of the last sessions {reference:.2f}"
    pairs = [
        ("dealers, first and last", f"{_side(first)}, {_side(last)}"),
        ("net exposure", f"{_billion(first)} to {_billion(last)} bn USD per 1 %"),
        ("put/call volume", "—" if ratio is None else f"{ratio:.2f} ({beside})"),
        ("25-delta skew, 30 days", _percent(last["vol_skew_25_delta"])),
        ("term slope, 30 − 90 days", _percent(last["term_structure_slope"])),
        *((name.replace("_", " "), _known(decisions, name)) for name in COMPONENTS),
    ]
    return facts((name, esc(value)) for name, value in pairs)


def _side(row: Mapping[str, Any]) -> str:
    side = row["dealer_gamma_position"]
    return "unknown" if side is None else f"{_SIDES[float(side)]} gamma"


def _billion(row: Mapping[str, Any]) -> str:
    net = row["total_gamma_exposure_usd"]
    return "—" if net is None else f"{net / 1e9:+,.1f}".replace("-", "−")


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value * 100:+.1f} vol points".replace("-", "−")


def _known(decisions: DecisionTable, name: str) -> str:
    """How often a component was known and what it then contributed to the score."""
    if name not in decisions.names or not len(decisions):
        return "—"
    at = decisions.names.index(name)
    known = decisions.column("status")[:, at] == OK
    if not known.any():
        return "never known"
    mean = float(np.abs(decisions.column("contributions")[known, at]).mean())
    return f"known at {known.mean():.0%} of {len(known):,} decisions, mean |contribution| {mean:.3f}"


def _levels(rows: Sequence[Mapping[str, Any]], decisions: DecisionTable) -> str:
    ts = decisions.column("ts_event")
    price = decisions.column("price_ticks").astype(np.float64)
    # The level in force at each decision: the last row at or before it.
    at = np.searchsorted(np.array([row["ts"] for row in rows], np.int64), ts, side="right") - 1
    cells = [
        _level(name, np.array([row[key] for row in rows], np.float64), at, price) for name, key in _NAMES
    ]
    heads = ("level", "first", "last", "lowest", "highest", "nearest price came", "met")
    return table(heads, cells, numeric=range(1, 6))


def _level(
    name: str, values: NDArray[np.float64], at: NDArray[np.int64], price: NDArray[np.float64]
) -> list[Cell]:
    held = values[np.isfinite(values)] * TICK_POINTS
    if not len(held):
        return [text(name), *(number(None) for _ in range(5)), text("—", "faint")]
    in_force = np.where(at >= 0, values[np.maximum(at, 0)], np.nan)
    gaps = np.abs(price - in_force)
    gaps = gaps[np.isfinite(gaps)]
    nearest = float(gaps.min()) if len(gaps) else None
    met = "—" if nearest is None else "yes" if nearest <= TOUCH_TICKS else "no"
    return [
        text(name),
        number(float(values[0]) * TICK_POINTS),
        number(float(values[-1]) * TICK_POINTS),
        number(float(held.min())),
        number(float(held.max())),
        number(None if nearest is None else nearest * TICK_POINTS, unit="points"),
        text(met),
    ]
