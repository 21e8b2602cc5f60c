"""An engine that wishes at random through the real link, to be killed at any moment."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

from mia_kernel.adapters.guardian_link import GuardianLink
from mia_kernel.core.orders import CancelEntry, ClosePosition, Command, OrderStatus, ReplaceStop, Role
from tests.fakes.guarded import bracket
from tests.fakes.venue import T0
from tests.fakes.venue_process import BUILD

DEAD = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED)


def wish(rng: random.Random, mid: int, open_: list[str], n: int) -> Command:
    ts = T0 + time.time_ns() % 10**15
    pick = rng.random()
    if pick < 0.5 or not open_:
        side = rng.choice((1, -1))
        return bracket(
            ts, side, 1, mid + rng.choice((-2, 0, 2)), rng.choice((4, 6)), rng.choice((6, 8)), "MES"
        )
    name = rng.choice(open_)
    if pick < 0.7:
        return CancelEntry(ts, name, "changed my mind")
    if pick < 0.85:
        return ReplaceStop(ts, name, mid - 2, "trail")
    return ClosePosition(ts, name, "enough")


def misbehave(mood: str) -> None:
    """Never come back: turn without end, or take memory until there is none and then turn without end."""
    held: list[bytearray] = []
    if mood == "balloon":
        import resource  # POSIX only, and so is this mood

        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    while True:
        try:
            if mood == "balloon":
                held.append(bytearray(1 << 24))
        except MemoryError:
            mood = "spin"


def run_engine(folder: str, seed: int) -> None:
    home = Path(folder)
    rng = random.Random(seed)
    link = GuardianLink(home, build=BUILD, settings_id="s", mode="paper", run_id=f"run-{seed}")
    seen, part = home / "engine.seen", home / f"engine.seen.{seed}"
    limits = link.greet(int(seen.read_text()) if seen.exists() else 0)
    open_, mid, n = list(limits.brackets), 18_000, 0
    next_wish = time.monotonic()
    mood = home / "engine.mood"
    while True:
        if mood.exists():
            misbehave(mood.read_text())
        link.beat(0)
        link.wait(0.005)
        for report in link.reports():
            part.write_text(json.dumps(link.reports_seen))
            os.replace(part, seen)
            mid = round(report.last_ticks) if report.last_ticks else mid
            if report.role is Role.ENTRY and report.status in DEAD and report.filled_qty == 0:
                open_ = [name for name in open_ if name != report.bracket_id]
        if link.armed and time.monotonic() >= next_wish:
            next_wish = time.monotonic() + rng.uniform(0.0, 0.05)
            command = wish(rng, mid, open_[-6:], n)
            n += 1
            open_.append(command.bracket_id)
            link.submit((command,))
