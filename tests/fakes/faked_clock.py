"""A guardian on the wall clock, in a process whose wall clock libfaketime moves; it prints a line per turn of 20 ms.

The venue knows the true time (the monotonic clock, which is not moved) and answers the time request in whole seconds,
as IBKR does. Session clock, skew, order socket and guardian are the real ones; the venue's orders are the fake's.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

from mia_kernel.adapters.ibkr_broker import Broker
from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.ibkr_session import IbkrSession
from tests.fakes.guarded import Guarded


def main(home: str, seconds: float) -> None:
    """Hold a position under its stop for so long, ask the time twice a second."""
    guarded = Guarded(Path(home))
    session = IbkrSession(
        Address("ibkr", "127.0.0.1", 1), (999,)
    )  # not started: only its clock and what it tells
    broker = Broker(session)
    guarded.arm()
    guarded.enter()
    guarded.run(1.5)
    true, began = time.time(), time.monotonic()
    asked = 0.0
    while (passed := time.monotonic() - began) < seconds:
        if passed - asked >= 0.5:
            asked = passed
            session._probe = time.monotonic()
            session._on_time(int(true + time.monotonic() - began))
            guarded.venue.events += broker.reports()
        guarded.step(0.02)
        line = {
            "armed": guarded.g.armed,
            "wall": round(time.time() - true - passed, 1),
            "stops": guarded.venue.stops(),
            "sent": len(guarded.venue.received),
            "alerts": [note.code for note in guarded.g.alerts.notes()],
            "reason": guarded.g.last_reason,
        }
        print(json.dumps(line), flush=True)
        select.select([], [], [], 0.02)  # the library breaks sleeping until a monotonic time
    guarded.agrees()
    print("agrees", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
