"""A guardian that is not there, for sessions at a broker that must not need one."""

from __future__ import annotations

from collections.abc import Callable


class NoGuardian:
    """A link nobody answers on: nothing is sent, nothing is told."""

    lost, trading_state, state_reason = False, "reducing", "no guardian in this test"

    def __init__(self, *_: object) -> None:
        pass

    def reports(self) -> list[object]:
        return []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None
