"""The gamma cycle: every row of the domain table."""

from __future__ import annotations

import pytest

from mia_kernel.core.errors import DataError
from mia_kernel.core.option_calendar import (
    cash_days_between,
    expiry_ns,
    gamma_cycle,
    is_cash_day,
    monthly_expiry,
    third_friday,
    vix_expiry,
)
from mia_kernel.core.session import new_york_ns

pytestmark = [pytest.mark.unit, pytest.mark.options]

FLAGS = ("weekly", "zero_dte", "quarterly", "vix_expiry", "am_settled_last_trade")


@pytest.mark.parametrize(
    ("day", "minute", "monthly", "d", "p", "phase", "flags"),
    [
        (20250904, 600, 20250919, 11, 13, "normal", {"zero_dte"}),
        (20250905, 600, 20250919, 10, 14, "gamma_moderate", {"weekly", "zero_dte"}),
        (20250912, 600, 20250919, 5, 19, "gamma_peak", {"weekly", "zero_dte"}),
        (20250916, 600, 20250919, 3, 21, "gamma_peak", {"zero_dte"}),
        (20250917, 600, 20250919, 2, 22, "expiry_week", {"vix_expiry", "zero_dte"}),
        (20250918, 600, 20250919, 1, 23, "expiry_week", {"zero_dte", "am_settled_last_trade"}),
        (20250919, 959, 20250919, 0, 24, "expiry_week", {"quarterly", "zero_dte"}),
        (20250919, 961, 20251017, 20, 0, "post_expiry", {"quarterly"}),
        (20250923, 600, 20251017, 18, 2, "post_expiry", {"zero_dte"}),
        (20250924, 600, 20251017, 17, 3, "normal", {"zero_dte"}),
        (20250414, 600, 20250417, 3, 16, "gamma_peak", {"zero_dte"}),
        (20260616, 600, 20260618, 2, 21, "expiry_week", {"zero_dte"}),
        (20260622, 600, 20260717, 18, 1, "post_expiry", {"zero_dte"}),
        (20260519, 600, 20260618, 21, 2, "post_expiry", {"zero_dte", "vix_expiry"}),
    ],
)
def test_gamma_cycle_rows(
    day: int, minute: int, monthly: int, d: int, p: int, phase: str, flags: set[str]
) -> None:
    cycle = gamma_cycle(new_york_ns(day, minute))
    assert (cycle.next_monthly, cycle.days_to_monthly, cycle.days_since_monthly) == (monthly, d, p)
    assert cycle.phase.name == phase
    assert {name for name in FLAGS if getattr(cycle, name)} == flags


def test_the_monthly_passes_at_16_00_and_the_evening_is_the_next_day() -> None:
    assert gamma_cycle(new_york_ns(20250919, 960)).days_since_monthly == 0
    evening = gamma_cycle(new_york_ns(20250918, 18 * 60 + 5))
    assert evening.trading_day == 20250919
    assert evening.days_to_monthly == 0


def test_expiry_moves_before_a_holiday() -> None:
    assert third_friday(2025, 4) == 20250418
    assert monthly_expiry(2025, 4) == 20250417
    assert vix_expiry(2025, 3) == 20250318  # 30 days before Thursday the 17th
    assert expiry_ns(20251128) == new_york_ns(20251128, 780)  # half day


def test_cash_days() -> None:
    assert not is_cash_day(20250109)  # day of mourning
    assert not is_cash_day(20250621)  # Saturday
    assert is_cash_day(20250703)
    assert cash_days_between(20250702, 20250707) == 2
    with pytest.raises(DataError, match="does not know"):
        cash_days_between(20250702, 20310101)
