"""Small market files of every format, written by hand so that each value is known."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import databento_dbn as dbn
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters import databento

NS = 1_000_000_000

Bar = tuple[datetime, float, float, float, float, int, int, int]
"""Start, open, high, low, close, volume, bid volume, ask volume."""


def minutes(start: datetime, n: int, *, step: int = 60, price: float = 4000.0) -> list[Bar]:
    """Return n bars of one tick range, one after the other, prices rising a tick a bar."""
    bars = []
    for i in range(n):
        p = price + 0.25 * (i % 400)
        bars.append(
            (start + timedelta(seconds=step * i), p, p + 0.5, p - 0.25, p + 0.25, 100 + i % 7, 60, 40 + i % 7)
        )
    return bars


def session(day: datetime, *, step: int = 300) -> list[Bar]:
    """Return a whole normal session of New York wall-clock bars: 18:00 of the evening before to 17:00."""
    evening = day - timedelta(hours=6)
    return minutes(evening, 23 * 3600 // step, step=step)


def shifted(bars: Iterable[Bar], hours: float) -> list[Bar]:
    """Return bars stamped by another clock."""
    return [(bar[0] + timedelta(hours=hours), *bar[1:]) for bar in bars]


def sierra_text(bars: Iterable[Bar], *, sides: bool = True) -> bytes:
    head = "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades" + (
        ", BidVolume, AskVolume" if sides else ""
    )
    lines = [head]
    for at, o, h, low, c, v, b, a in bars:
        line = f"{at.year}/{at.month}/{at.day}, {at:%H:%M:%S}, {o:.2f}, {h:.2f}, {low:.2f}, {c:.2f}, {v}, {v // 2}"
        lines.append(line + (f", {b}, {a}" if sides else ""))
    return ("\n".join(lines) + "\n").encode()


def bar_csv(bars: Iterable[Bar]) -> bytes:
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{at:%Y-%m-%d %H:%M:%S},{o},{h},{low},{c},{v}" for at, o, h, low, c, v, _, _ in bars]
    return ("\n".join(lines) + "\n").encode()


def bar_json(bars: Iterable[Bar]) -> bytes:
    rows = [
        {"dateTime": f"{at:%Y-%m-%d %H:%M:%S}", "open": o, "high": h, "low": low, "close": c, "volume": v}
        for at, o, h, low, c, v, _, _ in bars
    ]
    return json.dumps(rows).encode()


def bar_parquet(bars: Iterable[Bar], *, zone: str | None) -> bytes:
    bars = list(bars)
    stamps = pa.array([bar[0] for bar in bars], pa.timestamp("ns"))
    if zone is not None:
        stamps = pa.compute.call_function("assume_timezone", [stamps], pa.compute.AssumeTimezoneOptions(zone))
    columns = {
        name: [bar[i] for bar in bars] for i, name in enumerate(("open", "high", "low", "close", "volume"), 1)
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table({**columns, "datetime": stamps}), buffer)
    return buffer.getvalue()


def cme_slot(
    contract: str, slot: int, records: Iterable[tuple[str, int, float, str]], *, date: str = "08/09/2019"
) -> bytes:
    """Return one time-and-sales member; a record is (marker, quantity, price in points, HH:MM:SS)."""
    body = "".join(
        f"<reportRecordList><indictive>{marker}</indictive><quantity>{quantity}</quantity><saledate>{date}</saledate>"
        f"<saleprice>{price * 100:.1f}</saleprice><saletime>{clock}</saletime></reportRecordList>"
        for marker, quantity, price, clock in records
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><timeandSalesList><searchCriteria>'
        f"<contractid>{contract}</contractid><exchgeCode>XCME</exchgeCode><prodCode>ES</prodCode>"
        f"<timestart>{slot}</timestart></searchCriteria><timeSalesTO><futuresTO><name>8/9/2019</name>{body}"
        "</futuresTO></timeSalesTO></timeandSalesList>"
    ).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def cme_zip() -> bytes:
    """Return two contracts over the evening before and the morning of 2019-08-09."""
    evening = [("Open", 0, 2928.0, "17:00:00"), ("-", 5, 2928.0, "17:00:00"), ("-", 2, 2928.25, "17:00:00")]
    morning = [("-", 1, 2918.5, "08:30:00"), ("-", 7, 2918.75, "08:30:01"), ("-", 3, 2918.25, "08:30:01")]
    return zipped(
        {
            "day/XCME_ES_ESU19_109.xml": cme_slot("SEP 19", 109, morning),
            "day/XCME_ES_ESU19_18.xml": cme_slot("SEP 19", 18, evening),
            "day/XCME_ES_ESU19_17.xml": cme_slot("SEP 19", 17, [("Indicative", 0, 2930.0, "16:45:03")]),
            "day/XCME_ES_ESZ19_109.xml": cme_slot("DEC 19", 109, [("-", 1, 2919.0, "08:31:00")]),
            "day/XCME_ES_ESM20_109.xml": cme_slot("JUN 20", 109, []),
            "[Content_Types].xml": b"<Types/>",
        }
    )


def dbn_file(schema: str, records: np.ndarray, names: dict[int, str] | None = None) -> bytes:
    """Return a DBN stream of records in the layout of `adapters.databento`."""
    names = {1: "ESH4"} if names is None else names
    day = {"start_date": date(2024, 1, 1), "end_date": date(2024, 12, 31)}
    meta = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=0,
        stype_in=dbn.SType("raw_symbol"),
        stype_out=dbn.SType("instrument_id"),
        schema=dbn.Schema(schema),
        symbols=list(names.values()),
        partial=[],
        not_found=[],
        mappings=[
            SimpleNamespace(raw_symbol=name, intervals=[SimpleNamespace(**day, symbol=str(n))])
            for n, name in names.items()
        ],
    )
    return meta.encode() + records.tobytes()


def dbn_records(schema: str, rows: Iterable[dict[str, object]]) -> np.ndarray:
    """Return records of a schema; `price` and level prices in points, everything else as in the layout."""
    rtype, layout, _ = databento._LAYOUTS[schema]
    rows = list(rows)
    records = np.zeros(len(rows), layout)
    records["length"], records["rtype"], records["publisher"], records["instrument"] = (
        layout.itemsize // 4,
        rtype,
        1,
        1,
    )
    for i, row in enumerate(rows):
        for name, value in row.items():
            if name == "levels":
                for k, level in enumerate(value):  # type: ignore[arg-type]
                    bid, bid_size, ask, ask_size = level
                    records["levels"][i, k] = (round(bid * 1e9), round(ask * 1e9), bid_size, ask_size, 1, 1)
            elif name in ("price", "open", "high", "low", "close"):
                records[name][i] = round(value * 1e9)  # type: ignore[operator]
            else:
                records[name][i] = value
    return records
