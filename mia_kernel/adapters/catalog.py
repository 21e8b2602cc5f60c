"""The catalog: market data by symbol, contract, trading day and kind, in immutable Parquet segments.

`add` takes the parts of one imported file, drops what is stored already, and publishes the rest at once
(`store`). `read_day` gives one trading day back as the rows it came from, with NQ and VIX of that day
beside it. Questions over many days go to `catalog_query`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters.beside import merge_sources
from mia_kernel.adapters.catalog_days import days_of, new_york_dates
from mia_kernel.adapters.catalog_stage import CODES, Packed, pack, stage, stage_tables
from mia_kernel.adapters.columns import from_table, source_from_json, source_to_json
from mia_kernel.adapters.join import richness
from mia_kernel.adapters.meter import Meter
from mia_kernel.adapters.parts import Part, split_symbol
from mia_kernel.adapters.stamps import parse_date
from mia_kernel.adapters.store import Manifest, Segment, Store
from mia_kernel.core import events as ev
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import EventArray, Recording, SourceInfo, Tag


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment with what is known of its source."""

    segment: Segment
    source: SourceInfo
    verdict: dict[str, Any]
    import_id: str


@dataclass(frozen=True, slots=True)
class _Index:
    """What is stored, for the question whether rows are new."""

    contents: frozenset[str]
    by_day: dict[tuple[tuple[object, ...], int, str], list[Stored]]


def _index(everything: list[Stored]) -> _Index:
    by_day: dict[tuple[tuple[object, ...], int, str], list[Stored]] = {}
    for stored in everything:
        key = (series_of(stored.source), stored.segment.day, stored.segment.kind)
        by_day.setdefault(key, []).append(stored)
    return _Index(frozenset(stored.segment.content for stored in everything), by_day)


def series_of(source: SourceInfo) -> tuple[object, ...]:
    """Return what makes segments parts of one series (two schemas of one vendor are two series)."""
    schema = next((note for note in source.notes if note.startswith("DBN schema")), None)
    return (
        source.symbol,
        source.contract,
        source.adapter,
        source.adjustment,
        source.carries.bar_seconds,
        schema,
    )


@dataclass(frozen=True, slots=True)
class Added:
    """What an import has put into the catalog. `rows_known` were stored already and not stored again."""

    import_id: str
    rows: int
    rows_known: int
    segments: int
    days: tuple[int, ...]


class Catalog:
    """Stored market data below `events` of a data folder (`MIA_HOME/data`)."""

    def __init__(self, data_folder: Path) -> None:
        self.store = Store(data_folder / "events")

    def holds(self, import_id: str) -> bool:
        """Return whether a file of this content hash was imported."""
        return any(manifest.import_id == import_id for manifest in self.store.manifests())

    def add(
        self, import_id: str, name: str, parts: Sequence[Part], imported_at: str, meter: Meter | None = None
    ) -> Added:
        """Store the parts of one file.

        Parameters
        ----------
        import_id : str
            sha256 of the file's bytes.
        name : str
            Its name, for people.
        parts : sequence of Part
            Its contracts.
        imported_at : str
            ISO time of the import.
        meter : Meter, optional
            Told how many of the rows are behind.

        Raises
        ------
        OutsideError
            If the disk refuses or another process writes; the catalog is then as before.
        """
        with self.store.writing() as staging:
            known = _index(self.stored())
            segments: list[Segment] = []
            staged: dict[str, Path] = {}
            sources: list[dict[str, Any]] = []
            skipped, behind, meter = 0, 0, meter or Meter()
            every = sum(part.rows for part in parts)
            for at, part in enumerate(parts):
                sources.append({"source": source_to_json(part.source), "verdict": part.verdict.to_json()})
                for day, rows in days_of(part):
                    for kind, code in CODES.items():
                        at_kind = rows["kind"] == code
                        if not at_kind.any():
                            continue
                        mine = rows if bool(at_kind.all()) else rows[at_kind]
                        packed = self._fresh(part.source, day, kind, mine, known)
                        skipped += len(mine) - len(packed.rows)
                        if len(packed.rows):
                            segments.append(stage(staging, staged, part.source, day, kind, packed, at))
                        del mine, packed
                    behind += len(rows)
                    meter.reach(behind, every)
                    del rows  # the next day is made before this name is given away
                new = stage_tables(staging, staged, part, at, known.contents)
                skipped += sum(map(len, part.tables.values())) - sum(segment.rows for segment in new)
                segments += new
            manifest = Manifest(import_id, name, imported_at, tuple(segments), tuple(sources))
            self.store.publish(manifest, staged)
        days = tuple(sorted({segment.day for segment in segments}))
        return Added(import_id, sum(segment.rows for segment in segments), skipped, len(segments), days)

    def _fresh(self, source: SourceInfo, day: int, kind: str, rows: EventArray, known: _Index) -> Packed:
        """Return the rows that are not stored yet: by equal content, or by time within the same series."""
        packed = pack(source, day, kind, rows)
        if packed.content in known.contents:
            return pack(source, day, kind, rows[:0])
        fresh = rows
        for stored in known.by_day.get((series_of(source), day, kind), []):
            if kind == "bars":
                fresh = fresh[~np.isin(fresh["ts_event"], self.load(stored)["ts_event"])]
            else:
                # Ticks have no key of their own: the time that a stored segment covers is taken as stored.
                inside = (fresh["ts_event"] >= stored.segment.first_ts) & (
                    fresh["ts_event"] <= stored.segment.last_ts
                )
                fresh = fresh[~inside]
        return packed if len(fresh) == len(rows) else pack(source, day, kind, fresh)

    def stored(self) -> list[Stored]:
        """Return every segment of the catalog in the order of import."""
        found: list[Stored] = []
        for manifest in self.store.manifests():
            known = [(source_from_json(entry["source"]), entry["verdict"]) for entry in manifest.sources]
            for segment in manifest.segments:
                source, verdict = known[segment.source]
                found.append(Stored(segment, source, verdict, manifest.import_id))
        return found

    def load(self, stored: Stored) -> EventArray:
        """Return the rows of one segment; CorruptError if the file was changed."""
        table = pq.ParquetFile(pa.BufferReader(self.store.read(stored.segment))).read()
        return from_table(table, CODES[stored.segment.kind])

    def symbols(self) -> list[str]:
        """Return the stored products."""
        return sorted({stored.segment.symbol for stored in self.stored()})

    def days(self, symbol: str) -> list[int]:
        """Return the trading days (yyyymmdd) stored for a product or contract, ascending."""
        root, contract = split_symbol(symbol)
        mine = [s for s in self.stored() if s.segment.kind in CODES and _is_of(s.segment, root, contract)]
        found = {s.segment.day for s in mine if not _is_year(s.segment.day)}
        for stored in (s for s in mine if _is_year(s.segment.day)):
            found |= {int(day) for day in new_york_dates(self.load(stored)["ts_event"])}
        return sorted(found)

    def read_uri(self, text: str) -> Recording:
        """Return the day of `2019-08-09`, `ES/2019-08-09` or `ESU19/20190809` (`:` serves as well as `/`).

        Raises
        ------
        InputError
            If the text is no day, the day is not stored, or several products hold it and none is named.
        """
        symbol, _, date = text.replace(":", "/").rpartition("/")
        number = parse_date(date)
        if number is None:
            raise InputError("no such file, and not a day", field="source", value=f"replay:{text}",
                             rule="replay:PATH, replay:2019-08-09 or replay:ES/2019-08-09",
                             way_out="mia data ls shows the stored days")  # fmt: skip
        day = int(str(np.datetime64(number, "D")).replace("-", ""))
        return self.read_day(symbol or self._only_product(day), day)

    def _only_product(self, day: int) -> str:
        mine = [s.segment for s in self.stored() if s.segment.day == day and s.segment.kind in CODES]
        found = sorted({segment.symbol for segment in mine} - {"VIX"})
        if "ES" in found:
            return "ES"
        if len(found) != 1:
            raise InputError("the day is not stored" if not found else "several products are stored for the day",
                             field="day", value=day, rule=f"stored products: {', '.join(found) or 'none'}",
                             way_out="mia data ls; replay:ES/2019-08-09 names the product")  # fmt: skip
        return found[0]

    def read_day(self, symbol: str, day: int) -> Recording:
        """Return one trading day of a product or contract, with the stored NQ and VIX of its time beside it.

        Of several series (ticks, bars of several lengths or authors) the one that tells most is taken; of
        several contracts the one of most volume.

        Raises
        ------
        InputError
            If the day is not stored.
        """
        everything = self.stored()
        primary = self._best(everything, symbol, day)
        if primary is None:
            root, contract = split_symbol(symbol)
            near = [d for d in self.days(symbol) if abs(d - day) < 10_000]
            held = f"{near[0]} to {near[-1]}" if near else "none within a year"
            raise InputError("the day is not stored", field="day", value=day,
                             rule=f"stored days of {contract or root}: {held}",
                             way_out="mia import the file that holds it, or mia data ls")  # fmt: skip
        extras = self._beside(everything, primary, day)
        return merge_sources(primary, extras)

    def _beside(self, everything: list[Stored], primary: Recording, day: int) -> list[Recording]:
        first, last = int(primary.events["ts_recv"][0]), int(primary.events["ts_recv"][-1])
        extras: list[Recording] = []
        if primary.source.symbol.removeprefix("M") == "ES":
            second = self._best(everything, "NQ", day)
            if (
                second is not None
                and bool((second.events["ts_recv"] >= first).any())
                and bool((second.events["ts_recv"] <= last).any())
            ):
                extras.append(second)
        index = self._index_values(everything, last)
        return extras if index is None else [*extras, index]

    def _index_values(self, everything: list[Stored], last: int) -> Recording | None:
        """Return the stored VIX values up to an instant, from the year of it and the year before."""
        year = int(new_york_dates(np.array([last]))[0]) // 10_000
        found = [
            s for s in everything if s.segment.symbol == "VIX" and year - 1 <= s.segment.day // 10_000 <= year
        ]
        if not found:
            return None
        rows = ev.merge([self.load(stored) for stored in found])
        rows = rows[rows["ts_recv"] <= last]
        if len(rows) == 0:
            return None
        rows["instrument"] = ev.VIX
        return Recording(rows, _replayed(found[-1].source, "replay:VIX", found))

    def _best(self, everything: list[Stored], symbol: str, day: int) -> Recording | None:
        root, contract = split_symbol(symbol)
        groups: dict[tuple[object, ...], list[Stored]] = {}
        for stored in everything:
            segment = stored.segment
            if segment.kind in CODES and segment.day == day and _is_of(segment, root, contract):
                groups.setdefault(series_of(stored.source), []).append(stored)
        if not groups:
            return None
        chosen = max(groups.values(), key=_worth)
        pieces = []
        for at, stored in enumerate(chosen):
            rows = self.load(stored)
            rows["seq"] += _rank(chosen, at) << 40
            pieces.append(rows)
        rows = ev.merge(pieces)
        rows["seq"] = np.arange(len(rows))
        rows["instrument"] = ev.PRIMARY
        return Recording(rows, _replayed(chosen[-1].source, f"replay:{root}/{day}", chosen))


def _replayed(source: SourceInfo, name: str, chosen: list[Stored]) -> SourceInfo:
    digest = hashlib.sha256("".join(stored.segment.content for stored in chosen).encode()).hexdigest()
    tag: Tag = "synthetic" if source.tag == "synthetic" else "replay"
    return replace(source, tag=tag, name=name, content_sha256=digest)


def _rank(chosen: list[Stored], at: int) -> int:
    """Return the position of a segment's import: rows of one import keep their own numbers among each other."""
    imports = list(dict.fromkeys(stored.import_id for stored in chosen))
    return imports.index(chosen[at].import_id)


def _worth(group: list[Stored]) -> tuple[Any, ...]:
    volume = sum(stored.segment.volume for stored in group)
    return (
        richness(group[0].source),
        volume,
        sum(stored.segment.rows for stored in group),
        group[0].segment.content,
    )


def _is_of(segment: Segment, root: str, contract: str | None) -> bool:
    return segment.symbol == root and contract in (None, segment.contract)


def _is_year(day: int) -> bool:
    return day % 10_000 == 0
