"""Read open interest by series and date, as built from the OCC's series search: the independent check.

How it moves: per expiry and strike there is one number per pull date. A block of dates may hold half of the
universe (a pull that broke off), so completeness is tested against the fullest date before any change is
computed. Labels are day-month without a year; the year is the file's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.session import day_number

COMPLETE_SHARE = 0.85
"""A date with less than this share of the fullest date's open interest is incomplete."""


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """Open interest of every series on several days. Roots SPX and SPXW are merged by the source."""

    ticker: str
    days: tuple[int, ...]
    """yyyymmdd the open interest is effective for, ascending."""
    expiry: NDArray[np.int32]
    strike: NDArray[np.float64]
    call: NDArray[np.float64]
    """Shape (n_series, n_days)."""
    put: NDArray[np.float64]
    complete: tuple[bool, ...]

    def total(self) -> NDArray[np.float64]:
        """Return calls and puts of all series, per day."""
        return (self.call + self.put).sum(axis=0)

    def change(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the change of (call, put) per series between two days, shape (n_series, 2).

        Raises
        ------
        DataError
            If a day is not in the file or is incomplete.
        """
        for day in (first, last):
            if day not in self.days:
                raise DataError("no open interest for this day", field="day", value=day, rule=str(self.days))
            if not self.complete[self.days.index(day)]:
                whole = [d for d, ok in zip(self.days, self.complete, strict=True) if ok]
                raise DataError("the pull of this day is incomplete: a change from it would be an artefact",
                                field="day", value=day, rule=f"one of {whole}")  # fmt: skip
        a, b = self.days.index(first), self.days.index(last)
        return np.stack([self.call[:, b] - self.call[:, a], self.put[:, b] - self.put[:, a]], axis=1)


class _Row(msgspec.Struct):
    strike: float
    calls: list[float | None]
    puts: list[float | None]


class _Expiry(msgspec.Struct):
    rows: list[_Row]


class _File(msgspec.Struct):
    ticker: str
    pull_dates: list[str]
    by_expiration: dict[str, _Expiry]
    updated_at: str | None = None


def is_open_interest(head: bytes) -> bool:
    """Tell whether bytes begin an open-interest series file."""
    return b'"pull_dates"' in head and b'"ticker"' in head


def read_open_interest(data: bytes, path: str) -> OpenInterest:
    """Return the open interest of a series file.

    Raises
    ------
    FormatError
        If it is no such file.
    DataError
        If a date label or a row does not fit.
    """
    try:
        file = msgspec.json.decode(data, type=_File)
    except msgspec.DecodeError as error:
        raise FormatError(f"no open-interest series: {error}", path=path,
                          rule="{ticker, pull_dates, by_expiration}") from None  # fmt: skip
    days = _days(file, path)
    expiries: list[int] = []
    strikes: list[float] = []
    sides: list[tuple[list[float], list[float]]] = []
    for text, block in file.by_expiration.items():
        expiry = int(text.replace("-", ""))
        for row in block.rows:
            if len(row.calls) != len(days) or len(row.puts) != len(days):
                raise DataError("a series has another number of days than the file", path=path, field=text,
                                value=len(row.calls), rule=f"{len(days)} pull dates")  # fmt: skip
            expiries.append(expiry)
            strikes.append(row.strike)
            sides.append((_known(row.calls), _known(row.puts)))
    call = np.array([side[0] for side in sides], np.float64).reshape(len(sides), len(days))
    put = np.array([side[1] for side in sides], np.float64).reshape(len(sides), len(days))
    totals = (np.nan_to_num(call) + np.nan_to_num(put)).sum(axis=0)
    complete = tuple(bool(total > 0 and total >= COMPLETE_SHARE * totals.max()) for total in totals)
    return OpenInterest(
        file.ticker, days, np.array(expiries, np.int32), np.array(strikes), call, put, complete
    )


def _known(values: list[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in values]


def _days(file: _File, path: str) -> tuple[int, ...]:
    year = _year(file)
    out: list[int] = []
    for label in file.pull_dates:
        parts = label.split("-")
        try:
            out.append(day_number(date(year, int(parts[1]), int(parts[0]))))
        except (ValueError, IndexError):
            raise DataError("a pull date cannot be read", path=path, field="pull_dates", value=label,
                            rule="day-month, for example 17-8") from None  # fmt: skip
    return tuple(out)


def _year(file: _File) -> int:
    """The year of the update stamp, else of the first listed expiry."""
    if file.updated_at and file.updated_at[:4].isdigit():
        return int(file.updated_at[:4])
    return int(min(file.by_expiration)[:4])
