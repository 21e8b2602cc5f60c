"""Where the real bars differ from our calendar, each with its reason. The tests hold the list to be complete.

A row is (trading day, minutes the first bar comes after the open, minutes missing before the close).
"""

from __future__ import annotations

ROLL_CUT = "FirstRate joins contracts at 17:00 on the Wednesday of the roll; the old hours went on after it"
THIN = "no trade in the first or last minutes"
LATE_OPEN = "CME Globex opened late: a known interruption"
MISSING = "the day is missing in the file"

FIRSTRATE_DIFFERENCES: dict[tuple[int, int, int], str] = {
    (20090311, 0, 30): ROLL_CUT,
    (20090610, 0, 30): ROLL_CUT,
    (20090629, 0, 2): THIN,
    (20090909, 0, 30): ROLL_CUT,
    (20090910, 3, 1): THIN,
    (20091209, 0, 30): ROLL_CUT,
    (20091210, 1, 1): THIN,
    (20100310, 0, 30): ROLL_CUT,
    (20100609, 0, 30): ROLL_CUT,
    (20100908, 0, 30): ROLL_CUT,
    (20101208, 0, 30): ROLL_CUT,
    (20120307, 0, 30): ROLL_CUT,
    (20120606, 0, 30): ROLL_CUT,
    (20120829, 0, 2): THIN,
    (20120912, 0, 30): ROLL_CUT,
    (20121212, 0, 15): ROLL_CUT,
    (20140312, 0, 15): ROLL_CUT,
    (20140611, 0, 15): ROLL_CUT,
    (20140825, 240, 1): LATE_OPEN,
    (20140910, 0, 15): ROLL_CUT,
    (20141210, 0, 15): ROLL_CUT,
    (20180430, 30, 1): LATE_OPEN,
    (20180507, 0, 1021): MISSING + " (all but its Sunday evening)",
    (20180508, 360, 1): MISSING + " (its Monday evening)",
}

SIERRA_DIFFERENCES: dict[tuple[int, int, int], str] = {
    (20170605, 70, 5): MISSING + " (its first 70 minutes)",
    (20180430, 30, 5): LATE_OPEN,
    (20180507, 0, 965): MISSING + " (all but its Sunday evening)",
    (20180508, 420, 5): MISSING + " (its Monday evening)",
}

TRADINGVIEW_NQ_DIFFERENCES: dict[tuple[int, int, int], str] = {
    (20250703, 0, 800): MISSING + " (all but its evening)",
}

# Bars outside every session that are no closing print.
STRAY_BARS: dict[str, str] = {"2021-08-08 00:00": "one bar on a Sunday midnight: an error of the file"}
