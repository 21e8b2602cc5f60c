"""Hear the wire by names: what the library's decoder calls, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from types import SimpleNamespace
from typing import Any


class Ear:
    """What the library's decoder calls: every message of the wire by its name."""

    def __init__(self, heard: Callable[..., None]) -> None:
        self._heard = heard
        self.ib = SimpleNamespace(TimezoneTWS=None)  # what the decoder asks for a time without zone
        self.defaultTimezone = UTC  # what ib_async tells times in: without it every fill is lost

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args: self._heard(name, args)


class Listeners:
    """Those who are told, in the order they were added; each takes only the names it has a method for."""

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._bound: dict[str, list[Callable[..., None]]] = {}

    def add(self, listener: Any) -> None:
        """Add one."""
        self._all.append(listener)
        self._bound.clear()

    def tell(self, name: str, *args: Any) -> None:
        """Call the method of this name of everyone who has it."""
        bound = self._bound.get(name)
        if bound is None:
            found = (getattr(listener, name, None) for listener in self._all)
            bound = self._bound[name] = [call for call in found if call is not None]
        for call in bound:
            call(*args)
