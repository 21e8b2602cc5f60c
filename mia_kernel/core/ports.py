"""The seams to the world: five-line protocols that adapters implement and the engine never sees behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from mia_kernel.core.decisions import Decision, FeatureVector, Opinion, Score, Signal
from mia_kernel.core.events import EventArray, Recording, SourceInfo
from mia_kernel.core.orders import Command, OrderReport


class Feed(Protocol):
    """Slices of rows with the object events between them, in merge order."""

    source: SourceInfo

    def slices(self) -> Iterator[tuple[EventArray, tuple[Any, ...]]]: ...


class Broker(Protocol):
    """Takes commands; tells later what became of them."""

    def submit(self, commands: Sequence[Command]) -> None: ...
    def reports(self) -> list[OrderReport]: ...


class Venue(Broker, Protocol):
    """A broker that lives in event time: it must be asked where the next fill is before a slice is stepped."""

    def scan(self, events: EventArray, start: int, stop: int) -> int:
        """Return how far the engine may step: just behind the first row that changes an order, else `stop`."""
        ...

    def advance(self, events: EventArray, start: int, stop: int) -> None:
        """Live through the rows the engine has consumed."""
        ...

    def to_bytes(self) -> bytes: ...
    def restore(self, state: bytes) -> None: ...


class Journal(Protocol):
    """Append-only record of a run."""

    def open_run(self, header: Mapping[str, Any]) -> None: ...
    def append(self, decisions: Sequence[Decision]) -> None: ...
    def close(self, trailer: Mapping[str, Any]) -> None: ...


class Catalog(Protocol):
    """Stored market data by symbol and trading day."""

    def days(self, symbol: str) -> list[int]: ...
    def read_day(self, symbol: str, day: int) -> Recording: ...


class Notifier(Protocol):
    """Sends a message outward; its loss never blocks a decision."""

    def send(self, topic: str, title: str, body: str) -> bool: ...


class Clock(Protocol):
    """Wall time for shells; the core never holds one."""

    def now_ns(self) -> int: ...


class Model(Protocol):
    """P(win | signal): asked once for each signal, between the wish and the permission."""

    @property
    def model_id(self) -> str:
        """Name, version and hash of who judges, `none` without one."""
        ...

    def opinion(
        self, market: Any, vector: FeatureVector, score: Score, signal: Signal, ts: int
    ) -> Opinion | None:
        """Return the opinion on a signal; None where nobody judges at all."""
        ...
