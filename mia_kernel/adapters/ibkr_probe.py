"""Try client ids at a gateway: which are free, which are in use, whether it answers at all.

Each id is a short session of its own, all at once: greeted, and let go. One that is in use is refused to us and
stays with whoever has it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.adapters.session_clock import SessionClock

FREE, IN_USE, SILENT = "free", "in use", "no answer"
LOOK_S = 0.02


def try_ids(address: Address, ids: Sequence[int], wait_s: float = 3.0) -> dict[int, str]:
    """Return "free", "in use" or "no answer" of each id, within about `wait_s` seconds."""
    sessions = {one: IbkrSession(address, (one,), clock=SessionClock(shifted=False)) for one in ids}
    for session in sessions.values():
        session.start()
    ends = time.monotonic() + wait_s
    while any(_word(s) == SILENT for s in sessions.values()) and time.monotonic() < ends:
        time.sleep(LOOK_S)
    found = {one: _word(session) for one, session in sessions.items()}
    for session in sessions.values():
        session.close()
    return found


def _word(session: IbkrSession) -> str:
    return FREE if session.connected else IN_USE if session.in_use else SILENT
