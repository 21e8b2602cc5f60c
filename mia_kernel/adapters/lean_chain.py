"""Read option minutes of Lean: one file per contract and day, quotes and open interest; the index beside them.

How it moves: names tell day, root, right, strike and expiry; a quote bar is known when its minute is over, so a chain
at an instant takes each contract's last bar that ended by then. Options are stamped in New York time, the index in
Chicago time. There is no volatility in them: it is solved from the mid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mia_kernel.adapters.wrappers import Member, members
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.session import new_york_ns
from mia_kernel.gamma.chain import CALL, PUT, Chain, make_chain

_OPTION = re.compile(
    r"(?P<day>\d{8})_(?P<root>[a-z]+)_minute_(?P<what>quote|trade|openinterest)_european_(?P<right>call|put)"
    r"_(?P<strike>\d+)_(?P<expiry>\d{8})\.csv$"
)
_INDEX = re.compile(r"(?P<day>\d{8})_(?P<root>[a-z]+)_minute_trade\.csv$")
_SCALE = 10_000.0
_MINUTE_MS = 60_000
_CHICAGO_BEHIND_MS = 3_600_000
_BID_CLOSE, _ASK_CLOSE, _VOLUME = 4, 9, 5


@dataclass
class _Leg:
    bid: float = np.nan
    ask: float = np.nan
    oi: float = np.nan
    volume: float = np.nan


def is_lean_chain(path: Path) -> bool:
    """Tell whether a folder or archive holds Lean option minutes, by the names inside."""
    for file in _files(path):
        first = next(iter(members(file)), None)
        if first is not None and _OPTION.search(first.path):
            return True
    return False


def read_lean_chain(path: Path, at: int | None) -> Chain:
    """Return the chain of Lean minutes at an instant (ns UTC).

    Parameters
    ----------
    path : Path
        A folder with the archives of a day: quotes, open interest, and the index's own minutes.
    at : int
        Inside the day.

    Raises
    ------
    DataError
        If `at` is missing, or the index or every quote is before its first minute.
    """
    if at is None:
        raise DataError("minutes have no instant of their own", path=str(path), field="at", rule="a time in the day",
                        way_out="--at 2021-01-04T12:00:00-05:00")  # fmt: skip
    legs: dict[tuple[str, int, int, float], _Leg] = {}
    spot = np.nan
    for file in _files(path):
        for member in members(file):
            option, index = _OPTION.search(member.path), _INDEX.search(member.path)
            if option is not None:
                _take(legs, option, member, at)
            elif index is not None:
                found = _last(member, _end_ms(index["day"], at) - _CHICAGO_BEHIND_MS, _VOLUME - 1)
                spot = found if found == found else spot
    legs = {key: leg for key, leg in legs.items() if leg.bid == leg.bid or leg.oi == leg.oi}
    if not legs:
        raise FormatError("no option minute before this instant", path=str(path), value=at,
                          rule="YYYYMMDD_root_minute_quote_european_call_STRIKE_EXPIRY.csv")  # fmt: skip
    if spot != spot:
        raise DataError("the index has no minute before this instant", path=str(path), field="spot",
                        rule="YYYYMMDD_spx_minute_trade.csv beside the options")  # fmt: skip
    keys = list(legs)
    columns = {
        "strike": np.array([key[3] for key in keys]),
        "right": np.array([key[2] for key in keys], np.int8),
        "expiry": np.array([key[1] for key in keys], np.int32),
        **{
            name: np.array([getattr(leg, name) for leg in legs.values()])
            for name in ("bid", "ask", "oi", "volume")
        },
    }
    roots = np.array([key[0].upper() for key in keys], np.str_)
    return make_chain(columns, roots, as_of=at, spot=float(spot), underlying="SPX", source=str(path),
                      kind="lean minutes", notes=("volatilities solved from the mid",))  # fmt: skip


def _files(path: Path) -> Iterable[Path]:
    return sorted(file for file in path.iterdir() if file.suffix == ".zip") if path.is_dir() else [path]


def _take(
    legs: dict[tuple[str, int, int, float], _Leg], name: re.Match[str], member: Member, at: int
) -> None:
    end = _end_ms(name["day"], at)
    if not 0 <= end < 86_400_000:
        return
    right = CALL if name["right"] == "call" else PUT
    key = (name["root"], int(name["expiry"]), right, int(name["strike"]) / _SCALE)
    leg = legs.setdefault(key, _Leg())
    if name["what"] == "quote":
        leg.bid = _last(member, end, _BID_CLOSE) / _SCALE
        leg.ask = _last(member, end, _ASK_CLOSE) / _SCALE
    elif name["what"] == "openinterest":
        leg.oi = _last(member, end + _MINUTE_MS, 1)
    else:
        rows = _rows(member)
        leg.volume = float(rows[rows[:, 0] + _MINUTE_MS <= end, _VOLUME].sum())


def _end_ms(day: str, at: int) -> int:
    return (at - new_york_ns(int(day), 0)) // 1_000_000


def _last(member: Member, end_ms: int, column: int) -> float:
    rows = _rows(member)
    known = rows[rows[:, 0] + _MINUTE_MS <= end_ms]
    return float(known[-1, column]) if len(known) else np.nan


def _rows(member: Member) -> np.ndarray:
    lines = [line.split(",") for line in member.data.decode("ascii").split()]
    try:
        return np.array([[float(cell) if cell else np.nan for cell in line] for line in lines], np.float64)
    except ValueError as error:
        raise FormatError(
            f"a minute cannot be read: {error}", path=member.path, rule="numbers and commas"
        ) from None
