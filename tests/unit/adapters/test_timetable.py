"""What is due follows the exchange's calendar, and each thing is done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mia_kernel.adapters.timetable import MINUTE_NS, STALE_NS, Due, Timetable, due, next_due_ns
from mia_kernel.core.errors import CorruptError
from mia_kernel.core.session import new_york_ns, session_row

pytestmark = pytest.mark.unit

ITEM = Due("daily", 20250610, 1)


def test_a_page_is_due_an_hour_after_the_close() -> None:
    now = new_york_ns(20250610, 18 * 60)
    assert [d.day for d in due(now, after_close_min=60) if d.job == "daily"][-1] == 20250610
    assert [d.day for d in due(now - 1, after_close_min=60) if d.job == "daily"][-1] == 20250609
    assert next_due_ns(now - 1, after_close_min=60) == now


def test_an_early_close_is_due_early_and_a_holiday_is_nobodys_day() -> None:
    friday = session_row(20241129)
    assert friday is not None
    assert friday["early_close"]
    assert (
        next_due_ns(new_york_ns(20241129, 600), after_close_min=60)
        == int(friday["close_ns"]) + 60 * MINUTE_NS
    )
    days = [d.day for d in due(new_york_ns(20241227, 20 * 60), after_close_min=60) if d.job == "daily"]
    assert 20241225 not in days


def test_the_week_is_due_after_its_last_session() -> None:
    now = new_york_ns(20250616, 12 * 60)
    assert [d.day for d in due(now, after_close_min=60) if d.job == "weekly"] == [20250606, 20250613]


def test_what_was_missed_is_made_up_for_oldest_first() -> None:
    days = [
        d.day
        for d in due(new_york_ns(20250613, 20 * 60), after_close_min=60, catch_up_days=3)
        if d.job == "daily"
    ]
    assert days == [20250611, 20250612, 20250613]


def test_one_item_is_claimed_by_one_of_many(tmp_path: Path) -> None:
    path = tmp_path / "data" / "schedule.sqlite"
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: Timetable(path).claim(ITEM, 10), range(24)))
    assert claims.count(True) == 1


def test_done_stays_done_and_failed_is_tried_three_times(tmp_path: Path) -> None:
    table = Timetable(tmp_path / "s.sqlite")
    for _ in range(3):
        assert table.claim(ITEM, 10)
        table.finish(ITEM, "failed", "no", 11)
    assert not table.claim(ITEM, 12)
    other = Due("weekly", 20250613, 1)
    assert table.claim(other, 10)
    table.finish(other, "done", "page", 11)
    assert not table.claim(other, 10**18)
    assert {(row.job, row.state, row.tries) for row in table.rows()} == {
        ("daily", "failed", 3),
        ("weekly", "done", 1),
    }


def test_a_claim_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    table = Timetable(tmp_path / "s.sqlite")
    assert table.claim(ITEM, 10)
    assert not table.claim(ITEM, 10 + STALE_NS)
    assert table.claim(ITEM, 11 + STALE_NS)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_text("no database at all, only a long line of words " * 30)
    with pytest.raises(CorruptError, match=r"s\.sqlite"):
        Timetable(path).claim(ITEM, 1)
