"""Absorption at a price: each condition by hand, and a real hour against a plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.events import BOOK, EventArray, empty
from mia_kernel.desk.absorbed import BY_MINUTE, BY_SESSION, COLUMNS, WINDOW_NS, absorbed
from mia_kernel.desk.tape import tape
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

START = int(np.datetime64("2025-06-12T15:00", "ns").astype(np.int64))
BID, ASK = 20_000, 20_001


Window = tuple[int, int, int]
"""Sold at the bid, size at the bid at the end, half ticks the mid stands above its usual place at the end."""
SHOWN = 30


def market(windows: list[Window], start: int = START) -> tuple[pd.DataFrame, EventArray]:
    """Return trades and the book at the edges of windows; before the first, 30 wait at the bid."""
    rows = empty(len(windows) + 1)
    rows["kind"], rows["ts_event"], rows["bid"] = BOOK, start + WINDOW_NS * np.arange(len(rows)), BID
    rows["ask"], rows["b"][:, 0], rows["a"][:, 0] = ASK, SHOWN, 50
    trades: list[tuple[int, int, int, int]] = []
    for i, (sold, after, above) in enumerate(windows):
        rows["b"][i + 1, 0], rows["ask"][i + 1] = after, ASK + above
        trades.append((start + i * WINDOW_NS + 5, BID, sold, -1))
    return pd.DataFrame(trades, columns=["ts", "px", "sz", "side"]), rows


def quiet(n: int) -> list[Window]:
    """Return windows in which the market moved by two ticks, there and back."""
    return [(10 + i % 7, SHOWN, 4 * (1 - i % 2)) for i in range(n)]


def found(windows: list[Window], **given: Any) -> pd.DataFrame:
    trades, rows = market(windows, **given)
    return absorbed(trades, rows, int(rows["ts_event"][-1]) + 1)


def test_much_volume_refilled_without_a_move_is_absorption() -> None:
    table = found([*quiet(150), (400, 35, 2)])
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["side"], row["volume"], row["shown"], row["refilled"]) == (1, 400, 30, 405)
    assert (row["price"], row["mid_move_ticks"], row["reference"]) == (BID / 4, 1.0, BY_SESSION)
    assert row["score"] == pytest.approx(-np.log10(1 / 151))
    assert row["ts"] == START + 151 * WINDOW_NS


@pytest.mark.parametrize(
    "window", [(400, 29, 0), (400, 35, 3), (15, 35, 0)], ids=["not refilled", "moved", "little"]
)
def test_each_condition_is_needed(window: Window) -> None:
    assert len(found([*quiet(150), window])) == 0


def test_under_a_hundred_cells_nothing_is_said() -> None:
    assert len(found([*quiet(90), (400, 35, 0)])) == 0


def test_five_earlier_sessions_make_a_minute_of_the_day() -> None:
    day = 86_400_000_000_000
    parts = [
        market([(900 if i < 2 else 10, 29 - i, 0) for i in range(4)], START - d * day)
        for d in (7, 6, 3, 2, 1)
    ]
    parts.append(market([(400, 35, 0), (10, 30, 0), (400, 35, 0)]))
    trades = pd.concat([part for part, _ in parts], ignore_index=True)
    rows = np.concatenate([books for _, books in parts])
    table = absorbed(trades, rows, int(rows["ts_event"][-1]) + 1)
    assert list(table["reference"]) == [BY_MINUTE]
    assert table["ts"].iloc[0] == START + 3 * WINDOW_NS, "the first minute of these days trades 900"


def test_without_a_book_or_sides_the_table_is_empty() -> None:
    trades, rows = market(quiet(3))
    assert list(absorbed(trades, rows[:0], START).columns) == list(COLUMNS)
    assert len(absorbed(trades.assign(side=0), rows, START * 2)) == 0


def test_later_rows_change_nothing_and_an_hour_of_orders_is_what_a_plain_loop_finds() -> None:
    events = open_recording(shared_file("dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst")).events
    until = int(events["ts_event"].max())
    table = absorbed(tape(events, until), events, until)
    assert len(table) >= 1
    cut = until - 20 * 60 * 10**9
    early = absorbed(tape(events, cut), events, cut)
    pd.testing.assert_frame_equal(early, table[table["ts"] <= cut].reset_index(drop=True), check_dtype=False)
    books = events[events["kind"] == BOOK]
    clock = np.maximum.accumulate(books["ts_event"])
    traded = tape(events, until)
    for row in table.itertuples():
        inside = traded[
            (traded["ts"] >= row.ts - WINDOW_NS) & (traded["ts"] < row.ts) & (traded["side"] == -row.side)
        ]
        assert inside[inside["px"] * 0.25 == row.price]["sz"].sum() == row.volume >= row.threshold
        first, last = (books[np.searchsorted(clock, ts, "right") - 1] for ts in (row.ts - WINDOW_NS, row.ts))
        side, best, away = ("b", "bid", -1) if row.side > 0 else ("a", "ask", 1)
        sizes = []
        for book in (first, last):
            behind = round(away * (row.price * 4 - int(book[best])))
            sizes.append(int(book[side][behind]) if 0 <= behind < 10 else 0)
        assert row.shown == sizes[0]
        assert row.refilled == row.volume + sizes[1] - sizes[0] >= row.volume
