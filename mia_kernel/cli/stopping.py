"""Turn Ctrl-C and a polite kill into a request to stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Protocol


class Stoppable(Protocol):
    """Something that can be asked to end."""

    def stop(self, reason: str) -> None: ...


@contextlib.contextmanager
def stopping(what: Stoppable) -> Iterator[None]:
    """End cleanly on Ctrl-C or a polite kill; a second Ctrl-C does not wait."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: object) -> None:
        what.stop(signal.Signals(number).name)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
