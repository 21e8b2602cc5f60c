"""Bars are checked value by value; each fault is counted, none is filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.rawbars import RawBars, bar_rows, bar_seconds
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError

pytestmark = pytest.mark.unit

S = 1_000_000_000
START = int(np.datetime64("2022-08-09T14:00", "ns").astype(np.int64))


def _raw(n: int = 100) -> RawBars:
    close = 4000.0 + 0.25 * np.arange(n)
    return RawBars(
        start=START + np.arange(n, dtype=np.int64) * 60 * S,
        open=close.copy(),
        high=close + 0.5,
        low=close - 0.5,
        close=close,
        volume=np.full(n, 10.0),
        trades=np.full(n, 4.0),
        bid_volume=np.full(n, 6.0),
        ask_volume=np.full(n, 4.0),
        lines=np.arange(2, n + 2),
        member=np.zeros(n, np.int64),
        members=("x.txt",),
    )


def _rows(raw: RawBars) -> tuple[ev.EventArray, Findings]:
    findings = Findings("x.txt", len(raw.start))
    return bar_rows(raw, "ES", findings, 60).events, findings


def test_a_bar_enters_at_its_end_with_all_it_has() -> None:
    rows, findings = _rows(_raw())
    row = rows[0]
    assert row["ts_event"] == row["ts_recv"] == START + 60 * S
    assert (row["kind"], row["px"], row["sz"], row["flags"]) == (ev.BAR, 16000, 10, ev.SIDE_FEED)
    assert row["b"][:7].tolist() == [16000, 16002, 15998, 6, 4, 4, 60]
    assert findings.verdict().score == 1.0


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("close", 4000.10, "off_grid"), ("high", np.nan, "off_grid"), ("low", 1.797e308, "off_grid"),
     ("high", 3000.0, "ohlc_order"), ("low", 5000.0, "ohlc_order"), ("volume", -1.0, "bad_volume"),
     ("volume", 2.5, "bad_volume"), ("volume", np.inf, "bad_volume"), ("volume", 0.0, "zero_volume")],
)  # fmt: skip
def test_a_bad_value_sets_its_bar_aside(field: str, value: float, code: str) -> None:
    raw = _raw()
    getattr(raw, field)[50] = value
    rows, findings = _rows(raw)
    assert findings.quarantined == {code: 1}
    assert "x.txt:52" in findings.causes[0]
    assert len(rows) == 99
    assert START + 51 * 60 * S not in rows["ts_event"]


def test_bars_out_of_order_are_sorted_and_counted() -> None:
    raw = _raw()
    raw.start[[10, 11]] = raw.start[[11, 10]]
    rows, findings = _rows(raw)
    assert findings.repaired == {"out_of_order": 1}
    assert (np.diff(rows["ts_event"]) > 0).all()


def test_a_bar_that_stands_twice_is_kept_once_the_later_line_winning() -> None:
    raw = _raw()
    raw.start[51] = raw.start[50]
    rows, findings = _rows(raw)
    assert findings.repaired["duplicates"] == 1
    assert rows["px"][50] == 16051


def test_sides_that_do_not_add_up_are_dropped_for_that_bar_alone() -> None:
    raw = _raw()
    assert raw.bid_volume is not None
    raw.bid_volume[5] = 7.0
    rows, findings = _rows(raw)
    assert findings.repaired == {"side_mismatch": 1}
    assert rows["flags"][5] == 0
    assert rows["b"][5, ev.BAR_BID_VOLUME] == 0
    assert rows["flags"][6] == ev.SIDE_FEED


def test_all_volume_on_one_side_yields_no_delta() -> None:
    raw = replace(_raw(300), bid_volume=np.zeros(300), ask_volume=np.full(300, 10.0))
    findings = Findings("x.txt", 300)
    made = bar_rows(raw, "ES", findings, 60)
    assert not made.side_trusted
    assert not made.events["flags"].any()
    assert "constant_side" in findings.counts


def test_no_volume_is_said_and_not_taken_for_zero_bars() -> None:
    raw = replace(_raw(), volume=None, bid_volume=None, ask_volume=None)
    rows, findings = _rows(raw)
    assert len(rows) == 100
    assert findings.counts["no_volume"] == 100
    assert "zero_volume" not in findings.terms


def test_bar_length_is_the_usual_distance() -> None:
    start = np.array([0, 60, 120, 300, 360]) * S
    assert bar_seconds(start, "x") == 60
    with pytest.raises(DataError):
        bar_seconds(start[:1], "x")
