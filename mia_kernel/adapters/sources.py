"""One front to every recorded source: a file, a folder, a stored day; what it is, is told by its content.

`open_source("day.zip")` unwraps, recognises, reads, checks and joins; `open_recording` adds the `--with`
sources and the catalog; `read_parts` gives the importer every contract.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from mia_kernel.adapters.beside import merge_sources
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.companions import companions, gather
from mia_kernel.adapters.formats import RECORDING, Format, format_named, of_options, recognise, unknown
from mia_kernel.adapters.join import choose, join_folder
from mia_kernel.adapters.meter import drawn
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.quality import QualityParams
from mia_kernel.adapters.recorded import is_session, read_session
from mia_kernel.adapters.replay import read_recording
from mia_kernel.adapters.sierra_config import FILE_NAME, with_rule
from mia_kernel.adapters.stamps import check_zone
from mia_kernel.adapters.synthetic import SCHEME, open_synthetic
from mia_kernel.adapters.user_tables import kind_of, lay_beside
from mia_kernel.adapters.wrappers import Member, members, read_bytes
from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.core.events import Recording, SourceInfo

_LIVE = ("ibkr:", "gateway:", "sierra:")
_SNIFFED = 3


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is, by its content."""

    path: str
    name: str
    title: str
    readable: bool


def sniff(path: str | Path) -> Sniffed:
    """Return what a file is; formats of later versions are named too (`readable` is False).

    Raises
    ------
    FormatError
        If no format is recognised.
    """
    first = None
    for member in islice(members(Path(path)), _SNIFFED):
        known = recognise(member)
        if known is not None:
            readable = known.read is not None or known.name == RECORDING
            return Sniffed(str(path), known.name, known.title, readable)
        first = first or member
    if first is None:
        raise FormatError("the archive is empty", path=str(path), rule="at least one file inside")
    raise unknown(first)


__all__ = ["Sniffed", "merge_sources", "open_recording", "open_source", "read_folder", "read_parts", "sniff"]


def open_recording(
    uri: str | Path,
    extras: Sequence[str | Path] = (),
    *,
    symbol: str | None = None,
    tz: str | None = None,
    fmt: str | None = None,
    home: Path | None = None,
    progress: bool = False,
) -> Recording:
    """Return a source with its `--with` sources beside it; stored days are looked up below `home`.

    Parameters
    ----------
    uri, symbol, tz, fmt, progress
        As for `open_source`.
    extras : iterable of str or Path
        Further sources: NQ, VIX, option chains, levels of others, economic events (`user_tables`). `symbol` is
        for the first source alone; these must say theirs.
    home : Path, optional
        `MIA_HOME`; its `data/events` holds the catalog.
    """
    catalog = None if home is None else Catalog(home / "data")
    primary = open_source(uri, symbol=symbol, tz=tz, fmt=fmt, catalog=catalog, progress=progress)
    chains = _chains_among(extras := list(extras))
    extras = [extra for extra in extras if Path(extra) not in chains]
    tables = {Path(extra): kind for extra in extras if (kind := kind_of(Path(extra))) is not None}
    beside = [
        open_source(extra, tz=tz, catalog=catalog, progress=progress)
        for extra in extras
        if Path(extra) not in tables
    ]
    recording = merge_sources(primary, beside)
    for path, kind in tables.items():
        recording = lay_beside(recording, path, kind)
    stored = home if home is not None and _is_stored_day(uri) else None
    return _with_chains(recording, list(itertools.chain(*chains.values())), stored)


# What knows chains is loaded late: gamma and what it computes with cost a quarter of a second of every start.


def _chains_among(extras: Sequence[str | Path]) -> dict[Path, list[Path]]:
    """Return the extras that are option chains, with the files of each."""
    if not extras:
        return {}
    from mia_kernel.adapters.chain_views import chain_files

    return {Path(extra): list(files) for extra in extras if (files := chain_files(Path(extra)))}


def _with_chains(recording: Recording, files: Sequence[Path], home: Path | None) -> Recording:
    """Return the recording with these chains beside it, else with those stored in `home` for its time."""
    if not files and home is None:
        return recording
    from mia_kernel.adapters.chain_history import FOLDER
    from mia_kernel.adapters.chain_views import lay_read_chains, stored_chains, stored_tapes
    from mia_kernel.adapters.chains import read_chain

    found, tapes = [read_chain(path) for path in files], []
    if not found and home is not None:
        rows = recording.events["ts_recv"]
        found = stored_chains(home / "data" / FOLDER, int(rows[0]), int(rows[-1]))
        tapes = stored_tapes(home / "data" / FOLDER, int(rows[-1])) if found else []
    return lay_read_chains(recording, found, tapes) if found else recording


def _is_stored_day(uri: str | Path) -> bool:
    """Tell whether a source is a day of the catalog: it brings the chains stored for it along."""
    text = str(uri)
    return text.startswith("replay:") and not Path(text.removeprefix("replay:")).exists()


def open_source(
    uri: str | Path,
    *,
    symbol: str | None = None,
    tz: str | None = None,
    fmt: str | None = None,
    catalog: Catalog | None = None,
    quality: QualityParams | None = None,
    progress: bool = False,
) -> Recording:
    """Return the rows of a recorded source in merge order, with what is known of it.

    Parameters
    ----------
    uri : str or Path
        A file or folder, `synthetic:SEED`, `synthetic:matched-SEED`, `replay:PATH`, or `replay:DAY` (needs
        `catalog`), for example `replay:2019-08-09`.
    symbol : str, optional
        Product (`ES`) or contract (`ESU19`) where the source does not say it, or to choose one of several.
    tz : str, optional
        Zone of naive stamps that the session hours do not prove.
    fmt : str, optional
        Name of the format where content alone should not decide.
    catalog : Catalog, optional
        Where stored days are.
    quality : QualityParams, optional
        Limits of the checks.
    progress : bool
        Show bars on a terminal during long work.

    Raises
    ------
    InputError, FormatError, DataError
        With path, line or offset, value, rule and way out.
    """
    ask = Ask(symbol, None if tz is None else check_zone(tz), quality or QualityParams())
    if progress:
        ask = replace(ask, meter=drawn(Path(str(uri)).name))
    text = str(uri)
    if text.startswith(_LIVE):
        raise InputError("a live source cannot be opened as a recording", path=text, rule="a file, folder or replay:",
                         way_out="mia run --source")  # fmt: skip
    if text.startswith("replay:"):
        rest = text.removeprefix("replay:")
        if not Path(rest).exists():
            if catalog is None:
                raise InputError("no such file, and no catalog to look the day up in", path=text,
                                 way_out="mia data ls shows the stored days")  # fmt: skip
            return catalog.read_uri(rest)
        text = rest
    if text.startswith(SCHEME):
        return open_synthetic(text)
    path = Path(text)
    if is_session(path):
        return read_session(path)
    if path.is_dir():
        return _open_folder(path, ask, fmt)
    found, source_hash = gather(path)
    known = _format_of(found, fmt, path)
    if known.name == RECORDING:
        stored = read_recording(found[0])
        return replace(stored, source=_replayed(stored.source, source_hash))
    part = choose(_read(known, found, ask), ask, str(path))
    ask.meter.finish()
    if len(part.events) == 0:
        raise DataError(
            "no usable row in the file", path=str(path), rule="; ".join(part.verdict.causes) or None
        )
    return Recording(part.events, replace(part.source, content_sha256=source_hash))


def _replayed(source: SourceInfo, source_hash: str) -> SourceInfo:
    return replace(
        source, tag="synthetic" if source.tag == "synthetic" else "replay", content_sha256=source_hash
    )


def read_parts(path: Path, ask: Ask, fmt: str | None = None, data: bytes | None = None) -> list[Part]:
    """Return every contract of one file as a part.

    Raises
    ------
    FormatError
        If the content is unknown, or a format of a later version.
    """
    return parts_of(gather(path, data)[0], path, ask, fmt)


def parts_of(found: list[Member], path: Path, ask: Ask, fmt: str | None = None) -> list[Part]:
    """Return every contract of a source whose plain files are read already."""
    return _read(_format_of(found, fmt, path), found, ask)


def _format_of(found: list[Member], fmt: str | None, path: Path) -> Format:
    if not found:
        raise FormatError("the archive is empty", path=str(path), rule="at least one file inside")
    if fmt is not None:
        return format_named(fmt)
    for member in found[:_SNIFFED]:
        known = recognise(member)
        if known is not None:
            return known
    raise unknown(found[0])


def _read(known: Format, found: list[Member], ask: Ask) -> list[Part]:
    if known.read is None:
        raise of_options(known, found[0].path)
    if len(found) > 1:
        for member in found:
            if not member.data:
                raise FormatError("a file inside the archive is empty", path=member.path, offset=0)
    try:
        return known.read(found, with_rule(ask, found[0].path))
    except InputError as error:
        if error.path is not None:
            raise
        raise _named(error, found[0].path.split("!")[0]) from error


def _named(error: InputError, path: str) -> InputError:
    """Return an error of the core (a date outside the calendar) with the file it came from."""
    return type(error)(error.message, path=path, line=error.line, offset=error.offset, field=error.field,
                       value=error.value, rule=error.rule, way_out=error.way_out)  # fmt: skip


def _open_folder(path: Path, ask: Ask, fmt: str | None) -> Recording:
    files = sorted(
        file
        for file in path.iterdir()
        if file.is_file() and not file.name.startswith(".") and file.name != FILE_NAME
    )
    if not files:
        raise InputError(
            "the folder holds no file", path=str(path), rule="one source is one file or one folder of them"
        )
    parts, hashes = read_folder(files, ask, fmt)
    recording = join_folder(parts, ask, str(path))
    digest = hashlib.sha256("".join(hashes).encode()).hexdigest()
    return replace(recording, source=replace(recording.source, content_sha256=digest))


def read_folder(files: Iterable[Path], ask: Ask, fmt: str | None) -> tuple[list[Part], list[str]]:
    """Return the parts of several files and the content hash of each.

    A short file whose hours prove no zone takes the one that all its neighbours prove. Files of another
    product than the one asked for are passed over.
    """
    parts: list[Part] = []
    hashes: list[str] = []
    waiting: list[tuple[Path, bytes, InputError]] = []
    others: list[InputError] = []
    for file in files:
        if companions(file)[0] != file:
            continue  # read with the first file of its source
        data = read_bytes(file)
        hashes.append(hashlib.sha256(data).hexdigest())
        try:
            parts += read_parts(file, ask, fmt, data)
        except InputError as error:
            if error.field == "symbol" and ask.symbol is not None:
                others.append(error)
            elif error.field == "tz" and ask.tz is None:
                waiting.append((file, data, error))
            else:
                raise
    zones = {part.source.zone for part in parts}
    for file, data, error in waiting:
        if len(zones) != 1:
            raise error
        parts += read_parts(file, replace(ask, tz=next(iter(zones))), fmt, data)
    if not parts and others:
        raise others[0]
    return parts, hashes
