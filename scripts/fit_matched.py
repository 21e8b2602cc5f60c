"""Fit the book of `synthetic:matched-SEED`: depth by time of day, spread, order-flow response. For `fit_synthetic.py`.

Depth by time of day comes from a day of minute quotes with sizes, as a multiple of its first hour. Levels, the spread
of the first two hours (later those quotes have next to none above a tick) and the order-flow response come from the one
real hour of a book order by order, which is the first of a session too: the generator's first hours are brought to it.
Nothing here looks at a strategy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.sources import open_source
from mia_kernel.adapters.synthetic import first_rows
from mia_kernel.adapters.synthetic_params import SyntheticParams, matched
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.desk.likeness import figures, level_means, minute_of_day

FloatArray = NDArray[np.float64]

SEEDS = range(100, 124)
"""Sessions whose first hours are made; none of them is shown anywhere else."""
HOUR_S = 3_600
ORDER_SHARES = (0.04, 0.05, 0.06, 0.07, 0.08, 0.10, 0.12)
ROUNDS = 8
BEGINS = ((0, 0.2),)
"""Chance that an opened spread is closed at once from which the search begins: the data decide, not the fit before."""
CALM = 0.95
"""Chance that an opened spread is closed at once, after the second hour."""


def depth_shape(quotes: EventArray, knots: tuple[int, ...], reach: int = 15) -> list[list[float]]:
    """Return the median contracts at the best around each knot as a multiple of those of the first hour."""
    minute = minute_of_day(quotes["ts_event"] - 1)
    best = (quotes["b"][:, 0].astype(np.float64) + quotes["a"][:, 0]) / 2
    first = float(np.median(best[minute < 60]))
    near = [best[np.abs(minute - knot) <= reach] for knot in knots]
    return [
        [knot, round(float(np.median(b)) / first, 2)] for knot, b in zip(knots, near, strict=True) if len(b)
    ]


def points(pairs: list[list[float]]) -> tuple[tuple[int, float], ...]:
    """Return pairs of minute and value as the parameters hold them."""
    return tuple((int(at), float(value)) for at, value in pairs)


def made(params: SyntheticParams) -> tuple[FloatArray, dict[str, float]]:
    """Return levels and figures of the generator's first hours, means over the seeds."""
    hours = [first_rows(seed, HOUR_S, params) for seed in SEEDS]
    told = [figures(rows) for rows in hours]
    mean = {
        name: float(np.nanmean([one.get(name, np.nan) for one in told]))
        for name in ("spread_one_tick", "ofi_r2", "ofi_slope", "ofi_response", "arrival_cv", "arrival_quick")
    }
    return np.mean([level_means(rows[rows["kind"] == ev.BOOK]) for rows in hours], axis=0), mean


def brought(params: SyntheticParams, real: FloatArray, spread: float) -> SyntheticParams:
    """Return the parameters whose first hours show the real levels and the real spread."""
    for _ in range(ROUNDS):
        shown, told = made(params)
        usual = np.array(params.level_contracts) * real / shown
        # Time at a wider spread goes as the mean number of events that leave it open, about 1 over the chance.
        wide, wanted = max(1.0 - told["spread_one_tick"], 1e-4), 1.0 - spread
        closes = round(min(max(params.spread_closes[0][1] * wide / wanted, 0.02), CALM), 3)
        chances = ((0, closes), (120, closes), (180, CALM))
        params = params.model_copy(update={
            "level_contracts": tuple(round(float(level), 1) for level in usual),
            "spread_closes": chances, "spread_refills": chances})  # fmt: skip
    return params


def fit_matched(
    data: Path,
    knots: tuple[int, ...],
    arrivals: dict[str, Any],
    profile: FloatArray,
    flow: dict[str, Any],
) -> dict[str, Any]:
    """Return the parameters of the book and how far the generator's first hours stay from the real ones.

    Parameters
    ----------
    data : Path
        The folder of recordings.
    knots : tuple of int
        Minutes at which depth is told.
    arrivals : dict
        Fitted parameters of the group `arrivals`, with which the hours are made.
    profile : ndarray of shape (10,)
        Contracts of each level over those of the best; how many the best has is the hour's.
    flow : dict
        R² and response of all real books: `ofi_r2` and `ofi_response`.
    """
    quotes = [
        open_source(data / "lean_es_minute_quotes" / f"202001{day}_quote.zip").events for day in ("05", "06")
    ]
    hour = open_source(data / "dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst").events
    told = figures(hour)
    real = told["level_1"] * profile
    shape = depth_shape(np.concatenate(quotes), knots)
    start = matched().model_copy(update={
        "depth": points(shape), "level_contracts": tuple(float(level) for level in real),
        "spread_closes": BEGINS, "spread_refills": BEGINS, "burst_spread": points(arrivals["burst_spread"]),
        "burst_persistence": arrivals["burst_persistence"],
        "follow_share": points(arrivals["follow_share"]), "follow_us": arrivals["follow_us"]})  # fmt: skip
    best, found, away = np.inf, start, {}
    for share in ORDER_SHARES:
        tried = brought(start.model_copy(update={"order_share": share}), real, told["spread_one_tick"])
        _, mean = made(tried)
        ratio = {name: mean[name] / flow[name] for name in ("ofi_r2", "ofi_response")}
        distance = float(np.hypot(*np.log(list(ratio.values()))))
        ratio |= {name: mean[name] / told[name] for name in ("arrival_cv", "arrival_quick")}
        print(share, mean, round(distance, 3), flush=True)
        if distance < best:
            best, found, away = distance, tried, ratio
    return {
        "depth": shape,
        "level_contracts": list(found.level_contracts),
        "spread_closes": [list(point) for point in found.spread_closes],
        "spread_refills": [list(point) for point in found.spread_refills],
        "order_share": found.order_share,
        "made_over_real": [[name, round(value, 3)] for name, value in away.items()],
    }
