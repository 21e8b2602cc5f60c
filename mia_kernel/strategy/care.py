"""Care for an open position: trail the stop behind the newest ball, leave when the ball trend breaks."""

from __future__ import annotations

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.battle import BALLS
from mia_kernel.state.ledger import LEGS
from mia_kernel.strategy.record import CARE_CLOSE, CARE_NONE, CARE_TRAIL


@kernel
def trail_to(s: Record, battle: Record, gap: int, side: int, stop: int) -> int:
    """Return the stop `gap` ticks behind the newest ball of the side, if that is in the trade's favour.

    A stop the market has already passed would be an exit, not a trail: it stays where it is.
    """
    n = battle["green_n"] if side > 0 else battle["red_n"]
    if n == 0:
        return stop
    ball = battle["green"][(n - 1) % BALLS]["px"] if side > 0 else battle["red"][(n - 1) % BALLS]["px"]
    wanted = ball - side * gap
    touch = s["clock"]["price"]
    if s["book"]["has"]:
        touch = s["book"]["bid"] if side > 0 else s["book"]["ask"]
    if side * (wanted - stop) > 0 and side * (touch - wanted) > 0:
        return wanted
    return stop


@kernel
def broke_since(battle: Record, side: int, since: int) -> bool:
    """Return whether a ball trend of `side` broke after `since`."""
    return battle["ball_break"] == side and battle["ball_break_ts"] > since


@kernel
def care(s: Record, battle: Record, p: Record, m: Record, out: Record) -> None:
    """Say for every open leg what is to be done: nothing, a new stop, or a close (once)."""
    for k in range(LEGS):
        leg = s["account"]["legs"][k]
        out["care"][k] = CARE_NONE
        if leg["used"] == 0 or leg["qty"] == 0 or m["closing"][k] == leg["key"]:
            continue
        side = leg["side"]
        out["care_key"][k] = leg["key"]
        if p["exit_on_ball_break"] and broke_since(battle, side, leg["entry_ts"]):
            out["care"][k] = CARE_CLOSE
            m["closing"][k] = leg["key"]
        elif p["trail"]:
            stop = trail_to(s, battle, p["trail_gap_ticks"], side, leg["stop_ticks"])
            if stop != leg["stop_ticks"]:
                out["care"][k] = CARE_TRAIL
                out["care_stop"][k] = stop
