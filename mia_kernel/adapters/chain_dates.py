"""Read the date line of a quote page: the page writes it in the reader's own language, and owners edit it.

How it moves: year, day, month and clock are found each by its own shape, the month by its first letters in
eight languages, the zone by name or offset. What stays ambiguous (09/06/2023) is settled by the expiries of
the chain, else refused: a wrong day would kill or revive whole expiries.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone, tzinfo

from mia_kernel.core.errors import DataError
from mia_kernel.core.session import NEW_YORK, date_of

# First letters of each month without accents: English, Spanish, Portuguese, French, Italian, German, Dutch,
# Polish, and Russian (genitive). Longer ones first where one begins another.
_MONTHS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, ("jan", "ene", "gen", "sty", "янв")),
    (2, ("feb", "fev", "lut", "фев")),
    (3, ("mar", "maa", "mrt", "мар")),
    (4, ("apr", "abr", "avr", "kwi", "апр")),
    (5, ("may", "mai", "mei", "mag", "maj", "мая", "май")),
    (6, ("juin", "jun", "giu", "cze", "июн")),
    (7, ("juil", "jul", "lug", "lip", "июл")),
    (8, ("aug", "ago", "aou", "sie", "авг")),
    (9, ("sep", "set", "wrz", "сен")),
    (10, ("oct", "okt", "out", "ott", "paz", "окт")),
    (11, ("nov", "lis", "ноя")),
    (12, ("dec", "dic", "dez", "gru", "дек")),
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]\.?\s?m\.?)?", re.IGNORECASE)
_OFFSET = re.compile(r"(?:UTC|GMT|Z)\s*([+-]\d{1,2})?(?::?(\d{2}))?", re.IGNORECASE)
_NUMERIC = re.compile(r"\b(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})\b")
# Signs and spaces of other scripts: minus, dash, no-break and narrow no-break space.
_DASHES = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00a0": " ", "\u202f": " "})


def read_date_line(text: str, path: str, expiries: Sequence[int]) -> tuple[int, tuple[str, ...]]:
    """Return the instant (ns UTC) a date line tells, and what had to be assumed.

    Parameters
    ----------
    text : str
        Whatever follows `Date:`.
    expiries : sequence of int
        Expiry days of the chain (yyyymmdd), ascending: they tell day from month where both could be.

    Raises
    ------
    DataError
        If no date is found, or two are possible.
    """
    plain = text.translate(_DASHES)
    notes: list[str] = []
    clock = _CLOCK.search(plain)
    if clock is None:
        raise _unreadable(path, text, "a clock time like 8:09 PM")
    zone = _zone(plain, notes)
    day = _day(plain[: clock.start()] + " " + plain[clock.end() :], path, text, expiries)
    hour, minute = int(clock[1]), int(clock[2])
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].lower().startswith("p") else 0)
    if hour > 23 or minute > 59:
        raise _unreadable(path, text, "a clock time below 24:00")
    wall = datetime(day.year, day.month, day.day, hour, minute, int(clock[3] or 0), tzinfo=zone)
    return int(wall.timestamp()) * 1_000_000_000, tuple(notes)


def _zone(text: str, notes: list[str]) -> tzinfo:
    if re.search(r"\bE[SD]?T\b", text):
        return NEW_YORK
    offset = _OFFSET.search(text)
    if offset is not None:
        hours = int(offset[1] or 0)
        minutes = int(offset[2] or 0)
        return timezone(timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes))
    notes.append("the date line names no zone: taken as New York, the page's own")
    return NEW_YORK


def _day(text: str, path: str, whole: str, expiries: Sequence[int]) -> date:
    month = _month(text)
    if month is not None:
        year = re.search(r"\b(20\d{2})\b", text)
        rest = text[: year.start()] + text[year.end() :] if year else text
        day = re.search(r"(?<![\d+-])(\d{1,2})(?!\d)", rest)
        if year is None or day is None:
            raise _unreadable(path, whole, "a day and a year of four digits")
        return _checked(int(year[1]), month, int(day[1]), path, whole)
    numbers = _NUMERIC.search(text)
    if numbers is None:
        raise _unreadable(path, whole, "a date")
    a, b, c = int(numbers[1]), int(numbers[2]), int(numbers[3])
    if a > 31:
        return _checked(a, b, c, path, whole)
    year = c if c > 99 else 2000 + c
    found = [date(year, m, d) for m, d in {(a, b), (b, a)} if m <= 12 and d <= 31 and _exists(year, m, d)]
    if len(found) > 1:
        found = [day for day in found if _fits(day, expiries)]
    if len(found) != 1:
        raise _unreadable(path, whole, "a date that is not two dates at once")
    return found[0]


def _month(text: str) -> int | None:
    bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    for word in re.findall(r"[^\W\d_]{3,}", bare):
        for number, starts in _MONTHS:
            if word.startswith(starts):
                return number
    return None


def _fits(day: date, expiries: Sequence[int]) -> bool:
    """Tell whether the first listed expiry is at most a day past and a week ahead."""
    if not expiries:
        return False
    ahead = (date_of(expiries[0]) - day).days
    return -1 <= ahead <= 7


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _checked(year: int, month: int, day: int, path: str, whole: str) -> date:
    if not _exists(year, month, day):
        raise _unreadable(path, whole, "a day that exists")
    return date(year, month, day)


def _unreadable(path: str, text: str, rule: str) -> DataError:
    return DataError("the date of the chain cannot be read", path=path, field="Date", value=text.strip()[:80],
                     rule=rule, way_out="--at TIME")  # fmt: skip
