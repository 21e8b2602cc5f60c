"""Zones: clusters of levels that act together, computed when somebody looks.

Source: domain §11. Levels are sorted and grouped while the gap to the previous one is at most 3 ticks; a
zone's score is min(1, Σ weight·strength·age·touch / 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mia_kernel.state.levels import FAMILIES, SLOTS, WEIGHTS
from mia_kernel.state.memory import MarketState

GAP_2, MARGIN_2, FAMILY_2, FULL = 6, 3, 2, 3.0
HOUR_NS = 3_600_000_000_000
DAY_H = 24.0
NEAR_TICKS, REACH_TICKS, STRONG = 20.0, 10.0, 0.6
QUALITIES = ((0.8, "extreme"), (0.6, "strong"), (0.4, "moderate"), (0.0, "weak"))


@dataclass(frozen=True, slots=True)
class Level:
    """One level in half ticks; `pull` is weight·strength·age·touch."""

    slot: int
    price_2: int
    weight: float
    pull: float


@dataclass(frozen=True, slots=True)
class Zone:
    """A cluster: range and centre in half ticks (the centre is a mean), slots of its levels, score, bias."""

    low_2: float
    high_2: float
    centre_2: float
    slots: tuple[int, ...]
    score: float
    quality: str
    direction: int


def levels_of(market: MarketState, ts: int) -> list[Level]:
    """Return the known levels with their pull at `ts`, strongest of each family within 1 tick, lowest first."""
    table = market.array["levels"][0]["at"]
    found: list[Level] = []
    for slot in range(SLOTS):
        at = table[slot]
        if at["known"] and WEIGHTS[slot] > 0:
            age = max(0.1, 1.0 - max(ts - int(at["since"]), 0) / HOUR_NS / DAY_H)
            touch = min(2.0, 1.0 + 0.2 * int(at["touches"]))
            weight = WEIGHTS[slot] * float(at["strength"])
            found.append(Level(slot, int(at["price_2"]), weight, weight * age * touch))
    kept: list[Level] = []
    for level in sorted(found, key=lambda x: (-x.pull, x.slot)):
        same = [
            k
            for k in kept
            if FAMILIES[k.slot] == FAMILIES[level.slot] and abs(k.price_2 - level.price_2) <= FAMILY_2
        ]
        if not same:
            kept.append(level)
    return sorted(kept, key=lambda x: (x.price_2, x.slot))


def zones(levels: Sequence[Level], price_ticks: float) -> list[Zone]:
    """Group levels (lowest first) into zones seen from a price in ticks."""
    out: list[Zone] = []
    group: list[Level] = []
    for level in levels:
        if group and level.price_2 - group[-1].price_2 > GAP_2:
            out.append(_zone(group, price_ticks))
            group = []
        group.append(level)
    if group:
        out.append(_zone(group, price_ticks))
    return out


def distance_ticks(zone: Zone, price_ticks: float) -> float:
    """Return how far a price is from the range of a zone, 0 inside."""
    return max(zone.low_2 / 2 - price_ticks, price_ticks - zone.high_2 / 2, 0.0)


def zones_near(found: Sequence[Zone], price_ticks: float) -> list[Zone]:
    """Return the strong and extreme zones within 20 ticks of a price, nearest first (domain §11, proximity)."""
    strong = [
        zone for zone in found if zone.score >= STRONG and distance_ticks(zone, price_ticks) <= NEAR_TICKS
    ]
    return sorted(strong, key=lambda zone: (distance_ticks(zone, price_ticks), zone.low_2))


def score_at(found: Sequence[Zone], price_ticks: float) -> float:
    """Return min(1, Σ score·max(0, 1 − d/10 ticks)) over zones at a distance d from a price, in [0, 1]."""
    pull = (zone.score * max(0.0, 1.0 - distance_ticks(zone, price_ticks) / REACH_TICKS) for zone in found)
    return min(1.0, sum(pull))


def _zone(group: Sequence[Level], price_ticks: float) -> Zone:
    low, high = group[0].price_2 - MARGIN_2, group[-1].price_2 + MARGIN_2
    total = sum(level.weight for level in group)
    centre = sum(level.weight * level.price_2 for level in group) / total
    score = min(1.0, sum(level.pull for level in group) / FULL)
    price_2 = 2 * price_ticks
    return Zone(
        low_2=low,
        high_2=high,
        centre_2=centre,
        slots=tuple(level.slot for level in group),
        score=score,
        quality=next(name for bound, name in QUALITIES if score >= bound),
        direction=1 if price_2 > high else (-1 if price_2 < low else 0),
    )
