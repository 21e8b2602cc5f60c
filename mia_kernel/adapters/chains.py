"""One front to every file with an option chain: what it is, is told by its content.

`read_chain("quotedata.csv")` unwraps, recognises and reads; the chain carries its own defect report.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from mia_kernel.adapters.cboe_csv import Asked, is_quote_table, read_quote_table
from mia_kernel.adapters.cboe_json import is_delayed_quotes, read_delayed_quotes
from mia_kernel.adapters.cboe_long import is_contract_table, read_contract_table
from mia_kernel.adapters.lean_chain import read_lean_chain
from mia_kernel.adapters.occ import is_open_interest
from mia_kernel.adapters.stamps import iso_instant
from mia_kernel.adapters.wrappers import Member, members, read_bytes
from mia_kernel.core.errors import FormatError, InputError
from mia_kernel.gamma.chain import Chain

_HEAD = 1 << 14
_READABLE = "Cboe quote table or one contract a row (CSV), Cboe delayed quotes (JSON), a folder of Lean option minutes"


def read_chain(path: str | Path, asked: Asked | None = None) -> Chain:
    """Return the option chain of a file.

    Parameters
    ----------
    path : str or Path
        The file, plain or inside gz, zip, zst, xz; or a folder with the archives of a Lean day.
    asked : Asked, optional
        Instant and spot where the file does not say them.

    Raises
    ------
    FormatError
        If no reader knows the content, or it is open interest alone.
    DataError
        If time or spot is unknown, or there is no contract.
    """
    path = Path(path)
    asked = asked or Asked()
    if path.is_dir():
        return read_lean_chain(path, asked.at)
    data = read_bytes(path)
    found = list(members(path, data))
    if not found:
        raise FormatError("the archive is empty", path=str(path), rule="one chain inside")
    chain = _read(found[0], asked)
    return replace(chain, content_sha256=hashlib.sha256(data).hexdigest())


def instant_of(text: str | None) -> int | None:
    """Return a time the user gave in ns UTC, None where he gave none.

    Raises
    ------
    InputError
        If it is no ISO 8601 time with an offset.
    """
    if text is None:
        return None
    ts = iso_instant(text)
    if ts is None:
        raise InputError(
            "not a time", field="at", value=text, rule="ISO 8601 with offset: 2024-11-11T09:35:00-05:00"
        )
    return ts


def is_chain(member: Member) -> bool:
    """Tell whether a member is a chain this front reads."""
    head = member.data[:_HEAD]
    return is_delayed_quotes(head) or is_quote_table(head) or is_contract_table(head)


def _read(member: Member, asked: Asked) -> Chain:
    head = member.data[:_HEAD]
    if is_open_interest(head):
        raise FormatError("open interest by date alone: no quotes, no spot", path=member.path, value="OCC series",
                          rule=_READABLE, way_out="mia.options.open_interest(PATH) reads it")  # fmt: skip
    if is_delayed_quotes(head):
        return read_delayed_quotes(member.data, member.path, asked)
    if is_quote_table(member.data):
        return read_quote_table(member.data, member.path, asked)
    if is_contract_table(head):
        return read_contract_table(member.data, member.path, asked)
    raise FormatError("no reader knows this chain", path=member.path, offset=0, value=member.data[:48],
                      rule=_READABLE, way_out="export the quote table of the Cboe page")  # fmt: skip
