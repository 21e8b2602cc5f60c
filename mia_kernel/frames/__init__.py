"""Show: one frame of the running desk, made from what the engine already holds.

How it moves: whoever drives a run keeps one `Memory` (what a picture needs beyond the state: resting sizes
through time, trades by price), gives it the rows as they are consumed, and calls `build` some ten times a
second. A frame is a plain mapping: series are mappings of equally long arrays, all else words and numbers.
It is read by the notebook, the monitor page and the terminal; nothing in it goes back into a decision.

Prices are points, money is USD, times are ns UTC. Unknown is None, in an array NaN; it is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mia_kernel.adapters.wire import decode, encode
from mia_kernel.core.phases import PHASE_NAMES
from mia_kernel.frames.market import book, closed_bars, gamma, levels, market_series, price, zone_rows
from mia_kernel.frames.memory import Driven, Memory
from mia_kernel.frames.mind import battle_view, decision_view, history, signal_rows
from mia_kernel.frames.model import model_view, opinions, seated
from mia_kernel.frames.money import fills, limit_rows, money, order_rows
from mia_kernel.state import options

__all__ = ["FRAME_VERSION", "Driven", "Memory", "build", "decode", "encode"]

FRAME_VERSION = 1
SIMULATED = "SIMULATED"
"""Stamp of a market that comes over the wire of the simulated gateway: its rows look live and are not."""


def build(
    run: Driven,
    memory: Memory | None = None,
    *,
    seq: int = 0,
    mode: str = "replay",
    live: bool = True,
    extra: Mapping[str, Any] | None = None,
    advice: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the frame of a run as it stands now.

    Parameters
    ----------
    run : Driven
        A run between two slices.
    memory : Memory, optional
        What was kept beside the run; without one the frame has no depth history and no footprint.
    seq : int
        Number of the frame, ascending.
    mode : str
        `dry-run`, `paper` or `replay`: what an order of this run is.
    live : bool
        Whether another frame is to follow; a reader calls a live frame stale after two seconds.
    extra : mapping, optional
        What only the caller knows (feed latency, parity of the last session); merged into `health`.
    advice : mapping, optional
        What the mentor said last, with its evidence; None where no page has been made yet.
    """
    memory = memory or Memory(run)
    rooms = run.engine.rooms
    market = rooms.market
    state, source = market.array[0], run.recording.source
    ts = int(state["clock"]["ts"])
    started = bool(state["clock"]["has_day"])
    seen = (closed_bars(market), int(state["options"]["ts"]))
    decided = run.last.sequence if run.last is not None else None
    judged = (len(run.table.signals), len(run.round_trips))
    frame: dict[str, Any] = {
        "version": FRAME_VERSION,
        "seq": seq,
        "ts_event": ts if started else None,
        "live": live,
        "mode": mode,
        "source_tag": source.tag,
        "stamp": SIMULATED if source.adapter == "gateway" else None,
        "source_name": source.name,
        "symbol": source.symbol,
        "contract": source.contract,
        "title": f"{source.contract or source.symbol} {source.name}",
        "settings_id": memory.settings_id,
        "code_version": memory.code_version,
        "phase": PHASE_NAMES[market.phase] if started else None,
        "rows": market.events_seen,
        "price": price(state),
        "book": book(market),
        "levels": memory.keep("levels", seen, lambda: levels(market)),
        "zones": memory.keep("zones", (seen, market.price_ticks), lambda: zone_rows(market, ts))
        if started
        else [],
        "gamma": gamma(market, run.chains.rows[-1]["source"] if run.chains.rows else None),
        "decision": decision_view(run, memory),
        "battle": battle_view(market, memory),
        "signals": signal_rows(run, memory),
        "ml": memory.keep("ml", (judged, seated(rooms.model)), lambda: model_view(run)),
        "money": money(rooms.account, market),
        "orders": order_rows(rooms, market),
        "limits": memory.keep("limits", decided, lambda: limit_rows(rooms.gate)) if run.last else [],
        "trading_state": rooms.gate.state.value,
        "halt_code": rooms.gate.halt_code or None,
        "mentor": None if advice is None else dict(advice),
        "health": _health(state, ts, extra),
    }
    frame.update(market_series(market, memory))
    frame.update(fills(run))
    frame["history"] = history(run)
    frame["opinions"] = memory.keep("opinions", judged, lambda: opinions(run))
    return frame


def _health(state: Any, ts: int, extra: Mapping[str, Any] | None) -> dict[str, Any]:
    quality, k, chain = state["quality"], state["book"], state["options"]
    gamma = float(chain["total_gamma_exposure_usd"]) if options.is_fresh(chain, ts) else float("nan")
    score = float(quality["score"])
    return {
        "data_quality": score if score == score else None,
        "book_age_ms": (ts - int(k["ts"])) / 1e6 if k["has"] else None,
        "total_gamma_usd": gamma if gamma == gamma else None,
        "quarantined": int(quality["quarantined"]),
        "late": int(quality["late"]),
        **(extra or {}),
    }
