"""Questions to the catalog: what it holds, whether it is whole, tables by SQL, backup and export."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from mia_kernel.adapters.catalog import Catalog, Stored
from mia_kernel.adapters.columns import KINDS, to_table
from mia_kernel.adapters.store import MANIFESTS, outside
from mia_kernel.core import events as ev
from mia_kernel.core.errors import CorruptError, InputError, OutsideError
from mia_kernel.core.instrument import INSTRUMENTS
from mia_kernel.core.session import sessions

if TYPE_CHECKING:
    import pandas as pd

_PRICES = {
    "trades": {"price": "px"},
    "quotes": {"bid_price": "bid", "ask_price": "ask"},
    "book": {"bid_price": "bid", "ask_price": "ask"},
    "bars": {"open_price": "open", "high_price": "high", "low_price": "low", "close_price": "px"},
}


@dataclass(frozen=True, slots=True)
class DayEntry:
    """One line of `mia data ls`: a series on one trading day."""

    symbol: str
    contract: str
    day: int
    kinds: tuple[str, ...]
    rows: int
    volume: int
    adapter: str
    adjustment: str
    tag: str
    score: float | None


@dataclass(frozen=True, slots=True)
class SeriesHealth:
    """One line of `mia data health`: a series over all its days."""

    symbol: str
    contract: str
    adapter: str
    adjustment: str
    bar_seconds: int | None
    aggressor: str
    days: int
    first_day: int
    last_day: int
    missing_days: tuple[int, ...]
    rows: int
    bytes: int
    worst_score: float | None
    causes: tuple[str, ...]
    kinds: tuple[str, ...] = ()


def day_text(day: int) -> str:
    """Return a trading day as YYYYMMDD; daily values are kept by the year, told as YYYY."""
    return str(day // 10_000) if day % 10_000 == 0 else str(day)


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of reading every stored file against its hash."""

    checked: int
    bytes: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Return whether nothing is missing or changed."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished, verified copy."""

    path: str
    files: int
    bytes: int
    verified: bool


def to_json(value: Any) -> Any:
    """Return a result of this file (or a list of them) as plain JSON values."""
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return asdict(value)


def list_days(catalog: Catalog) -> list[DayEntry]:
    """Return what is stored, by product, day and series."""
    groups: dict[tuple[object, ...], list[Stored]] = {}
    for stored in catalog.stored():
        segment = stored.segment
        key = (
            segment.symbol,
            segment.day,
            segment.contract,
            stored.source.adapter,
            stored.source.carries.bar_seconds,
        )
        groups.setdefault(key, []).append(stored)
    return [_day_entry(group) for _, group in sorted(groups.items(), key=lambda item: str(item[0]))]


def _day_entry(group: list[Stored]) -> DayEntry:
    first = group[0]
    return DayEntry(
        symbol=first.segment.symbol,
        contract=first.segment.contract,
        day=first.segment.day,
        kinds=tuple(sorted({stored.segment.kind for stored in group})),
        rows=sum(stored.segment.rows for stored in group),
        volume=sum(stored.segment.volume for stored in group),
        adapter=first.source.adapter,
        adjustment=first.source.adjustment,
        tag=first.source.tag,
        score=_worst(group),
    )


def _worst(group: list[Stored]) -> float | None:
    scores = [stored.verdict["score"] for stored in group if stored.verdict.get("score") is not None]
    return min(scores) if scores else None


def health(catalog: Catalog) -> list[SeriesHealth]:
    """Return each series with its absent sessions, size and worst verdict."""
    groups: dict[tuple[object, ...], list[Stored]] = {}
    for stored in catalog.stored():
        source = stored.source
        key = (
            stored.segment.symbol,
            stored.segment.contract,
            source.adapter,
            source.carries.bar_seconds or 0,
        )
        groups.setdefault(key, []).append(stored)
    return [_series_health(group) for _, group in sorted(groups.items(), key=lambda item: str(item[0]))]


def _series_health(group: list[Stored]) -> SeriesHealth:
    first = group[0]
    days = sorted({stored.segment.day for stored in group})
    calendar = sessions()["trading_day"]
    due = (
        calendar[(calendar >= days[0]) & (calendar <= days[-1])]
        if first.segment.symbol != "VIX"
        else np.array(days)
    )
    causes = dict.fromkeys(cause for stored in group for cause in stored.verdict.get("causes", ()))
    return SeriesHealth(
        symbol=first.segment.symbol,
        contract=first.segment.contract,
        adapter=first.source.adapter,
        adjustment=first.source.adjustment,
        bar_seconds=first.source.carries.bar_seconds,
        aggressor=first.source.carries.aggressor,
        days=len(days),
        first_day=days[0],
        last_day=days[-1],
        missing_days=tuple(int(day) for day in np.setdiff1d(due, days)),
        rows=sum(stored.segment.rows for stored in group),
        bytes=sum(stored.segment.bytes for stored in group),
        worst_score=_worst(group),
        causes=tuple(causes),
        kinds=tuple(sorted({stored.segment.kind for stored in group})),
    )


def show_day(catalog: Catalog, text: str) -> dict[str, Any]:
    """Return what is known of one stored day: rows by kind and instrument, time span, source, neighbours."""
    recording = catalog.read_uri(text)
    rows = recording.events
    kinds = {f"{KINDS[int(kind)]}": int((rows["kind"] == kind).sum()) for kind in np.unique(rows["kind"])}
    return {
        "source": recording.source.name,
        "symbol": recording.source.symbol,
        "contract": recording.source.contract,
        "tag": recording.source.tag,
        "adapter": recording.source.adapter,
        "adjustment": recording.source.adjustment,
        "notes": list(recording.source.notes),
        "beside": [source.symbol for source in recording.others],
        "first_event": iso(int(rows["ts_event"][0])),
        "last_event": iso(int(rows["ts_event"][-1])),
        "rows": len(rows),
        "kinds": kinds,
    }


def iso(ts: int) -> str:
    """Return ns UTC as ISO 8601 with offset."""
    return f"{np.datetime64(ts, 'ns')}+00:00"


def verify(catalog: Catalog) -> Verification:
    """Read every stored file and compare it with its hash."""
    problems: list[str] = []
    checked = size = 0
    for stored in catalog.stored():
        checked += 1
        try:
            size += len(catalog.store.read(stored.segment))
        except CorruptError as error:
            problems.append(str(error))
    return Verification(checked, size, tuple(problems))


def sql(catalog: Catalog, query: str) -> pd.DataFrame:
    """Return the answer of a DuckDB query over the views `trades`, `quotes`, `book`, `bars`.

    Each has the stored columns (prices in ticks), the partition columns symbol, contract, day, `time`
    (UTC) and prices in points (`price`, `bid_price`, …, `close_price`).

    Raises
    ------
    InputError
        If DuckDB refuses the query; its message is passed on.
    """
    with duckdb.connect() as connection:
        _create_views(catalog, connection)
        try:
            return connection.execute(query).df()
        except duckdb.Error as error:
            raise InputError("the query cannot be run", field="query", value=query[:200],
                             rule=str(error).splitlines()[0]) from error  # fmt: skip


def _create_views(catalog: Catalog, connection: duckdb.DuckDBPyConnection) -> None:
    # Stamps are shown in UTC whatever the machine's zone.
    connection.execute("SET TimeZone = 'UTC'")
    everything = catalog.stored()
    for code, kind in KINDS.items():
        if kind not in _PRICES:
            continue
        files = [str(catalog.store.root / s.segment.file) for s in everything if s.segment.kind == kind]
        if files:
            listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
            source = (f"read_parquet([{listed}], hive_partitioning = true, hive_types = "
                      "{'symbol': VARCHAR, 'contract': VARCHAR, 'day': INTEGER, 'kind': VARCHAR})")  # fmt: skip
        else:
            connection.register(f"empty_{kind}", to_table(ev.empty(0), code))
            source = f"(SELECT *, '' AS symbol, '' AS contract, 0 AS day, '' AS kind FROM empty_{kind})"
        scale = " ".join(f"WHEN '{root}' THEN {facts.tick_size}" for root, facts in INSTRUMENTS.items())
        prices = ", ".join(f"({column} * CASE symbol {scale} END)::DOUBLE AS {name}"
                           for name, column in _PRICES[kind].items())  # fmt: skip
        connection.execute(
            f"CREATE VIEW {kind} AS SELECT make_timestamp_ns(ts_event) AS time, *, {prices} FROM {source}"
        )
    for kind in sorted({s.segment.kind for s in everything} - set(KINDS.values())):
        files = [str(catalog.store.root / s.segment.file) for s in everything if s.segment.kind == kind]
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        connection.execute(
            f'CREATE VIEW "{kind}" AS SELECT make_timestamp_ns(ts_event) AS time, * FROM read_parquet([{listed}], '
            "hive_partitioning = true, union_by_name = true, "
            "hive_types = {'symbol': VARCHAR, 'contract': VARCHAR, 'day': INTEGER, 'kind': VARCHAR})"
        )


def export(catalog: Catalog, file: Path, *, symbol: str | None = None, kind: str = "bars") -> int:
    """Write one flat table (`.parquet` or `.csv`) of stored rows of a kind, ordered by time; return its rows.

    Raises
    ------
    InputError
        If the suffix or kind is unknown, or nothing is stored of it.
    OutsideError
        If the disk refuses.
    """
    if file.suffix not in (".parquet", ".csv") or kind not in _PRICES:
        raise InputError("unknown export", field="file", value=f"{file.name} of {kind}",
                         rule=f".parquet or .csv of {', '.join(_PRICES)}")  # fmt: skip
    where = "" if symbol is None else " WHERE symbol = $symbol OR contract = $symbol"
    table = f"SELECT * FROM {kind}{where} ORDER BY symbol, contract, ts_recv, seq"
    options = "FORMAT parquet, COMPRESSION zstd" if file.suffix == ".parquet" else "FORMAT csv, HEADER"
    part = file.with_name(f"{file.name}.part")
    with duckdb.connect() as connection:
        _create_views(catalog, connection)
        values = {} if symbol is None else {"symbol": symbol}
        counted = connection.execute(f"SELECT count(*) FROM {kind}{where}", values).fetchone()
        rows = 0 if counted is None else int(counted[0])
        if rows == 0:
            raise InputError("nothing to export", field="kind", value=kind, rule="a kind that is stored",
                             way_out="mia data ls shows what is stored")  # fmt: skip
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            name = str(part).replace("'", "''")
            connection.execute(f"COPY ({table}) TO '{name}' ({options})", values)
            os.replace(part, file)
        except (OSError, duckdb.IOException) as error:
            part.unlink(missing_ok=True)
            raise OutsideError(
                f"{file}: cannot be written: {error}; free space or choose another place"
            ) from error
    return rows


def backup(catalog: Catalog, folder: Path) -> Backup:
    """Copy the catalog to `folder/mia-data-HASH` and read the copy back against every hash.

    A copy of the same content is verified and kept. An unfinished one never gets the name.

    Raises
    ------
    CorruptError
        If the catalog or the finished copy does not match its hashes.
    OutsideError
        If the disk refuses; nothing is left behind.
    """
    everything = catalog.stored()
    if not everything:
        raise InputError("the catalog is empty", rule="something to copy", way_out="mia import first")
    broken = verify(catalog)
    if not broken.ok:
        raise CorruptError(f"the catalog itself is damaged: {broken.problems[0]}")
    content = hashlib.sha256("".join(sorted(s.segment.sha256 for s in everything)).encode()).hexdigest()
    target = folder / f"mia-data-{content[:16]}"
    if not target.exists():
        _copy(catalog, everything, target)
    copy = verify(Catalog(target))
    if not copy.ok:
        raise CorruptError(
            f"{target}: the copy does not match: {copy.problems[0]}; remove it and back up again"
        )
    return Backup(str(target), copy.checked, copy.bytes, verified=True)


def _copy(catalog: Catalog, everything: list[Stored], target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for file in [*(Path(s.segment.file) for s in everything), *_manifest_files(catalog)]:
            copy = Catalog(part).store.root / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(catalog.store.root / file, copy)
        os.replace(part, target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise outside(error, target) from error


def _manifest_files(catalog: Catalog) -> list[Path]:
    root = catalog.store.root
    return [file.relative_to(root) for file in sorted((root / MANIFESTS).glob("*.json"))]
