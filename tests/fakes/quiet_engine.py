"""An engine in the process of a test: it beats when it is looked at, and wishes what the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from mia_kernel.adapters.guardian_link import GuardianLink
from mia_kernel.core.orders import PlaceBracket
from tests.fakes.guarded import BUILD, bracket
from tests.fakes.processes import Stage
from tests.fakes.venue import T0

LINKS: list[GuardianLink] = []
"""Every link of a test; closed after it by `close_links`."""


def close_links() -> None:
    while LINKS:
        LINKS.pop().close()


class Engine:
    """A quiet engine in this process: it beats whenever it is looked at, and wishes what the test says."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.link = GuardianLink(
            stage.home, build=BUILD, settings_id="s", mode="paper", run_id=f"t{time.monotonic_ns()}"
        )
        LINKS.append(self.link)
        self.link.greet(0)

    def until(self, true: Callable[[], Any], seconds: float = 5.0) -> float:
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, (self.stage.status(), self.link.refusals)
            self.link.beat(0)
            self.link.wait(0.002)
            self.link.reports()
        return time.monotonic() - began

    def enter(self, **wish: Any) -> PlaceBracket:
        command = bracket(T0 + time.time_ns() % 10**15, **wish)
        self.link.submit((command,))
        return command

    def arm(self) -> None:
        done = threading.Event()

        def arming() -> None:
            self.stage.arm()
            done.set()

        thread = threading.Thread(target=arming)
        thread.start()
        self.until(lambda: done.is_set() and self.link.armed, 20.0)
        thread.join()
