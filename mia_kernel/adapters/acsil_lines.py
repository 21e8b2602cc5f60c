"""Raw JSON lines of an ACSIL study: one record a line, `type` names the stream, `t` counts days since 1899-12-30.

`t` has six decimals, so a stamp is 86.4 ms wide and nothing finer is claimed. Quotes and trades share one
sequence number: a chart reload writes lines again, and a number seen before is left out. Streams may run on
two clocks: quotes and trades in UTC (or `--tz`), books, bars and studies in the chart's zone, which `sierra.toml`
names; a stream whose prices fit hours away is refused with the lag. Study values become tables; a field that
breaks its rule is absent.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mia_kernel.adapters.acsil_prices import scale_prices
from mia_kernel.adapters.acsil_studies import checked_studies
from mia_kernel.adapters.bookrows import book_rows, usable
from mia_kernel.adapters.clocks import best_lag
from mia_kernel.adapters.parts import Ask, Part, split_symbol, to_ticks
from mia_kernel.adapters.quality import Findings, judge_sides, prevailing
from mia_kernel.adapters.sierra_config import SierraConfig, multiplier_of, sierra_of
from mia_kernel.adapters.stamps import resolve_zone, to_utc
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.core.events import Carries, EventArray, SourceInfo

IntArray = NDArray[np.int64]
Row = dict[str, Any]

MICRODAY_NS = 86_400_000
"""Width of a stamp: 1e-6 day."""
_EPOCH_MICRODAYS = 25_569 * 1_000_000
MARKET = ("quote", "trade")


def is_acsil_lines(member: Member) -> bool:
    """Return whether a member is such JSON lines (rows of a chart, or its list of studies)."""
    head = member.data[:600]
    typed = b'"type":' in head or b'"study_id":' in head
    return head.lstrip().startswith(b'{"') and b'"chart":' in head and typed


def days_to_ns(days: NDArray[np.float64]) -> IntArray:
    """Return days since 1899-12-30 with six decimals as ns since 1970, exactly."""
    return (np.rint(days * 1e6).astype(np.int64) - _EPOCH_MICRODAYS) * MICRODAY_NS


def read_lines(members: list[Member], ask: Ask) -> list[Part]:
    """Return the chart's market as one part, with its studies as tables."""
    streams, inventory = _streams(members)
    path = members[0].path
    if not streams:
        raise DataError(
            "a list of studies without any of their rows", path=path, rule="quote or trade lines beside it"
        )
    config = sierra_of(ask, path)
    rows = [row for found in streams.values() for row in found]
    symbols = {str(row.get("sym")) for row in rows}
    if len(symbols) != 1:
        raise DataError(
            "several symbols in one chart", path=path, field="sym", value=sorted(symbols), rule="one symbol"
        )
    root, contract = split_symbol(re.split(r"[_.\-]", symbols.pop())[0])
    if ask.root is not None and ask.root != root:
        raise InputError(
            "the file holds another symbol",
            path=path,
            field="symbol",
            value=ask.symbol,
            rule=f"it says {root}",
        )
    chart = int(rows[0].get("chart", 0))
    findings = Findings(path, sum(len(found) for found in streams.values()), ask.quality)
    scale_prices(streams, root, path, multiplier_of(ask, path), findings)
    for name, found in streams.items():
        findings.counts[f"lines_{name}"] = len(found)
    _tell_misspelt(config, chart, list(streams), findings)
    market, zone, how = _market(streams, root, chart, config, ask, path, findings)
    books, tables = _others(streams, inventory, root, chart, config, market, zone, path, findings)
    aggressor = judge_sides(market, *prevailing(market), findings)
    joined = market if books is None else _with_books(market, books, findings)
    if len(joined) == 0 and not tables:
        raise _nothing(findings, path)
    carries = Carries(
        book=books is not None, quotes="quote" in streams, trades="trade" in streams, aggressor=aggressor
    )
    info = SourceInfo(
        tag="imported", adapter="acsil", name=path, symbol=root, contract=contract, zone=zone,
        clock_resolution_ns=MICRODAY_NS, adjustment="contract" if contract else "unknown", carries=carries,
        notes=(f"zone {zone} {how}", "stamps are 1e-6 day = 86.4 ms wide; no finer latency can be told"),
    )  # fmt: skip
    return [Part(joined, info, findings.verdict(), path, tables)]


def _tell_misspelt(config: SierraConfig, chart: int, streams: list[str], findings: Findings) -> None:
    """Tell a name of `sierra.toml` that is nearly a stream's; another one may stand in another file of the chart."""
    told = config.charts.get(chart)
    for name in () if told is None else sorted({*told.zones, *told.studies} - set(streams)):
        for near in get_close_matches(name, streams, 1, 0.75):
            findings.note(
                f"unknown_{name}", 1, f"sierra.toml names {name} of chart {chart}, the file has {near}"
            )


def _nothing(findings: Findings, path: str) -> DataError:
    why = next(
        (cause for cause in findings.causes if cause.startswith("two_clocks")), "no quote, trade or book"
    )
    return DataError(f"no stream of the file can be used; {why}", path=path, field="t",
                     rule="quotes or trades beside it, or zones in sierra.toml",
                     way_out="name the zone of each stream under [charts.N] in sierra.toml")  # fmt: skip


def _streams(members: list[Member]) -> tuple[dict[str, list[Row]], list[Row]]:
    streams: dict[str, list[Row]] = {}
    inventory: list[Row] = []
    for member in members:
        for number, line in enumerate(member.data.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                shown = line[:80].decode("utf-8", "replace")
                raise FormatError("not valid JSON", path=member.path, line=number, value=shown,
                                  rule="one object a line", way_out="copy the file again") from error  # fmt: skip
            if "study_id" in row:
                inventory.append(row)
                continue
            t = row.get("t")
            if (
                not isinstance(t, float | int)
                or not 36_526 <= t <= 73_050
                or not isinstance(row.get("type"), str)
            ):
                raise FormatError("not a record", path=member.path, line=number, field="t", value=t,
                                  rule="`type` and `t`, days since 1899-12-30 (2000 to 2099)")  # fmt: skip
            streams.setdefault(row["type"], []).append(row)
    return streams, inventory


def column(rows: list[Row], name: str, path: str) -> NDArray[np.float64]:
    """Return one field of every row as numbers.

    Raises
    ------
    FormatError
        Where a row lacks it or holds no number.
    """
    values = [row.get(name) for row in rows]
    for at, value in enumerate(values):
        if not isinstance(value, float | int) or isinstance(value, bool):
            raise FormatError("a field is missing or no number", path=path, field=name, value=value,
                              rule=f"a number in every {rows[at].get('type')} line", line=at + 1)  # fmt: skip
    return np.array(values, np.float64)


def _market(
    streams: dict[str, list[Row]],
    root: str,
    chart: int,
    config: SierraConfig,
    ask: Ask,
    path: str,
    findings: Findings,
) -> tuple[EventArray, str, str]:
    """Return quotes and trades in the order of their common sequence number."""
    rows = [row for name in MARKET for row in streams.get(name, [])]
    if not rows:
        zone = config.zone_of(chart, "depth") or ask.tz
        return ev.empty(0), zone or "unknown", "given" if zone else "unknown"
    zones = {config.zone_of(chart, name) for name in MARKET if name in streams}
    declared = zones.pop() if len(zones) == 1 else None
    local = days_to_ns(column(rows, "t", path))
    zone, how = _zone(local, declared or ask.tz, streams, chart, path)
    ts = to_utc(local, zone, path=path)
    seq = column(rows, "seq", path).astype(np.int64)
    kind = np.array([row["type"] == "trade" for row in rows])
    fresh = _first_of_each(seq, kind)
    dropped = len(rows) - len(fresh)
    findings.repair("duplicates", dropped, (
        f"{dropped} of {len(rows)} quote and trade lines repeat a sequence number (chart reload); "
        "the first of each was kept"))  # fmt: skip
    fresh = fresh[np.lexsort((seq[fresh], ts[fresh]))]
    out = _rows([rows[i] for i in fresh], ts[fresh], root, path, findings)
    out = out[np.argsort(out["ts_event"], kind="stable")]
    arrival = ev.spread_inside_stamp(np.maximum.accumulate(out["ts_event"]), MICRODAY_NS)
    out["ts_event"] = out["ts_recv"] = arrival
    out["seq"] = np.arange(len(out))
    return out, zone, how


def _zone(
    local: IntArray, given: str | None, streams: dict[str, list[Row]], chart: int, path: str
) -> tuple[str, str]:
    """Return the zone of quotes and trades; where nobody tells it, say that a chart has a second clock."""
    try:
        return resolve_zone(local, given, path=path)
    except InputError as error:
        if given is not None:
            raise
        others = ", ".join(sorted(set(streams) - set(MARKET))) or "none"
        raise InputError(
            f"{error.message}; a chart may write on two clocks: quotes and trades on one, the rest on the chart's own",
            path=path, field="tz", value=None, rule=f"{error.rule}; other streams here: {others}",
            way_out="--tz UTC if quotes and trades are in UTC (Sierra's usual); the others need "
                    f"[charts.{chart}] zones = {{ depth = \"Europe/Paris\", ... }} in a sierra.toml beside the files",
        ) from error  # fmt: skip


def _first_of_each(seq: IntArray, kind: NDArray[np.bool_]) -> IntArray:
    return np.sort(np.unique(seq * 2 + kind, return_index=True)[1])


def _rows(rows: list[Row], ts: IntArray, root: str, path: str, findings: Findings) -> EventArray:
    out = ev.empty(len(rows))
    out["ts_event"] = out["ts_recv"] = ts
    trade = np.array([row["type"] == "trade" for row in rows], np.bool_)
    out["kind"] = np.where(trade, ev.TRADE, ev.QUOTE)
    bad = np.zeros(len(rows), np.bool_)
    chosen = {
        True: [r for r in rows if r["type"] == "trade"],
        False: [r for r in rows if r["type"] == "quote"],
    }
    for is_trade, fields in ((True, (("px", "px"),)), (False, (("bid", "bid"), ("ask", "ask")))):
        mine = np.flatnonzero(trade == is_trade)
        for target, name in fields:
            if len(mine):
                out[target][mine], off = to_ticks(column(chosen[is_trade], name, path), root)
                bad[mine] |= off
    mine = np.flatnonzero(trade)
    if len(mine):
        out["sz"][mine] = np.clip(column(chosen[True], "vol", path), -1, 2**31 - 1)
        kinds = column(chosen[True], "tt", path)
        out["side"][mine] = np.where(kinds == 2, 1, np.where(kinds == 1, -1, 0))
        out["flags"][mine] = np.where(out["side"][mine] != 0, ev.SIDE_FEED, 0)
        bad[mine] |= out["sz"][mine] <= 0
    mine = np.flatnonzero(~trade)
    if len(mine):
        out["b"][mine, 0] = np.clip(column(chosen[False], "bq", path), 0, 2**31 - 1)
        out["a"][mine, 0] = np.clip(column(chosen[False], "aq", path), 0, 2**31 - 1)
    crossed = ~trade & (out["bid"] >= out["ask"])
    findings.aside(
        "bad_rows", int(bad.sum()), f"{int(bad.sum())} quotes or trades off the grid or without size"
    )
    findings.aside(
        "crossed", int((crossed & ~bad).sum()), f"{int((crossed & ~bad).sum())} quotes crossed or locked"
    )
    findings.term("crossed", float(crossed.mean()) if len(rows) else 0.0)
    return out[~bad & ~crossed]


def _others(
    streams: dict[str, list[Row]], inventory: list[Row], root: str, chart: int, config: SierraConfig,
    market: EventArray, zone: str, path: str, findings: Findings,
) -> tuple[EventArray | None, dict[str, pa.Table]]:  # fmt: skip
    """Return the books and the tables of the streams that run on a known clock."""
    reference = market[market["kind"] == ev.TRADE]
    known: dict[str, str] = {}
    for name, rows in streams.items():
        if name in MARKET:
            continue
        declared = config.zone_of(chart, name)
        clock = declared or (zone if zone != "unknown" else None)
        if clock is None:
            findings.note("no_zone", len(rows), f"the clock of the {name} lines is not told: left out")
            continue
        price = _price(name, rows, root, path)
        ts = to_utc(days_to_ns(column(rows, "t", path)), clock, path=path)
        if price is not None and len(reference):
            order = np.argsort(ts, kind="stable")
            lag = best_lag(
                ts[order],
                price[order],
                reference["ts_event"].astype(np.int64),
                reference["px"].astype(np.int64),
            )
            if lag.another_clock:
                findings.note(
                    "two_clocks", len(rows), f"{name} lines refused: their prices {lag} on the trades"
                )
                continue
        elif declared is None and len(reference):
            # No price of its own to prove it: it is believed only on a clock that `sierra.toml` names.
            findings.note(
                "no_zone", len(rows), f"the clock of the {name} lines is not told by sierra.toml: left out"
            )
            continue
        known[name] = clock
    books = None
    if "depth" in known:
        rows = streams["depth"]
        books = _books(
            rows, to_utc(days_to_ns(column(rows, "t", path)), known["depth"], path=path), root, path, findings
        )
    tables: dict[str, pa.Table] = {}
    for name in sorted(set(known) - {"depth"}):
        ts = to_utc(days_to_ns(column(streams[name], "t", path)), known[name], path=path)
        study = config.charts[chart].studies.get(name) if chart in config.charts else None
        tables[f"study_{name}"] = checked_studies(name, streams[name], ts, study, inventory, findings)
    return books, tables


def _price(name: str, rows: list[Row], root: str, path: str) -> IntArray | None:
    field = {"depth": "price", "basedata": "c"}.get(name)
    if field is None:
        return None
    return to_ticks(column(rows, field, path), root)[0]


def _books(rows: list[Row], ts: IntArray, root: str, path: str, findings: Findings) -> EventArray:
    """Return one book per burst of level lines: a burst begins where the bid's level 1 comes again."""
    level = column(rows, "lvl", path).astype(np.int64)
    price, bad = to_ticks(column(rows, "price", path), root)
    size = np.clip(column(rows, "size", path), 0, 2**31 - 1).astype(np.int64)
    is_bid = np.array([row.get("side") == "BID" for row in rows])
    burst = np.cumsum(is_bid & (level == 1)) - 1
    good = (burst >= 0) & ~bad & (level >= 1) & (level <= 100)
    findings.aside(
        "bad_levels", int((~good).sum()), f"{int((~good).sum())} level lines off the grid or before a level 1"
    )
    count, widest = int(burst.max(initial=-1)) + 1, int(level[good].max(initial=1))
    sides = {}
    for bid in (True, False):
        prices, sizes = np.zeros((count, widest), np.int64), np.zeros((count, widest), np.int64)
        mine = good & (is_bid == bid)
        prices[burst[mine], level[mine] - 1], sizes[burst[mine], level[mine] - 1] = price[mine], size[mine]
        sides[bid] = prices, sizes
    first = np.searchsorted(burst, np.arange(count))
    books = book_rows(ts[first], *sides[True], *sides[False])
    holes = (books["b"][:, 1] == 0) & (books["a"][:, 1] == 0)
    findings.note(
        "dom_hole",
        int(holes.sum()),
        f"in {int(holes.sum())} of {count} books the level behind the best is missing",
    )
    return books


def _with_books(market: EventArray, books: EventArray, findings: Findings) -> EventArray:
    shown = books[usable(books, findings)]
    shown = shown[np.argsort(shown["ts_event"], kind="stable")]
    rows = np.concatenate([market, shown])
    rows = rows[np.argsort(rows["ts_recv"], kind="stable")]
    rows["seq"] = np.arange(len(rows))
    return rows
