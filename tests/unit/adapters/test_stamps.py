"""Stamps of every spelling; the session hours prove a zone, refuse a wrong one, or the user is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from mia_kernel.adapters.stamps import (
    CHICAGO,
    NEW_YORK,
    check_zone,
    naive_stamps,
    parse_date,
    parse_time,
    prove_zone,
    resolve_zone,
    to_local,
    to_utc,
)
from mia_kernel.core.errors import DataError, FormatError, InputError
from tests.fakes.market_files import session, shifted

pytestmark = pytest.mark.unit

DAY = 18117  # 2019-08-09


def _ns(*days: datetime) -> np.ndarray:
    return np.array([np.datetime64(d, "ns").astype(np.int64) for d in days])


@pytest.mark.parametrize(
    "text", ["2019-08-09", "2019/8/9", "8/9/2019", "08/09/2019", "20190809", " 2019-8-9 "]
)
def test_dates_of_every_spelling(text: str) -> None:
    assert parse_date(text) == DAY


@pytest.mark.parametrize("text", ["", "2019-13-01", "31/12/2019", "9 August 2019", "2019-02-30", "1"])
def test_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_times_with_a_fraction_of_a_second() -> None:
    assert parse_time("9:30") == 34_200 * 10**9
    assert parse_time("09:30:00.5") == 34_200_500_000_000
    assert parse_time("23:59:59.000001") == 86_399_000_001_000
    assert parse_time("24:00:00") is None
    assert parse_time("9:60") is None


def test_a_bad_stamp_names_its_line() -> None:
    dates = np.array(["2019-08-09", "2019-08-09", "2019-99-09"], object)
    times = np.array(["0:00", "0:01", "0:02"], object)
    with pytest.raises(FormatError) as caught:
        naive_stamps(dates, times, path="x.csv", first_line=2)
    assert (caught.value.line, caught.value.value) == (4, "2019-99-09")


def test_local_stamps_follow_the_clock_change() -> None:
    # 2019-03-10 is the American change: 09:30 New York is 14:30 UTC on the Friday before, 13:30 after.
    friday, monday = datetime(2019, 3, 8, 9, 30), datetime(2019, 3, 11, 9, 30)
    utc = to_utc(_ns(friday, monday), NEW_YORK, path="x")
    assert utc.tolist() == _ns(datetime(2019, 3, 8, 14, 30), datetime(2019, 3, 11, 13, 30)).tolist()
    assert to_local(utc, NEW_YORK).tolist() == _ns(friday, monday).tolist()


def test_a_stamp_inside_the_clock_change_is_refused() -> None:
    with pytest.raises(DataError, match="clock change"):
        to_utc(_ns(datetime(2019, 3, 10, 2, 30)), NEW_YORK, path="x")


def _week(hours: float) -> np.ndarray:
    days = [datetime(2022, 8, 8) + timedelta(days=k) for k in range(5)]
    return _ns(*[bar[0] for day in days for bar in shifted(session(day), hours)])


@pytest.mark.parametrize(("zone", "hours"), [(NEW_YORK, 0), (CHICAGO, -1), ("UTC", 4)])
def test_a_week_of_sessions_proves_its_zone(zone: str, hours: float) -> None:
    proof = prove_zone(_week(hours), path="x")
    assert proof.zone == zone
    assert proof.shares[zone] == 0.0


def test_a_zone_of_another_continent_is_not_proven() -> None:
    assert prove_zone(_week(6), path="x").zone is None  # Madrid


def test_regular_hours_alone_prove_nothing_and_the_user_is_asked() -> None:
    rth = np.array([ts for ts in _week(0) if 10 <= (ts // 3_600_000_000_000) % 24 < 14])
    with pytest.raises(InputError) as caught:
        resolve_zone(rth, None, path="rth.csv")
    assert caught.value.field == "tz"
    assert "--tz" in str(caught.value)
    assert resolve_zone(rth, "America/New_York", path="rth.csv") == (NEW_YORK, "given")


def test_a_wrong_zone_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(DataError) as caught:
        resolve_zone(_week(0), "America/Chicago", path="x.csv")
    assert "wrong zone" in str(caught.value)
    assert "America/New_York" in str(caught.value.way_out)


def test_zone_names() -> None:
    assert check_zone("CT") == CHICAGO
    assert check_zone("US/Eastern") == NEW_YORK
    with pytest.raises(InputError):
        check_zone("Mars/Olympus")
