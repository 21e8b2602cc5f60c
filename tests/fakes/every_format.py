"""A small file of every format that has a reader; `ZONES` names the zone where a file cannot tell it."""

from __future__ import annotations

import gzip
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from mia_kernel.adapters.marketdepth import depth_files
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.scid import scid_bytes
from mia_kernel.core import events as ev
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
    "ES_full_1min.txt": bar_csv(BARS).split(b"\n", 1)[1],
    "VIX.csv": b"DATE,OPEN,HIGH,LOW,CLOSE\n8/7/2019,1,1,1,19.49\n8/8/2019,1,1,1,16.91\n8/9/2019,1,1,1,17.97\n",
}
