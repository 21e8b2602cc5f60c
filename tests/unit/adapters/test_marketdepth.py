"""Sierra's depth files: batches, snapshots, deletes at a price, our own writer back, a real hour written and read."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters import marketdepth as md
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.scid import EPOCH_US
from mia_kernel.adapters.sources import open_source
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

T_US = 1_704_380_400 * 1_000_000
Command = tuple[int, int, int, float, int]


def _file(rows: list[Command]) -> Member:
    body = np.zeros(len(rows), md.RECORD)
    for i, (t, command, flags, price, size) in enumerate(rows):
        body[i] = (T_US + EPOCH_US + t, command, flags, 0, price, size, 0)
    data = md.HEADER.pack(md.MAGIC, 64, 24, 1, b"") + body.tobytes()
    return Member("ESH24.depth", "ESH24.depth", data)


SNAPSHOT: list[Command] = [
    (0, md.CLEAR_BOOK, 0, 0.0, 0),
    (0, md.ADD_BID, 0, 4800.00, 5),
    (0, md.ADD_BID, 0, 4799.75, 6),
    (0, md.ADD_ASK, 0, 4800.25, 7),
    (0, md.ADD_ASK, md.END_OF_BATCH, 4800.75, 8),
]


def test_the_book_is_given_out_only_at_the_end_of_a_batch() -> None:
    (part,) = md.read_depth([_file(SNAPSHOT)], Ask())
    (row,) = part.events
    assert (row["kind"], row["bid"], row["ask"]) == (ev.BOOK, 19200, 19201)
    assert row["b"].tolist()[:3] == [5, 6, 0]
    assert row["a"].tolist()[:3] == [7, 0, 8]


def test_levels_change_and_go_by_price() -> None:
    more: list[Command] = [
        (1_000, md.MODIFY_BID, md.END_OF_BATCH, 4800.00, 9),
        (2_000, md.DELETE_BID, md.END_OF_BATCH, 4800.00, 0),
        (3_000, md.CLEAR_BOOK, 0, 0.0, 0),
        (3_000, md.ADD_BID, 0, 4790.0, 1),
        (3_000, md.ADD_ASK, md.END_OF_BATCH, 4790.25, 2),
    ]
    (part,) = md.read_depth([_file(SNAPSHOT + more)], Ask())
    assert part.events["bid"].tolist() == [19200, 19200, 19199, 19160]
    assert part.events["b"][:, 0].tolist() == [5, 9, 6, 1]
    assert part.events["ask"].tolist() == [19201, 19201, 19201, 19161]


def test_a_crossed_batch_is_not_given_out() -> None:
    (part,) = md.read_depth([_file([*SNAPSHOT, (5, md.ADD_BID, md.END_OF_BATCH, 4800.50, 3)])], Ask())
    assert len(part.events) == 1
    assert part.verdict.quarantined["crossed"] == 1


@pytest.mark.safety
def test_unknown_commands_and_cut_files() -> None:
    wild = [*SNAPSHOT * 8, (9, 77, 1, 4800.0, 1)]
    (part,) = md.read_depth([_file(wild)], Ask())
    assert part.verdict.quarantined["bad_record"] == 1
    data = _file(SNAPSHOT).data
    with pytest.raises(FormatError):
        md.read_depth([Member("ES.depth", "ES.depth", data[:40])], Ask())
    (cut,) = md.read_depth([Member("ES.depth", "ES.depth", _file(SNAPSHOT * 2).data[:-5])], Ask())
    assert "partial_record" in cut.verdict.counts


def test_what_is_written_is_read_back() -> None:
    rng = np.random.default_rng(5)
    rows = ev.empty(300)
    rows["ts_event"] = rows["ts_recv"] = (T_US + np.arange(300) * 1_000) * 1_000
    rows["kind"] = ev.BOOK
    rows["bid"] = 19200 + np.cumsum(rng.integers(-1, 2, 300))
    rows["ask"] = rows["bid"] + rng.integers(1, 3, 300)
    rows["b"], rows["a"] = rng.integers(0, 9, (300, 10)), rng.integers(0, 9, (300, 10))
    rows["b"][:, 0], rows["a"][:, 0] = 1 + rows["b"][:, 0], 1 + rows["a"][:, 0]
    rows["seq"] = np.arange(300)
    ((name, data),) = md.depth_files(rows, "ES").items()
    assert name == "2024-01-04"
    (part,) = md.read_depth([Member("ESH24.depth", "ESH24.depth", data)], Ask())
    assert part.events.tobytes() == rows.tobytes()
    with pytest.raises(DataError):
        md.depth_files(ev.empty(0), "ES")


@pytest.mark.integration
def test_the_real_hour_survives_the_writer() -> None:
    events = open_source(shared_file("dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst")).events
    books = events[events["kind"] == ev.BOOK][:4_000]
    ((_, data),) = md.depth_files(books, "ES").items()
    (part,) = md.read_depth([Member("ESH24.depth", "ESH24.depth", data)], Ask())
    for name in ("bid", "ask", "b", "a"):
        assert np.array_equal(part.events[name], books[name])
    assert np.array_equal(part.events["ts_event"], books["ts_event"] // 1_000 * 1_000)
