"""Daily closes of the VIX as CBOE publishes them: `DATE,OPEN,HIGH,LOW,CLOSE`, dates month first.

A close is known when the index stops, at 16:15 New York, and is in force from then on (`previous_close`).
It enters as a TRADE row at that instant, price in hundredths; nothing of a day is known before its end.
"""

from __future__ import annotations

import numpy as np

from mia_kernel.adapters.parts import Ask, Part, symbol_in_name, to_ticks
from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.stamps import DAY_NS, NEW_YORK, naive_stamps, to_utc
from mia_kernel.adapters.table import Table, header_of, read_csv
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.events import Carries, SourceInfo

_COLUMNS = ["date", "open", "high", "low", "close"]
_CLOSE_NS = (16 * 60 + 15) * 60 * 1_000_000_000


def is_vix_daily(member: Member) -> bool:
    """Return whether a member is a table of daily index values named VIX."""
    named = symbol_in_name(member.path)
    return header_of(member.data)[0] == _COLUMNS and named is not None and named[0] == "VIX"


def read_vix(members: list[Member], ask: Ask) -> list[Part]:
    """Return the daily closes of each member as trade rows at 16:15 New York."""
    return [_part(read_csv(member), ask) for member in members]


def _part(table: Table, ask: Ask) -> Part:
    dates = table.text("date")
    midnight = np.full(len(table), "0:00", object)
    local = naive_stamps(dates, midnight, path=table.path, first_line=table.first_line)
    ts = to_utc(local // DAY_NS * DAY_NS + _CLOSE_NS, NEW_YORK, path=table.path)
    close = table.numbers("close")
    ticks, bad = to_ticks(close, "VIX")
    findings = Findings(table.path, len(table), ask.quality)
    findings.quarantine("off_grid", bad, lambda i: (
        f"line {table.first_line + i} close = {close[i]!r} (rule: positive, two decimals)"))  # fmt: skip
    findings.term("off_grid", float(bad.mean()))
    cut = np.arange(len(table)) == len(table) - 1
    findings.quarantine(
        "unterminated", cut & table.unterminated, lambda i: "the last line has no line end", refusing=False
    )
    back = np.r_[False, np.diff(ts) <= 0]
    findings.quarantine("out_of_order", back, lambda i: (
        f"line {table.first_line + i} {dates[i]} (rule: dates ascend)"))  # fmt: skip
    findings.term("disorder", float(back.mean()))
    rows = ev.empty(int(findings.keep.sum()))
    rows["ts_event"] = rows["ts_recv"] = ts[findings.keep]
    rows["seq"] = np.arange(len(rows))
    rows["kind"] = ev.TRADE
    rows["px"] = ticks[findings.keep]
    rows["instrument"] = ev.VIX
    info = SourceInfo(
        tag="imported",
        adapter="vix",
        name=table.path,
        symbol="VIX",
        zone=NEW_YORK,
        clock_resolution_ns=DAY_NS,
        adjustment="contract",
        carries=Carries(trades=True),
        notes=("previous_close: daily closes, in force from 16:15 New York of their day",),
    )
    return Part(rows, info, findings.verdict(), table.path)
