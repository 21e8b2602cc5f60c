"""Time every measure on a warm SYNTHETIC state and write the column µs of `docs/features.md`.

    python scripts/cost_of_measures.py            prints what each part takes
    python scripts/cost_of_measures.py --write    and writes the column

A measure costs what the compiled part that makes it takes; where one part makes several, the figure is followed by
how many. What is only read from the state shares the rest of its group. Each figure is the best of many calls.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.kernel import kernel
from mia_kernel.features import mtf_confluence, pullback_quality
from mia_kernel.measures import bars, book, flow, others, session, structure
from mia_kernel.measures.shelf import GROUPS
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.state import cross, headfake, micro, microprice, season
from mia_kernel.state.bars import NEVER, bar_at
from mia_kernel.state.book import ofi_over
from mia_kernel.state.fomo import fomo

PAGE = Path(__file__).resolve().parent.parent / "docs" / "features.md"
CALLS, ROUNDS = 2_000, 25
FILLS = {
    "bars": bars.fill, "session": session.fill, "book": book.fill, "flow": flow.fill, "others": others.fill,
    "structure": structure.fill,
}  # fmt: skip


@kernel
def _realised(s: Any, out: Any, at: int) -> None:
    out[at] = bars.realised(s, s["tf"][s["clock"]["base"]])


@kernel
def _trap(s: Any, out: Any, at: int) -> None:
    out[at] = headfake.value(s["headfake"])


@kernel
def _session_quality(s: Any, out: Any, at: int) -> None:
    out[at] = session.quality(s, 1.0)


@kernel
def _stress(s: Any, out: Any, at: int) -> None:
    out[at] = session.stress(s)


@kernel
def _events(s: Any, out: Any, at: int) -> None:
    session._events(s["season"], s["clock"]["now"], out, at)


@kernel
def _seasonal(s: Any, out: Any, at: int) -> None:
    out[at], out[at + 1], out[at + 2] = season.seasonal(
        s["season"], s["session"]["weekday"], s["clock"]["phase"]
    )


@kernel
def _cycle(s: Any, out: Any, at: int) -> None:
    session._cycle(s["season"]["cycle"][0], out, at)


@kernel
def _ofi(s: Any, out: Any, at: int) -> None:
    out[at], out[at + 1], out[at + 2] = (
        ofi_over(s["book"], 1),
        ofi_over(s["book"], 10),
        ofi_over(s["book"], 60),
    )


@kernel
def _micro_price(s: Any, out: Any, at: int) -> None:
    out[at] = microprice.adjustment(s["micro"]["microprice"], s["book"])


@kernel
def _spread_anomaly(s: Any, out: Any, at: int) -> None:
    out[at] = book._recent(s["micro"], s["clock"]["now"])


@kernel
def _newest(s: Any, out: Any, at: int) -> None:
    flow._newest(s, bar_at(s["tf"][s["clock"]["base"]], 0), out, at)


@kernel
def _kyle(s: Any, out: Any, at: int) -> None:
    out[at], out[at + 1] = micro.kyle(s["micro"])


@kernel
def _vpin(s: Any, out: Any, at: int) -> None:
    out[at] = micro.vpin(s["micro"])


@kernel
def _large(s: Any, out: Any, at: int) -> None:
    flow._large(s, s["clock"]["now"], out, at)


@kernel
def _verdict(s: Any, out: Any, at: int) -> None:
    out[at], out[at + 1] = flow._verdict(s, s["clock"]["now"])


@kernel
def _latency(s: Any, out: Any, at: int) -> None:
    for i in range(3):
        out[at + i] = micro.latency_us(s["micro"], (0.5, 0.95, 0.99)[i], s["clock"]["now"])


@kernel
def _tick_correlation(s: Any, out: Any, at: int) -> None:
    out[at] = cross.hayashi_yoshida(s["cross"])


@kernel
def _chain(s: Any, out: Any, at: int) -> None:
    others._chain(s, out, at)


@kernel
def _vwap(s: Any, out: Any, at: int) -> None:
    structure._vwap(s, out, at)


@kernel
def _pullback(s: Any, out: Any, at: int) -> None:
    k = s["clock"]["signal"]
    t, w = s["tf"][k], s["battle"][k]
    out[at], out[at + 1], out[at + 2], out[at + 3], out[at + 4], out[at + 5] = pullback_quality.factors(
        t, w, 1
    )
    out[at + 6] = pullback_quality.side_of(w, s["regime"])
    out[at + 7] = fomo(t, w, float(s["clock"]["price"]), 1)


@kernel
def _timeframes(s: Any, out: Any, at: int) -> None:
    strength, quality = mtf_confluence.frames(s)
    for i in range(5):
        out[at + i], out[at + 5 + i] = strength[i], quality[i]


PARTS: dict[str, dict[str, tuple[Callable[..., None], str]]] = {
    "bars": {"returns": (_realised, "realized_volatility"), "trap": (_trap, "headfake")},
    "session": {
        "quality": (_session_quality, "session_quality"),
        "stress": (_stress, "market_stress_indicator"),
        "events": (_events, "economic_events_today high_impact_event_today high_impact_minutes"),
        "seasonal": (_seasonal, "seasonal_bias seasonal_half_width seasonal_n"),
        "cycle": (
            _cycle,
            "gamma_phase days_to_monthly_expiry days_since_monthly_expiry days_to_weekly_expiry "
            "gamma_confidence_factor gamma_size_factor weekly_expiry zero_dte quarterly_expiry vix_expiry "
            "am_settled_last_trade",
        ),
    },
    "book": {
        "ofi": (_ofi, "ofi_1s ofi_10s ofi_60s"),
        "micro-price": (_micro_price, "micro_price_offset_ticks"),
        "spread": (_spread_anomaly, "spread_anomaly_detected"),
    },
    "flow": {
        "newest bar": (
            _newest,
            "aggression_bias imbalance_ratio aggressive_buy_ratio aggressive_sell_ratio net_delta "
            "cumulative_delta orderflow_composite",
        ),
        "kyle": (_kyle, "kyle_lambda kyle_r2"),
        "vpin": (_vpin, "vpin"),
        "large orders": (
            _large,
            "large_orders_bias large_orders_count large_orders_intensity large_orders_persistence "
            "large_orders_alignment large_orders_impact_ticks block_share sweep_share smart_behaviour "
            "iceberg_count iceberg_bias_contracts",
        ),
        "verdict": (_verdict, "smart_signal smart_confidence"),
        "latency": (_latency, "latency_p50_us latency_p95_us latency_p99_us"),
    },
    "others": {
        "ticks": (_tick_correlation, "es_nq_hayashi_yoshida"),
        "chain": (
            _chain,
            "total_gamma_exposure dealer_gamma_position gamma_flip_level call_wall put_wall "
            "term_structure_slope vol_skew_25_delta put_call_ratio put_call_volume_ratio "
            "unusual_options_activity gamma_pin",
        ),
    },
    "structure": {
        "vwap": (
            _vwap,
            "vwap_slope vwap_distance_sd vwap_agreement vwap_swings vwap_fit vwap_mean_reversion",
        ),
        "pullback": (
            _pullback,
            "pullback_side pullback_depth pullback_depth_factor pullback_effort_factor pullback_hold_factor "
            "pullback_time_factor pullback_rejection_factor fomo",
        ),
        "timeframes": (
            _timeframes,
            " ".join(f"mtf_{f}_{part}" for part in ("strength", "quality") for f in structure.FRAMES),
        ),
    },
}


def warm_state() -> Any:
    """Return the state of a SYNTHETIC day in the afternoon, decided up to there, with nothing unknown."""
    run = Run(load().settings, synthetic_recording(7, scale=0.5))
    run.feed(0, int(0.9 * len(run.recording.events)))
    state = run.engine.rooms.market.array
    # What one day cannot know is marked known, so that finding it unknown is not taken for its cost.
    state["micro"]["bucket_n"], state["season"]["n"] = 60, 100
    state["options"]["has"], state["options"]["valid_until"] = 1, NEVER
    state["season"]["has_events"], state["season"]["event_n"] = 1, 3
    return state


def microseconds(part: Callable[..., None], state: Any) -> float:
    """Return what one call takes inside compiled code, the best of many rounds, in µs."""

    @kernel
    def loop(st: Any, out: Any, n: int) -> None:
        for _ in range(n):
            part(st[0], out, 0)

    out, best = np.zeros(64), np.inf
    loop(state, out, 1)
    for _ in range(ROUNDS):
        started = time.perf_counter()
        loop(state, out, CALLS)
        best = min(best, time.perf_counter() - started)
    return 1e6 * best / CALLS


def costs(state: Any) -> dict[str, str]:
    """Return the figure of every measure."""
    found: dict[str, str] = {}
    for group, measures in GROUPS.items():
        spent, told = 0.0, 0
        for part, (call, text) in PARTS[group].items():
            names = text.split()
            took = microseconds(call, state)
            spent, told = spent + took, told + len(names)
            found |= dict.fromkeys(names, _figure(took, len(names)))
            print(f"{group:10} {part:14} {took:7.3f} µs, {len(names)} measures")
        whole, rest = microseconds(FILLS[group], state), [m.name for m in measures if m.name not in found]
        left = max(whole - spent, 0.0)
        print(f"{group:10} {'the whole':14} {whole:7.3f} µs; {left:.3f} for {len(rest)} that are read")
        found |= dict.fromkeys(rest, _figure(left, len(rest)))
    return found


def _figure(took: float, measures: int) -> str:
    told = f"{took:.3f}" if took >= 0.0005 else "< 0.001"
    return told + (f" for {measures}" if measures > 1 else "")


def write(found: dict[str, str]) -> None:
    """Put each figure into the last column of its row."""
    lines = PAGE.read_text("utf-8").split("\n")
    for i, line in enumerate(lines):
        if line.startswith("| measure | says | unit | range | needs | source |"):
            lines[i], lines[i + 1] = (
                "| measure | says | unit | range | needs | source | µs |",
                "|" + "---|" * 7,
            )
        row = re.match(r"\| `(\w+)` \|", line)
        if row and row[1] in found and line.count(" | ") >= 5:
            lines[i] = "| " + " | ".join([*line.strip("| ").split(" | ")[:6], found[row[1]]]) + " |"
    PAGE.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    table = costs(warm_state())
    if "--write" in sys.argv[1:]:
        write(table)
