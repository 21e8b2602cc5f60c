"""One replay of a recording with all it said, the trades of the session, and its large orders rebuilt plainly.

Whoever asks for the same recording again gets the same replay.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.decisions import CONTEXT_NAMES
from mia_kernel.core.events import TRADE
from mia_kernel.measures.shelf import NAMES, Shelf
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.state.memory import MarketState
from tests.shared_data import shared_file

SESSION = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"
HOUR = "dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"
NS = 1_000_000_000
MINUTE, QUARTER, HOUR_NS, GAP = 60 * NS, 900 * NS, 3_600 * NS, 50_000_000
LARGE, BLOCK = 100, 500


class Replay(NamedTuple):
    """What one replay said at its decisions: measures, surroundings, components, newest base bar, levels, nodes."""

    rows: Any
    at: Any
    measures: dict[str, Any]
    context: dict[str, Any]
    components: dict[str, Any]
    bar: Any
    levels: Any  # in half ticks, NaN where a level is not known
    nodes: Any  # of the profile of RTH: prices of high and of low volume


@cache
def replayed(name: str, symbol: str | None = None) -> Replay:
    settings = load(arguments={"confluence.weights": "bars"}).settings
    run = Run(settings, open_recording(shared_file(name), symbol=symbol))
    shelf = Shelf(run.given)
    taken: list[tuple[Any, ...]] = []

    def look(market: MarketState, ts: int) -> None:
        t = market.array["tf"][0, 0]
        newest = t["ring"][(int(t["n"]) - 1) % len(t["ring"])].copy()
        table, rth = market.array["levels"][0]["at"], market.array["profile"][0]["anchor"][1]
        levels = np.where(table["known"] == 1, table["price_2"].astype(float), np.nan)
        nodes = [tuple(int(px) for px in rth[kind][: rth[f"{kind}_n"]]) for kind in ("hvn", "lvn")]
        taken.append((ts, shelf.read(market, ts).values, market.context(), newest, levels, nodes))

    run.watch(look)
    run.drive()
    at, values, context, bar, levels, nodes = zip(*taken, strict=True)
    table = run.table
    components = table.column("values").T
    return Replay(
        run.recording.events,
        np.array(at),
        dict(zip(NAMES, np.array(values).T, strict=True)),
        dict(zip(CONTEXT_NAMES, np.array(context).T, strict=True)),
        dict(zip(table.names, components, strict=True)),
        np.array(bar),
        np.array(levels),
        nodes,
    )


def same(found: Any, expected: Any, *, least: int, rel: float = 1e-9, abs_: float = 1e-9) -> None:
    """Compare where a value was given; nothing given may be unknown to the definition."""
    known = np.isfinite(found)
    assert known.sum() >= least
    np.testing.assert_allclose(found[known], np.asarray(expected, float)[known], rtol=rel, atol=abs_)


class Tape(NamedTuple):
    """The trades: time, price in ticks, size, side by the tick rule; how many are known at each decision."""

    ts: Any
    px: Any
    sz: Any
    side: Any
    known: Any


def tape_of(session: Replay) -> Tape:
    rows = session.rows
    assert (rows["kind"] == TRADE).all()
    ts, px, sz = rows["ts_event"], rows["px"].astype(np.int64), rows["sz"].astype(np.int64)
    assert (np.diff(ts) > 0).all()
    step = np.sign(np.diff(px, prepend=px[0]))
    # An unchanged price keeps the direction of the last change; before the first change nothing is known.
    last = np.maximum.accumulate(np.where(step != 0, np.arange(len(step)), 0))
    return Tape(ts, px, sz, step[last], np.searchsorted(ts, session.at, "right"))


class Order(NamedTuple):
    """One aggregated order."""

    ts: int
    side: int
    size: int
    levels: int
    moved: int


def large_orders(tape: Tape) -> list[Order]:
    """Aggregate prints of one aggressor, at most 50 ms apart, whose price never turns against him."""
    found: list[Order] = []
    ts, px, side = tape.ts.tolist(), tape.px.tolist(), tape.side.tolist()
    size = tape.sz.tolist()
    first = 0
    for i in range(1, len(ts) + 1):
        ends = i == len(ts) or not (
            side[i] == side[i - 1] and ts[i] - ts[i - 1] <= GAP and (px[i] - px[i - 1]) * side[i] >= 0
        )
        if ends:
            total = sum(size[first:i])
            if side[first] != 0 and total >= LARGE:
                moved = side[first] * (px[i - 1] - px[first])
                found.append(Order(ts[i - 1], side[first], total, len(set(px[first:i])), moved))
            first = i
    return found
