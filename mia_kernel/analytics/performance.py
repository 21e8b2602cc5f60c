"""Performance: the one place where round trips become figures.

How it moves: `performance` takes closed positions (exact cents) and, where they are known, marks to value
open positions with. Definitions are those of the project's domain page: a scratch is a result under one
tick after costs, drawdown is taken on marked equity with the starting capital as first point, Sharpe on
daily results over a fixed capital with zero days kept. Unknown is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.bootstrap import SEED, intervals_by_day, mean_interval, wilson
from mia_kernel.analytics.equity import Curve, marked_equity, tick_cents
from mia_kernel.analytics.ratios import calmar, sharpe, sortino
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.session import next_trading_day, trading_days_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
DayOf = Callable[[IntArray], NDArray[Any]]
Target = Literal["supported", "refuted", "not shown"]

MIN_TARGET_TRIPS = 300
"""Under so many round trips a target is "not shown", whatever the figures say."""

MIN_GROUP_TRIPS = 30
"""Under so many round trips a group is marked "too few"."""

TARGETS = {"win_rate": 0.65, "profit_factor": 2.0, "max_drawdown": 15.0}
"""Win rate at least (share), profit factor above, drawdown below (percent)."""

# Columns of the daily table that the bootstrap draws from.
_NET, _WON, _LOST, _LOW, _HIGH = range(5)


def performance(
    trips: Sequence[RoundTrip],
    *,
    capital_cents: int,
    days: Sequence[int] | None = None,
    day_of: DayOf = trading_days_of,
    mark_ts: IntArray | None = None,
    mark_ticks: FloatArray | None = None,
    seed: int = SEED,
) -> dict[str, Any]:
    """Return the figures of a run.

    Parameters
    ----------
    trips : sequence of RoundTrip
        Closed positions in order of exit.
    capital_cents : int
        Fixed starting capital.
    days : sequence of int, optional
        Every trading day of the run in order, also those without a trade. Default: all from the first mark or
        entry to the last mark or exit.
    day_of : callable
        Trading days of times in ns UTC, in the same words as `days`.
    mark_ts, mark_ticks : ndarray of shape (n,), optional
        Times and prices to mark open positions at.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        The keys of `mia replay --json` (`performance`), then further ones: intervals, `profit_factor_text`,
        `payoff_ratio`, `expectancy_usd`, `gross_usd`, `costs_usd`, `mean_win_usd`, `mean_loss_usd`,
        `sortino_daily`, `calmar`, `best_usd`, `worst_usd`, `days`. Money in USD, drawdown percent of the
        peak; unknown is None.
    """
    days = trading_days(trips, mark_ts, day_of) if days is None else days
    net = np.array([t.net_cents for t in trips], np.int64)
    kinds = np.array([outcome(t) for t in trips], np.int8)
    won, lost = int(net[net > 0].sum()), int(-net[net < 0].sum())
    wins, losses = int((kinds > 0).sum()), int((kinds < 0).sum())
    n = len(trips)
    curve = marked_equity(trips, capital_cents=capital_cents, mark_ts=mark_ts, mark_ticks=mark_ticks)
    table = daily_table(trips, days=days, day_of=day_of, curve=curve)
    in_r = r_multiples(trips)
    by_day = intervals_by_day(
        table,
        (
            _profit_factor,
            lambda t: sharpe(t[:, :, _NET] / capital_cents),
            lambda t: _drawdown_percent(t, capital_cents),
        ),
        seed=seed,
    )
    return {
        "n": n,
        "wins": wins,
        "losses": losses,
        "scratches": n - wins - losses,
        "win_rate": wins / n if n else None,
        "win_rate_ci": _pair(wilson(wins, n)),
        "profit_factor": won / lost if lost else None,
        "expectancy_r": float(in_r.mean()) if len(in_r) else None,
        "net_usd": int(net.sum()) / 100,
        "max_drawdown_usd": curve.drawdown_cents() / 100,
        "max_drawdown_percent": curve.drawdown_percent(),
        "trades_per_day": n / len(days) if days else None,
        "sharpe_daily": _one(sharpe(table[None, :, _NET] / capital_cents)),
        "net_r": float(in_r.sum()) if n and len(in_r) == n else None,
        "profit_factor_text": profit_factor_text(won, lost, n),
        "profit_factor_ci": _pair(by_day[0]),
        "sharpe_daily_ci": _pair(by_day[1]),
        "max_drawdown_percent_ci": _pair(by_day[2]),
        "expectancy_r_ci": _pair(mean_interval(in_r)),
        "payoff_ratio": _payoff(net),
        "expectancy_usd": int(net.sum()) / n / 100 if n else None,
        "gross_usd": sum(t.gross_cents for t in trips) / 100,
        "costs_usd": sum(t.fees_cents for t in trips) / 100,
        "mean_win_usd": float(net[net > 0].mean()) / 100 if (net > 0).any() else None,
        "mean_loss_usd": float(net[net < 0].mean()) / 100 if (net < 0).any() else None,
        "sortino_daily": _one(sortino(table[None, :, _NET] / capital_cents)),
        "calmar": calmar(int(net.sum()) / capital_cents, len(days), curve.drawdown_percent()),
        "best_usd": int(net.max()) / 100 if n else None,
        "worst_usd": int(net.min()) / 100 if n else None,
        "days": len(days),
    }


def outcome(trip: RoundTrip) -> int:
    """Return +1 for a win, -1 for a loss, 0 for a scratch (|net| under one tick of the position)."""
    if abs(trip.net_cents) < tick_cents(trip.symbol) * trip.qty:
        return 0
    return 1 if trip.net_cents > 0 else -1


def r_multiples(trips: Sequence[RoundTrip]) -> FloatArray:
    """Return net result over planned risk of the trips whose risk is known (> 0)."""
    return np.array([t.net_cents / t.risk_cents for t in trips if t.risk_cents > 0], np.float64)


def daily_table(
    trips: Sequence[RoundTrip],
    *,
    days: Sequence[int],
    day_of: DayOf,
    curve: Curve,
) -> FloatArray:
    """Return one row per trading day: net, won, lost, low and high of the day's marked equity over its start.

    Returns
    -------
    ndarray of shape (n_days, 5)
        Cents. A trip counts on the day of its exit; a day without a trade is a row of zeros.
    """
    table = np.zeros((len(days), 5))
    if len(days) == 0:
        return table
    at = {day: i for i, day in enumerate(days)}
    exits = day_of(np.array([t.exit_ts for t in trips], np.int64)).tolist() if trips else []
    for trip, day in zip(trips, exits, strict=True):
        row = table[at[day]]
        row[_NET] += trip.net_cents
        row[_WON] += max(0, trip.net_cents)
        row[_LOST] += max(0, -trip.net_cents)
    starts = curve.cents[0] + np.concatenate([[0.0], np.cumsum(table[:, _NET])[:-1]])
    where = day_of(curve.ts[1:])
    if len(where) == 0:
        return table
    edges = np.flatnonzero(np.concatenate([[True], where[1:] != where[:-1]]))
    for first, last in zip(edges, [*edges[1:], len(where)], strict=True):
        i = at.get(int(where[first]))
        if i is not None:
            low, high = curve.low_cents[1 + first : 1 + last].min(), curve.cents[1 + first : 1 + last].max()
            table[i, _LOW] = min(0.0, float(low) - starts[i])
            table[i, _HIGH] = max(0.0, float(high) - starts[i])
    return table


def trading_days(trips: Sequence[RoundTrip], mark_ts: IntArray | None, day_of: DayOf) -> list[int]:
    """Return every trading day from the first mark or entry to the last mark or exit."""
    ends = [] if mark_ts is None or len(mark_ts) == 0 else [int(mark_ts[0]), int(mark_ts[-1])]
    ends += [t.entry_ts for t in trips] + [t.exit_ts for t in trips]
    if not ends:
        return []
    day, last = (int(d) for d in day_of(np.array([min(ends), max(ends)], np.int64)))
    days = [day]
    while day < last:
        day = next_trading_day(day)
        days.append(day)
    return days


def targets(figures: Mapping[str, Any]) -> dict[str, Target]:
    """Return for each of the user's targets whether the figures support it, refute it or do not show it.

    Notes
    -----
    Supported: the whole 95 % interval lies on the target's side. Refuted: it lies wholly on the other.
    Under MIN_TARGET_TRIPS round trips, or without an interval, the answer is "not shown".
    """
    verdicts: dict[str, Target] = {
        "win_rate": _above(figures["win_rate_ci"], TARGETS["win_rate"]),
        "profit_factor": _above(figures["profit_factor_ci"], TARGETS["profit_factor"]),
        "max_drawdown": _below(figures["max_drawdown_percent_ci"], TARGETS["max_drawdown"]),
    }
    if figures["n"] < MIN_TARGET_TRIPS:
        return dict.fromkeys(verdicts, "not shown")
    return verdicts


def by_group(trips: Sequence[RoundTrip], key: Callable[[RoundTrip], str]) -> list[dict[str, Any]]:
    """Return n, wins, win rate with interval, expectancy and net result per group, largest group first.

    `too_few` is True under MIN_GROUP_TRIPS: such a row is shown in grey and proves nothing.
    """
    groups: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        groups.setdefault(key(trip), []).append(trip)
    rows = [_group(name, members) for name, members in groups.items()]
    return sorted(rows, key=lambda row: (-row["n"], row["group"]))


def _group(name: str, members: Sequence[RoundTrip]) -> dict[str, Any]:
    wins = sum(outcome(t) > 0 for t in members)
    in_r = r_multiples(members)
    return {
        "group": name,
        "n": len(members),
        "wins": wins,
        "win_rate": wins / len(members),
        "win_rate_ci": _pair(wilson(wins, len(members))),
        "expectancy_r": float(in_r.mean()) if len(in_r) else None,
        "net_usd": sum(t.net_cents for t in members) / 100,
        "too_few": len(members) < MIN_GROUP_TRIPS,
    }


def profit_factor_text(won_cents: int, lost_cents: int, n: int) -> str:
    """Return the profit factor as a person reads it; without a loss it is not a number."""
    if n == 0:
        return "no trades"
    return f"{won_cents / lost_cents:.2f}" if lost_cents else f"no losses, n = {n}"


def _profit_factor(table: FloatArray) -> FloatArray:
    won, lost = table[:, :, _WON].sum(axis=1), table[:, :, _LOST].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return won / lost


def _drawdown_percent(table: FloatArray, capital_cents: int) -> FloatArray:
    ends = capital_cents + np.cumsum(table[:, :, _NET], axis=1)
    starts = ends - table[:, :, _NET]
    # The order of high and low inside a day is not known here: its low is held against the peak before it.
    before = np.maximum.accumulate(np.maximum(starts, capital_cents), axis=1)
    highs = np.maximum.accumulate(starts + table[:, :, _HIGH], axis=1)
    peak = before.copy()
    peak[:, 1:] = np.maximum(before[:, 1:], highs[:, :-1])
    return ((peak - (starts + table[:, :, _LOW])) / peak).max(axis=1) * 100


def _payoff(net: NDArray[np.int64]) -> float | None:
    if not (net > 0).any() or not (net < 0).any():
        return None
    return float(net[net > 0].mean() / -net[net < 0].mean())


def _above(interval: list[float | None] | None, target: float) -> Target:
    if interval is None:
        return "not shown"
    low, high = interval
    if low is not None and low > target:
        return "supported"
    return "refuted" if high is not None and high < target else "not shown"


def _below(interval: list[float | None] | None, target: float) -> Target:
    if interval is None:
        return "not shown"
    low, high = interval
    if high is not None and high < target:
        return "supported"
    return "refuted" if low is not None and low > target else "not shown"


def _pair(interval: tuple[float, float] | None) -> list[float | None] | None:
    return None if interval is None else [x if math.isfinite(x) else None for x in interval]


def _one(values: FloatArray) -> float | None:
    value = float(values[0])
    return value if math.isfinite(value) else None
