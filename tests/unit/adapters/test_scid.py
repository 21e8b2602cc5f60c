"""Sierra's binary trades: the real ten records, markers, multiplier, cut files, and our own writer back."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters import scid
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.scid import EPOCH_US, HEADER, decode, ns_of, read_scid, records_of, scid_bytes
from mia_kernel.adapters.sierra_config import FileRule, SierraConfig
from mia_kernel.adapters.sources import read_parts
from mia_kernel.adapters.wrappers import Member, members
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

T_US = 1_704_380_400 * 1_000_000  # 2024-01-04 15:00 UTC
RECORD = struct.Struct("<q4f4I")
Row = tuple[int, float, float, float, float, int, int, int, int]


def _file(rows: list[Row], *, record: int = 40) -> Member:
    body = b"".join(RECORD.pack(*row).ljust(record, b"\0") for row in rows)
    return Member("ESH24.scid", "ESH24.scid", HEADER.pack(b"SCID", 56, record, 1, 0, 0, b"") + body)


def _trade(k: int, price: float = 4800.0, *, buy: bool = True, size: int = 2, marker: float = 0.0) -> Row:
    bid, ask = (price - 0.25, price) if buy else (price, price + 0.25)
    return (
        T_US + EPOCH_US + k * 1_000,
        marker,
        ask,
        bid,
        price,
        1,
        size,
        0 if buy else size,
        size if buy else 0,
    )


def test_the_real_file_has_ten_trades_with_their_side() -> None:
    (part,) = read_scid(list(members(shared_file("sierra/ESM23_10records.scid"))), Ask())
    rows = part.events
    assert len(rows) == 10
    assert str(np.datetime64(int(rows["ts_event"][0]), "ns"))[:19] == "2023-02-21T20:37:19"
    assert str(np.datetime64(int(rows["ts_event"][-1]), "ns"))[:19] == "2023-02-21T20:40:52"
    assert part.source.carries.aggressor == "feed"
    assert part.verdict.counts["side_agree"] == 10
    assert part.verdict.counts["unbundled"] >= 2
    assert (rows["ask"] > rows["bid"]).all()
    assert len(np.unique(rows["ts_event"])) == 10  # the counter in the microseconds keeps them apart


def test_markers_are_below_a_bound_and_a_normal_open_is_a_bar() -> None:
    (part,) = read_scid(
        [_file([_trade(0, marker=-1.99900095e37), _trade(1, marker=-1.99900197e37), _trade(2)])], Ask()
    )
    assert part.events["kind"].tolist() == [ev.TRADE] * 3
    bar = (T_US + EPOCH_US, 4800.0, 4801.0, 4799.0, 4800.5, 7, 50, 20, 30)
    later = (T_US + EPOCH_US + 60_000_000, 4800.5, 4801.0, 4799.0, 4800.25, 7, 50, 20, 30)
    (bars,) = read_scid([_file([bar, later])], Ask())
    row = bars.events[0]
    assert (row["kind"], row["px"], row["b"][ev.BAR_OPEN], row["b"][ev.BAR_ASK_VOLUME]) == (
        ev.BAR,
        19202,
        19200,
        30,
    )
    with pytest.raises(DataError, match="trades and bars"):
        read_scid([_file([_trade(0), later])], Ask())


def test_sizes_of_header_and_record_come_from_the_file() -> None:
    records, rest = records_of(_file([_trade(k) for k in range(5)], record=48))
    assert (len(records), rest) == (5, 0)
    assert records["volume"].tolist() == [2] * 5


def test_a_partial_last_record_is_left_out_and_told() -> None:
    whole = _file([_trade(k) for k in range(3)])
    (part,) = read_scid([Member(whole.path, whole.name, whole.data[:-7])], Ask())
    assert len(part.events) == 2
    assert "partial_record" in part.verdict.counts


@pytest.mark.safety
def test_a_hundredfold_price_needs_the_multiplier() -> None:
    rows = [_trade(k, 480_000.0) for k in range(3)]
    with pytest.raises(DataError, match=r"price_multiplier = 0\.01"):
        read_scid([_file(rows)], Ask())
    scaled = [(r[0], r[1], 480_025.0, 480_000.0, 480_025.0, *r[5:]) for r in rows]
    (part,) = read_scid([_file(scaled)], Ask(sierra=SierraConfig(price_multiplier=0.01)))
    assert part.events["px"].tolist() == [19201] * 3
    assert part.events["bid"].tolist() == [19200] * 3


@pytest.mark.safety
def test_a_wrong_multiplier_is_told_the_one_to_write_instead() -> None:
    rows = [_trade(k) for k in range(3)]
    with pytest.raises(DataError, match=r"set price_multiplier = 1 in"):
        read_scid([_file(rows)], Ask(sierra=SierraConfig(price_multiplier=0.01)))


@pytest.mark.safety
def test_a_rule_that_names_another_product_than_the_file_is_refused() -> None:
    config = SierraConfig(files=(FileRule(match="*.scid", symbol="NQ"),))
    with pytest.raises(InputError, match="holds another symbol"):
        read_parts(Path("ESH24.scid"), Ask(sierra=config), data=_file([_trade(0)]).data)


@pytest.mark.safety
@pytest.mark.parametrize("length", [0, 10, 56, 60])
def test_cut_headers_are_refused(length: int) -> None:
    data = _file([_trade(0)]).data[:length]
    with pytest.raises(FormatError):
        read_scid([Member("ES.scid", "ES.scid", data)], Ask())


def test_what_is_written_is_read_back() -> None:
    rows = [_trade(k // 3, 4800 + 0.25 * (k % 7), buy=k % 2 == 0, size=1 + k % 5) for k in range(60)]
    rows = [
        (row[0] + k % 3, *row[1:]) for k, row in enumerate(rows)
    ]  # Sierra's counter within the millisecond
    (part,) = read_scid([_file(rows)], Ask())
    written = scid_bytes(part.events, "ES")
    (again,) = read_scid([Member("ESH24.scid", "ESH24.scid", written)], Ask())
    assert again.events.tobytes() == part.events.tobytes()
    assert written == _file(rows).data


def test_bars_are_written_and_read_back() -> None:
    bars = [
        (T_US + EPOCH_US + k * 60_000_000, 4800.0, 4801.0, 4799.0, 4800.5, 7, 50, 20, 30) for k in range(5)
    ]
    (part,) = read_scid([_file(bars)], Ask())
    (again,) = read_scid([Member("ESH24.scid", "ESH24.scid", scid_bytes(part.events, "ES"))], Ask())
    assert again.events.tobytes() == part.events.tobytes()


def test_nothing_to_write_is_said() -> None:
    with pytest.raises(DataError, match="no trade and no bar"):
        scid_bytes(ev.empty(0), "ES")


def test_plain_columns_equal_the_rows() -> None:
    member = _file([_trade(k, 4800 + 0.25 * k, buy=k % 2 == 0) for k in range(9)])
    (part,) = read_scid([member], Ask())
    ts, ticks, size, side = decode(records_of(member)[0], "ES")
    assert np.array_equal(ts, part.events["ts_event"])
    assert np.array_equal(ticks, part.events["px"])
    assert np.array_equal(size, part.events["sz"])
    assert np.array_equal(side, part.events["side"])


def test_time_counts_from_1899() -> None:
    assert ns_of(np.array([EPOCH_US]))[0] == 0


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "ES.bin"
    path.write_bytes(_file([_trade(k) for k in range(3)]).data)
    assert len(list(members(path))) == 1


def test_one_pass_over_a_sound_file_says_what_the_checks_of_columns_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The quick way gives the slow way's rows and verdict, and hands every bent file to it."""
    rng = np.random.default_rng(5)
    rows = ev.empty(3_000)
    rows["kind"], rows["seq"] = ev.TRADE, np.arange(3_000)
    rows["ts_event"] = rows["ts_recv"] = 1_704_380_400 * 10**9 + np.cumsum(rng.integers(0, 9 * 10**8, 3_000))
    rows["bid"] = 19_000 + np.cumsum(rng.integers(-1, 2, 3_000))
    rows["ask"] = rows["bid"] + 1
    rows["side"] = np.where(rng.random(3_000) < 0.5, 1, -1)
    rows["px"] = np.where(rows["side"] > 0, rows["ask"], rows["bid"])
    rows["sz"] = rng.integers(1, 9, 3_000)
    sound = scid_bytes(rows, "ES")
    bends = [sound]
    for at, value in ((0, 2**62), (20, 0x7FC00000), (28, 0), (20, 1)):  # time, close, volume, close
        bent = bytearray(sound)
        size = 8 if at == 0 else 4
        bent[56 + 40 * 1_000 + at : 56 + 40 * 1_000 + at + size] = value.to_bytes(size, "little")
        bends.append(bytes(bent))

    def read(data: bytes) -> tuple[bytes, object]:
        (part,) = scid.read_scid([Member("ESH24.scid", "ESH24.scid", data)], Ask())
        return part.events.tobytes(), (part.verdict, part.source)

    quick = [read(data) for data in bends]
    monkeypatch.setattr(scid, "clean_rows", lambda *_: None)
    assert [read(data) for data in bends] == quick
    assert quick[0][1] != quick[1][1]
