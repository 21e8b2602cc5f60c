"""Importing: files into the catalog, each with its verdict; a broken file stores nothing.

`import_sources` walks files and folders; a recorded session is one source. Every source ends as one
`ImportResult`: stored, already known, a file of options or one that only lies beside the data (named and passed
over), or refused with the error's text. The first error of the outside world (disk full) stops the walk, because the
next file would meet it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mia_kernel.adapters.asides import aside
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.companions import companions, gather
from mia_kernel.adapters.formats import UnknownContentError
from mia_kernel.adapters.meter import FilesBar, Meter
from mia_kernel.adapters.parts import Ask, OptionFile, Part
from mia_kernel.adapters.quality import QualityParams, Verdict
from mia_kernel.adapters.recorded_parts import session_parts
from mia_kernel.adapters.sources import parts_of
from mia_kernel.adapters.stamps import check_zone
from mia_kernel.adapters.stream_parts import stream_parts
from mia_kernel.adapters.streams import hash_of, large_stream
from mia_kernel.adapters.walk import find_sources
from mia_kernel.adapters.wrappers import UnreadableError
from mia_kernel.core import events as ev
from mia_kernel.core.errors import CorruptError, DataError, InputError, MiaError
from mia_kernel.core.session import trading_days_of

_UNPACKED, _READ = 0.05, 0.6
"""Shares of a file's work that are behind when it is unpacked and when it is read; the rest is storing."""

Status = Literal["stored", "known", "options", "aside", "refused"]


@dataclass(frozen=True, slots=True)
class ImportedPart:
    """One contract of an imported file."""

    symbol: str
    contract: str | None
    rows: int
    volume: int
    zone: str | None
    adjustment: str
    adjustment_note: str | None
    aggressor: str
    first_event: str | None
    last_event: str | None
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        value = {name: getattr(self, name) for name in self.__slots__ if name != "verdict"}
        return {**value, "verdict": self.verdict.to_json()}


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of one file.

    Attributes
    ----------
    status : str
        "stored", "known" (its content, or every row of it, was stored before), "options" (nothing is wrong with
        it, but it is of options; `error` says where they belong), "aside" (no market data: prose, a vendor's account
        of a download, a statement; `error` says what) or "refused".
    rows, rows_known : int
        Rows stored now, and rows of the file that were stored before and not stored again.
    error : str or None
        Why it was refused or passed over.
    asks : str or None
        "tz" or "symbol" where it was refused only for want of that word.
    together_with : tuple of str
        Further files of the same source that were read with it.
    exit_code : int
        0, or the code of the error.
    """

    path: str
    status: Status
    import_id: str | None = None
    adapter: str | None = None
    rows: int = 0
    rows_known: int = 0
    days: tuple[int, ...] = ()
    parts: tuple[ImportedPart, ...] = ()
    error: str | None = None
    exit_code: int = 0
    together_with: tuple[str, ...] = ()
    asks: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "path": self.path,
            "status": self.status,
            "import_id": self.import_id,
            "adapter": self.adapter,
            "rows": self.rows,
            "rows_known": self.rows_known,
            "days": list(self.days),
            "parts": [part.to_json() for part in self.parts],
            "error": self.error,
            "asks": self.asks,
            "together_with": list(self.together_with),
        }


def import_sources(
    paths: Iterable[str | Path],
    catalog: Catalog,
    *,
    symbol: str | None = None,
    fmt: str | None = None,
    tz: str | None = None,
    quality: QualityParams | None = None,
    progress: bool = False,
    watch: Callable[[Path, float], None] | None = None,
) -> list[ImportResult]:
    """Import files (and the files of folders) into the catalog.

    Parameters
    ----------
    paths : iterable of str or Path
        Files and folders.
    catalog : Catalog
        Where to.
    symbol, fmt, tz : str, optional
        Where a file does not say it.
    quality : QualityParams, optional
        Limits of the verdict.
    progress : bool
        Show a bar on a terminal.
    watch : callable, optional
        Called with a file and the share of it that is done, which grows to 1 for each file that is not refused.

    Returns
    -------
    list of ImportResult
        One per file, in order. A refused file does not stop the others; `worst_exit_code` sums up.

    Raises
    ------
    InputError
        If a path does not exist, or the zone or symbol given is none.
    OutsideError
        If the disk is full or another import runs; the catalog is as before the file.
    """
    ask = Ask(symbol, None if tz is None else check_zone(tz), quality or QualityParams())
    walked = [find_sources(path) for path in map(Path, paths)]
    given = [source for found in walked for source in found.sources]
    # Files that are one source together are imported with the first of them.
    files = list(dict.fromkeys(file if fmt or file.is_dir() else companions(file)[0] for file in given))
    results: list[ImportResult] = []
    retry: list[int] = []
    named = set(map(Path, paths))
    bar = FilesBar(files, shown=progress)
    for file in files:
        bar.begin(file)
        try:
            results.append(_import_file(file, catalog, _metered(ask, file, bar, watch), fmt))
        except OptionFile as error:
            # Meant by name it is an error; met in a folder it is only told.
            code = error.exit_code if file in named else 0
            results.append(ImportResult(str(file), "options", error=str(error), exit_code=code))
        except UnknownContentError as error:
            what = None if file in named else aside(file)
            results.append(
                _refused(file, error)
                if what is None
                else ImportResult(str(file), "aside", error=f"{file}: {what}")
            )
        except (InputError, CorruptError, UnreadableError) as error:
            if isinstance(error, InputError) and error.field == "tz" and tz is None:
                retry.append(len(results))
            results.append(_refused(file, error))
        bar.end(file)
    bar.close()
    for at in retry:
        results[at] = _retry_with_neighbours(files, at, results, catalog, ask, fmt)
    shut = [closed for found in walked for closed in found.closed]
    return results + [
        _refused(path, UnreadableError(f"{path}: cannot be opened: {why}")) for path, why in shut
    ]


def _metered(ask: Ask, file: Path, bar: FilesBar, watch: Callable[[Path, float], None] | None) -> Ask:
    def tell(share: float) -> None:
        bar.reach(file, share)
        if watch is not None:
            watch(file, share)

    return replace(ask, meter=Meter(tell))


def _refused(file: Path, error: MiaError) -> ImportResult:
    wanted = isinstance(error, InputError) and error.field in ("tz", "symbol") and error.value is None
    asks = error.field if isinstance(error, InputError) and wanted else None
    return ImportResult(str(file), "refused", error=str(error), exit_code=error.exit_code, asks=asks)


def worst_exit_code(results: Iterable[ImportResult]) -> int:
    """Return 2 if a file was refused, 3 if one could not be read, else 0."""
    return max((result.exit_code for result in results), default=0)


def _import_file(file: Path, catalog: Catalog, ask: Ask, fmt: str | None) -> ImportResult:
    if (stream := None if file.is_dir() else large_stream(file)) is not None:
        import_id = hash_of(file)
        if catalog.holds(import_id):
            return ImportResult(str(file), "known", import_id, rows_known=_rows_of(catalog, import_id))
        parts = stream_parts(stream, ask, fmt)
        if parts is not None:
            return _stored(file, import_id, parts, catalog, (), ask.meter)
    if file.is_dir():
        made, import_id = session_parts(file, ask.quality)
        together: tuple[str, ...] = ()
    else:
        found, import_id = gather(file)
        ask.meter.stage(_UNPACKED)
        ask.meter.reach(1, 1)
        together = tuple(str(other) for other in companions(file) if other != file)
        made = []
    if catalog.holds(import_id):
        rows = _rows_of(catalog, import_id)
        return ImportResult(str(file), "known", import_id, rows_known=rows, together_with=together)
    if not file.is_dir():
        ask.meter.stage(_READ)
        made = parts_of(found, file, ask, fmt)
        ask.meter.reach(1, 1)
    return _stored(file, import_id, made, catalog, together, ask.meter)


def _stored(
    file: Path, import_id: str, made: list[Part], catalog: Catalog, together: tuple[str, ...], meter: Meter
) -> ImportResult:
    parts = [part for part in made if part.rows or part.tables]
    if not parts:
        raise DataError(
            "no usable row in the file", path=str(file), rule="at least one row that passes the checks"
        )
    parts = [_with_measured_adjustment(part, catalog) for part in parts]
    stamp = datetime.now(UTC).isoformat(timespec="microseconds")
    meter.stage(1.0)
    added = catalog.add(import_id, file.name, parts, stamp, meter)
    meter.finish()
    status: Status = "stored" if added.rows else "known"
    return ImportResult(
        path=str(file),
        status=status,
        import_id=import_id,
        adapter=parts[0].source.adapter,
        rows=added.rows,
        rows_known=added.rows_known,
        days=added.days,
        parts=tuple(_summary(part) for part in parts),
        together_with=together,
    )


def _retry_with_neighbours(
    files: list[Path], at: int, results: list[ImportResult], catalog: Catalog, ask: Ask, fmt: str | None
) -> ImportResult:
    """Import a file whose own hours prove no zone with the zone that all files of its folder prove."""
    zones = {
        part.zone
        for file, result in zip(files, results, strict=True)
        if file.parent == files[at].parent
        for part in result.parts
    }
    if len(zones) != 1:
        return results[at]
    try:
        return _import_file(files[at], catalog, replace(ask, tz=zones.pop()), fmt)
    except InputError as error:
        return _refused(files[at], error)


def _rows_of(catalog: Catalog, import_id: str) -> int:
    return sum(stored.segment.rows for stored in catalog.stored() if stored.import_id == import_id)


def _summary(part: Part) -> ImportedPart:
    stamps = part.events["ts_event"]
    span = (int(stamps.min()), int(stamps.max())) if len(stamps) else None
    if part.sliced is not None:
        span = (part.sliced.first, part.sliced.last)
    note = next((note for note in part.source.notes if note.startswith("measured:")), None)
    return ImportedPart(
        symbol=part.source.symbol,
        contract=part.source.contract,
        rows=part.rows + sum(map(len, part.tables.values())),
        volume=part.volume,
        zone=part.source.zone,
        adjustment=part.source.adjustment,
        adjustment_note=note,
        aggressor=part.source.carries.aggressor,
        first_event=None if span is None else _iso(span[0]),
        last_event=None if span is None else _iso(span[1]),
        verdict=part.verdict,
    )


def _iso(ts: int) -> str:
    return f"{np.datetime64(ts, 'ns')}+00:00"


def _with_measured_adjustment(part: Part, catalog: Catalog) -> Part:
    """Compare a continuous bar series with stored contract prices of the same days; state what is measured."""
    source = part.source
    if source.adjustment == "contract" or not source.carries.bars or source.symbol == "VIX":
        return part
    days = np.unique(trading_days_of(part.events["ts_event"] - 1))
    stored = [
        s
        for s in catalog.stored()
        if s.source.adjustment == "contract" and s.segment.symbol == source.symbol and s.segment.day in days
    ]
    busiest: dict[int, int] = {}
    for s in stored:
        busiest[s.segment.day] = max(busiest.get(s.segment.day, 0), s.segment.volume)
    offsets: set[int] = set()
    told: list[str] = []
    for s in [s for s in stored if s.segment.volume == busiest[s.segment.day]][:40]:
        offset = price_offset(part.events, catalog.load(s))
        if offset is not None:
            offsets.add(offset)
            told.append(f"{offset:+d} ticks against {s.segment.contract} of {s.segment.day}")
    if not told:
        return part
    adjustment = source.adjustment if offsets == {0} else "back_adjusted"
    note = f"measured: {told[0]}" + (f" ({len(told)} days compared)" if len(told) > 1 else "")
    return replace(part, source=replace(source, adjustment=adjustment, notes=(*source.notes, note)))


def price_offset(bars: ev.EventArray, reference: ev.EventArray) -> int | None:
    """Return the constant distance in ticks (bars minus reference) of closes at common instants, else None.

    The reference is bars, or trades (its last price before each bar's end). The distance counts as constant
    if at least 30 closes are compared and 90 % of them show it.
    """
    bars = bars[bars["kind"] == ev.BAR]
    reference = reference[(reference["kind"] == ev.BAR) | (reference["kind"] == ev.TRADE)]
    if len(bars) == 0 or len(reference) == 0:
        return None
    if bool((reference["kind"] == ev.BAR).any()):
        _, mine, other = np.intersect1d(bars["ts_event"], reference["ts_event"], return_indices=True)
    else:
        inside = (bars["ts_event"] > reference["ts_event"][0]) & (
            bars["ts_event"] <= reference["ts_event"][-1]
        )
        mine = np.flatnonzero(inside)
        other = np.searchsorted(reference["ts_event"], bars["ts_event"][mine], side="right") - 1
    if len(mine) < 30:
        return None
    distance = bars["px"][mine].astype(np.int64) - reference["px"][other]
    values, counts = np.unique(distance, return_counts=True)
    best = int(np.argmax(counts))
    return int(values[best]) if counts[best] >= 0.9 * len(distance) else None
