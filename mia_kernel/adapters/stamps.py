"""Dates, times and zones of text files: naive stamps to ns UTC, and the proof of a zone.

The market itself proves a zone: CME index futures never trade in the daily maintenance hour, at the
weekend and on holidays. Of the zones exporters use, only the right one leaves those closed hours empty.
Where two fit or none does, the user is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.core.session import open_mask

CHICAGO = "America/Chicago"
NEW_YORK = "America/New_York"
CANDIDATES = (CHICAGO, NEW_YORK, "UTC")
"""Zones that exporters of CME data write without saying so."""

NS = 1_000_000_000
DAY_NS = 86_400 * NS
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a naive wall clock is what is meant)
_BUCKET_NS = 1800 * NS  # clocks change at whole or half hours, so one look per half hour is exact
_FITS = 0.001  # share of rows in closed hours that still counts as none: a stray row does not unprove a zone
_NEVER = 0.004  # share another zone must put there before it is out

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$")
_YEAR_LAST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})$")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})$")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?$")

IntArray = NDArray[np.int64]


def parse_date(text: str) -> int | None:
    """Return days since 1970 of `2019-08-09`, `2019/8/9`, `8/9/2019` (month first) or `20190809`; else None."""
    text = text.strip()
    match = _YEAR_FIRST.match(text) or _COMPACT.match(text)
    if match:
        year, month, day = (int(group) for group in match.groups())
    else:
        match = _YEAR_LAST.match(text)
        if match is None:
            return None
        month, day, year = (int(group) for group in match.groups())
    try:
        return (date(year, month, day) - date(1970, 1, 1)).days
    except ValueError:
        return None


def parse_time(text: str) -> int | None:
    """Return ns since midnight of `9:30`, `09:30:00` or `09:30:00.5` (a fraction of a second); else None."""
    match = _TIME.match(text.strip())
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return ((hour * 60 + minute) * 60 + second) * NS + int((match[4] or "0").ljust(9, "0"))


def naive_stamps(dates: Any, times: Any, *, path: str, first_line: int) -> IntArray:
    """Return naive local stamps in ns from parallel arrays (numpy or pyarrow) of date and time strings.

    Each distinct string is parsed once: a year of minutes has few of either.

    Raises
    ------
    FormatError
        Naming the line of the first date or time that is none.
    """
    days = _parse_distinct(dates, parse_date, "date", path, first_line)
    clock = _parse_distinct(times, parse_time, "time", path, first_line)
    return days * DAY_NS + clock


def _parse_distinct(texts: Any, parse: Any, field: str, path: str, first_line: int) -> IntArray:
    encoded = (texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    distinct = encoded.dictionary.to_pylist()
    values = np.zeros(len(distinct), np.int64)
    for i, text in enumerate(distinct):
        value = parse(str(text))
        if value is None:
            row = int(np.flatnonzero(codes == i)[0])
            raise FormatError(f"not a {field}", path=path, line=first_line + row, field=field, value=str(text),
                              rule="YYYY-MM-DD, YYYY/M/D, M/D/YYYY or YYYYMMDD; H:MM[:SS[.fraction]]",
                              way_out="fix or remove the line")  # fmt: skip
        values[i] = value
    return values[codes]


def check_zone(zone: str) -> str:
    """Return `zone` if it is an IANA zone (`CT`, `ET` and `UTC` are understood too)."""
    full = {"CT": CHICAGO, "ET": NEW_YORK, "US/CENTRAL": CHICAGO, "US/EASTERN": NEW_YORK}.get(
        zone.upper(), zone
    )
    try:
        ZoneInfo(full)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError("unknown time zone", field="tz", value=zone, rule="an IANA zone, CT, ET or UTC",
                         way_out="--tz America/Chicago, for example") from error  # fmt: skip
    return full


def to_utc(local: IntArray, zone: str, *, path: str) -> IntArray:
    """Return naive local stamps (ns) as ns UTC; a stamp that the clock change skips or doubles is refused."""
    if zone == "UTC" or len(local) == 0:
        return local
    bucket, at = np.unique(local // _BUCKET_NS, return_inverse=True)
    offsets = np.empty(len(bucket), np.int64)
    info = ZoneInfo(zone)
    for i, start in enumerate((bucket * (_BUCKET_NS // NS)).tolist()):
        wall = _EPOCH + timedelta(seconds=start)
        offset = wall.replace(tzinfo=info).utcoffset()
        later = wall.replace(tzinfo=info, fold=1).utcoffset()
        if offset is None or offset != later:
            raise DataError("a stamp lies inside a clock change", path=path, field="tz", value=zone,
                            rule=f"{wall} {zone} happens twice or never", way_out="give the right --tz")  # fmt: skip
        offsets[i] = round(offset.total_seconds()) * NS
    return local - offsets[at]


def to_local(ts: IntArray, zone: str = CHICAGO) -> IntArray:
    """Return ns UTC as naive local ns of `zone`."""
    bucket, at = np.unique(ts // _BUCKET_NS, return_inverse=True)
    info = ZoneInfo(zone)
    offsets = np.empty(len(bucket), np.int64)
    for i, start in enumerate((bucket * (_BUCKET_NS // NS)).tolist()):
        offset = (_EPOCH + timedelta(seconds=start)).replace(tzinfo=UTC).astimezone(info).utcoffset()
        offsets[i] = round(offset.total_seconds()) * NS if offset is not None else 0
    return ts + offsets[at]


def closed_share(ts: IntArray) -> float:
    """Return the share of instants (ns UTC) at which the exchange's calendar says closed."""
    return float(np.mean(~open_mask(ts))) if len(ts) else 0.0


@dataclass(frozen=True, slots=True)
class ZoneProof:
    """Which zone the session hours prove, and the share of rows each candidate puts into closed hours."""

    zone: str | None
    shares: dict[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{zone} {share:.2%}" for zone, share in self.shares.items())


def prove_zone(local: IntArray, *, path: str, candidates: tuple[str, ...] = CANDIDATES) -> ZoneProof:
    """Return the one candidate zone whose closed hours are empty while all others fill them, else None."""
    shares: dict[str, float] = {}
    for zone in candidates:
        try:
            shares[zone] = closed_share(to_utc(local, zone, path=path))
        except DataError:
            shares[zone] = 1.0  # stamps that this zone's clock skips: it cannot be the zone
    fitting = [zone for zone, share in shares.items() if share <= _FITS]
    others_out = all(share >= _NEVER for zone, share in shares.items() if zone not in fitting)
    return ZoneProof(fitting[0] if len(fitting) == 1 and others_out else None, shares)


def resolve_zone(local: IntArray, given: str | None, *, path: str) -> tuple[str, str]:
    """Return the zone of naive stamps and how it is known ("given" or "proven by session hours").

    Raises
    ------
    InputError
        If none is given and the hours prove none.
    DataError
        If the given zone puts more than 1 % of the rows into hours when the market is always closed.
    """
    if given is None:
        proof = prove_zone(local, path=path)
        if proof.zone is None:
            raise InputError("the stamps carry no time zone and the session hours prove none", path=path, field="tz",
                             value=None, rule=f"share of rows in closed hours: {proof}",
                             way_out="give --tz, for example --tz America/Chicago")  # fmt: skip
        return proof.zone, "proven by session hours"
    zone = check_zone(given)
    share = closed_share(to_utc(local, zone, path=path))
    if share > 0.01:
        proof = prove_zone(local, path=path)
        hint = f"--tz {proof.zone} leaves them empty" if proof.zone else "check the file's zone"
        raise DataError(f"wrong zone: {share:.1%} of the rows would lie in hours when CME is closed", path=path,
                        field="tz", value=zone, rule="no trade in the maintenance hour, at the weekend, on holidays",
                        way_out=hint)  # fmt: skip
    return zone, "given"


def iso_instant(text: str) -> int | None:
    """Return an ISO 8601 time with offset in ns UTC, None for anything else (a naive time too)."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    if stamp.tzinfo is None:
        return None
    since = stamp - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
