#!/usr/bin/env python3
"""Fit the SYNTHETIC market to real recordings and write the parameters with their source and date.

    python scripts/fit_synthetic.py [FOLDER] [--only=GROUP]...   # default ../shared/data, every group

Writes `mia_kernel/adapters/synthetic_fitted.toml`. Every value names the files and the estimator it came from;
a group whose file is absent, and with --only every other one, stays as it was. Nothing here looks at a strategy.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from fit_flow import fit_bursts, fit_flow, fit_followers, profile
from fit_matched import fit_matched
from numpy.typing import NDArray

from mia_kernel.adapters.sources import open_source
from mia_kernel.adapters.stamps import NEW_YORK, to_local
from mia_kernel.adapters.synthetic_params import SyntheticParams
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.desk.likeness import by_hour, figures
from mia_kernel.desk.likeness_sessions import (
    NEWS,
    bar_steps,
    day_closes,
    day_sessions,
    deviation,
    generated,
    minute_of_day,
    news,
    of_bars,
    open_seconds,
    regimes,
    slope,
)

FloatArray = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "mia_kernel" / "adapters" / "synthetic_fitted.toml"
MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1440
KNOTS = (
    0,
    30,
    180,
    240,
    420,
    510,
    540,
    780,
    840,
    870,
    928,
    932,
    990,
    1080,
    1170,
    1260,
    1305,
    1318,
    1322,
    1350,
    1380,
)
"""Minutes after 18:00 New York at which the shapes by time of day are told."""
EXCITED = 2.2
"""By what the generator multiplies the deviation in the minute of news, before it adds the jump."""
YEARS = ("ES_1min_2019.tar.xz", "ES_1min_2021.tar.xz")


def window(minute: NDArray[np.int64], knot: int) -> NDArray[np.bool_]:
    """Return which minutes speak for a knot: fifteen around it, two beside the open and close of the day session."""
    reach = 2 if knot in (928, 932, 1318, 1322) else 15
    return np.abs(minute - knot) <= reach


def fit_sigma(steps: FloatArray, minute: NDArray[np.int64]) -> list[list[float]]:
    """Return the standard deviation of one-minute changes, in ticks, at the knots."""
    return [[knot, round(max(deviation(steps[window(minute, knot)]), 0.3), 2)] for knot in KNOTS]


def fit_rate(bars: EventArray) -> list[list[float]]:
    """Return trades per second at the knots relative to each other (8 at the busiest), from bars that count them."""
    minute = minute_of_day(bars["ts_event"] - 1)
    trades = bars["b"][:, ev.BAR_TRADES].astype(np.float64)
    usual = [float(np.median(trades[window(minute, knot)])) for knot in KNOTS]
    return [[knot, round(8.0 * value / max(usual), 3)] for knot, value in zip(KNOTS, usual, strict=True)]


def fit_clusters(steps: FloatArray, minute: NDArray[np.int64]) -> dict[str, float]:
    """Return persistence and spread of log volatility, from the autocorrelation of log |change|.

    log|r| = log σ + noise; the noise has no memory, so ρ(k) = A·φ^k with A the share of log σ in the variance.
    """
    usual = np.array(
        [np.abs(steps[minute == m]).mean() if (minute == m).any() else np.nan for m in range(DAY_MINUTES)]
    )
    value = np.log((np.abs(steps) + 0.5) / (usual[minute] + 0.5))
    value -= value.mean()
    variance = float((value * value).mean())

    def rho(lag: int) -> float:
        return float((value[lag:] * value[:-lag]).mean()) / variance

    near, far = np.mean([rho(k) for k in range(4, 9)]), np.mean([rho(k) for k in range(55, 66)])
    keep = float((far / near) ** (1.0 / 54.0))
    share = float(near / keep**6)
    return {
        "volatility_persistence": round(keep, 4),
        "volatility_spread": round(float(np.sqrt(share * variance)), 3),
    }


def fit_news(steps: FloatArray, minute: NDArray[np.int64]) -> dict[str, Any]:
    """Return the chance of news at its usual minutes, and the jump: the 95 % quantile of those steps in sigmas.

    News is a first minute of over three times the deviation of the quarter of an hour before; what such a
    minute is by chance (measured 25 minutes earlier) is taken off.
    """
    told = news(steps, minute)
    chances = [[at, round(told[name], 3)] for name, at in NEWS.items()]
    return {"news_chance": chances, "news_jump": round(told["news_move"] / EXCITED, 2)}


def fit_regimes(bars: EventArray, values: dict[str, Any]) -> dict[str, float]:
    """Return the share of ranges and the strength of trends whose generated sessions show the real moments best."""
    real = np.array(list(regimes(day_sessions(bars)).values()))
    _, seconds = open_seconds()
    best, found = np.inf, (0.4, 0.22)
    for share in (0.0, 0.2, 0.4, 0.6):
        for strength in (0.0, 0.08, 0.16, 0.24):
            params = SyntheticParams(**{**values, "range_share": share, "trend_strength": strength})
            days = [day_closes(seconds, value) for _, value in generated(params, seconds, 24)]
            made = np.array(list(regimes(days).values()))
            distance = float((((made - real) / real) ** 2).sum())
            if distance < best:
                best, found = distance, (share, strength)
    return {
        "range_share": found[0],
        "trend_strength": found[1],
        "regime_distance": round(float(np.sqrt(best)), 3),
    }


def fit_levels(books: EventArray) -> list[float]:
    """Return the time-weighted size of each level, contracts, both sides together."""
    stay = np.diff(books["ts_event"], append=books["ts_event"][-1]).astype(np.float64)
    both = (books["b"].astype(np.float64) + books["a"]) / 2
    return [round(float((both[:, k] * stay).sum() / stay.sum()), 1) for k in range(ev.DEPTH)]


def fit_sizes(trades: EventArray) -> list[list[float]]:
    """Return quantiles of trade sizes, contracts."""
    shares = (0.0, 0.25, 0.42, 0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9998, 1.0)
    return [[share, max(1.0, round(float(np.quantile(trades["sz"], share)), 1))] for share in shares]


def fit_pair(es: EventArray, nq: EventArray) -> dict[str, float]:
    """Return correlation, beta (percent for percent) and price ratio of common bars."""
    _, at, other = np.intersect1d(es["ts_event"], nq["ts_event"], return_indices=True)
    a, b = es["px"][at].astype(np.float64), nq["px"][other].astype(np.float64)
    near = np.diff(es["ts_event"][at]) == np.median(np.diff(es["ts_event"][at]))
    x, y = np.diff(np.log(a))[near], np.diff(np.log(b))[near]
    return {"nq_correlation": round(float(np.corrcoef(x, y)[0, 1]), 3),
            "nq_beta": round(float((x * y).sum() / (x * x).sum()), 3),
            "nq_points": round(float(np.median(b / a)), 3)}  # fmt: skip


def fit_vix(vix: EventArray, bars: EventArray) -> dict[str, float]:
    """Return VIX points for one percent of ES over a day (robust: median of the ratio), and where VIX begins."""
    date = (to_local(bars["ts_event"], NEW_YORK) - 16 * 60 * MINUTE_NS) // (86_400 * 10**9)
    last = np.flatnonzero(np.r_[date[1:] != date[:-1], True])
    day = (to_local(bars["ts_event"][last], NEW_YORK) // (86_400 * 10**9)).astype(np.int64)
    close = dict(zip(day.tolist(), bars["px"][last].tolist(), strict=True))
    known = [(int(d), int(v)) for d, v in zip((to_local(vix["ts_event"], NEW_YORK) // (86_400 * 10**9)).tolist(),
             vix["px"].tolist(), strict=True) if d in close]  # fmt: skip
    es = np.array([close[d] for d, _ in known], np.float64)
    points = np.array([v for _, v in known], np.float64) / 100
    move, change = 100 * np.diff(es) / es[:-1], np.diff(points)
    low, high = np.quantile(points, [0.1, 0.8])
    return {"vix_slope": round(slope(move, change), 3),
            "vix_start_low": round(float(low), 1), "vix_start_high": round(float(high), 1)}  # fmt: skip


def sessions_of(bars: EventArray) -> list[EventArray]:
    """Return the bars of each stretch from one 18:00 New York to the next."""
    day = (to_local(bars["ts_event"] - 1, NEW_YORK) + 6 * 60 * MINUTE_NS) // (86_400 * 10**9)
    return np.split(bars, np.flatnonzero(np.diff(day)) + 1)


def bars_of(path: Path, **asked: Any) -> EventArray:
    """Return the bar rows of a file."""
    rows = open_source(path, **asked).events
    return rows[rows["kind"] == ev.BAR]


def sections(data: Path) -> list[tuple[str, str, Callable[[], dict[str, Any]]]]:
    """Return (name, source, fit) of every group of parameters."""
    minutes = [data / "es_1min_firstrate" / year for year in YEARS]

    def joined() -> EventArray:
        return np.concatenate([bars_of(path) for path in minutes])

    def by_minutes() -> dict[str, Any]:
        bars = joined()
        steps, minute = bar_steps(bars)
        values = {
            "sigma_ticks": fit_sigma(steps, minute),
            **fit_clusters(steps, minute),
            **fit_news(steps, minute),
        }
        return {**values, **fit_regimes(bars, values)}

    def rate() -> dict[str, Any]:
        return {"rate": fit_rate(bars_of(data / "sierra/ES_1min_bidask_2022-05-01_2022-05-20.txt"))}

    def book() -> dict[str, Any]:
        rows = open_source(data / "dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst").events
        return {"level_contracts": fit_levels(rows[rows["kind"] == ev.BOOK])}

    def sizes() -> dict[str, Any]:
        path = data / "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"
        return {"size_quantiles": fit_sizes(open_source(path).events)}

    def day_of_trades() -> EventArray:
        path = data / "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"
        rows = open_source(path).events
        return rows[rows["kind"] == ev.TRADE]

    def pair() -> dict[str, Any]:
        folder = data / "es_nq_5min_tradingview"
        found = [bars_of(folder / f"{name}_5m_20241202_20251205.parquet") for name in ("ES1", "NQ1")]
        return fit_pair(*found)

    def alike() -> dict[str, Any]:
        """The real figures that `mia.likeness` holds a recording beside: of the hour, of the day, of usual days."""
        day = figures(
            open_source(data / "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip").events
        )
        told = [figures(bars) for bars in sessions_of(joined())]
        usual = {name: float(np.median([one[name] for one in told if name in one]))
                 for name in ("minute_sd", "largest_minute", "clustering")}  # fmt: skip
        sizes = {name: value for name, value in day.items() if name.startswith("size_")}
        flow = {name: value for name, value in fit_flow(data).items() if name != "books"}
        together = {**first_hour(), **sizes, **usual, **flow, "nq_correlation": pair()["nq_correlation"]}
        return {name: round(value, 4) for name, value in together.items()}

    def first_hour() -> dict[str, Any]:
        """The figures of the one real hour with a book order by order, 18:00 to 19:00 New York."""
        told = figures(open_source(data / "dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst").events)
        return {name: round(value, 4) for name, value in told.items()}

    def hours() -> dict[str, Any]:
        """The shapes of a session: quotes of a day, volume of 15 sessions, moves of two years."""
        folder = data / "lean_es_minute_quotes"
        quotes = np.concatenate(
            [open_source(folder / f"202001{day}_quote.zip").events for day in ("05", "06")]
        )
        shapes = {name: by_hour(quotes)[name] for name in ("level", "wide")}
        shapes["volume"] = by_hour(bars_of(data / "sierra/ES_1min_bidask_2022-05-01_2022-05-20.txt"))[
            "volume"
        ]
        shapes["minute_sd"] = by_hour(joined())["minute_sd"]
        shapes["burst"] = by_hour(day_of_trades())["burst"]
        return {name: [round(float(value), 4) for value in shape] for name, shape in shapes.items()}

    def arrivals() -> dict[str, Any]:
        return {**fit_bursts(day_of_trades()), **fit_followers(data)}

    def many() -> dict[str, Any]:
        """The real figures of `mia.likeness(view="sessions")`."""
        told = {**of_bars(joined()), "vix_per_percent": vix()["vix_slope"]}
        return {name: round(value, 4) for name, value in told.items()}

    def vix() -> dict[str, Any]:
        rows = open_source(data / "vix/VIX_daily.csv").events
        return fit_vix(rows, joined())

    return [
        ("minutes", "FirstRate 1-min ES 2019 and 2021", by_minutes),
        ("rate", "Sierra 1-min ES 2022-05-01..20 with number of trades", rate),
        ("book", "Databento mbo ESH4 2023-12-25, one thin hour", book),
        ("sizes", "CME time and sales ESU19 2019-08-09", sizes),
        ("pair", "TradingView 5-min ES and NQ 2024-12..2025-12", pair),
        ("vix", "CBOE VIX daily beside FirstRate ES 2019 and 2021", vix),
        (
            "likeness",
            "Databento ESH4 2023-12-25 (spread, levels, arrivals, slope), the books of `flow` (OFI R² and response), "
            "CME ESU19 2019-08-09 (sizes), "
            "FirstRate 1-min 2019 and 2021 (minutes, median day), TradingView 5-min (NQ)",
            alike,
        ),
        ("first_hour", "Databento mbo ESH4 2023-12-25, 18:00 to 19:00 New York", first_hour),
        (
            "by_hour",
            "Lean minute quotes ESH20 2020-01-05/06 (level, wide), Sierra 1-min 2022-05-01..20 (volume), "
            "FirstRate 1-min 2019 and 2021 (minute_sd), CME time and sales ESU19 2019-08-09 (burst)",
            hours,
        ),
        ("sessions", "FirstRate 1-min ES 2019 and 2021, CBOE VIX daily", many),
        (
            "arrivals",
            "CME time and sales ESU19 2019-08-09 (trades per second), Databento mbo ESH4 2023-12-25 and "
            "Sierra ES 2022-01-24 08:30 (trades that follow at once)",
            arrivals,
        ),
        (
            "flow",
            "Databento mbo ESH4 2023-12-25, Sierra DOM 2022-01-24 08:30, ACSIL quotes and DOM ESU25 2025-09-05",
            lambda: fit_flow(data),
        ),
        (
            "matched",
            "Lean minute quotes ESH20 2020-01-05/06 (depth by time of day), Databento mbo ESH4 2023-12-25 (best level, "
            "spread), with Sierra DOM 2022-01-24 and ACSIL ESU25 2025-09-05 (levels behind it, OFI)",
            lambda: fit_matched(data, KNOTS, arrivals(), profile(data), fit_flow(data)),
        ),
    ]


def toml_value(value: Any) -> str:
    """Return a text, a number or a list of them as TOML."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return repr(value)


def main(argv: list[str]) -> int:
    """Fit every group asked for whose files are there, and write the file."""
    only = {arg.removeprefix("--only=") for arg in argv if arg.startswith("--only=")}
    folders = [arg for arg in argv if not arg.startswith("--")]
    data = Path(folders[0]) if folders else ROOT.parent / "shared" / "data"
    told: dict[str, Any] = tomllib.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    if unknown := only - {name for name, _, _ in sections(data)}:
        print(f"no such group: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    for name, source, fit in sections(data):
        if only and name not in only:
            continue
        try:
            values = fit()
        except OSError as error:
            print(f"{name}: left as it was, {error}", file=sys.stderr)
            continue
        told[name] = {"fitted_on": f"{datetime.now(UTC):%Y-%m-%d}", "source": source, **values}
        print(name, values)
    lines = [
        "# Parameters of the SYNTHETIC market, fitted by scripts/fit_synthetic.py. Do not edit: fit again."
    ]
    for name, group in told.items():
        lines += ["", f"[{name}]", *(f"{key} = {toml_value(value)}" for key, value in group.items())]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
