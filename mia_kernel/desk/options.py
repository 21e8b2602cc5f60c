"""Read option chains from a notebook: levels of a file, history, studies on one's own days.

levels = mia.options.levels(PATH)          # walls, flip, surface; .to_dict() is the JSON of the command
table = mia.options.history()              # what is stored, one row per snapshot
mia.options.walls_held(table, SOURCE)      # did they hold, against random levels
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.cboe_csv import Asked
from mia_kernel.adapters.chain_history import FOLDER, ChainHistory, level_row
from mia_kernel.adapters.chain_views import chain_files
from mia_kernel.adapters.chains import instant_of, read_chain
from mia_kernel.adapters.occ import OpenInterest, read_open_interest
from mia_kernel.adapters.sources import open_source
from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.adapters.vendor_levels import read_vendor_levels
from mia_kernel.adapters.wrappers import read_bytes
from mia_kernel.analytics.sessions import regular_sessions
from mia_kernel.analytics.walls import SessionBars, cycle_study, did_it_hold
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import BAR, BAR_HIGH, BAR_LOW, BAR_OPEN, PRIMARY, TRADE
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.option_calendar import gamma_cycle, is_cash_day
from mia_kernel.core.session import new_york_ns, trading_day_of, trading_days_of
from mia_kernel.gamma.book import book_of
from mia_kernel.gamma.chain import CALL, MULTIPLIER, Chain
from mia_kernel.gamma.exposures import UNUSUAL_RATIO, UNUSUAL_VOLUME, new_york_day
from mia_kernel.gamma.field import Field, zero_dte_field
from mia_kernel.gamma.summary import GammaLevels, levels_of
from mia_kernel.gamma.usual import FlowFit, group_tape, open_interest_change, volume_scores
from mia_kernel.gamma.usual import flow_adjusted as adjust_by_flow
from mia_kernel.gamma.usual import flow_fit as measure_flow
from mia_kernel.gamma.view import valid_until
from mia_kernel.settings import load

__all__ = [
    "bars",
    "beside_vendor",
    "chain",
    "cycle_held",
    "evolution",
    "field",
    "flow_adjusted",
    "flow_fit",
    "history",
    "levels",
    "on_bars",
    "open_interest",
    "snapshots",
    "store",
    "synthetic",
    "unusual",
    "walls_held",
]

SYNTHETIC = "synthetic:"
_SYNTHETIC_DAYS = 10
_NOON = 720
_FAR = 0.08


def chain(path: str | Path, *, at: str | None = None, spot: float | None = None) -> Chain:
    """Return the option chain of a file, with its defect report in `.defects`.

    Parameters
    ----------
    path : str or Path
        A file, or `synthetic:SEED` for an invented chain that says so.
    at : str, optional
        ISO 8601 with offset: the instant of the snapshot where the file does not say it.
    spot : float, optional
        Price of the underlying where the file does not say it.
    """
    if str(path).startswith(SYNTHETIC):
        return synthetic(int(str(path).removeprefix(SYNTHETIC) or 7))
    return read_chain(path, Asked(instant_of(at), spot))


def synthetic(seed: int = 7, *, spot: float = 5360.0, day: int = 20240610) -> Chain:
    """Return a SYNTHETIC chain of a seed: every number in it is invented."""
    return synthetic_chain(seed, spot=spot, day=day)


def levels(
    source: str | Path | Chain, *, at: str | None = None, es: float | None = None, spot: float | None = None
) -> GammaLevels:
    """Return walls, flip, surface, ratios and their place on the future for a chain or the file of one.

    Parameters
    ----------
    source : str, Path or Chain
    at : str, optional
        ISO 8601 with offset: clocks are read then; default the chain's own instant.
    es : float, optional
        Price of the front ES contract at that instant; default the chain's own forward.
    spot : float, optional
        Price of the underlying where the file does not say it.
    """
    found = source if isinstance(source, Chain) else chain(source, at=at, spot=spot)
    return levels_of(found, at=instant_of(at), es=es)


def field(found: GammaLevels) -> Field:
    """Return what settles next, repriced over price and the clock to its settlement."""
    return zero_dte_field(found.book, found.sign)


def beside_vendor(found: GammaLevels, path: str | Path) -> pd.DataFrame:
    """Return our levels beside those a service published for the same symbol, and the difference in points."""
    told, theirs = found.to_dict(), read_vendor_levels(read_bytes(Path(path)), str(path))
    symbol = told["underlying"]
    if symbol not in theirs:
        raise InputError("no level for the chain's symbol", path=str(path), field="symbol", value=symbol,
                         rule="one of " + ", ".join(sorted(theirs)))  # fmt: skip
    rows = [
        {
            "level": kind,
            "ours": told[kind],
            "theirs": price,
            "difference": None if told[kind] is None else told[kind] - price,
        }
        for kind, price in theirs[symbol].items()
        if kind in told
    ]
    return pd.DataFrame(rows)


def unusual(
    source: str | Path | Chain,
    earlier: Sequence[str | Path | Chain] = (),
    after: str | Path | Chain | None = None,
) -> pd.DataFrame:
    """Return contracts with unusual volume, unsigned: against open interest, and against the days before.

    Parameters
    ----------
    source : str, Path or Chain
    earlier : sequence of str, Path or Chain
        Snapshots of earlier sessions, one each; under 5 there is no z-score.
    after : str, Path or Chain, optional
        The snapshot of the next cash day: how much open interest then came says what was opened.

    Returns
    -------
    DataFrame
        `symbol, volume, oi, z, premium_usd, oi_change`, most volume first; unknown is NaN. A contract is in it with
        500 contracts or more and a volume above 3 times open interest, or a z-score of 3 or more.
    """
    found = _chain(source)
    book = book_of(found)
    legs = book.legs
    z = volume_scores(book, [group_tape(_chain(one)) for one in earlier])
    volume, oi = np.nan_to_num(legs["volume"]), np.nan_to_num(legs["oi"])
    hit = (volume >= UNUSUAL_VOLUME) & ((volume > UNUSUAL_RATIO * oi) | (z >= 3.0))
    changes = _oi_changes(found, after)
    roots = [found.roots[at] for at in legs["root"].tolist()]
    sides = np.where(book.is_call, "C", "P").tolist()
    symbols = [f"{r}{e % 1_000_000:06d}{s}{k:g}" for r, e, s, k in zip(
        roots, legs["expiry"].tolist(), sides, legs["strike"].tolist(), strict=True)]  # fmt: skip
    table = pd.DataFrame({
        "symbol": symbols, "volume": volume, "oi": oi, "z": z,
        "premium_usd": volume * np.where(legs["ask"] > 0, 0.5 * (legs["bid"] + legs["ask"]), np.nan) * MULTIPLIER,
        "oi_change": [changes.get(symbol, float("nan")) for symbol in symbols],
    })  # fmt: skip
    return table.loc[hit].sort_values(by="volume", ascending=False, ignore_index=True)


def _oi_changes(found: Chain, after: str | Path | Chain | None) -> dict[str, float]:
    if after is None:
        return {}
    change, legs = open_interest_change(found, _chain(after)), found.legs
    return {
        f"{found.roots[root]}{expiry % 1_000_000:06d}{'C' if right == CALL else 'P'}{strike:g}": float(value)
        for root, expiry, right, strike, value in zip(
            *(legs[name].tolist() for name in ("root", "expiry", "right", "strike")),
            change.tolist(),
            strict=True,
        )
    }


def flow_fit(before: str | Path | Chain, after: str | Path | Chain) -> FlowFit:
    """Measure how much of a day's volume stood as open interest the next morning; see `gamma.usual.flow_fit`."""
    return measure_flow(_chain(before), _chain(after))


def flow_adjusted(source: str | Path | Chain, alpha: float) -> Chain:
    """Return a chain with max(0, OI + alpha·volume): an ESTIMATE; `flow_fit` measures alpha."""
    return adjust_by_flow(_chain(source), alpha)


def _chain(source: str | Path | Chain) -> Chain:
    return source if isinstance(source, Chain) else chain(source)


def open_interest(path: str | Path) -> OpenInterest:
    """Return open interest by series and day of a file built from the OCC's series search."""
    return read_open_interest(read_bytes(Path(path)), str(path))


def store(paths: Iterable[str | Path], *, home: str | Path | None = None) -> pd.DataFrame:
    """Store chains and their levels; return where each lies and whether it was new."""
    shelf = _shelf(home)
    rows: list[dict[str, object]] = []
    for path in paths:
        stored, is_new = shelf.add(read_chain(path))
        rows.append({"file": str(path), "stored": str(stored.path), "as_of": stored.as_of, "new": is_new})
    return pd.DataFrame(rows)


def history(*, underlying: str = "SPX", home: str | Path | None = None) -> pd.DataFrame:
    """Return one row per stored snapshot of the present definition, by time; see `evolution` for the columns."""
    return _shelf(home).levels(underlying).to_pandas()


def evolution(sources: Sequence[str | Path | Chain]) -> pd.DataFrame:
    """Return the rows `history` would hold for chains that are not stored, by time.

    `as_of` (ns UTC), `trading_day`, spot, levels in points of the index, exposures in USD per 1 %, and by strike
    and expiry what the pictures need.
    """
    rows = [level_row(levels(source)) for source in sources]
    return pd.DataFrame(rows).sort_values("as_of", ignore_index=True)


def snapshots(folder: str | Path) -> list[str | Path | Chain]:
    """Return the chain files of a folder, or for `synthetic:SEED` ten invented chains of successive cash days."""
    text = str(folder)
    if not text.startswith(SYNTHETIC):
        found: list[str | Path | Chain] = [*chain_files(Path(folder))]
        if not found:
            raise InputError(
                "no chain in the folder", path=text, rule="files with option chains, nothing else"
            )
        return found
    seed = int(text.removeprefix(SYNTHETIC) or 7)
    walk = np.random.default_rng(seed).normal(0.0, 0.008, _SYNTHETIC_DAYS).cumsum()
    days = [day for day in range(20240603, 20240621) if is_cash_day(day)][:_SYNTHETIC_DAYS]
    return [
        synthetic(seed, spot=5360.0 * float(np.exp(step)), day=day)
        for day, step in zip(days, walk, strict=True)
    ]


def bars(source: str | Path, *, minutes: int = 5) -> pd.DataFrame:
    """Return bars of the last trading day of a recording: open, high, low, close in points, New York time.

    `source` is a file or folder, `synthetic:SEED`, or a stored day: `replay:2022-02-07`.
    """
    recording = open_source(source, catalog=Catalog(load().settings.home / "data"))
    rows = recording.events[recording.events["instrument"] == PRIMARY]
    last = trading_days_of(rows["ts_event"]) == trading_day_of(int(rows["ts_event"][-1]))
    given = rows["kind"] == BAR if (rows["kind"] == BAR).any() else rows["kind"] == TRADE
    rows = rows[last & given]
    is_bar = len(rows) > 0 and rows["kind"][0] == BAR
    columns = ("open", BAR_OPEN), ("high", BAR_HIGH), ("low", BAR_LOW)
    ticks = {name: rows["b"][:, at] if is_bar else rows["px"] for name, at in columns}
    # A bar of the source carries the time of its end; it belongs to the interval that ends there.
    stamps = pd.to_datetime(rows["ts_event"] - (1 if is_bar else 0), utc=True).tz_convert("America/New_York")
    table = pd.DataFrame({name: values * TICK_POINTS for name, values in {**ticks, "close": rows["px"]}.items()},
                         index=stamps.tz_localize(None))  # fmt: skip
    how = {"open": "first", "high": "max", "low": "min", "close": "last"}
    return pd.DataFrame(table.resample(f"{minutes}min").agg(how)).dropna()


def on_bars(source: str | Path | Chain, table: pd.DataFrame) -> GammaLevels:
    """Return the levels of a chain for bars of the future; an invented chain is invented at their day and price."""
    if not str(source).startswith(SYNTHETIC):
        found = levels(source)
        placed = found.book.spot * (1.0 if found.basis is None else found.basis.ratio)
        close = float(table["close"].iloc[-1])
        if abs(close / placed - 1.0) > _FAR:
            raise InputError("the bars are not of the chain's time", field="close", value=close,
                             rule=f"within 8% of {placed:.2f}", way_out="bars of that day")  # fmt: skip
        return found
    day = int(table.index[-1].strftime("%Y%m%d"))
    seed = int(str(source).removeprefix(SYNTHETIC) or 7)
    return levels(synthetic(seed, spot=float(table["open"].iloc[0]), day=day))


def walls_held(table: pd.DataFrame, source: str | Path) -> pd.DataFrame:
    """Return how call wall, put wall and zero gamma did in the sessions after they were known.

    Parameters
    ----------
    table : DataFrame
        Rows of `history` or `evolution`; those without a basis cannot be placed on the future.
    source : str or Path
        A recording of the future that covers the days.
    """
    sessions = regular_sessions(open_source(source))
    rows = [
        asdict(did_it_hold(name, _known_before(table, name), sessions))
        for name in ("call_wall", "put_wall", "zero_gamma")
        if _known_before(table, name)
    ]
    return pd.DataFrame(rows)


def _known_before(table: pd.DataFrame, name: str) -> dict[int, float]:
    """Level of the future by the day it counts for: only chains from outside cash hours count for a whole day."""
    out: dict[int, float] = {}
    known = table.dropna(subset=[name, "basis_ratio"]).sort_values("as_of")
    for as_of, level, ratio in zip(known["as_of"], known[name], known["basis_ratio"], strict=True):
        until = valid_until(int(as_of))
        if until:
            out[new_york_day(until)] = float(level) * float(ratio)
    return out


def cycle_held(sources: Sequence[str | Path]) -> pd.DataFrame:
    """Return range and return of cash sessions by phase of the gamma cycle, with bootstrap intervals.

    Beside the measured factor of each phase stand the factors of the settings (`risk.gamma`) and whether they are
    applied: off by default.

    Parameters
    ----------
    sources : sequence of str or Path
        Recordings of the future; of a day in two of them the first counts.
    """
    found: dict[int, SessionBars] = {}
    for source in sources:
        for session in regular_sessions(open_source(source)):
            found.setdefault(session.day, session)
    if len(found) < 2:
        raise InputError(
            "too few sessions for a study", field="sources", value=len(found), rule="at least 2 days"
        )
    days = sorted(found)
    ranges = np.array([float(found[day].high.max() - found[day].low.min()) for day in days])
    # Open to close: a return across a roll would compare two contracts.
    moves = np.array([float(found[day].close[-1]) / found[day].open - 1.0 for day in days])
    phases = [gamma_cycle(new_york_ns(day, _NOON)).phase.name for day in days]
    factors = load().settings.risk.gamma
    rows = [
        asdict(row) | dict(zip(("size_factor", "confidence_factor"), factors.of(row.phase), strict=True))
        for row in cycle_study(days, phases, ranges, moves)
    ]
    return pd.DataFrame(rows).assign(applied=factors.on)


def _shelf(home: str | Path | None) -> ChainHistory:
    root = Path(home) if home is not None else load().settings.home
    return ChainHistory(root / "data" / FOLDER)
