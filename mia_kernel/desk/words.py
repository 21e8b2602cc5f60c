"""Words behind `%mia` that ask a running loop: status, arm, confirm, disarm, halt, why, why_not.

Each is what `mia.attach()` gives, said in a line; nothing works here that does not work without it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.desk.attached import Desk
from mia_kernel.settings import load


class Said(str):
    """Text that a cell shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Words:
    """What `%mia WORD` does. The arming that has begun is kept until it is confirmed."""

    def __init__(self) -> None:
        self._arming: Any = None
        self.rows: dict[str, Callable[..., Any]] = {
            "status": lambda: _status(_desk().status()),
            "arm": self._arm,
            "confirm": self._confirm,
            "disarm": lambda *reason: _status(_desk().disarm(" ".join(reason) or "notebook")),
            "halt": lambda *reason: _status(_desk().halt(" ".join(reason) or "notebook")),
            "why": lambda: _desk().why(),
            "why_not": lambda: _desk().why_not(),
        }

    def say(self, line: str) -> Said:
        """Return the answer to one line.

        Raises
        ------
        InputError
            If there is no such word, or it was given too much or too little.
        """
        word, *rest = shlex.split(line) or ["status"]
        if word not in self.rows:
            raise InputError("no such word", field="%mia", value=word, rule=", ".join(self.rows))
        try:
            return Said(self.rows[word](*rest))
        except OutsideError as error:  # no loop, or no answer: a sentence that says what to type
            return Said(error)
        except TypeError as error:
            raise InputError(
                "too much or too little was given", field=f"%mia {word}", rule=str(error)
            ) from None

    def _arm(self, phrase: str, account: str) -> Any:
        self._arming = _desk().arm(phrase, account)
        return f"{self._arming!r}; second step: %mia confirm CODE"

    def _confirm(self, code: str) -> str:
        if self._arming is None:
            raise InputError("nothing to confirm", way_out="%mia arm PHRASE ACCOUNT first")
        arming, self._arming = self._arming, None
        return _status(arming.confirm(code))


def _desk() -> Desk:
    return Desk(load().settings.home)


def _status(said: dict[str, Any]) -> str:
    state = f"{'ARMED' if said['armed'] else 'DISARMED'} · {said['trading_state'].upper()}"
    position = "—" if said["position"] is None else f"{said['position']:+g}"
    day = "—" if said["day_net_usd"] is None else f"{said['day_net_usd']:+.2f}"
    if said["mode"] == "dry-run" and said["position"] is None:
        # The guardian has no venue to ask there: position, result and stop are simulated in the engine.
        return f"dry-run {said['account']}: {state}; fills are simulated in the engine; {said['last_reason']}"
    return (
        f"{said['mode']} {said['account']}: {state}; position {position} ES, day {day} USD, "
        f"protective stop {said['protective_stop']}; {said['last_reason']}"
    )
