"""Files of the SYNTHETIC market with every kind of defect planted in them, for looking at what the checks say.

`plant_files` writes two sessions as a person would own them: Sierra trades and depth, minute bars in text, NQ
ticks with a decimal comma. Planted are silences, repeated lines, prices off the grid, sides that do not add up
and sides that are all the same. Nothing in them is a market.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.marketdepth import depth_files
from mia_kernel.adapters.scid import scid_bytes
from mia_kernel.adapters.stamps import CHICAGO
from mia_kernel.adapters.synthetic import synthetic_days, synthetic_recording
from mia_kernel.core import events as ev
from mia_kernel.core.contract import calendar_front
from mia_kernel.core.events import EventArray

_MINUTE_NS = 60_000_000_000
_SCALE = 0.25
_TICK = 0.25


def plant_files(folder: Path, *, seed: int = 1) -> Path:
    """Write the files into `folder` and return it; the same seed writes the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    recording = synthetic_recording(seed, scale=_SCALE)
    rows = recording.events
    es, nq = rows[rows["instrument"] == ev.PRIMARY], rows[rows["instrument"] == ev.SECOND]
    contract = calendar_front("ES", synthetic_days(seed)[1]).code
    today = es[(es["flags"] & ev.WARM_UP) == 0]
    (folder / f"{contract}.scid").write_bytes(scid_bytes(_silent(today, 0.55, minutes=25), "ES"))
    books = today[today["kind"] == ev.BOOK]
    hour = books[len(books) // 2 : len(books) // 2 + 8_000]
    for day, data in depth_files(hour, "ES").items():
        (folder / f"{contract}.{day}.depth").write_bytes(data)
    (folder / f"{contract}_1min.txt").write_text(
        _minutes_text(_silent(es, 0.7, minutes=34)), encoding="utf-8"
    )
    late = nq[nq["kind"] == ev.TRADE][:4_000]
    (folder / "NQ_ticks.csv").write_text(_one_sided_text(late), encoding="utf-8")
    (folder / "sierra.toml").write_text(
        '[[files]]\nmatch = "NQ_*"\nsymbol = "NQ"\nzone = "UTC"\n', encoding="utf-8"
    )
    return folder


def _silent(rows: EventArray, at: float, *, minutes: int) -> EventArray:
    """Return rows with a silence: nothing for some minutes from a share of the way through."""
    start = int(rows["ts_event"][int(len(rows) * at)])
    inside = (rows["ts_event"] >= start) & (rows["ts_event"] < start + minutes * _MINUTE_NS)
    return rows[~inside]


def _wall(ts: int, zone: str) -> datetime:
    return datetime.fromtimestamp(ts / 1e9, UTC).astimezone(ZoneInfo(zone))


def _minutes_text(rows: EventArray) -> str:
    trades = rows[rows["kind"] == ev.TRADE]
    minute = trades["ts_event"] // _MINUTE_NS
    edges = np.flatnonzero(np.r_[True, minute[1:] != minute[:-1], True])
    lines = []
    for k, (first, last) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        lines.append(_line(trades[first:last], int(minute[first]) * _MINUTE_NS, k))
        if k % 97 == 50:
            lines.append(lines[-1])  # a chart reload writes a line again
    head = "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume"
    return "\n".join([head, *lines]) + "\n"


def _line(trades: EventArray, ts: int, k: int) -> str:
    price: NDArray[np.float64] = trades["px"] * _TICK
    bid = int(trades["sz"][trades["side"] < 0].sum())
    volume = int(trades["sz"].sum())
    ask = volume - bid + (3 if k % 151 == 20 else 0)  # sides that do not add up
    low = float(price.min()) - (0.1 if k % 211 == 30 else 0)  # off the grid
    at = _wall(ts, CHICAGO)
    prices = f"{price[0]:.2f}, {price.max():.2f}, {low:.2f}, {price[-1]:.2f}"
    return f"{at.year}/{at.month}/{at.day}, {at:%H:%M:%S}, {prices}, {volume}, {len(trades)}, {bid}, {ask}"


def _one_sided_text(trades: EventArray) -> str:
    lines = ["timestamp;price;volume;lado;bid;ask"]
    for row in trades:
        at = datetime.fromtimestamp(int(row["ts_event"]) / 1e9, UTC)
        price = f"{row['px'] * _TICK:.2f}".replace(".", ",")
        lines.append(
            f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d};{price};{row['sz']};ASK;{price};{price}"
        )
    return "\n".join(lines) + "\n"
