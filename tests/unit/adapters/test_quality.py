"""The verdict: what lowers the score, what is set aside, what refuses a file, and gaps by the calendar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.quality import (
    Findings,
    QualityParams,
    Verdict,
    bad_prints,
    judge_sides,
    prevailing,
    side_agreement,
)
from mia_kernel.adapters.silence import (
    Silence,
    TradingTime,
    gap_term,
    gaps_inside_sessions,
    in_sessions,
    note_closed,
    stale_term,
)
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError

pytestmark = pytest.mark.unit

S = 1_000_000_000


def _utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def test_score_is_one_less_the_weighted_bad_shares() -> None:
    findings = Findings("x", 100)
    findings.term("gap", 0.10)
    findings.term("disorder", 0.20)
    findings.term("off_grid", 0.01)
    verdict = findings.verdict()
    # 1 - (0.30*0.10 + 0.15*0.20 + 0.10*0.01) = 1 - 0.061
    assert verdict.score == pytest.approx(0.939)
    assert verdict.grade == "degraded"
    assert verdict.not_applicable == ("crossed", "stale", "zero_volume")


def test_nothing_to_score_is_unknown_not_zero() -> None:
    verdict = Findings("x", 0).verdict()
    assert verdict.score is None
    assert verdict.to_json()["score"] is None
    assert verdict.grade == "unknown"


def test_rows_set_aside_are_counted_once_and_the_first_is_told() -> None:
    findings = Findings("x", 100)
    bad = np.zeros(100, np.bool_)
    bad[[3, 7]] = True
    findings.quarantine("off_grid", bad, lambda i: f"line {i + 2}")
    findings.quarantine("bad_size", bad, lambda i: f"line {i + 2}")
    assert findings.quarantined == {"off_grid": 2}
    assert "first: line 5" in findings.causes[0]
    assert int(findings.keep.sum()) == 98


def test_a_mostly_unusable_file_is_refused_with_its_first_offender() -> None:
    findings = Findings("x.csv", 100)
    findings.quarantine("off_grid", np.arange(100) < 6, lambda i: f"line {i + 2} close = 1.1")
    with pytest.raises(DataError) as caught:
        findings.verdict()
    assert "line 2 close = 1.1" in str(caught.value)
    assert caught.value.path == "x.csv"


def test_duplicates_are_a_repair_and_refuse_nothing() -> None:
    findings = Findings("x", 100)
    findings.drop("duplicates", np.arange(100) < 45, "45 lines again")
    assert findings.verdict().repaired == {"duplicates": 45}


def test_a_silence_inside_a_session_is_a_gap_and_the_close_is_none() -> None:
    at = [
        "2019-08-09T14:00:00", "2019-08-09T14:05:00",  # 300 s inside
        "2019-08-09T20:14:59", "2019-08-09T20:30:00",  # the pause 15:15-15:30 Chicago
        "2019-08-09T20:59:59", "2019-08-11T22:00:00",  # the weekend
    ]  # fmt: skip
    ts = np.array([_utc(text) for text in at])
    index, seconds = gaps_inside_sessions(ts, ts, 60.0)
    # 1: the planned 300 s; 2: 14:05 to 20:14:59; 4: 20:30 to 20:59:59 (29 min 59 s); 3 and 5 are closed hours.
    assert index.tolist() == [1, 2, 4]
    assert seconds.tolist() == [300, 22_199, 1_799]


WEEKEND = [
    "2021-08-06T20:58", "2021-08-06T20:59",  # the last minutes of Friday
    "2021-08-08T04:00", "2021-08-08T04:01",  # midnight New York, Sunday: nothing trades
    "2021-08-08T22:00", "2021-08-08T22:01",  # the open of Monday
]  # fmt: skip


def test_a_bar_in_closed_hours_makes_no_gap_of_the_weekend() -> None:
    """A real year of one-minute bars has such a bar; the silence told was 111,600 s from Friday 17:00."""
    start = np.array([_utc(text) for text in WEEKEND])
    findings = Findings("x", len(start))
    gap_term(findings, start, start + 60 * S, 60.0)
    assert findings.terms["gap"] == 0.0
    assert findings.counts == {"rows": 6, "sessions": 2}
    both = [Findings("x", len(start)), Findings("x", len(start))]
    note_closed(both[0], start, "trades")
    gap_term(both[0], start, start, 60.0)
    time = TradingTime(Silence(60.0))
    for part in np.split(start, [1, 3, 5]):
        time.add(part)
    time.tell(both[1], "trades")
    assert both[0].causes == both[1].causes
    assert both[0].terms == both[1].terms == {"gap": 0.0}


def test_rows_all_in_closed_hours_are_told_and_say_nothing_of_gaps() -> None:
    start = np.array([_utc(text) for text in WEEKEND[2:4]])
    findings, time = Findings("x", 2), TradingTime(Silence(60.0))
    gap_term(findings, start, start + 60 * S, 60.0)
    assert findings.terms == {}
    assert findings.counts == {"rows": 2}
    time.add(start)
    time.tell(findings, "trades")
    assert findings.terms == {}
    assert findings.counts == {"rows": 2, "in_closed_hours": 2}


def test_a_bar_over_the_open_begins_with_its_session() -> None:
    """Bars of four hours: Friday 13:00 to 17:00, then Sunday 17:00 to 21:00 New York, an hour of it closed."""
    start = np.array([_utc(text) for text in ("2021-08-06T17:00", "2021-08-08T21:00", "2021-08-09T01:00")])
    end = start + 4 * 3_600 * S
    begin, inside = in_sessions(start, end)
    assert inside.all()
    assert begin.tolist() == [start[0], _utc("2021-08-08T22:00"), start[2]]
    assert len(gaps_inside_sessions(begin, end, 60.0)[0]) == 0


def test_absent_sessions_are_named_and_holidays_are_not() -> None:
    days = ["2019-07-02", "2019-07-08"]  # the 3rd traded, the 4th had a holiday session, the 5th traded
    ts = np.array([_utc(f"{day}T15:00:00") for day in days])
    findings = Findings("x", 2)
    gap_term(findings, ts, ts + 60 * S, 60.0)
    assert findings.counts["missing_sessions"] == 3
    assert "20190703, 20190704, 20190705" in findings.causes[-1]


def test_a_silent_book_is_stale_and_lowers_the_score() -> None:
    start = _utc("2019-08-09T14:00:00")
    ts = np.array([start + s * S for s in (0, 1, 2, 12, 13, 100)])
    findings = Findings("x", 6)
    stale_term(findings, ts)
    # Silences over 5 s: 10 s and 87 s of 100 s covered.
    assert findings.terms["stale"] == pytest.approx(0.97)
    assert findings.counts["stale_book"] == 2
    assert findings.verdict().score == pytest.approx(1 - 0.20 * 0.97)


def test_a_lone_print_is_bad_and_a_move_that_stays_is_not() -> None:
    params = QualityParams()
    ts = np.arange(6, dtype=np.int64) * S
    price = np.array([10_000, 10_001, 10_500, 10_002, 10_300, 10_301])
    bad, jumps = bad_prints(price, ts, params)
    assert bad.tolist() == [False, False, True, False, False, False]
    assert jumps == 3


def test_quote_rule_agreement_counts_only_what_can_be_decided() -> None:
    side = np.array([1, -1, 1, 1, 0])
    price = np.array([101, 100, 100, 100, 101])
    bid, ask = np.array([100, 100, 100, 0, 100]), np.array([101, 101, 101, 101, 101])
    assert side_agreement(side, price, bid, ask) == (2, 3)


def _trades(sides: list[int]) -> ev.EventArray:
    rows = ev.empty(len(sides))
    rows["kind"], rows["px"], rows["side"], rows["flags"] = ev.TRADE, 100, sides, ev.SIDE_FEED
    return rows


def test_one_side_on_all_trades_yields_no_delta() -> None:
    rows = _trades([1] * 200)
    findings = Findings("x", 200)
    assert judge_sides(rows, None, None, findings) == "untrusted"
    assert not rows["side"].any()
    assert not (rows["flags"] & ev.SIDE_FEED).any()
    assert "constant_side" in findings.counts


def test_sides_that_disagree_with_the_quote_yield_no_delta() -> None:
    rows = _trades([1, -1] * 50)
    rows["px"] = np.where(rows["side"] > 0, 100, 101)  # buys at the bid, sales at the ask
    bid, ask = np.full(100, 100), np.full(100, 101)
    assert judge_sides(rows, bid, ask, Findings("x", 100)) == "untrusted"
    assert not rows["side"].any()


def test_the_prevailing_quote_is_unknown_before_the_first() -> None:
    rows = ev.empty(3)
    rows["kind"] = [ev.TRADE, ev.QUOTE, ev.TRADE]
    rows["bid"], rows["ask"] = [0, 99, 0], [0, 100, 0]
    bid, ask = prevailing(rows)
    assert bid.tolist() == [0, 99, 99]
    assert ask.tolist() == [0, 100, 100]


def test_verdict_json_is_plain() -> None:
    value = Verdict(0.97, ("a",), {"rows": 3}, {}, {"b": 1}).to_json()
    assert value["grade"] == "good"
    assert value["quarantined"] == {"b": 1}


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.sampled_from([0, S // 2, 20 * S, 50 * S, 61 * S, 1_300 * S, 4_000 * S]), min_size=2, max_size=60
    ),
    cuts=st.lists(st.integers(1, 59), max_size=6),
    begin=st.sampled_from(
        ["2024-01-04T21:40", "2024-01-05T21:40", "2019-08-09T20:05", "2019-08-09T20:14", "2019-08-09T20:29"]
    ),
)
def test_stamps_known_by_their_ends_are_told_as_if_each_was_seen(
    steps: list[int], cuts: list[int], begin: str
) -> None:
    """Over a day's close and a week's and, in 2019, into the pause at 16:15 New York and out of it."""
    ts = _utc(begin) + np.cumsum(np.array(steps, np.int64))
    each, ends = TradingTime(Silence(60.0)), TradingTime(Silence(60.0))
    each.add(ts)
    seen = None
    for part in np.split(ts, sorted({cut for cut in cuts if cut < len(ts)})):
        whole = part if seen is None else np.r_[seen, part]
        broken = bool((np.diff(whole) > 60 * S).any())
        if broken or not ends.add_unbroken(int(part[0]), int(part[-1])):
            ends.add(part)
        seen = part[-1]
    assert ends == each
    found = [Findings("x", len(ts)), Findings("x", len(ts))]
    for time, findings in zip((each, ends), found, strict=True):
        time.tell(findings, "trades")
    assert found[0].causes == found[1].causes


def test_ends_in_closed_hours_or_beyond_a_close_are_not_taken_for_a_stretch() -> None:
    time = TradingTime(Silence(60.0))
    before, after = _utc("2024-01-04T21:59:59"), _utc("2024-01-04T23:00:00")
    assert not time.add_unbroken(before, after)
    assert not time.add_unbroken(_utc("2024-01-04T22:10"), _utc("2024-01-04T22:11"))
    assert not time.add_unbroken(_utc("2019-08-09T20:14:59"), _utc("2019-08-09T20:30:01"))
    assert time == TradingTime(Silence(60.0))
    assert time.add_unbroken(before, before + S // 2)
