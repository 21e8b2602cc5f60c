"""Hostile input: whatever is done to a file, a reader gives checked rows or an error that names the file.

Every format is cut and bent at random places. Nothing but the error tree may come out, and what is read
must keep the laws of rows: order of arrival, prices and sizes above zero, a book that is not crossed.
"""

from __future__ import annotations

import gzip
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.catalog_query import verify
from mia_kernel.adapters.formats import FORMATS, recognise
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.marketdepth import depth_files
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.scid import scid_bytes
from mia_kernel.adapters.sources import read_parts
from mia_kernel.adapters.wrappers import members
from mia_kernel.core import events as ev
from mia_kernel.core.errors import CorruptError, InputError
from mia_kernel.core.events import Carries, Recording, SourceInfo
from tests.fakes.market_files import (
    NS,
    bar_csv,
    bar_json,
    bar_parquet,
    cme_zip,
    dbn_file,
    dbn_records,
    session,
    shifted,
    sierra_text,
)

pytestmark = [pytest.mark.unit, pytest.mark.safety]

BARS = [bar for k in range(2) for bar in session(datetime(2022, 8, 8) + timedelta(days=k), step=900)]
T = 1_704_380_400 * NS
LEVELS = [(4800.0 - 0.25 * k, 5 + k, 4800.25 + 0.25 * k, 7 + k) for k in range(10)]


def _mbo() -> bytes:
    rows = [
        {
            "order_id": i % 9,
            "price": 4800.0 - 0.25 * (i % 5) + (i % 2) * 3,
            "size": 1 + i % 4,
            "flags": 0x80 * (i % 3 > 0),
            "action": b"AACMTF"[i % 6 : i % 6 + 1],
            "side": b"BA"[i % 2 : i % 2 + 1],
            "ts_event": T + i,
            "ts_recv": T + i + 5,
        }
        for i in range(40)
    ]
    return dbn_file("mbo", dbn_records("mbo", rows))


def _mbp() -> bytes:
    rows = [{"price": 4800.0, "size": 2, "action": b"TA"[i % 2 : i % 2 + 1], "side": b"B", "flags": 0x80,
             "ts_event": T + i * NS, "ts_recv": T + i * NS + 5, "levels": LEVELS} for i in range(6)]  # fmt: skip
    return dbn_file("mbp-10", dbn_records("mbp-10", rows))


def _rows(kind: int) -> ev.EventArray:
    rows = ev.empty(60)
    rows["kind"] = kind
    rows["ts_event"] = rows["ts_recv"] = T + np.arange(60) * 40_000_000
    rows["seq"] = np.arange(60)
    rows["bid"], rows["ask"] = 19_200 + np.arange(60) % 5, 19_201 + np.arange(60) % 5
    if kind == ev.TRADE:
        rows["side"] = 1 - 2 * (np.arange(60) % 2)
        rows["px"], rows["sz"] = np.where(rows["side"] > 0, rows["ask"], rows["bid"]), 1 + np.arange(60) % 7
    else:
        rows["b"] = rows["a"] = 3 + np.arange(10)
    return rows


LOBSTER = "".join(
    f"342{k:02d}.5,{(1, 4, 3)[k % 3]},{k},10,5850000,{1 - 2 * (k % 2)}\n" for k in range(40)
).encode()
LEAN = "".join(f"{k * 60_000},3223.75,3224.25,3223,3223,{k + 5}\n" for k in range(40)).encode()
QUOTES = "".join(
    f"2024-01-04T15:00:{k:02d}.5Z,{4800 + k % 3},{4800.25 + k % 3},5,{7 + k}\n" for k in range(40)
).encode()

TICKS = ("timestamp;price;volume;lado;bid;ask\n" + "".join(
    f"2024-01-04 15:00:{k % 60:02d}.5; {25000 + k % 3},25 ;{1 + k % 4};{('BID', 'ASK')[k % 2]};25000,00;25003,25\n"
    for k in range(40)
)).encode()  # fmt: skip
DOM_HEAD = ("Date;Time;Sequence;DepthSequence;Price;Volume;TradeType;AskPrice;BidPrice;AskSize;BidSize;TotalAskDepth;"
            "TotalBidDepth;AskDOMPrice;BidDOMPrice;AskDOM_0;BidDOM_0;AskDOM_1;BidDOM_1;AskDOM_2;BidDOM_2")  # fmt: skip
DOM = (DOM_HEAD + "\n" + "".join(
    f"2024-01-04;15:00:{k:02d}.5000;{k + 1};{k + 1};{4800.25 if k % 2 else 4800};{1 + k % 4};{1 + k % 2};4800.25;4800;"
    "7;5;40;40;4800.25;4800;7;5;8;6;9;7\n"
    for k in range(40)
)).encode()  # fmt: skip
RAW = "".join(
    f'{{"t":45295.{625_000 + 12 * k},"sym":"ESH24_FUT_CME","type":"quote","kind":"BIDASK","bid":4800.0,"ask":4800.25,'
    f'"bq":{5 + k},"aq":7,"seq":{2 * k},"chart":3}}\n'
    for k in range(40)
).encode()


def _recording() -> bytes:
    source = SourceInfo("imported", "test", "rows", "ES", "ESH24", carries=Carries(trades=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ESH24.parquet"
        write_recording(path, Recording(_rows(ev.TRADE), source))
        return path.read_bytes()


ZONES = {"NQ_ticks.csv": "UTC", "ES_dom.txt": "UTC", "chart_3_quote_20240104.jsonl": "UTC"}
"""Where a file cannot say its zone."""

FILES = {
    "NQ_ticks.csv": TICKS,
    "ES_dom.txt": DOM,
    "chart_3_quote_20240104.jsonl": RAW,
    "ESH24.parquet": _recording(),
    "ESH24.scid": scid_bytes(_rows(ev.TRADE), "ES"),
    "ESH24.depth": next(iter(depth_files(_rows(ev.BOOK), "ES").values())),
    "AAPL_2012-06-21_34200000_57600000_message_10.csv": LOBSTER,
    "20200106_es_minute_trade_202003.csv": LEAN,
    "ES_quotes.csv": b"ts_utc,bid,ask,bid_size,ask_size\n" + QUOTES,
    "cme.zip": cme_zip(),
    "ESU22.txt": sierra_text(shifted(BARS, -1)),
    "ES.csv": bar_csv(BARS),
    "ES.json": bar_json(BARS),
    "ES.parquet": bar_parquet(BARS, zone="America/New_York"),
    "ESH4.mbo.dbn": _mbo(),
    "ESH4.mbp10.dbn": _mbp(),
    "ES.csv.gz": gzip.compress(bar_csv(BARS), mtime=0),
    "VIX.csv": b"DATE,OPEN,HIGH,LOW,CLOSE\n8/7/2019,1,1,1,19.49\n8/8/2019,1,1,1,16.91\n8/9/2019,1,1,1,17.97\n",
}


def _check(path: Path, data: bytes) -> None:
    try:
        parts = read_parts(path, Ask(symbol=None, tz=ZONES.get(path.name)), data=data)
    except (InputError, CorruptError) as error:
        assert path.name in str(error)
        return
    for part in parts:
        rows = part.events
        assert (np.diff(rows["ts_recv"]) >= 0).all()
        assert (np.diff(rows["seq"]) == 1).all()
        priced = (rows["kind"] == ev.TRADE) | (rows["kind"] == ev.BAR)
        assert (rows["px"][priced] > 0).all()
        assert (rows["sz"] >= 0).all()
        both = (rows["bid"] > 0) & (rows["ask"] > 0)
        assert (rows["bid"][both] < rows["ask"][both]).all()
        assert part.verdict.score is None or 0.0 <= part.verdict.score <= 1.0


@pytest.mark.parametrize("name", FILES)
def test_the_whole_file_is_read(name: str, tmp_path: Path) -> None:
    parts = read_parts(tmp_path / name, Ask(tz=ZONES.get(name)), data=FILES[name])
    assert sum(len(part.events) for part in parts) > 0


def test_every_reader_is_in_this_suite() -> None:
    """A format that gets a reader and no place here fails: nobody can forget to bend its files."""
    bent = {recognise(next(members(Path(name), data))) for name, data in FILES.items()}
    assert {known.name for known in bent if known} == {known.name for known in FORMATS if known.read}


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_at_every_byte_gives_checked_rows_or_a_named_error(name: str) -> None:
    for at in range(1, len(FILES[name])):
        _check(Path("/nowhere") / name, FILES[name][:at])


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(sorted(FILES)), share=st.floats(0.05, 0.95), value=st.integers(0, 255))
def test_a_refused_file_leaves_the_catalog_as_it_was(name: str, share: float, value: int) -> None:
    data = bytearray(FILES[name])
    data[int(len(data) * share)] = value
    with tempfile.TemporaryDirectory() as folder:
        file, catalog = Path(folder) / "new" / name, Catalog(Path(folder) / "data")
        file.parent.mkdir()
        import_sources([_written(Path(folder) / "ESH24.scid", FILES["ESH24.scid"])], catalog)
        before = _picture(catalog)
        (result,) = import_sources([_written(file, bytes(data[: int(len(data) * share) + 1]))], catalog)
        if result.status == "refused":
            assert _picture(catalog) == before
            assert name in str(result.error)
        assert verify(catalog).ok


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _picture(catalog: Catalog) -> dict[str, bytes]:
    """Return every file of the catalog but its lock."""
    root = catalog.store.root
    return {
        str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file() and f.name != "_lock"
    }


TEXTS = ["NQ_ticks.csv", "ES_dom.txt", "ES_quotes.csv", "ESU22.txt", "ES.csv", "VIX.csv"]


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=15)
@given(
    at=st.integers(0, 12), new=st.sampled_from([b"fecha", b"Preis", "\u65e5\u4ed8".encode(), b"", b"x" * 300])
)
def test_a_column_nobody_knows_is_named_or_the_file_refused(name: str, at: int, new: bytes) -> None:
    head, rest = FILES[name].split(b"\n", 1)
    sign = b";" if b";" in head else b","
    columns = head.split(sign)
    columns[at % len(columns)] = new
    _check(Path("/nowhere") / name, sign.join(columns) + b"\n" + rest)


@pytest.mark.parametrize("name", ["NQ_ticks.csv", "ES_dom.txt", "ES_quotes.csv", "ESU22.txt", "ES.csv"])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_a_foreign_locale_is_read_or_named(name: str, encoding: str) -> None:
    """Decimal commas, semicolons, non-breaking spaces between thousands, and files of another encoding."""
    text = FILES[name].decode()
    if ";" not in text:
        text = text.replace(",", ";")
    text = text.replace(".25", ",25").replace("4800", "4\u00a0800")
    _check(Path("/nowhere") / name, text.encode(encoding))


@pytest.mark.parametrize("name", ["ESU22.txt", "ES.csv", "ES.json"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Paris"])
def test_the_wrong_zone_is_refused_and_names_the_share(name: str, zone: str) -> None:
    with pytest.raises(InputError, match="zone") as caught:
        read_parts(Path("/nowhere") / name, Ask(tz=zone), data=FILES[name])
    assert name in str(caught.value)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=25)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_cut_file_gives_checked_rows_or_a_named_error(name: str, share: float) -> None:
    data = FILES[name]
    _check(Path("/nowhere") / name, data[: int(len(data) * share)] or b"\n")


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40)
@given(
    bends=st.lists(
        st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    )
)
@example(bends=[(0.375, 0)])  # a column of a recording under another name
@example(bends=[(0.3569415162099847, 127)])  # a price of a .depth that is a signalling NaN
def test_a_bent_file_gives_checked_rows_or_a_named_error(name: str, bends: list[tuple[float, int]]) -> None:
    data = bytearray(FILES[name])
    for share, value in bends:
        data[int(len(data) * share)] = value
    _check(Path("/nowhere") / name, bytes(data))


@settings(max_examples=100)
@given(data=st.binary(min_size=1, max_size=400))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_parts(Path("/nowhere/ES.bin"), Ask(), data=data)


@settings(max_examples=40)
@given(
    line=st.text(st.characters(codec="utf-8"), max_size=60),
    at=st.integers(1, len(BARS)),
    name=st.sampled_from(["ESU22.txt", "ES.csv"]),
)
def test_a_strange_line_in_a_text_is_named_or_set_aside(line: str, at: int, name: str) -> None:
    lines = FILES[name].split(b"\n")
    lines.insert(at, line.encode())
    _check(Path("/nowhere") / name, b"\n".join(lines))
