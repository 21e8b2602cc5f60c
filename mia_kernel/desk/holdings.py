"""What do I own, how good is it, where are the holes: the catalog seen from a notebook.

`mia.sql(...)` asks it in SQL; `mia.holdings()` gives the tables that `01_data_quality` draws: series, days by
calendar, silences inside sessions, sides against quotes, and what the checks repaired, set aside or refused.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mia_kernel.adapters import catalog_query
from mia_kernel.adapters.catalog import Catalog, Stored
from mia_kernel.adapters.importing import ImportResult, import_sources
from mia_kernel.adapters.planted import plant_files
from mia_kernel.adapters.silence import gaps_inside_sessions, in_sessions
from mia_kernel.core import events as ev
from mia_kernel.core.errors import InputError
from mia_kernel.core.instrument import INSTRUMENTS
from mia_kernel.core.session import sessions
from mia_kernel.settings import load

_KINDS = ("trades", "quotes", "book", "bars")


def sql(query: str, *, home: str | Path | None = None) -> pd.DataFrame:
    """Return the answer of a DuckDB query over what is stored.

    Parameters
    ----------
    query : str
        Over the views `trades`, `quotes`, `book`, `bars` and one per table kind (`definition`, `study_vwap`, …).
        Each has `time` (UTC), symbol, contract, day and prices in points beside the ticks.
    home : str or Path, optional
        Default: `MIA_HOME`.

    Raises
    ------
    InputError
        If DuckDB refuses the query.
    """
    return catalog_query.sql(_catalog(home), query)


def holdings(
    source: str | Path | None = None, *, symbol: str | None = None, tz: str | None = None
) -> Holdings:
    """Return what is owned.

    Parameters
    ----------
    source : str or Path, optional
        A folder or file to import into a catalog of its own first, which is gone when this process ends,
        `synthetic:` for planted SYNTHETIC files with every defect there is, or nothing: the catalog of MIA_HOME.
    symbol, tz : str, optional
        As for `mia import`.
    """
    if source is None:
        return Holdings(_catalog(None), ())
    scratch = Path(tempfile.mkdtemp(prefix="mia-holdings-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    files: Path = Path(source)
    if str(source).startswith("synthetic:"):
        files = plant_files(scratch / "files", seed=int(str(source).removeprefix("synthetic:") or 1))
    catalog = Catalog(scratch / "data")
    imported = import_sources([files], catalog, symbol=symbol, tz=tz)
    return Holdings(catalog, imported, synthetic=files != Path(source))


def _catalog(home: str | Path | None) -> Catalog:
    return Catalog(load().settings.data_folder if home is None else Path(home) / "data")


class Holdings:
    """The catalog as tables. Every table is empty, not absent, where nothing is stored."""

    def __init__(
        self, catalog: Catalog, imported: Iterable[ImportResult], *, synthetic: bool = False
    ) -> None:
        self.catalog = catalog
        self.imported = tuple(imported)
        self._planted = synthetic

    @cached_property
    def synthetic(self) -> bool:
        """Whether any of it is SYNTHETIC."""
        return self._planted or any(stored.source.tag == "synthetic" for stored in self.stored)

    @cached_property
    def stored(self) -> list[Stored]:
        """Every segment."""
        return self.catalog.stored()

    @property
    def series(self) -> pd.DataFrame:
        """One row per series: days, first, last, absent sessions, rows, worst score, sides, causes."""
        rows = pd.DataFrame([asdict(series) for series in catalog_query.health(self.catalog)])
        for name in rows.columns.intersection(["first_day", "last_day"]):
            rows[name] = rows[name].map(catalog_query.day_text)
        return rows

    @property
    def days(self) -> pd.DataFrame:
        """One row per series and trading day, with rows, volume and score."""
        return pd.DataFrame([asdict(entry) for entry in catalog_query.list_days(self.catalog)])

    def calendar(self, symbol: str = "ES") -> pd.DataFrame:
        """Return one row per session from the first to the last stored day: `score` NaN where nothing is stored.

        Columns: day (yyyymmdd), date, score, rows, due (a session of the exchange's calendar that lies between the
        first and last day of some file: where no file reaches, nothing is missing).
        """
        days = self.days
        mine = days[(days["symbol"] == symbol) & (days["day"] % 10_000 > 0)] if len(days) else days
        if len(mine) == 0:
            raise InputError("nothing is stored of it", field="symbol", value=symbol, way_out="mia import")
        found = mine.groupby("day").agg(score=("score", "max"), rows=("rows", "sum"))
        calendar = sessions()["trading_day"]
        due = calendar[(calendar >= found.index.min()) & (calendar <= found.index.max())]
        out = pd.DataFrame({"day": np.union1d(due, found.index.to_numpy())}).set_index("day")
        out = out.join(found)
        reached = np.zeros(len(out), np.bool_)
        for first, last in self._spans(symbol):
            reached |= (out.index >= first) & (out.index <= last)
        out["due"] = np.isin(out.index, due) & reached
        out["date"] = pd.to_datetime(out.index.astype(str))
        return out.reset_index()

    def _spans(self, symbol: str) -> list[tuple[int, int]]:
        """Return first and last day of each imported file."""
        days: dict[str, list[int]] = {}
        for stored in self.stored:
            if stored.segment.symbol == symbol and stored.segment.day % 10_000:
                days.setdefault(stored.import_id, []).append(stored.segment.day)
        return [(min(held), max(held)) for held in days.values()]

    def gaps(self, symbol: str = "ES", *, seconds: float = 60.0) -> pd.DataFrame:
        """Return the silences inside sessions longer than `seconds`: series, day, start, length in seconds."""
        found: list[dict[str, Any]] = []
        for stored in self.stored:
            segment = stored.segment
            if segment.symbol != symbol or segment.kind not in ("trades", "bars", "book", "quotes"):
                continue
            rows = self.catalog.load(stored)
            end = np.sort(rows["ts_event"])
            width = (stored.source.carries.bar_seconds or 0) * 1_000_000_000 if segment.kind == "bars" else 0
            begin, inside = in_sessions(end - width, end)
            end = end[inside]
            at, length = gaps_inside_sessions(begin[inside], end, max(seconds, 1.0))
            name = f"{segment.contract} {stored.source.adapter} {segment.kind}"
            for i, silent in zip(at.tolist(), length.tolist(), strict=True):
                start = pd.Timestamp(int(end[i - 1]), unit="ns", tz="UTC").tz_convert("America/New_York")
                found.append({"series": name, "day": segment.day, "start": start, "seconds": silent})
        return pd.DataFrame(found, columns=["series", "day", "start", "seconds"])

    @property
    def sides(self) -> pd.DataFrame:
        """One row per file and series with sides: decidable trades, share that agrees with the quote, the verdict."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for stored in self.stored:
            counts = stored.verdict["counts"]
            if stored.segment.kind not in ("trades", "bars") or stored.source.carries.aggressor == "none":
                continue
            key = (stored.import_id, stored.source.contract or stored.source.symbol)
            decidable = counts.get("side_decidable")
            rows[key] = {
                "series": f"{stored.source.contract or stored.source.symbol} {stored.source.adapter}",
                "kind": stored.segment.kind,
                "aggressor": stored.source.carries.aggressor,
                "decidable": decidable,
                "agree": counts["side_agree"] if decidable else 0,
                "agreement": counts["side_agree"] / decidable if decidable else np.nan,
                "late_quotes": counts.get("late_quotes", 0),
                "mismatched": counts.get("side_mismatch", 0),
            }
        return pd.DataFrame(list(rows.values()))

    @property
    def repairs(self) -> pd.DataFrame:
        """What the checks did, one row per file and finding: repaired, set aside, refused, passed over."""
        columns = ["file", "what", "finding", "rows", "text"]
        rows: list[tuple[str, str, str, int, str]] = []
        for name, verdict in self._verdicts():
            texts = dict(cause.split(": ", 1) for cause in verdict["causes"] if ": " in cause)
            for done in ("repaired", "quarantined"):
                rows += [
                    (name, done, what, count, texts.get(what, "")) for what, count in verdict[done].items()
                ]
        told = {"refused": "file", "options": "not for the catalog"}
        for r in (result for result in self.imported if result.status in told):
            text = (r.error or "").replace(f"{Path(r.path).parent}/", "")
            rows.append((Path(r.path).name, r.status, told[r.status], 0, text))
        return pd.DataFrame(rows, columns=columns)

    def _verdicts(self) -> list[tuple[str, dict[str, Any]]]:
        seen: dict[tuple[str, str | None], tuple[str, dict[str, Any]]] = {}
        for stored in self.stored:
            name = Path(stored.source.name.split("!")[0]).name
            seen[stored.import_id, stored.source.contract] = (name, stored.verdict)
        return list(seen.values())

    def bars(self, symbol: str = "ES") -> pd.DataFrame:
        """Return the stored bars of a product with prices in points, by time."""
        query = f"SELECT * FROM bars WHERE symbol = '{symbol.replace(chr(39), '')}' ORDER BY time"
        return catalog_query.sql(self.catalog, query)

    def rows(self, symbol: str = "ES") -> dict[str, int]:
        """Return stored rows by kind."""
        out = dict.fromkeys(_KINDS, 0)
        for stored in self.stored:
            if stored.segment.symbol == symbol and stored.segment.kind in out:
                out[stored.segment.kind] += stored.segment.rows
        return {kind: count for kind, count in out.items() if count}

    def ladder(self, symbol: str = "ES") -> pd.DataFrame:
        """Return traded volume by price in points over all stored trades and bar closes, the DOM of what is owned."""
        pieces: list[pd.DataFrame] = []
        for stored in self.stored:
            if stored.segment.symbol == symbol and stored.segment.kind in ("trades", "bars"):
                rows = self.catalog.load(stored)
                kind = ev.BAR if stored.segment.kind == "bars" else ev.TRADE
                mine = rows[rows["kind"] == kind]
                pieces.append(pd.DataFrame({"ticks": mine["px"], "volume": mine["sz"]}))
        if not pieces:
            return pd.DataFrame(columns=["price", "volume"])
        ticks = np.concatenate([piece["ticks"].to_numpy() for piece in pieces])
        price, at = np.unique(ticks, return_inverse=True)
        volume = np.zeros(len(price), np.int64)
        np.add.at(volume, at, np.concatenate([piece["volume"].to_numpy() for piece in pieces]))
        return pd.DataFrame({"price": price * float(INSTRUMENTS[symbol].tick_size), "volume": volume})
