"""Publish a running loop: ten frames a second for whoever looks, a beat for the guardian, its word for the gate.

How it moves: `take` sees the rows a slice held, `turn` is a timer of the loop. Frames go out on a PUB socket that
never waits; without a guardian the loop runs on alone, and every screen says that the state is unknown.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mia_kernel import frames
from mia_kernel.adapters.bus import ENGINE, GUARDIAN, Server, announce, find, load_keys, withdraw
from mia_kernel.adapters.guardian_link import GuardianLink
from mia_kernel.adapters.machine import code_version
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.events import EventArray
from mia_kernel.core.kernel import is_plain
from mia_kernel.live.before import left_behind
from mia_kernel.live.loop import Loop, Timer
from mia_kernel.live.pulse import FeedAge, latency_view
from mia_kernel.settings import settings_id

log = logging.getLogger("mia.publish")

FRAME_S = 0.1
BEAT_S = 0.1
FEEL_S = 1.0
"""How often latencies are sorted; a frame repeats what was found."""


class Publisher:
    """Frames and beats of one loop; a context that announces the engine and takes it back.

    Parameters
    ----------
    home : Path
        MIA_HOME: where the engine is announced and the guardian is found.
    loop : Loop
    mode : str
    run_id : str
    guarded : bool
        True where the session follows the guardian by itself: then only frames leave here.
    """

    def __init__(
        self,
        home: Path,
        loop: Loop,
        *,
        mode: str,
        run_id: str,
        guarded: bool = False,
    ) -> None:
        self._home, self._loop, self._mode, self._run_id = home, loop, mode, run_id
        self._before = left_behind(loop.run.settings)
        self._feed = FeedAge()
        self._pulse: dict[str, Any] = {}
        self._felt = 0.0
        self._memory = frames.Memory(loop.run)
        self._server = Server(load_keys(home), (), publish=True)
        self._guarded = guarded
        self._guardian: GuardianLink | None = None
        self._looked = 0.0
        self._state = ""
        self._seq = 0
        self.longest_frame_s = 0.0

    def _greet(self) -> GuardianLink | None:
        """Return a link to the guardian as soon as there is one; the loop does not wait for it."""
        if self._guarded or time.monotonic() - self._looked < FEEL_S:
            return None
        self._looked = time.monotonic()
        said = find(self._home, GUARDIAN)
        if said is None or not said.alive:
            return None
        link = GuardianLink(
            self._home,
            build=code_version(),
            settings_id=settings_id(self._loop.run.settings),
            mode=self._mode,
            run_id=self._run_id,
        )
        try:
            link.greet()
        except OutsideError as error:  # it is still starting, or gone again: asked once more in a second
            log.info("no answer of the guardian", extra={"why": str(error)})
            link.close()
            return None
        return link

    def __enter__(self) -> Self:
        announce(self._home, ENGINE, {"frames": self._server.ports["frames"]}, code_version())
        self._loop.rows_seen = self.take
        self._loop.timers += [Timer(FRAME_S, self.publish), Timer(BEAT_S, self.beat)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        withdraw(self._home, ENGINE)
        self._server.close()
        if self._guardian is not None:
            self._guardian.close()

    def take(self, rows: EventArray) -> None:
        """Keep what a picture needs of rows the engine has consumed."""
        self._memory.take(rows)
        self._feed.take(rows)

    def publish(self) -> None:
        """Send one frame; a viewer that is slow loses it."""
        began = time.perf_counter()
        self._seq += 1
        extra = {
            "sent_ms": time.time() * 1e3,
            "rows_waiting": self._loop.inbox.waiting,
            "parity": None if self._before.parity is None else list(self._before.parity),
            "plain": is_plain(),
            **self._felt_now(began),
        }
        frame = frames.build(
            self._loop.run,
            self._memory,
            seq=self._seq,
            mode=self._mode,
            extra=extra,
            advice=self._before.advice,
        )
        self._server.publish(frames.encode(frame))
        self.longest_frame_s = max(self.longest_frame_s, time.perf_counter() - began)

    def _felt_now(self, now: float) -> dict[str, Any]:
        """Return feed age and latencies, felt anew once a second."""
        if not self._pulse or now - self._felt >= FEEL_S:
            self._felt = now
            self._pulse = {
                "feed_latency_ms": self._feed.median_ms,
                "latency": latency_view(self._loop.latency.values),
                "longest_frame_ms": self.longest_frame_s * 1e3,
                "longest_step_ms": self._loop.longest_step_s * 1e3,
                "rows_waiting_most": self._loop.inbox.most,
            }
        return self._pulse

    def beat(self) -> None:
        """Tell the guardian that the engine lives, and do as it says: disarmed means no new entry here either."""
        if (
            self._guardian is None and self._loop.run.seen
        ):  # its first rows load the kernels: who greets must then beat
            self._guardian = self._greet()
        if self._guardian is None:
            return
        self._guardian.beat(int(self._loop.run.engine.rooms.market.array["clock"]["ts"][0]))
        self._guardian.reports()
        if self._guardian.trading_state != self._state:
            self._state = self._guardian.trading_state
            self._loop.change_state(self._state, self._guardian.state_reason)
