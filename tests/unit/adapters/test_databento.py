"""DBN of every version and schema in scope; metadata, several instruments, cut files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.databento import is_dbn, read_dbn, read_head
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.wrappers import Member, members
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from tests.fakes.market_files import NS, dbn_file, dbn_records
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

T = 1_704_380_400 * NS  # 2024-01-04 15:00 UTC, a normal session


def _member(data: bytes) -> Member:
    return Member("x.dbn", "x.dbn", data)


def _trades(n: int, number: int = 1) -> np.ndarray:
    return dbn_records("trades", [
        {"instrument": number, "price": 4800.25, "size": i + 1, "action": b"T", "side": b"BAN"[i % 3 : i % 3 + 1],
         "ts_event": T + i * NS, "ts_recv": T + i * NS + 500}
        for i in range(n)
    ])  # fmt: skip


def test_trades_keep_both_clocks_and_the_feed_side() -> None:
    part = read_dbn([_member(dbn_file("trades", _trades(3)))], Ask())[0]
    rows = part.events
    assert (part.source.symbol, part.source.contract, part.source.adjustment) == ("ES", "ESH24", "contract")
    assert rows["side"].tolist() == [1, -1, 0]
    assert rows["flags"].tolist() == [ev.SIDE_FEED, ev.SIDE_FEED, 0]
    assert rows["px"].tolist() == [19201] * 3
    assert (rows["ts_recv"] - rows["ts_event"]).tolist() == [500] * 3


def test_several_instruments_are_several_parts() -> None:
    records = np.concatenate([_trades(2, 1), _trades(5, 2)])
    parts = read_dbn([_member(dbn_file("trades", records, {1: "ESH4", 2: "ESM4"}))], Ask())
    assert {part.source.contract: len(part.events) for part in parts} == {"ESH24": 2, "ESM24": 5}


def test_ten_levels_lie_on_the_tick_grid() -> None:
    levels = [(4800.00, 5, 4800.25, 7), (4799.75, 3, 4800.75, 9), (4797.00, 8, 4803.00, 1)]
    record = dbn_records("mbp-10", [{"price": 4800.0, "size": 1, "action": b"A", "side": b"B", "flags": 0x80,
                                     "ts_event": T, "ts_recv": T, "levels": levels}])  # fmt: skip
    record["levels"]["bid_px"][0, 3:] = record["levels"]["ask_px"][0, 3:] = 2**63 - 1
    row = read_dbn([_member(dbn_file("mbp-10", record))], Ask())[0].events[0]
    assert (row["kind"], row["bid"], row["ask"]) == (ev.BOOK, 19200, 19201)
    assert row["b"].tolist() == [5, 3, 0, 0, 0, 0, 0, 0, 0, 0]  # 4797.00 is twelve ticks away
    assert row["a"].tolist() == [7, 0, 9, 0, 0, 0, 0, 0, 0, 0]


def test_tbbo_gives_the_quote_before_its_trade() -> None:
    record = dbn_records("tbbo", [{"price": 4800.25, "size": 2, "action": b"T", "side": b"B", "flags": 0x80,
                                   "ts_event": T, "ts_recv": T, "levels": [(4800.0, 5, 4800.25, 7)]}])  # fmt: skip
    part = read_dbn([_member(dbn_file("tbbo", record))], Ask())[0]
    assert part.events["kind"].tolist() == [ev.QUOTE, ev.TRADE]
    assert part.verdict.counts["side_agree"] == 1


def test_a_crossed_book_in_open_hours_is_set_aside() -> None:
    rows = [{"action": b"A", "side": b"B", "flags": 0x80, "ts_event": T + i, "ts_recv": T + i,
             "levels": [(4800.0 + (i == 2), 5 + i, 4800.25, 7)]} for i in range(4)]  # fmt: skip
    part = read_dbn([_member(dbn_file("mbp-1", dbn_records("mbp-1", rows)))], Ask())[0]
    assert len(part.events) == 3
    assert part.verdict.quarantined == {"crossed": 1}


def test_bars_enter_at_their_end() -> None:
    records = dbn_records("ohlcv-1m", [{"open": 4800.0, "high": 4801.0, "low": 4799.5, "close": 4800.5, "volume": 9,
                                        "ts_event": T + i * 60 * NS} for i in range(3)])  # fmt: skip
    part = read_dbn([_member(dbn_file("ohlcv-1m", records))], Ask())[0]
    assert part.events["ts_event"].tolist() == [T + (i + 1) * 60 * NS for i in range(3)]
    assert part.events["b"][0, ev.BAR_SECONDS] == 60
    assert part.source.carries.bar_seconds == 60


@pytest.mark.safety
def test_an_impossible_receive_stamp_does_not_stop_the_clock() -> None:
    records = _trades(5)
    records["ts_recv"][1] = 2**64 - 1
    records["ts_recv"][2] += 86_400 * NS
    part = read_dbn([_member(dbn_file("trades", records))], Ask())[0]
    assert part.verdict.repaired["bad_receive_stamp"] == 2
    assert (part.events["ts_recv"] - part.events["ts_event"]).tolist() == [500, 0, 0, 500, 500]


@pytest.mark.safety
def test_a_cut_record_is_refused_with_its_offset() -> None:
    data = dbn_file("trades", _trades(3))
    for cut in (1, 20, 47):
        with pytest.raises(FormatError) as caught:
            read_dbn([_member(data[:-cut])], Ask())
        assert caught.value.offset == len(data) - 48


@pytest.mark.safety
def test_cut_or_foreign_metadata_is_refused() -> None:
    data = dbn_file("trades", _trades(1))
    for broken in (data[:100], b"DBN\x09" + data[4:], data[:8] + bytes(400)):
        with pytest.raises(FormatError):
            read_dbn([_member(broken)], Ask())


def test_records_of_another_type_between_are_left_out() -> None:
    head, body = dbn_file("trades", _trades(2)), _trades(1)
    system = bytes([5, 0x17]) + bytes(18)
    part = read_dbn([_member(head + system + body.tobytes())], Ask())[0]
    assert len(part.events) == 3


def test_a_product_mia_does_not_know_is_refused() -> None:
    with pytest.raises(DataError, match="does not know"):
        read_dbn([_member(dbn_file("trades", _trades(1), {1: "MSFT"}))], Ask())


def test_a_schema_of_a_later_version_is_named() -> None:
    data = dbn_file("imbalance", np.zeros(0, np.uint8))
    with pytest.raises(FormatError, match="not yet read"):
        read_dbn([_member(data)], Ask())


def test_the_symbol_asked_for_must_be_inside() -> None:
    with pytest.raises(InputError):
        read_dbn([_member(dbn_file("trades", _trades(1)))], Ask(symbol="NQ"))


@pytest.mark.integration
@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    ("schema", "kinds"),
    [("mbo", [ev.BOOK]), ("mbp-1", [ev.QUOTE] * 2), ("mbp-10", [ev.BOOK] * 2), ("trades", [ev.TRADE] * 2),
     ("tbbo", [ev.QUOTE, ev.TRADE] * 2), ("ohlcv-1m", [ev.BAR] * 2), ("ohlcv-1s", [ev.BAR] * 2)],
)  # fmt: skip
def test_the_real_fixtures_of_every_version(schema: str, kinds: list[int], version: int) -> None:
    path = shared_file(f"dbn/fixtures_versions/test_data.{schema}.v{version}.dbn.zst")
    member = next(members(path))
    assert is_dbn(member.data)
    assert read_head(member).version == version
    part = read_dbn([member], Ask())[0]
    assert part.source.contract == "ESH21"
    assert part.events["kind"].tolist() == kinds


@pytest.mark.integration
def test_the_real_hour_of_orders_has_its_known_values() -> None:
    path = shared_file("dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst")
    part = read_dbn(list(members(path)), Ask())[0]
    rows, counts = part.events, part.verdict.counts
    trades, books = rows[rows["kind"] == ev.TRADE], rows[rows["kind"] == ev.BOOK]
    assert counts["records"] == 68_792
    assert (len(trades), int(trades["sz"].sum())) == (2_973, 9_892)
    assert [int((trades["side"] == s).sum()) for s in (1, -1, 0)] == [1_542, 1_430, 1]
    assert (trades["px"].min(), trades["px"].max()) == (4800.25 * 4, 4811.75 * 4)
    # No crossed or locked book after the open; before it the auction book was crossed, rightly.
    both = (books["bid"] > 0) & (books["ask"] > 0)
    assert both.all()
    assert (books["bid"] < books["ask"]).all()
    assert "crossed" not in counts
    assert "unknown_orders" not in counts
    assert counts["book_events"] - counts["closed_book_events"] == 46_097
    assert "crossed" in part.verdict.causes[0]
    assert (books["bid"][-1], books["ask"][-1]) == (4810.00 * 4, 4810.25 * 4)
    # validation: the quote rule is right for 2,972 of 2,972 trades with a side.
    assert (counts["side_agree"], counts["side_decidable"]) == (2_972, 2_972)
    assert part.source.carries.aggressor == "feed"


@pytest.mark.integration
def test_a_snapshot_of_a_closed_market_is_one_marked_row() -> None:
    path: Path = shared_file("dbn/esh4-glbx-mdp3-20231224.mbo.dbn.zst")
    part = read_dbn(list(members(path)), Ask())[0]
    assert part.verdict.counts["records"] == 8_725
    assert len(part.events) == 1
    assert part.events["flags"][0] == ev.SNAPSHOT
    assert part.events["bid"][0] < part.events["ask"][0]


@pytest.mark.integration
def test_order_flow_imbalance_explains_the_real_hour_as_measured() -> None:
    # validation V8: R² of the same window 0.355 (1 s), 0.471 (10 s), 0.696 (60 s), ± 0.002;
    # Cont, Kukanov, Stoikov (2014), non-strict inequalities.
    part = read_dbn(list(members(shared_file("dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"))), Ask())[0]
    book = part.events[part.events["kind"] == ev.BOOK]
    pb, pa = book["bid"].astype(float), book["ask"].astype(float)
    qb, qa = book["b"][:, 0].astype(float), book["a"][:, 0].astype(float)
    flow = (pb[1:] >= pb[:-1]) * qb[1:] - (pb[1:] <= pb[:-1]) * qb[:-1]
    flow += (pa[1:] >= pa[:-1]) * qa[:-1] - (pa[1:] <= pa[:-1]) * qa[1:]
    mid, ts = (pb + pa) / 2, book["ts_event"]
    start = int(np.datetime64("2023-12-25T23:00", "ns").astype(np.int64))
    for seconds, expected in ((1, 0.355), (10, 0.471), (60, 0.696)):
        window = (ts[1:] - start) // (seconds * NS)
        n = 3600 // seconds
        x = np.bincount(np.clip(window, 0, n - 1), weights=flow, minlength=n)
        y = np.bincount(np.clip(window, 0, n - 1), weights=np.diff(mid), minlength=n)
        r2 = np.corrcoef(x[1:], y[1:])[0, 1] ** 2  # from the end of the first window on, as measured there
        assert r2 == pytest.approx(expected, abs=0.002)
