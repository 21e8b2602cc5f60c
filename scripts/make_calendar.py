"""Make `mia_kernel/core/calendar_table.py`: the special days of CME equity-index futures, 2008-2027.

Days come from `pandas_market_calendars` (CME_Equity for the futures, NYSE for the cash market); hours come
from the rules and overrides below, each of which says where it was seen. Run it inside the test environment:

    python scripts/make_calendar.py            writes the table
    python scripts/make_calendar.py --check    exits 1 where the committed table differs

A row says: the hours of that trading day in New York time ("open close" or "open pause_start pause_end close",
the open lying on the evening before unless it is a morning), the cash close, and the source.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
import pandas_market_calendars as pmc

TABLE = Path(__file__).resolve().parents[1] / "mia_kernel" / "core" / "calendar_table.py"
FIRST, LAST = "2008-01-01", "2027-12-31"

# Hours of a normal week: Monday to Thursday, Friday.
REGULAR = (
    (
        20080101,
        "18:00 16:15 16:30 17:30",
        "18:00 16:15",
        "bars 2009, 2010, 2012: last minute 17:29, Friday 16:14",
    ),
    (
        20121119,
        "18:00 16:15 16:30 17:15",
        "18:00 16:15 16:30 17:15",
        "CME notice for trade date 2012-11-19; bars to 2014-12-31: last minute 17:14",
    ),
    (
        20150921,
        "18:00 16:15 16:30 17:00",
        "18:00 16:15 16:30 17:00",
        "CME notice for 2015-09-21 (relayed by NinjaTrader advisory 25); bars from 2016-01: last minute 16:59",
    ),
    (
        20210628,
        "18:00 17:00",
        "18:00 17:00",
        "bars from 2021-06-28: no pause at 16:15",
    ),
)

HOLIDAY_1130 = (
    "futures holiday hours to 11:30 until 2014-02-17 (bars 2009, 2010, 2012, 2014: last minute 11:29)"
)
HOLIDAY_1300 = "futures holiday hours to 13:00 (bars 2014-05-26 and later: last minute 12:59)"
HALF_DAY = "half day: cash 13:00, futures 13:15 (bars of 18 such days 2009-2025: last minute 13:14)"
CLOSED = "closed all day (pandas_market_calendars; no bars)"
OLD_EVE = "old hours: no 16:30 reopening before a closed day (bars 2009-04-09, 2009-12-31, 2010-12-23)"
MORNING_OPEN = "opens 06:00 after the holiday (bars 2009-01-02, 2012-01-03, 2012-12-26, 2014-01-02)"
GOOD_FRIDAY_JOBS = "Good Friday with the employment report: 09:15 (bars 2010, 2012, 2021: last minute 09:14)"
GOOD_FRIDAY = "Good Friday without the employment report: closed (no bars 2009, 2014, 2016-2020, 2022, 2025)"

# What the library has wrong or does not know: hours (None = leave), why.
OVERRIDES: dict[int, tuple[str, str]] = {
    20120703: ("18:00 13:15 16:30 17:30", "half day in the old hours: bars end 13:14, then 16:30-17:29"),
    20080703: ("18:00 13:15 16:30 17:30", "half day in the old hours, as 2012-07-03 (no bars of 2008 here)"),
    20121029: ("18:00 09:15", "hurricane Sandy: bars end 09:14 and start again 18:00"),
    20121030: ("18:00 09:15", "hurricane Sandy: bars end 09:14 and start again 18:00"),
    20181205: ("18:00 09:30", "day of mourning: bars end 09:29 and start again 18:00"),
    20250109: ("18:00 09:30", "day of mourning: bars (5 min) end 09:25 and start again 18:00"),
    20100402: ("18:00 09:15", GOOD_FRIDAY_JOBS),
    20120406: ("18:00 09:15", GOOD_FRIDAY_JOBS),
    20150403: ("18:00 09:15", GOOD_FRIDAY_JOBS),
    20210402: ("18:00 09:15", GOOD_FRIDAY_JOBS),
    20230407: ("18:00 09:15", GOOD_FRIDAY_JOBS),
    20260403: ("18:00 09:15", GOOD_FRIDAY_JOBS),
    20240329: ("closed", "Good Friday, employment report on 2024-04-05: closed, as in the years with bars"),
    20250418: ("closed", GOOD_FRIDAY),
    20270326: ("closed", "Good Friday, employment report on 2027-04-02: closed, as in the years with bars"),
    20090409: ("18:00 16:15", OLD_EVE),
    20091231: ("18:00 16:15", OLD_EVE),
    20101223: ("18:00 16:15", OLD_EVE),
    20080320: ("18:00 16:15", OLD_EVE + ", by the same rule"),
    20081231: ("18:00 16:15", OLD_EVE + ", by the same rule"),
    20110421: ("18:00 16:15", OLD_EVE + ", by the same rule"),
    20090102: ("06:00 16:15", MORNING_OPEN),
    20120103: ("06:00 16:15 16:30 17:30", MORNING_OPEN),
    20121226: ("06:00 16:15 16:30 17:15", MORNING_OPEN),
    20140102: ("06:00 16:15 16:30 17:15", MORNING_OPEN),
    20080102: ("06:00 16:15 16:30 17:30", MORNING_OPEN + ", by the same rule"),
    20081226: ("06:00 16:15", MORNING_OPEN + ", by the same rule"),
    20111227: ("06:00 16:15 16:30 17:30", MORNING_OPEN + ", by the same rule"),
    20130102: ("06:00 16:15 16:30 17:15", MORNING_OPEN + ", by the same rule"),
    20131226: ("06:00 16:15 16:30 17:15", MORNING_OPEN + ", by the same rule"),
}

# Real stops inside scheduled hours. Events, not calendar: a session stays a session. New York time, half-open.
INTERRUPTIONS = (
    ("2014-08-24 18:00", "2014-08-24 22:00", "CME Globex opened four hours late (bars start 22:00)"),
    ("2018-04-29 18:00", "2018-04-29 18:30", "CME Globex opened half an hour late (bars start 18:30)"),
    ("2019-02-26 19:41", "2019-02-26 22:45", "CME Globex outage (no bars)"),
    ("2020-03-09 09:36", "2020-03-09 09:49", "market-wide circuit breaker, level 1 (no bars)"),
    ("2020-03-12 09:17", "2020-03-12 09:30", "locked at the overnight limit before the open (no bars)"),
    ("2020-03-12 09:37", "2020-03-12 09:50", "market-wide circuit breaker, level 1 (no bars)"),
    ("2020-03-16 09:31", "2020-03-16 09:45", "market-wide circuit breaker, level 1 (no bars)"),
    ("2020-03-18 12:58", "2020-03-18 13:11", "market-wide circuit breaker, level 1 (no bars)"),
    ("2025-11-27 21:45", "2025-11-28 08:30", "CME outage, cooling of its data centre (no 5-min bars)"),
)


def special_days() -> dict[int, tuple[str, str, str]]:
    """Return {trading day: (hours, cash close, source)} for every weekday that is not a normal one."""
    futures = pmc.get_calendar("CME_Equity").schedule(FIRST, LAST, tz="America/New_York")
    cash = pmc.get_calendar("NYSE").schedule(FIRST, LAST, tz="America/New_York")
    rows: dict[int, tuple[str, str, str]] = {}
    for day in pd.bdate_range(FIRST, LAST):
        number = int(day.strftime("%Y%m%d"))
        cash_close = cash.loc[day, "market_close"].strftime("%H:%M") if day in cash.index else "closed"
        hours, source = _hours(number, day, futures, cash_close)
        if hours is not None or cash_close != "16:00":
            rows[number] = (hours or "regular", cash_close, source)
    return rows


def _hours(number: int, day: pd.Timestamp, futures: pd.DataFrame, cash_close: str) -> tuple[str | None, str]:
    if number in OVERRIDES:
        return OVERRIDES[number]
    if day not in futures.index:
        return "closed", CLOSED
    if cash_close == "closed":
        until_1130 = number <= 20140217
        return ("18:00 11:30", HOLIDAY_1130) if until_1130 else ("18:00 13:00", HOLIDAY_1300)
    if cash_close == "13:00":
        return "18:00 13:15", HALF_DAY
    return None, ""


def _regular(day: int, monday_to_thursday: str, friday: str, source: str) -> str:
    cells = (f"        {day},", *(f'        "{text}",' for text in (monday_to_thursday, friday, source)))
    return "\n".join(("    (", *cells, "    ),"))


def render(rows: dict[int, tuple[str, str, str]]) -> str:
    """Return the text of the table module."""
    sources = sorted({source for *_, source in rows.values()})
    key = {source: i for i, source in enumerate(sources)}
    lines = [
        '"""Special days of CME equity-index futures. GENERATED by `scripts/make_calendar.py`: do not edit.',
        "",
        "Hours are New York time; the open lies on the evening before unless it is a morning. `regular` means the",
        "hours of that date's normal week. A weekday not listed is a normal one; a date outside FIRST_DAY..LAST_DAY",
        "is unknown.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        f"FIRST_DAY = {FIRST.replace('-', '')}",
        f"LAST_DAY = {LAST.replace('-', '')}",
        "",
        "# Valid from trading day; Monday to Thursday; Friday; where it was seen.",
        "REGULAR: tuple[tuple[int, str, str, str], ...] = (",
        *(_regular(*row) for row in REGULAR),
        ")",
        "",
        "SOURCES: tuple[str, ...] = (",
        *(f'    "{source}",' for source in sources),
        ")",
        "",
        "# Trading day: (futures hours, cash close, index of its source).",
        "SPECIAL_DAYS: dict[int, tuple[str, str, int]] = {",
        *(f'    {day}: ("{h}", "{c}", {key[s]}),' for day, (h, c, s) in sorted(rows.items())),
        "}",
        "",
        "# Real stops inside scheduled hours, New York time, half-open. A session stays a session.",
        "INTERRUPTIONS: tuple[tuple[str, str, str], ...] = (",
        *(f'    ("{a}", "{b}", "{c}"),' for a, b, c in INTERRUPTIONS),
        ")",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Write the table, or compare it with `--check`."""
    parser = argparse.ArgumentParser(description="make the exchange calendar table")
    parser.add_argument("--check", action="store_true", help="compare only")
    text = render(special_days())
    if parser.parse_args().check:
        same = TABLE.read_text(encoding="utf-8") == text
        print(
            "the table is in step" if same else "the table differs from what the script makes",
            file=sys.stderr,
        )
        return 0 if same else 1
    TABLE.write_text(text, encoding="utf-8")
    print(TABLE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
