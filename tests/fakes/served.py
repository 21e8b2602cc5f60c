"""A guardian that serves on its bus in a thread, as the process would."""

from __future__ import annotations

import threading
import time

from mia_kernel.adapters import bus
from mia_kernel.guardian.serve import Service, Signals
from tests.fakes.guarded import Guarded


class Served:
    """A guardian on its bus; the thread that made the sockets is the one that uses them."""

    def __init__(self, guarded: Guarded) -> None:
        self.guarded = guarded
        self.signals = Signals()
        guarded.g.book.close()
        self.service = Service(guarded.g, guarded.home, self.signals)
        self.thread = threading.Thread(target=self.service.run)
        self.thread.start()
        until = time.monotonic() + 10
        while bus.find(guarded.home, bus.GUARDIAN) is None:
            assert time.monotonic() < until
            time.sleep(0.01)

    def beat(self) -> None:
        self.guarded.g.engine_run, self.guarded.g.engine_beat = "run-1", time.monotonic() + 60

    def close(self) -> None:
        self.signals.stop = True
        self.thread.join(5)
