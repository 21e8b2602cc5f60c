"""A running loop, seen from a notebook: it answers at once, and keeps nothing that a restarted kernel would lose."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mia_kernel.adapters.bus import ENGINE, GUARDIAN, Viewer, find, guardian, load_keys
from mia_kernel.adapters.messages import (
    Arm,
    Challenge,
    Confirm,
    Disarm,
    GuardianStatus,
    Halt,
    Message,
    Refused,
    Status,
)
from mia_kernel.adapters.wire import decode
from mia_kernel.core.errors import InputError, OutsideError

CHANNEL = "notebook"
FRAME_WAIT_S = 2.0
VIEW_HZ = 10.0


class Follower(Protocol):
    """A view: something with `update(frame)`."""

    def update(self, frame: Mapping[str, Any]) -> bool:
        """Take a frame."""
        ...


class Desk:
    """A running loop, or the sentence that says how to start one.

    Parameters
    ----------
    home : Path
        MIA_HOME whose loop and guardian are asked.
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    # -- what runs ---------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a loop publishes frames now."""
        said = find(self.home, ENGINE)
        return said is not None and said.alive and "frames" in said.ports

    @property
    def guarded(self) -> bool:
        """Whether a guardian runs."""
        said = find(self.home, GUARDIAN)
        return said is not None and said.alive

    def __repr__(self) -> str:
        """Say how things stand; a loop that is still warming up or just ended is a sentence, not an error."""
        if not self.running:
            return self._way_out()
        try:
            return f"{self._on()}; {self._standing()}"
        except OutsideError as error:
            return str(error)

    def _on(self) -> str:
        frame = self.frame()
        return f"{frame['mode']} on {frame['source_name']}"

    def _standing(self) -> str:
        if not self.guarded:
            return "no guardian runs: the state is UNKNOWN"
        said = self.status()
        return f"{'ARMED' if said['armed'] else 'DISARMED'}, {said['trading_state'].upper()}: {said['last_reason']}"

    # -- frames ------------------------------------------------------------------------------------

    def frame(self, timeout_s: float = FRAME_WAIT_S) -> dict[str, Any]:
        """Return the next frame of the running loop.

        Raises
        ------
        OutsideError
            If no loop runs, or none came in time.
        """
        for frame in self.frames(timeout_s):
            return frame
        raise OutsideError(
            f"the loop in {self.home} sent no frame within {timeout_s:g} s; way out: `mia doctor`"
        )

    def frames(self, timeout_s: float = FRAME_WAIT_S) -> Iterator[dict[str, Any]]:
        """Yield frames as they come, the newest first served; ends when none comes for `timeout_s`.

        Raises
        ------
        OutsideError
            If no loop runs.
        """
        said = find(self.home, ENGINE)
        if said is None or not said.alive or "frames" not in said.ports:
            raise OutsideError(self._way_out())
        viewer = Viewer(load_keys(self.home), said.ports["frames"])
        try:
            while (payload := viewer.frame(timeout_s)) is not None:
                yield decode(payload)
        finally:
            viewer.close()

    def follow(self, *views: Follower) -> Callable[[], None]:
        """Keep views fed from a thread of their own while cells run; return what ends it.

        The thread ends with the loop, or when the returned function is called.
        """
        gone = threading.Event()
        if not self.running:
            raise OutsideError(self._way_out())

        def feed() -> None:
            due = 0.0
            for frame in self.frames():
                if gone.is_set():
                    return
                if time.monotonic() >= due:
                    due = time.monotonic() + 1 / VIEW_HZ
                    for view in views:
                        view.update(frame)

        threading.Thread(target=feed, name="desk views", daemon=True).start()
        return gone.set

    # -- the guardian ------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return the guardian's word: armed or not, position, protection, limits used."""
        return msgspec.to_builtins(self._ask(Status()))

    def arm(self, phrase: str, account: str) -> Arming:
        """Begin to arm: the first of two steps; `.confirm(code)` on the answer is the second."""
        answer = self._ask(Arm(phrase, account, CHANNEL))
        if not isinstance(answer, Challenge):
            raise InputError("not armed", rule=f"answer {type(answer).__name__}")
        return Arming(self, answer)

    def disarm(self, reason: str = "notebook") -> dict[str, Any]:
        """Allow only what reduces exposure: one step, always allowed."""
        return msgspec.to_builtins(self._ask(Disarm(reason)))

    def halt(self, reason: str = "notebook") -> dict[str, Any]:
        """Cancel, flatten, verify, lock."""
        return msgspec.to_builtins(self._ask(Halt(reason)))

    # -- why ---------------------------------------------------------------------------------------

    def why(self) -> str:
        """Return the contributions of the last decision, which add up to its score."""
        decision = self.frame()["decision"]
        if decision is None:
            return "No decision yet."
        width = max(len(line["name"]) for line in decision["contributions"])
        rows = [
            f"  {line['name']:<{width}}  {line['weight']:.4f}  {line['contribution']:+.4f}"
            if line["status"] == "ok"
            else f"  {line['name']:<{width}}  {line['weight']:.4f}  {line['status'].replace('_', ' ')}"
            for line in decision["contributions"]
        ]
        head = f"{decision['percent']:.2f} % {decision['grade']}, coverage {decision['coverage']:.2f}"
        return "\n".join(
            [head, *rows, f"  {'sum':<{width}}          {decision['score']:+.4f}", self._not(decision)]
        )

    def why_not(self) -> str:
        """Return why the last decision made no trade."""
        decision = self.frame()["decision"]
        return "No decision yet." if decision is None else self._not(decision)

    @staticmethod
    def _not(decision: Mapping[str, Any]) -> str:
        refused = [f"  {row['level']:<8}  {row['sentence']}" for row in decision["refusals"]]
        return "\n".join([decision["why_not"], *refused])

    # -- inside ------------------------------------------------------------------------------------

    def _ask(self, message: Message) -> Any:
        with guardian(self.home) as client:
            answer = client.ask(message)
        if isinstance(answer, Refused):
            raise InputError(f"refused ({answer.code}): {answer.reason}")
        return answer

    def _way_out(self) -> str:
        return (
            f"no loop runs in {self.home}: type `mia run --dry-run` in a terminal, or start with `mia lab`; "
            "mia.day(SOURCE).replay() runs the same engine here"
        )


class Arming:
    """An arming that has begun: what it would allow, and the code that confirms it.

    In production the code appears on another channel only (the terminal), so `code` is empty here.
    """

    def __init__(self, desk: Desk, challenge: Challenge) -> None:
        self._desk = desk
        self.code = challenge.code
        self.allows = challenge.allows
        self.expires_s = challenge.expires_s

    def __repr__(self) -> str:
        shown = self.code or "shown in the terminal by `mia status --code`"
        return f"allows {self.allows}; code {shown}, valid {self.expires_s:.0f} s: .confirm(code)"

    def confirm(self, code: str) -> dict[str, Any]:
        """Confirm with the one-time code; return the guardian's word."""
        answer = self._desk._ask(Confirm(str(code).strip(), CHANNEL))
        assert isinstance(answer, GuardianStatus)
        return msgspec.to_builtins(answer)


def attach(home: str | Path | None = None) -> Desk:
    """Attach to the loop that runs in MIA_HOME; it may start later, and a restarted kernel attaches again.

    Parameters
    ----------
    home : str or Path, optional
        Default: that of the settings.
    """
    if home is not None:
        return Desk(Path(home))
    from mia_kernel.settings import load  # late: settings describe the engine, and so load it

    return Desk(load().settings.home)
