"""Arm in two steps: a typed phrase and the account, then a one-time code bound to what it allows.

Pure: time and the code come in. A wrong phrase, account or code voids what was begun; five wrong ones in a
row lock arming for a minute. Disarming is one action and always allowed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from mia_kernel.adapters.messages import Arm, Challenge, Confirm, Refused

PHRASES = {"dry-run": "ARM DRY-RUN", "paper": "ARM PAPER", "production": "ARM PRODUCTION"}
ATTEMPTS, LOCKED_S = 5, 60.0
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # pragma: allowlist secret


def new_code() -> str:
    """Return a code a person can read aloud: 40 random bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(8))


@dataclass(frozen=True, slots=True)
class Begun:
    """An arming whose code has been given out."""

    code: str
    expires: float
    channel: str
    bound_to: str
    allows: str


class Arming:
    """The two steps of one guardian.

    Parameters
    ----------
    mode : str
        dry-run, paper or production; it fixes the phrase, and whether the code needs a second channel.
    account : str
    expires_s : float
    code : callable
        Makes a new one-time code.
    """

    def __init__(self, mode: str, account: str, expires_s: float, code: Callable[[], str] = new_code) -> None:
        self.mode = mode
        self.account = account
        self.expires_s = expires_s
        self._new = code
        self._begun: Begun | None = None
        self._wrong = 0
        self._locked_until = 0.0

    @property
    def phrase(self) -> str:
        """Return what must be typed."""
        return PHRASES[self.mode]

    @property
    def two_channels(self) -> bool:
        """Whether the code appears on another channel than the one that asked."""
        return self.mode == "production"

    def begin(self, ask: Arm, now: float, bound_to: str, allows: str) -> Challenge | Refused:
        """Take the first step; `bound_to` names mode, account and limits as they are now."""
        self._begun = None
        if now < self._locked_until:
            return Refused("locked", f"too many wrong attempts; wait {self._locked_until - now:.0f} s")
        if not secrets.compare_digest(ask.phrase.encode(), self.phrase.encode()):
            return self._failed(now, "phrase", f"the phrase is not the one of this mode ({self.mode})")
        if not secrets.compare_digest(ask.account.encode(), self.account.encode()):
            return self._failed(now, "account", "the account is not the one of risk.toml")
        code = self._new()
        self._begun = Begun(code, now + self.expires_s, ask.channel, bound_to, allows)
        return Challenge("" if self.two_channels else code, self.expires_s, allows)

    def reveal(self, channel: str, now: float) -> Challenge | Refused:
        """Show the code of an arming begun on another channel."""
        begun = self._begun
        if begun is None or now >= begun.expires:
            return Refused("nothing_begun", "no arming is waiting for its code")
        if channel == begun.channel:
            return Refused("same_channel", f"the code is not shown on {channel}, where the arming began")
        return Challenge(begun.code, begun.expires - now, begun.allows)

    def confirm(self, said: Confirm, now: float, bound_to: str) -> Refused | None:
        """Take the second step; None is yes. A code works once, whatever the answer."""
        begun, self._begun = self._begun, None
        if now < self._locked_until:
            return Refused("locked", f"too many wrong attempts; wait {self._locked_until - now:.0f} s")
        if begun is None:
            return Refused("nothing_begun", "no arming is waiting for its code")
        if now >= begun.expires:
            return Refused("expired", f"the code lived {self.expires_s:g} s; begin again")
        if said.channel != begun.channel:
            return Refused("other_channel", f"the arming began on {begun.channel}")
        if not secrets.compare_digest(said.code.encode(), begun.code.encode()):
            return self._failed(now, "code", "the code is wrong; begin again")
        if bound_to != begun.bound_to:
            return Refused("changed", "mode, account or limits changed since the code was made; begin again")
        self._wrong = 0
        return None

    def forget(self) -> None:
        """Void what was begun."""
        self._begun = None

    def _failed(self, now: float, code: str, reason: str) -> Refused:
        self._wrong += 1
        if self._wrong >= ATTEMPTS:
            self._wrong, self._locked_until = 0, now + LOCKED_S
        return Refused(code, reason)
