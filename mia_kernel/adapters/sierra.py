"""Sierra Chart bar text: `Date, Time, Open, High, Low, Last, Volume, …` with bid and ask volume where exported.

Sierra writes in the zone of the chart, so the same exporter gives Chicago, New York or UTC: the zone is
proven by the session hours of each file, else asked for. A file named after a contract (`ESU19-CME.txt`)
holds traded prices. `BidVolume` was sold at the bid, `AskVolume` bought at the ask.
"""

from __future__ import annotations

from mia_kernel.adapters.bars import bar_parts
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.table import Table, read_csv
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.events import Adjustment

_HEAD = ["date", "time", "open", "high", "low", "last", "volume"]


def is_sierra_header(names: list[str]) -> bool:
    """Return whether column names are those of Sierra's bar text."""
    return names[: len(_HEAD)] == _HEAD


def read_sierra(members: list[Member], ask: Ask) -> list[Part]:
    """Return the bars of Sierra text members, one part per contract."""
    return bar_parts(members, ask, read_csv, "sierra", _adjustment)


def _adjustment(table: Table, contract: str | None) -> Adjustment:
    return "contract" if contract is not None else "unknown"
