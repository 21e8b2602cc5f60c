"""Trades are checked before they become rows."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.rawtrades import RawTrades, trade_rows
from mia_kernel.core import events as ev

pytestmark = pytest.mark.unit

S = 1_000_000_000
START = int(np.datetime64("2022-08-09T14:00", "ns").astype(np.int64))


def _raw(n: int = 100) -> RawTrades:
    return RawTrades(
        ts=START + np.arange(n, dtype=np.int64) * S,
        ticks=np.full(n, 16000, np.int64),
        on_grid=np.ones(n, np.bool_),
        size=np.ones(n, np.int64),
        side=None,
        where=lambda i: f"row {i}",
    )


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("on_grid", False, "off_grid"), ("ticks", 0, "off_grid"), ("ticks", -4, "off_grid"), ("size", 0, "bad_size"),
     ("size", -3, "bad_size"), ("size", 2**40, "bad_size"), ("ticks", 17000, "lone_print")],
)  # fmt: skip
def test_a_bad_value_sets_its_trade_aside(field: str, value: object, code: str) -> None:
    raw = _raw()
    getattr(raw, field)[50] = value
    findings = Findings("x", 100)
    rows = trade_rows(raw, findings, resolution_ns=1)
    assert findings.quarantined == {code: 1}
    assert "row 50" in findings.causes[0]
    assert len(rows) == 99


def test_a_move_that_stays_is_kept() -> None:
    raw = _raw()
    raw.ticks[50:] = 17000
    findings = Findings("x", 100)
    assert len(trade_rows(raw, findings, resolution_ns=1)) == 100
    assert findings.counts["jumps"] == 1


def test_a_coarse_clock_is_spread_and_a_fine_one_left_alone() -> None:
    raw = _raw()
    raw.ts[:3] = START
    rows = trade_rows(raw, Findings("x", 100), resolution_ns=S)
    assert rows["ts_event"][:3].tolist() == [START + 1, START + 2, START + 3]
    assert trade_rows(_raw(), Findings("x", 100), resolution_ns=1)["ts_event"][0] == START


def test_trades_in_closed_hours_are_told() -> None:
    raw = _raw()
    raw.ts[:] += 8 * 3600 * S  # 17:00 Chicago and a minute: still open; shift to the maintenance hour
    raw.ts[:] -= 3600 * S
    findings = Findings("x", 100)
    trade_rows(raw, findings, resolution_ns=1)
    assert findings.counts["in_closed_hours"] == 100


def test_sides_of_the_feed_are_flagged() -> None:
    raw = _raw(3)
    sided = RawTrades(raw.ts, raw.ticks, raw.on_grid, raw.size, np.array([1, -1, 0], np.int8), raw.where)
    rows = trade_rows(sided, Findings("x", 3), resolution_ns=1)
    assert rows["flags"].tolist() == [ev.SIDE_FEED, ev.SIDE_FEED, 0]
