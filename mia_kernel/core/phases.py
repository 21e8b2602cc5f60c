"""The phases of a trading day: their hours, size multipliers and advisory thresholds (domain §3)."""

from __future__ import annotations

from dataclasses import dataclass

ASIA, LONDON, PRE_MARKET, NY_OPEN, MORNING, LUNCH, AFTERNOON, POWER_HOUR, POST, BREAK, WEEKEND, HOLIDAY = (
    range(12)
)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: start in minutes of the trading day's calendar date, New York (−360 = 18:00 the evening before).

    `size_multiplier` scales the position, 0 forbids a new entry. `minimum_confluence_percent` is None where
    no entry is possible at all.
    """

    code: int
    name: str
    start_minute: int | None
    size_multiplier: float
    minimum_confluence_percent: float | None


PHASES: tuple[Phase, ...] = (
    Phase(ASIA, "asia", -360, 0.5, 85.0),
    Phase(LONDON, "london", 180, 0.8, 85.0),
    Phase(PRE_MARKET, "pre_market", 480, 0.7, 85.0),
    Phase(NY_OPEN, "ny_open", 570, 1.0, 75.0),
    Phase(MORNING, "morning", 630, 1.0, 70.0),
    Phase(LUNCH, "lunch", 720, 0.6, 80.0),
    Phase(AFTERNOON, "afternoon", 810, 1.0, 70.0),
    Phase(POWER_HOUR, "power_hour", 900, 0.7, 85.0),
    Phase(POST, "post", 960, 0.0, None),
    Phase(BREAK, "break", None, 0.0, None),
    Phase(WEEKEND, "weekend", None, 0.0, None),
    Phase(HOLIDAY, "holiday", None, 0.0, None),
)
"""By code."""

PHASE_NAMES: tuple[str, ...] = tuple(phase.name for phase in PHASES)
CLOSED_PHASES = frozenset({BREAK, WEEKEND, HOLIDAY})
"""No order may be sent in these."""

PHASE_SLOTS = 12
"""Boundaries a session row can hold: nine phases, a pause inside, and the closed time behind the close."""


def phase_plan(
    *,
    open_minute: int,
    close_minute: int,
    cash_close_minute: int,
    pause: tuple[int, int] | None,
    closed_code: int,
) -> list[tuple[int, int]]:
    """Return the (start minute, code) boundaries of one session, ascending, the first at its open.

    On an early close the power hour is the last hour before the cash close (the futures close where the cash
    market is shut) and `post` runs from there to the futures close. A session that ends before 09:30 is only
    cut short. Minutes count from 00:00 New York of the trading day's date.
    """
    shifted = cash_close_minute < 960 and close_minute > 570
    starts = [(phase.start_minute, phase.code) for phase in PHASES if phase.start_minute is not None]
    if shifted:
        power = cash_close_minute - 60
        starts = [(at, code) for at, code in starts if code < POWER_HOUR and at < power]
        starts += [(power, POWER_HOUR), (cash_close_minute, POST)]
    plan: list[tuple[int, int]] = []
    for i, (start, code) in enumerate(starts):
        end = starts[i + 1][0] if i + 1 < len(starts) else close_minute
        if end > open_minute and start < close_minute:
            plan.append((max(start, open_minute), code))
    if pause is not None:
        inside = [code for at, code in plan if at <= pause[0]][-1]
        plan = [(at, code) for at, code in plan if at < pause[0] or at > pause[1]]
        plan += [(pause[0], BREAK), (pause[1], inside if shifted or inside == POST else POST)]
        plan.sort()
    plan.append((close_minute, closed_code))
    return plan
