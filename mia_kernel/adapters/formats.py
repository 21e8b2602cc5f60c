"""The shelf of formats: each is recognised by its content, and read where this version can read it.

Adding one is a line in `FORMATS`: a name, what it is, how its first bytes look, and its reader (None:
files of options, read elsewhere). The first that matches wins, so narrow ones stand before wide ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters import marketdepth, scid
from mia_kernel.adapters.acsil import is_acsil, read_acsil
from mia_kernel.adapters.bars import is_bar_header, is_bar_text, read_bar_csv, read_bar_json, read_bar_parquet
from mia_kernel.adapters.cboe_csv import is_quote_table
from mia_kernel.adapters.cboe_json import is_delayed_quotes
from mia_kernel.adapters.cboe_long import is_contract_table
from mia_kernel.adapters.cme import is_cme, read_cme
from mia_kernel.adapters.databento import is_dbn, read_dbn
from mia_kernel.adapters.lean import is_lean, read_lean
from mia_kernel.adapters.lobster import is_lobster, read_lobster
from mia_kernel.adapters.parts import Ask, OptionFile, Part
from mia_kernel.adapters.recorded_parts import read_recordings
from mia_kernel.adapters.replay import is_recording
from mia_kernel.adapters.sierra import is_sierra_header, read_sierra
from mia_kernel.adapters.sierra_dom import is_sierra_dom, read_sierra_dom
from mia_kernel.adapters.table import PARQUET_DAMAGE, column_name, header_of
from mia_kernel.adapters.ticks import is_tick_csv, read_tick_csv
from mia_kernel.adapters.vix import is_vix_daily, read_vix
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError, InputError

Reader = Callable[[list[Member], Ask], list[Part]]

RECORDING = "mia-parquet"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file. `read` is None where it holds options, which the catalog does not keep."""

    name: str
    title: str
    matches: Callable[[Member], bool]
    read: Reader | None = None


def _names(member: Member) -> list[str]:
    return header_of(member.data)[0]


def _is_chain(member: Member) -> bool:
    head = member.data[:16_384]
    return is_quote_table(head) or is_contract_table(head) or is_delayed_quotes(head)


def _is_open_interest(member: Member) -> bool:
    head = member.data[:400]
    return b'"ticker"' in head and b'"pull_dates"' in head


def _is_option_figures(member: Member) -> bool:
    head = member.data[:600]
    return head.lstrip()[:1] == b"{" and b'"expiries"' in head and b'"oi"' in head


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
    Format("scid", "Sierra intraday records (.scid)", lambda m: m.data[:4] == scid.MAGIC, scid.read_scid),
    Format(
        "depth",
        "Sierra market depth (.depth)",
        lambda m: m.data[:4] == marketdepth.MAGIC,
        marketdepth.read_depth,
    ),
    Format(RECORDING, "MIA recording", lambda m: is_recording(m.data), read_recordings),
    Format("bars-parquet", "bars in Parquet", _is_bar_parquet, read_bar_parquet),
    Format("acsil", "Sierra ACSIL export", is_acsil, read_acsil),
    Format("chain", "option chain", _is_chain),
    Format("occ", "open interest of options (OCC)", _is_open_interest),
    Format("option-figures", "figures of option chains", _is_option_figures),
    Format("bars-json", "bars in JSON", _is_bar_json, read_bar_json),
    Format("sierra", "Sierra bar text", lambda m: is_sierra_header(_names(m)), read_sierra),
    Format("sierra-dom", "Sierra trades with DOM", lambda m: is_sierra_dom(_names(m)), read_sierra_dom),
    Format("vix", "VIX daily closes", is_vix_daily, read_vix),
    Format("bars-csv", "bars in CSV", is_bar_text, read_bar_csv),
    Format("tick-csv", "trades in CSV", is_tick_csv, read_tick_csv),
    Format("lean", "Lean minute data", is_lean, read_lean),
    Format("lobster", "LOBSTER messages or book", is_lobster, read_lobster),
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


class UnknownContentError(FormatError):
    """No reader knows the content of a file."""


def unknown(member: Member) -> UnknownContentError:
    """Return the error for content nobody knows."""
    if member.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return UnknownContentError("the text is in UTF-16", path=member.path, offset=0, value=member.data[:8],
                           rule="text in UTF-8", way_out="save it again as UTF-8")  # fmt: skip
    return UnknownContentError("no reader knows this content", path=member.path, offset=0, value=member.data[:48],
                       rule="; ".join(known.title for known in FORMATS),
                       way_out="check the file, or name its format with --format")  # fmt: skip


def of_options(known: Format, path: str) -> OptionFile:
    """Return the error for a file of options: known and sound, and not for the catalog."""
    way = "mia options store keeps it, mia options levels reads it" if known.name == "chain" else None
    return OptionFile(f"{known.title}: options are not kept in the catalog", path=path, field="format",
                      value=known.name, rule="futures and their index", way_out=way)  # fmt: skip
