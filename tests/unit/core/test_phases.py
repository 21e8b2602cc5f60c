"""The boundaries of one session, in minutes of its New York day."""

from __future__ import annotations

import pytest

from mia_kernel.core import phases
from mia_kernel.core.phases import phase_plan

pytestmark = pytest.mark.unit


def test_a_normal_day_has_nine_phases_and_its_close() -> None:
    plan = phase_plan(
        open_minute=-360, close_minute=1020, cash_close_minute=960, pause=None, closed_code=phases.BREAK
    )
    assert plan == [
        (-360, phases.ASIA),
        (180, phases.LONDON),
        (480, phases.PRE_MARKET),
        (570, phases.NY_OPEN),
        (630, phases.MORNING),
        (720, phases.LUNCH),
        (810, phases.AFTERNOON),
        (900, phases.POWER_HOUR),
        (960, phases.POST),
        (1020, phases.BREAK),
    ]


def test_the_old_pause_splits_post() -> None:
    plan = phase_plan(
        open_minute=-360, close_minute=1020, cash_close_minute=960, pause=(975, 990), closed_code=phases.BREAK
    )
    assert plan[-4:] == [(960, phases.POST), (975, phases.BREAK), (990, phases.POST), (1020, phases.BREAK)]
    assert len(plan) == phases.PHASE_SLOTS


def test_a_morning_open_starts_inside_a_phase() -> None:
    plan = phase_plan(
        open_minute=360, close_minute=1020, cash_close_minute=960, pause=None, closed_code=phases.BREAK
    )
    assert plan[:2] == [(360, phases.LONDON), (480, phases.PRE_MARKET)]


@pytest.mark.parametrize(("close", "last"), [(555, phases.PRE_MARKET), (570, phases.PRE_MARKET)])
def test_a_session_that_ends_before_the_open_is_only_cut(close: int, last: int) -> None:
    plan = phase_plan(
        open_minute=-360, close_minute=close, cash_close_minute=close, pause=None, closed_code=phases.HOLIDAY
    )
    assert plan[-2:] == [(480, last), (close, phases.HOLIDAY)]


def test_holiday_hours_to_1130_keep_a_power_hour() -> None:
    plan = phase_plan(
        open_minute=-360, close_minute=690, cash_close_minute=690, pause=None, closed_code=phases.HOLIDAY
    )
    assert plan[-3:] == [(570, phases.NY_OPEN), (630, phases.POWER_HOUR), (690, phases.HOLIDAY)]


def test_closed_phases_forbid_size() -> None:
    assert {phase.code for phase in phases.PHASES if phase.start_minute is None} == phases.CLOSED_PHASES
    assert all(phases.PHASES[code].size_multiplier == 0.0 for code in phases.CLOSED_PHASES)
