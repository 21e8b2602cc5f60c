"""The event record: what enters the engine, in one shape for live, replay and synthetic.

How it moves: an adapter fills an array of `EVENT_DTYPE` (prices in integer ticks, two clocks in
nanoseconds UTC). The state kernels read slices of it. A low-rate thing that does not fit a row
(an option chain, an order report, a contract change) is an *object event*: a frozen dataclass with
`ts_event`, `ts_recv` and `seq`, merged with the rows by `(ts_recv, seq)`.

Levels lie on the price grid: `b[i]` is the size resting i ticks below `bid`, `a[i]` the size i ticks
above `ask`; an empty level has size 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InvariantError

DEPTH = 10
"""Book levels carried by a row. Measures use fewer (OBI: 5), screens show all."""

# Kinds of row.
TRADE = 1
QUOTE = 2  # best bid and ask with sizes: bid, ask, b[0], a[0]
BOOK = 3  # DEPTH levels: bid, ask, b[:], a[:]
BAR = 4  # see BAR_* below; enters at the END of its interval
TIMER = 5  # time passed without a market event; recorded, so that a replay decides at the same point

# Flags of a row.
SIDE_FEED = 1  # aggressor given by the feed (quality 1.0); on a BAR: bid and ask volume are given
SIDE_TICK_RULE = (
    2  # aggressor may be inferred by tick rule (quality 0.5); set by adapters of trades without sides
)
WARM_UP = 4  # an earlier session replayed to fill the state; no entries
SNAPSHOT = 8

# Instruments of a run, by position. The first is the one that is traded.
PRIMARY = 0
SECOND = 1
VIX = 2

# Where a BAR keeps its numbers (the level columns are free in a bar): `px` close, `sz` volume and
BAR_OPEN, BAR_HIGH, BAR_LOW, BAR_BID_VOLUME, BAR_ASK_VOLUME, BAR_TRADES, BAR_SECONDS = range(7)  # in `b`

EVENT_DTYPE = np.dtype(
    [
        ("ts_event", np.int64),
        ("ts_recv", np.int64),
        ("seq", np.int64),
        ("px", np.int32),
        ("sz", np.int32),
        ("bid", np.int32),
        ("ask", np.int32),
        ("b", np.int32, (DEPTH,)),
        ("a", np.int32, (DEPTH,)),
        ("kind", np.uint8),
        ("instrument", np.uint8),
        ("side", np.int8),  # +1 buyer initiated, -1 seller initiated, 0 unknown
        ("flags", np.uint8),
        ("order_count", np.int32),  # prints merged into this row where the feed says so, else 0
    ],
    align=True,
)

EventArray = NDArray[Any]
"""An array of EVENT_DTYPE."""

Tag = Literal["live", "replay", "synthetic", "imported"]
Adjustment = Literal["contract", "back_adjusted", "unknown"]
Aggressor = Literal["feed", "tick_rule", "untrusted", "none"]


@dataclass(frozen=True, slots=True)
class Carries:
    """What a source can carry at all. A check whose input it cannot carry does not apply to it."""

    book: bool = False
    quotes: bool = False
    trades: bool = False
    aggressor: Aggressor = "none"
    bars: bool = False
    bar_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where events come from. Travels to every screen, journal line and report."""

    tag: Tag
    adapter: str
    name: str
    symbol: str
    contract: str | None = None
    zone: str | None = None
    clock_resolution_ns: int = 1
    adjustment: Adjustment = "unknown"
    carries: Carries = field(default_factory=Carries)
    content_sha256: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContractChange:
    """The traded contract rolls: old levels move by `spread_ticks` (new minus old)."""

    ts_event: int
    ts_recv: int
    seq: int
    old: str
    new: str
    spread_ticks: int | None


OPTION_FIELDS = (
    "call_wall_ticks", "put_wall_ticks", "gamma_flip_ticks", "call_wall_0dte_ticks", "put_wall_0dte_ticks",
    "pin_ticks", "expected_high_ticks", "expected_low_ticks",
    "dealer_gamma_position",  # sign of the net gamma: +1 long, −1 short, 0 neutral
    "call_wall_weight", "put_wall_weight",  # |GEX| of the wall's strike over the mean of all
    "total_gamma_exposure_usd", "put_call_ratio", "put_call_volume_ratio",
    "put_call_reference",  # median of the last sessions at this minute; unknown: 1 with quality at most 0.5
    "option_volume_contracts", "term_structure_slope", "vol_skew_25_delta", "unusual_share",
)  # fmt: skip
"""Figures of an option view; prices are of the traded future, in ticks."""


@dataclass(frozen=True, slots=True)
class OptionView:
    """What an option chain says about the traded future, mapped to its prices. A figure left out is unknown.

    `as_of` is the time of the chain's quotes; `valid_until` is 0 for a live chain, else the end of the cash
    day an end-of-day chain stands for; `quality` in [0, 1] is the chain's own.
    """

    ts_event: int
    ts_recv: int
    seq: int
    as_of: int
    valid_until: int
    zero_dte: bool
    quality: float
    source: str
    figures: Mapping[str, float | None]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.figures) - set(OPTION_FIELDS))
        if unknown:
            raise InvariantError(f"an option view holds {unknown[0]!r}, which is none of {OPTION_FIELDS}")


@dataclass(frozen=True, slots=True)
class ImportedLevel:
    """A level from somebody else's file, valid from `ts_event` until it expires (domain §11)."""

    ts_event: int
    ts_recv: int
    seq: int
    kind: str
    price_ticks: float
    strength: float
    source: str


@dataclass(frozen=True, slots=True)
class StateChange:
    """The guardian or a person has changed what may be traded: active, reducing or halted, and why."""

    ts_event: int
    ts_recv: int
    seq: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceEnd:
    """The source is exhausted. An event, because it decides the pending decision point."""

    ts_event: int
    ts_recv: int
    seq: int


DECLARABLE = ("second", "vix", "options", "broker")
"""NQ beside, VIX beside, option views, orders through a broker whose reports lie among the objects."""

CALENDAR_DTYPE = np.dtype([("ts", np.int64), ("impact", np.int8)])
IMPACTS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Recording:
    """Rows and object events of one source, in merge order, with what is known about it."""

    events: EventArray
    source: SourceInfo
    objects: tuple[Any, ...] = ()
    others: tuple[SourceInfo, ...] = ()
    calendar: NDArray[Any] | None = None
    """Economic events of the user's file, CALENDAR_DTYPE by time; None where no file was given."""
    declared: frozenset[str] | None = None
    """What a live session said at its start that it would carry, of `DECLARABLE`; None: the rows tell."""

    def __len__(self) -> int:
        return len(self.events)


def empty(n: int) -> EventArray:
    """Return `n` zeroed event rows."""
    return np.zeros(n, EVENT_DTYPE)


def merge_order(events: EventArray) -> NDArray[np.int64]:
    """Return the permutation that sorts rows by (ts_recv, seq), stable for equal keys."""
    return np.lexsort((events["seq"], events["ts_recv"])).astype(np.int64)


def merge(parts: Sequence[EventArray]) -> EventArray:
    """Join row arrays into one in merge order (ts_recv, seq); equal keys keep the order of `parts`."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return empty(0)
    joined = np.concatenate(filled) if len(filled) > 1 else filled[0]
    order = merge_order(joined)
    if np.array_equal(order, np.arange(len(order))):
        return joined
    return joined[order]


def merge_objects(parts: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    """Join object events in merge order (ts_recv, seq)."""
    joined = [event for part in parts for event in part]
    return tuple(sorted(joined, key=lambda event: (event.ts_recv, event.seq)))


def spread_inside_stamp(ts: NDArray[np.int64], resolution_ns: int) -> NDArray[np.int64]:
    """Spread equal time stamps of a coarse clock over +1, +2, … ns inside their stamp, in file order.

    Nothing stamped second g is then known at g. A stamp coarser than 1 ms needs this
    (`domain`: decision points); finer clocks are returned unchanged.

    Parameters
    ----------
    ts : ndarray of shape (n,)
        Stamps in ns UTC, non-decreasing, each the START of its resolution interval.
    resolution_ns : int
        Width of one stamp.

    Raises
    ------
    InvariantError
        If one stamp holds more rows than nanoseconds.
    """
    if resolution_ns <= 1_000_000 or len(ts) == 0:
        return ts
    first = np.flatnonzero(np.r_[True, ts[1:] != ts[:-1]])
    run = np.arange(len(ts)) - np.repeat(first, np.diff(np.r_[first, len(ts)]))
    if int(run.max()) + 1 >= resolution_ns:
        raise InvariantError(f"{int(run.max()) + 1} rows in one stamp of {resolution_ns} ns")
    return ts + run + 1


def mirror(events: EventArray, centre: int) -> EventArray:
    """Reflect a market: the mirror law's transformation.

    Price p becomes 2·centre − p, bid and ask swap, buy and sell swap. The second market is reflected about
    its own first price (the same centre would make it negative); VIX rows have no direction here and stay.
    """
    out = events.copy()
    second = np.flatnonzero((events["instrument"] == SECOND) & (events["px"] > 0))
    centres = np.zeros(len(events), np.int32)
    centres[events["instrument"] == PRIMARY] = centre
    centres[events["instrument"] == SECOND] = events["px"][second[0]] if len(second) else 0
    flip = events["instrument"] != VIX
    bars = flip & (events["kind"] == BAR)
    rows = flip & ~bars
    twice = 2 * centres
    priced = flip & (events["px"] != 0)
    out["px"][priced] = twice[priced] - events["px"][priced]
    out["side"][flip] = -events["side"][flip]
    out["bid"][rows] = np.where(events["ask"][rows] != 0, twice[rows] - events["ask"][rows], 0)
    out["ask"][rows] = np.where(events["bid"][rows] != 0, twice[rows] - events["bid"][rows], 0)
    out["b"][rows] = events["a"][rows]
    out["a"][rows] = events["b"][rows]
    out["b"][bars, BAR_OPEN] = twice[bars] - events["b"][bars, BAR_OPEN]
    out["b"][bars, BAR_HIGH] = twice[bars] - events["b"][bars, BAR_LOW]
    out["b"][bars, BAR_LOW] = twice[bars] - events["b"][bars, BAR_HIGH]
    out["b"][bars, BAR_BID_VOLUME] = events["b"][bars, BAR_ASK_VOLUME]
    out["b"][bars, BAR_ASK_VOLUME] = events["b"][bars, BAR_BID_VOLUME]
    return out
