"""The structure of the market in one object: where it has traded, where it did before, where options pull.

Every field says what it is worth, in points, and how it stands: `ok`, `not_ready` (not known yet), `stale`
(older than its limit) or `absent` (nothing here can give it). Source: domain §4, §5, §11.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mia_kernel.core.decisions import ABSENT, NOT_READY, OK, STALE, STATUS_NAMES
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.features.spec import Given
from mia_kernel.state import profile
from mia_kernel.state.memory import MarketState
from mia_kernel.state.options import is_fresh

GAMMA = (
    "call_wall_ticks", "put_wall_ticks", "gamma_flip_ticks", "call_wall_0dte_ticks", "put_wall_0dte_ticks",
    "pin_ticks", "expected_high_ticks", "expected_low_ticks",
)  # fmt: skip
NAN = float("nan")


def structure(market: MarketState, given: Given, ts: int) -> list[dict[str, Any]]:
    """Return the fields at `ts`: group, field, value in points (None unless ok), status, as_of (ns UTC)."""
    rows: list[dict[str, Any]] = []
    for group, field, ticks, status, as_of in _fields(market.array[0], given, ts):
        known = status == OK and ticks == ticks
        state = status if known or status != OK else NOT_READY
        rows.append(
            {
                "group": group,
                "field": field,
                "value": ticks * TICK_POINTS if known else None,
                "status": STATUS_NAMES[state],
                "as_of": as_of if known else None,
            }
        )
    return rows


def _fields(s: Any, given: Given, ts: int) -> Iterator[tuple[str, str, float, int, int]]:
    p, clock = s["profile"], int(s["clock"]["ts"])
    eth, rth = p["anchor"][0], p["anchor"][1]
    for name, anchor in (("vwap_eth", eth), ("vwap_rth", rth)):
        vwap, sd = profile.vwap(anchor)
        for field, times in (("", 0), ("_sd1_up", 1), ("_sd1_down", -1), ("_sd2_up", 2), ("_sd2_down", -2)):
            yield "vwap", name + field, vwap + times * sd if times else vwap, OK, clock
    area = bool(rth["has_area"])
    for field, ticks in (("poc", rth["poc_2"] / 2), ("vah", rth["vah"]), ("val", rth["val"])):
        yield "profile", field, float(ticks) if area else NAN, OK, clock
    for field in ("high", "low"):
        yield "session", f"session_{field}", float(eth[field]) if eth["has"] else NAN, OK, clock
    for flag, fields in (("has_overnight", ("onh", "onl")), ("has_ib", ("ibh", "ibl"))):
        for field in fields:
            yield "session", field, float(p[field]) if p[flag] else NAN, OK, clock
    before, started = bool(p["has_previous"]), int(s["session"]["open_ns"])
    for field in ("pdh", "pdl", "pvah", "pval", "previous_close"):
        yield "previous", field, float(p[field]) if before else NAN, OK, started
    yield "previous", "ppoc", p["ppoc_2"] / 2 if before else NAN, OK, started
    yield from _gamma(s["options"], given, ts)


def _gamma(o: Any, given: Given, ts: int) -> Iterator[tuple[str, str, float, int, int]]:
    status = OK
    if not given.options:
        status = ABSENT
    elif not o["has"]:
        status = NOT_READY
    elif not is_fresh(o, ts):
        status = STALE
    for field in GAMMA:
        yield "gamma", field.removesuffix("_ticks"), float(o[field]), status, int(o["ts"])
