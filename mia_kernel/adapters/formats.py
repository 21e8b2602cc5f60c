"""The shelf of formats: each is recognised by its content, and read where this version can read it.

Adding one is a line in `FORMATS`: a name, what it is, how its first bytes look, and its reader (None:
recognised, not yet read). The first that matches wins, so narrow ones stand before wide ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters.bars import is_bar_header, read_bar_csv, read_bar_json, read_bar_parquet
from mia_kernel.adapters.cme import is_cme, read_cme
from mia_kernel.adapters.databento import is_dbn, read_dbn
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.replay import is_recording
from mia_kernel.adapters.sierra import is_sierra_header, read_sierra
from mia_kernel.adapters.table import PARQUET_DAMAGE, column_name, header_of
from mia_kernel.adapters.vix import is_vix_daily, read_vix
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError, InputError

Reader = Callable[[list[Member], Ask], list[Part]]

RECORDING = "mia-parquet"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file. `read` is None where this version only knows its name."""

    name: str
    title: str
    matches: Callable[[Member], bool]
    read: Reader | None = None


def _names(member: Member) -> list[str]:
    return header_of(member.data)[0]


def _first_fields(member: Member) -> list[bytes]:
    return [field.strip() for field in member.data[:4096].split(b"\n", 1)[0].split(b",")]


def _is_number(field: bytes) -> bool:
    return re.fullmatch(rb"-?\d+(\.\d+)?", field) is not None


def _is_lean(member: Member) -> bool:
    # Lean names its members `…_minute_trade_202003.csv`; the rows have no header, ms of the day first.
    fields = _first_fields(member)
    named = re.search(r"_(minute|second|tick|hour|daily)_(trade|quote|openinterest)", member.path) is not None
    return (
        named
        and len(fields) in (2, 6, 11)
        and fields[0].isdigit()
        and all(_is_number(f) or not f for f in fields)
    )


def _is_lobster(member: Member) -> bool:
    fields = _first_fields(member)
    if re.fullmatch(rb"(ASK|BID)_\d+_(PRICE|QTY)", fields[0]):
        return True
    if not all(_is_number(field) for field in fields):
        return False
    message = len(fields) == 6 and b"." in fields[0] and fields[5] in (b"1", b"-1")
    return message or (len(fields) >= 4 and len(fields) % 4 == 0 and b"." not in b"".join(fields))


def _is_acsil(member: Member) -> bool:
    head = member.data[:600]
    line = (
        head.lstrip().startswith(b'{"')
        and b'"chart":' in head
        and (b'"type":' in head or b'"study_id":' in head)
    )
    return line or _names(member)[:1] == ["tsutc"]


def _is_chain(member: Member) -> bool:
    head = member.data[:2000]
    table = re.search(rb'(?m)^"?Expiration Date"?,', head) is not None
    return table or (b'"options"' in head and b'"data"' in head)


def _is_tick_csv(member: Member) -> bool:
    names = set(_names(member))
    return "timestamp" in names and bool(names & {"price", "precio"}) and bool(names & {"lado", "side"})


def _is_bar_json(member: Member) -> bool:
    head = member.data[:600].lstrip()
    keys = {column_name(key.decode("utf-8", "replace")) for key in re.findall(rb'"([^"]{1,40})"\s*:', head)}
    return head[:1] in (b"[", b"{") and is_bar_header(keys)


def _is_bar_parquet(member: Member) -> bool:
    if member.data[:4] != b"PAR1":
        return False
    try:
        schema = pq.read_schema(pa.BufferReader(member.data))
    except PARQUET_DAMAGE:
        return True  # cut: the reader says so, with its reason
    return is_bar_header([column_name(name) for name in schema.names])


FORMATS: tuple[Format, ...] = (
    Format("cme", "CME time-and-sales XML", lambda m: is_cme(m.data), read_cme),
    Format("dbn", "Databento DBN", lambda m: is_dbn(m.data), read_dbn),
    Format("scid", "Sierra intraday records (.scid)", lambda m: m.data[:4] == b"SCID"),
    Format("depth", "Sierra market depth (.depth)", lambda m: m.data[:4] == b"SCDD"),
    Format(RECORDING, "MIA recording", lambda m: is_recording(m.data)),
    Format("bars-parquet", "bars in Parquet", _is_bar_parquet, read_bar_parquet),
    Format("acsil", "Sierra ACSIL export", _is_acsil),
    Format("chain", "option chain", _is_chain),
    Format("bars-json", "bars in JSON", _is_bar_json, read_bar_json),
    Format("sierra", "Sierra bar text", lambda m: is_sierra_header(_names(m)), read_sierra),
    Format(
        "sierra-dom", "Sierra trades with DOM", lambda m: {"depthsequence", "tradetype"} <= set(_names(m))
    ),
    Format("vix", "VIX daily closes", is_vix_daily, read_vix),
    Format("bars-csv", "bars in CSV", lambda m: is_bar_header(_names(m)), read_bar_csv),
    Format("tick-csv", "trades in CSV", _is_tick_csv),
    Format("lean", "Lean minute data", _is_lean),
    Format("lobster", "LOBSTER messages or book", _is_lobster),
)


def format_named(name: str) -> Format:
    """Return the format of a name given by the user.

    Raises
    ------
    InputError
        If there is none.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    raise InputError("unknown format", field="format", value=name, rule=", ".join(f.name for f in FORMATS))


def recognise(member: Member) -> Format | None:
    """Return the format of a member by its content, None if no one knows it."""
    return next((known for known in FORMATS if known.matches(member)), None)


def unknown(member: Member) -> FormatError:
    """Return the error for content nobody knows."""
    return FormatError("no reader knows this content", path=member.path, offset=0, value=member.data[:48],
                       rule="; ".join(known.title for known in FORMATS),
                       way_out="check the file, or name its format with --format")  # fmt: skip


def not_yet(known: Format, path: str) -> FormatError:
    """Return the error for a format that this version only recognises."""
    return FormatError(f"{known.title} is not yet read by this version", path=path, field="format", value=known.name,
                       rule="read: " + ", ".join(f.name for f in FORMATS if f.read or f.name == RECORDING))  # fmt: skip
