"""Ring from one thread what another waits for, beside its sockets."""

from __future__ import annotations

import select
import socket
from contextlib import suppress

_MOST_RINGS = 4096


class Bell:
    """Two ends of a local socket: `ring` writes a byte, `wait` waits for one and takes all there are."""

    def __init__(self) -> None:
        self._ear, self._hammer = socket.socketpair()
        self._ear.setblocking(False)
        self._hammer.setblocking(False)

    def fileno(self) -> int:
        """Return what a poller watches."""
        return self._ear.fileno()

    def ring(self) -> None:
        """Wake who waits; never blocks."""
        with suppress(OSError):  # full: it rings already; closed: nobody waits
            self._hammer.send(b"\x01")

    def wait(self, timeout_s: float) -> None:
        """Return at once when it rang since the last call, else after `timeout_s`."""
        if self._ear.fileno() < 0:
            return
        if select.select((self._ear,), (), (), timeout_s)[0]:
            with suppress(BlockingIOError):
                while len(self._ear.recv(_MOST_RINGS)) == _MOST_RINGS:
                    pass

    def close(self) -> None:
        """Close both ends."""
        self._ear.close()
        self._hammer.close()
