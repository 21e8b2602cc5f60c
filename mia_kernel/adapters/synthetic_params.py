"""Parameters of the SYNTHETIC market: plain defaults, and those that `scripts/fit_synthetic.py` fits to recordings.

`fitted()` is what the generator uses, `matched()` the one of `synthetic:matched-SEED`. Each group of the file names its
source and date; what no recording here can tell (how many rows a session has, the latency) keeps the default. How far
the result is from the real thing stands in `docs/synthetic.md` and is drawn in `notebooks/14_synthetic.ipynb`.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class SyntheticParams(BaseModel):
    """What the generator makes. No value here is tuned to make a strategy win or trade.

    Defaults were read off one real session (ES, CME time and sales of 2019-08-09) and one real hour (ESH4,
    2023-12-25) by eye; `fitted` replaces what recordings can tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    book_updates: int = Field(default=225_000, ge=1_000, description="book rows of a session, before `scale`")
    trade_share: float = Field(default=0.30, gt=0, lt=1, description="share of book rows that follow a trade")
    start_points_low: float = Field(default=4500.0, gt=0, description="lowest first ES price, points")
    start_points_high: float = Field(default=6500.0, gt=0, description="highest first ES price, points")
    sigma_ticks: tuple[tuple[int, float], ...] = Field(
        default=(
            (0, 2.6),
            (240, 1.8),
            (540, 1.9),
            (840, 2.2),
            (928, 2.6),
            (932, 6.5),
            (990, 5.2),
            (1080, 3.8),
            (1170, 3.4),
            (1260, 3.8),
            (1318, 4.4),
            (1322, 2.2),
            (1380, 1.4),
        ),
        description="standard deviation of one-minute changes in ticks, at minutes after 18:00 New York",
    )
    rate: tuple[tuple[int, float], ...] = Field(
        default=(
            (0, 1.1),
            (30, 0.4),
            (180, 0.35),
            (420, 0.1),
            (510, 0.25),
            (540, 0.45),
            (780, 0.4),
            (870, 0.75),
            (928, 0.8),
            (932, 6.6),
            (990, 5.4),
            (1080, 3.6),
            (1170, 2.4),
            (1260, 2.6),
            (1305, 6.2),
            (1318, 8.0),
            (1322, 2.6),
            (1350, 0.3),
            (1380, 0.2),
        ),
        description="trades per second relative to each other, at minutes after 18:00 New York",
    )
    quoting: float = Field(
        default=1.0,
        ge=0,
        description="book updates without a trade, in the units of `rate`, the same all day",
    )
    depth: tuple[tuple[int, float], ...] = Field(
        default=(
            (0, 0.45),
            (540, 0.5),
            (840, 0.6),
            (928, 0.6),
            (935, 1.0),
            (1310, 1.15),
            (1325, 0.6),
            (1380, 0.4),
        ),
        description="book depth relative to `level_contracts`, at minutes after 18:00 New York",
    )
    level_contracts: tuple[float, ...] = Field(
        default=(31.0, 48.0, 52.0, 54.0, 53.0, 51.0, 51.0, 51.0, 51.0, 51.0),
        min_length=10,
        max_length=10,
        description="usual size resting on each level, best first, contracts",
    )
    size_points: tuple[tuple[float, float], ...] = Field(
        default=(
            (0.0, 1.0),
            (0.42, 1.0),
            (0.50, 2.0),
            (0.75, 5.0),
            (0.90, 14.0),
            (0.95, 25.0),
            (0.99, 63.0),
            (0.999, 160.0),
            (0.9998, 500.0),
            (1.0, 700.0),
        ),
        description="contracts of market orders at shares of all of them",
    )
    spread_closes: tuple[tuple[int, float], ...] = Field(
        default=((0, 0.8),),
        description="chance that an opened spread is closed within the same event, at minutes after 18:00 New York",
    )
    spread_refills: tuple[tuple[int, float], ...] = Field(
        default=((0, 0.75),), description="chance that a later limit order closes it, at the same minutes"
    )
    order_share: float = Field(
        default=0.22, gt=0, le=1, description="mean limit order as a share of what usually rests on its level"
    )
    burst_spread: tuple[tuple[int, float], ...] = Field(
        default=((0, 0.0),),
        description="standard deviation of the log of the event rate from second to second, at the same minutes",
    )
    burst_persistence: float = Field(default=0.0, ge=0, lt=1, description="AR(1) of that log, per second")
    follow_share: tuple[tuple[int, float], ...] = Field(
        default=((0, 0.0),),
        description="share of trades that answer the one before at once, at the same minutes",
    )
    follow_us: float = Field(
        default=1_000.0, gt=0, description="mean time such an answer takes, microseconds"
    )
    volatility_persistence: float = Field(
        default=0.98, ge=0, lt=1, description="AR(1) of log volatility, per minute"
    )
    volatility_spread: float = Field(
        default=0.30, ge=0, description="stationary standard deviation of log volatility"
    )
    regime_minutes_low: int = Field(default=18, ge=2, description="shortest regime, minutes")
    regime_minutes_high: int = Field(default=75, ge=3, description="longest regime, minutes")
    range_share: float = Field(default=0.40, ge=0, le=1, description="share of regimes that are ranges")
    trend_strength: float = Field(
        default=0.22, ge=0, description="drift of a trend, in one-minute standard deviations"
    )
    range_half_width: float = Field(
        default=3.2, gt=0, description="half width of a range, one-minute standard deviations"
    )
    news_chance: tuple[tuple[int, float], ...] = Field(
        default=((870, 0.45), (960, 0.35), (1200, 0.15)),
        description="chance of news at minutes after 18:00 New York (08:30, 10:00, 14:00)",
    )
    news_jump: float = Field(
        default=4.0, gt=0, description="largest news jump, one-minute standard deviations"
    )
    nq_beta: float = Field(default=1.25, description="move of NQ in percent for one percent of ES")
    nq_correlation: float = Field(
        default=0.9, gt=0, lt=1, description="correlation of one-minute returns, ES and NQ"
    )
    nq_points: float = Field(
        default=3.6, gt=0, description="first NQ price as a multiple of the first ES price"
    )
    nq_trades_per_minute: int = Field(
        default=40, ge=0, description="NQ trade rows per minute in RTH, a fifth of it outside"
    )
    vix_start_low: float = Field(default=13.5, gt=0, description="lowest first VIX, points")
    vix_start_high: float = Field(default=22.0, gt=0, description="highest first VIX, points")
    vix_slope: float = Field(default=-1.3, description="VIX points for one percent of ES")
    vix_seconds: int = Field(
        default=15, ge=1, description="VIX row every so many seconds while the index is computed"
    )
    latency_us: float = Field(
        default=900.0, gt=0, description="mean of ts_recv − ts_event beyond 300 microseconds"
    )


FITTED_FILE = Path(__file__).with_name("synthetic_fitted.toml")
_NAMES = {"size_quantiles": "size_points"}
_TOLD = ("source", "fitted_on", "regime_distance", "made_over_real")
_APART = ("likeness", "first_hour", "by_hour", "sessions", "arrivals", "flow", "matched")


@lru_cache(maxsize=1)
def fitted() -> SyntheticParams:
    """Return the parameters fitted to real recordings; what was not fitted keeps its default."""
    groups = _groups()
    return SyntheticParams.model_validate(
        {
            name: value
            for name_of_group, group in groups.items()
            if name_of_group not in _APART
            for name, value in group.items()
        }
    )


@lru_cache(maxsize=1)
def matched() -> SyntheticParams:
    """Return `fitted` with bursts of trading and a book whose depth by time of day, spread and response are fitted.

    The market of `synthetic:SEED` keeps its own book: replays and figures of it stay what they were.
    """
    groups = _groups()
    return SyntheticParams.model_validate(
        {**fitted().model_dump(), **groups["arrivals"], **groups["matched"]}
    )


def _groups() -> dict[str, dict[str, Any]]:
    """Return the parameters of each group of the file, without what is only told."""
    read: dict[str, Any] = tomllib.loads(FITTED_FILE.read_text(encoding="utf-8"))
    return {
        name: {_NAMES.get(str(key), str(key)): value for key, value in group.items() if key not in _TOLD}
        for name, group in read.items()
        if isinstance(group, dict)
    }
