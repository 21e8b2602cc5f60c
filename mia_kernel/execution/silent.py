"""A venue that says nothing: what a broker did comes as order reports among the events.

Paper and real sessions trade outside the engine's process. Their reports enter through the same door as
every other event and are recorded with them, so a replay of the session needs no venue at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import EventArray
from mia_kernel.core.orders import Command, OrderReport


class SilentVenue:
    """Passes commands on and never answers by itself.

    Parameters
    ----------
    send : callable, optional
        Takes the commands (the link to the guardian); without one they go nowhere, as in a replay.
    """

    def __init__(self, send: Callable[[Sequence[Command]], None] | None = None) -> None:
        self._send = send

    def scan(self, events: EventArray, start: int, stop: int) -> int:
        """Return `stop`: no row changes an order here."""
        return stop

    def advance(self, events: EventArray, start: int, stop: int) -> None:
        """Do nothing."""

    def submit(self, commands: Sequence[Command]) -> None:
        """Pass the commands on."""
        if self._send is not None:
            self._send(commands)

    def reports(self) -> list[OrderReport]:
        """Return nothing: reports come as events."""
        return []

    def to_bytes(self) -> bytes:
        """Return nothing: the state is the broker's."""
        return b""

    def restore(self, state: bytes) -> None:
        """Take the state of another one."""
        if state:
            raise InvariantError(f"a silent venue has no state, {len(state)} bytes were given")
