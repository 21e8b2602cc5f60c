"""Keep chains and their levels through time: append-only Parquet, one pair of files per snapshot.

How it moves: `add` writes the legs of a chain and one row of its levels under the instant and the content hash,
each published by a rename, so a reader sees a whole file or none. The row carries the definition version: levels
of another version are never mixed with these. The same content is stored once; nothing is ever overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.core.errors import CorruptError, InputError, OutsideError
from mia_kernel.gamma.chain import LEG_DTYPE, Chain, make_chain
from mia_kernel.gamma.exposures import new_york_day
from mia_kernel.gamma.summary import DEFINITION_VERSION, GammaLevels, levels_of

FOLDER = "options"
_META = b"mia_chain"


@dataclass(frozen=True, slots=True)
class StoredChain:
    """One snapshot on disk."""

    path: Path
    as_of: int
    underlying: str


class ChainHistory:
    """The snapshots below a folder (`data/options` in MIA_HOME)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, chain: Chain) -> tuple[StoredChain, bool]:
        """Store a chain and its levels; return where, and whether it was new.

        Raises
        ------
        InputError
            If the chain has no content hash: nothing could tell it from another one.
        DataError
            If nothing in it is live.
        """
        if chain.content_sha256 is None:
            raise InputError(
                "a chain without a content hash cannot be stored", path=chain.source, field="content_sha256"
            )
        stem = f"{chain.underlying}_{chain.as_of // 1_000_000_000}_{chain.content_sha256[:16]}"
        folder = self.folder / "chains" / str(new_york_day(chain.as_of) // 10_000)
        path = folder / f"{stem}.parquet"
        stored = StoredChain(path, chain.as_of, chain.underlying)
        is_new = not path.exists()
        if is_new:
            _publish(path, _chain_table(chain))
        row = self._level_path(stem)
        if not row.exists():
            _publish(row, _level_table(levels_of(chain)))
        return stored, is_new

    def snapshots(self, underlying: str = "SPX") -> list[StoredChain]:
        """Return what is stored of an underlying, by time."""
        found = [
            StoredChain(path, int(path.stem.split("_")[1]) * 1_000_000_000, underlying)
            for path in self.folder.glob(f"chains/*/{underlying}_*.parquet")
        ]
        return sorted(found, key=lambda stored: (stored.as_of, stored.path.name))

    def read(self, stored: StoredChain) -> Chain:
        """Return a stored chain.

        Raises
        ------
        CorruptError
            If the file is damaged or not ours.
        """
        try:
            table = pq.read_table(stored.path)
            meta: dict[str, Any] = json.loads((table.schema.metadata or {})[_META])
        except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
            raise CorruptError(f"{stored.path}: not a stored chain: {error}") from None
        names = [name for name in LEG_DTYPE.names or () if name in table.column_names]
        columns = {name: table.column(name).to_numpy() for name in names if name != "root"}
        roots = np.array(table.column("root_name").to_pylist(), np.str_)
        for derived in ("settle_ns", "am"):
            columns.pop(derived, None)
        return make_chain(columns, roots, as_of=int(meta["as_of"]), spot=float(meta["spot"]),
                          underlying=meta["underlying"], source=meta["source"], kind=meta["kind"],
                          notes=tuple(meta["notes"]), unreadable_rows=int(meta["unreadable_rows"]),
                          content_sha256=meta["content_sha256"])  # fmt: skip

    def levels(self, underlying: str = "SPX") -> pa.Table:
        """Return one row per snapshot of the present definition version, by time; computes what is missing.

        Columns are those of `level_row`. Rows of an older definition stay on disk and are not in the table.
        """
        tables: list[pa.Table] = []
        for stored in self.snapshots(underlying):
            row = self._level_path(stored.path.stem)
            if not row.exists():
                _publish(row, _level_table(levels_of(self.read(stored))))
            tables.append(pq.read_table(row))
        if not tables:
            raise InputError("no chain is stored", path=str(self.folder), field="underlying", value=underlying,
                             way_out="mia options store FILE")  # fmt: skip
        return pa.concat_tables(tables).sort_by("as_of")

    def _level_path(self, stem: str) -> Path:
        return self.folder / "levels" / f"v{DEFINITION_VERSION}" / f"{stem}.parquet"


def level_row(levels: GammaLevels) -> dict[str, Any]:
    """Return what is kept of a snapshot: levels, exposures, ratios, and the net exposure by strike near spot."""
    net, es = levels.walls["net"], levels.basis
    near = np.abs(levels.strikes.strike / levels.book.spot - 1.0) < 0.12
    return {
        "as_of": levels.book.now,
        "trading_day": new_york_day(levels.book.now),
        "underlying": levels.chain.underlying,
        "source": levels.chain.source,
        "spot": levels.book.spot,
        "net_gex": levels.net,
        "gross_gex": levels.gross,
        "dealer_position": levels.position,
        "call_wall": net.call,
        "put_wall": net.put,
        "zero_gamma": levels.zero.price,
        "vol_trigger_proxy": levels.vol_trigger,
        "hvl": levels.hvl,
        "expiring_share": levels.expiring_share,
        "atm_30": levels.surface.atm.get(30),
        "skew_30": levels.surface.skew_25.get(30),
        "term_slope": levels.surface.term_slope,
        "put_call_volume": levels.ratios["all_rows"]["volume"],
        "basis_ratio": None if es is None else es.ratio,
        "confidence": levels.confidence.score,
        "partial": bool(levels.chain.defects.partial),
        "strike": levels.strikes.strike[near].tolist(),
        "net_by_strike": levels.strikes.net[near].tolist(),
        "expiry": [row["expiry"] for row in levels.expiries],
        "am": [row["settlement"] == "AM" for row in levels.expiries],
        "gross_by_expiry": [row["gross_gex"] for row in levels.expiries],
        "definition_version": DEFINITION_VERSION,
    }


_ROW = pa.schema(
    [
        ("as_of", pa.int64()), ("trading_day", pa.int32()), ("underlying", pa.string()), ("source", pa.string()),
        *((name, pa.float64()) for name in ("spot", "net_gex", "gross_gex")), ("dealer_position", pa.int8()),
        *((name, pa.float64()) for name in (
            "call_wall", "put_wall", "zero_gamma", "vol_trigger_proxy", "hvl", "expiring_share", "atm_30", "skew_30",
            "term_slope", "put_call_volume", "basis_ratio", "confidence",
        )),
        ("partial", pa.bool_()), ("strike", pa.list_(pa.float64())), ("net_by_strike", pa.list_(pa.float64())),
        ("expiry", pa.list_(pa.int32())), ("am", pa.list_(pa.bool_())),
        ("gross_by_expiry", pa.list_(pa.float64())), ("definition_version", pa.string()),
    ]
)  # fmt: skip


def _level_table(levels: GammaLevels) -> pa.Table:
    return pa.Table.from_pylist([level_row(levels)], schema=_ROW)


def _chain_table(chain: Chain) -> pa.Table:
    columns: dict[str, Any] = {name: np.ascontiguousarray(chain.legs[name]) for name in LEG_DTYPE.names or ()}
    columns["root_name"] = np.array(chain.roots)[chain.legs["root"]]
    meta: Mapping[str, Any] = {
        "as_of": chain.as_of,
        "spot": chain.spot,
        "underlying": chain.underlying,
        "source": chain.source,
        "kind": chain.kind,
        "notes": chain.defects.notes,
        "unreadable_rows": chain.defects.unreadable_rows,
        "content_sha256": chain.content_sha256,
    }
    return pa.table(columns).replace_schema_metadata({_META: json.dumps(meta).encode()})


def _publish(path: Path, table: pa.Table) -> None:
    """Write beside, sync, rename: a file is whole or not there."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, beside, compression="zstd")
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be written: {error.strerror}") from None
