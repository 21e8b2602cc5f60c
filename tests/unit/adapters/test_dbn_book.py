"""The order-by-order book equals a plain dictionary replay, and shows nothing while crossed or closed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.adapters import dbn_book
from mia_kernel.adapters.dbn_book import action_codes, replay_book
from mia_kernel.core.events import DEPTH

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]


def _columns(rows: list[tuple[int, str, str, int, int, bool]], closed: list[bool] | None = None) -> tuple:
    order = np.array([row[0] for row in rows], np.uint64)
    action = action_codes(np.array([row[1].encode() for row in rows], "S1"))
    side = np.array([{"B": 0, "A": 1, "N": -1}[row[2]] for row in rows], np.int8)
    ticks = np.array([row[3] for row in rows], np.int64)
    size = np.array([row[4] for row in rows], np.int64)
    last = np.array([row[5] for row in rows], np.bool_)
    return order, action, side, ticks, size, last, np.array(closed or [False] * len(rows), np.bool_)


def test_known_book_by_hand() -> None:
    book = replay_book(*_columns([
        (1, "A", "B", 100, 5, True),
        (2, "A", "A", 102, 3, True),
        (3, "A", "B", 99, 7, True),
        (4, "A", "A", 105, 9, True),
        (1, "C", "B", 100, 2, True),  # partly cancelled: 3 left
        (2, "M", "A", 101, 4, True),  # moved and resized
        (9, "T", "A", 100, 3, True),  # a trade changes nothing
        (1, "C", "B", 100, 3, True),  # gone: the best falls to 99
    ]))  # fmt: skip
    assert book.bid.tolist() == [100, 100, 100, 100, 100, 100, 99]
    assert book.ask.tolist() == [0, 102, 102, 102, 102, 101, 101]
    assert book.bid_sizes[3, :3].tolist() == [5, 7, 0]
    assert book.ask_sizes[3, :4].tolist() == [3, 0, 0, 9]
    assert book.bid_sizes[4, 0] == 3
    assert book.ask_sizes[5, :5].tolist() == [4, 0, 0, 0, 9]
    assert book.record.tolist() == [0, 1, 2, 3, 4, 5, 7]


def test_only_the_end_of_an_event_shows_the_book() -> None:
    book = replay_book(*_columns([(1, "A", "B", 100, 5, False), (2, "A", "A", 101, 5, True)]))
    assert book.record.tolist() == [1]


def test_a_crossed_auction_is_kept_silent_and_counted() -> None:
    rows = [(1, "A", "B", 105, 5, True), (2, "A", "A", 100, 5, True), (1, "C", "B", 105, 5, True)]
    book = replay_book(*_columns([*rows, (3, "A", "B", 99, 1, True)], [True, True, True, False]))
    assert book.record.tolist() == [3]
    assert (book.bid[0], book.ask[0]) == (99, 100)
    assert book.counts["crossed_auction"] == 1
    assert book.counts["crossed"] == 0
    assert replay_book(*_columns(rows)).counts["crossed"] == 1


def test_clear_empties_the_book() -> None:
    book = replay_book(
        *_columns([(1, "A", "B", 100, 5, True), (0, "R", "N", -1, 0, True), (2, "A", "B", 90, 1, True)])
    )
    assert book.bid.tolist() == [100, 0, 90]
    assert book.bid_sizes[2].sum() == 1


def test_a_change_of_an_unknown_order_is_counted_and_taken_as_an_add() -> None:
    book = replay_book(*_columns([(7, "M", "B", 100, 5, True), (8, "C", "A", 101, 1, True)]))
    assert book.counts["unknown_orders"] == 2
    assert (book.bid[-1], book.ask[-1]) == (100, 0)


def _plain(columns: tuple) -> list[tuple]:
    orders: dict[int, tuple[int, int, int]] = {}
    views: list[tuple] = []
    touched = False
    for o, action, side, tick, size, last, closed in zip(*columns, strict=True):
        if action == dbn_book.CLEAR:
            orders.clear()
        elif action != dbn_book.OTHER:
            held = orders.pop(int(o), None)
            if action == dbn_book.CANCEL:
                if held is not None and held[2] > size:
                    orders[int(o)] = (held[0], held[1], held[2] - int(size))
            elif side >= 0 and tick >= 0 and size > 0:
                orders[int(o)] = (int(side), int(tick), int(size))
        touched |= action != dbn_book.OTHER
        if not (last and touched):
            continue
        touched = False
        levels: list[dict[int, int]] = [{}, {}]
        for s, t, z in orders.values():
            levels[s][t] = levels[s].get(t, 0) + z
        bid, ask = max(levels[0], default=0), min(levels[1], default=0)
        if closed or (levels[0] and levels[1] and bid >= ask):
            continue
        b = [levels[0].get(bid - i, 0) if levels[0] else 0 for i in range(DEPTH)]
        a = [levels[1].get(ask + i, 0) if levels[1] else 0 for i in range(DEPTH)]
        view = (bid, ask, b, a)
        if not views or views[-1] != view:
            views.append(view)
    return views


row = st.tuples(
    st.integers(1, 12),
    st.sampled_from("AACMMRT"),
    st.sampled_from("BA"),
    st.integers(95, 110),
    st.integers(1, 9),
    st.booleans(),
)


@given(rows=st.lists(row, min_size=1, max_size=80), chunk=st.integers(1, 30))
def test_any_stream_in_any_chunks_equals_the_plain_replay(rows: list, chunk: int) -> None:
    columns = _columns(rows)
    before = dbn_book._CHUNK
    dbn_book._CHUNK = chunk
    try:
        book = replay_book(*columns)
    finally:
        dbn_book._CHUNK = before
    got = [
        (int(bid), int(ask), b.tolist(), a.tolist())
        for bid, ask, b, a in zip(book.bid, book.ask, book.bid_sizes, book.ask_sizes, strict=True)
    ]
    assert got == _plain(columns)
