"""Read a running loop for the desk server: newest frame, the guardian's word, and what has happened.

How it moves: one thread takes frames from the engine's PUB socket and packs each once for all browsers, one asks
the guardian twice a second (`desk_word`). Both find their peer by its announcement, again after a restart. A command
goes over a connection of its own, so it never waits behind a question. Nothing is sent twice; nothing here decides.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from mia_kernel.adapters.bus import ENGINE, Viewer, find, guardian, load_keys
from mia_kernel.adapters.desk_events import Chronicle
from mia_kernel.adapters.desk_word import EVERY_S, Word
from mia_kernel.adapters.messages import GuardianStatus, Message, Refused
from mia_kernel.adapters.wire import decode
from mia_kernel.core.errors import MiaError, OutsideError
from mia_kernel.core.packing import pack

FRAME_WAIT_S = 0.25
FIND_AGAIN_S = 0.5
COMMAND_S = 5.0
STALE_S = 2.0


def browser_bytes(frame: dict[str, Any]) -> bytes:
    """Return a frame as one message: length of the header (uint32), JSON header padded to 8 bytes, buffer."""
    header, buffer = pack(frame)
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return struct.pack("<I", len(text)) + text + buffer


class DeskLink:
    """What the desk server knows of the loop and the guardian.

    Parameters
    ----------
    home : Path
        MIA_HOME whose loop is shown.
    fresh : callable
        Called from a reading thread whenever a frame or a status has come.
    """

    def __init__(self, home: Path, fresh: Callable[[], None]) -> None:
        self.home = home
        self.chronicle = Chronicle()
        self.frame: dict[str, Any] | None = None
        self.packed: bytes | None = None
        self.frames = 0
        self.frame_at: float | None = None
        self.status: GuardianStatus | None = None
        self.status_at: float | None = None
        self.refusal = ""
        self._fresh = fresh
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._read_frames, name="desk frames", daemon=True),
            threading.Thread(target=self._ask_status, name="desk status", daemon=True),
        ]

    def start(self) -> None:
        """Start reading."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop reading; safe to repeat."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=2 * COMMAND_S)

    # -- what can be asked -------------------------------------------------------------------------

    def frame_age_s(self) -> float | None:
        """Seconds since the newest frame came, None before the first."""
        return None if self.frame_at is None else time.monotonic() - self.frame_at

    def standing(self) -> dict[str, Any]:
        """Return the guardian's word with its age; without a fresh one the state is unknown, never the last."""
        age = None if self.status_at is None else time.monotonic() - self.status_at
        known = self.status is not None and age is not None and age < STALE_S
        return {
            "kind": "status",
            "known": known,
            "age_s": age,
            "frame_age_s": self.frame_age_s(),
            "guardian": msgspec.to_builtins(self.status) if known else None,
            "why": "" if known else self.refusal or "the guardian has not answered yet",
            "events": self.chronicle.last(1)[-1]["id"] if self.chronicle.last(1) else 0,
        }

    def command(self, message: Message) -> Message:
        """Send one command to the guardian and return its answer, whatever it is.

        Raises
        ------
        OutsideError
            If no guardian runs, or it did not answer: then the outcome is unknown.
        """
        with guardian(self.home) as client:
            asked_at = time.monotonic()
            answer = client.ask(message, COMMAND_S)
        said = answer.reason if isinstance(answer, Refused) else type(answer).__name__
        self.chronicle.note("command", "info", f"{type(message).__name__}: {said}")
        if isinstance(answer, GuardianStatus):
            self._take_status(answer, asked_at)
        return answer

    # -- threads -----------------------------------------------------------------------------------

    def _read_frames(self) -> None:
        while not self._stop.is_set():
            viewer, said = self._find_engine()
            if viewer is None:
                self._stop.wait(FIND_AGAIN_S)
                continue
            try:
                while not self._stop.is_set() and self._announced() == said:
                    payload = viewer.frame(FRAME_WAIT_S)
                    if payload is not None:
                        self._take_frame(payload)
            finally:
                viewer.close()

    def _find_engine(self) -> tuple[Viewer | None, Any]:
        said = self._announced()
        if said is None:
            return None, None
        return Viewer(load_keys(self.home), said[1]), said

    def _announced(self) -> tuple[int, int] | None:
        try:
            said = find(self.home, ENGINE)
        except MiaError as error:
            self.chronicle.note("desk", "warning", str(error))
            return None
        return None if said is None or "frames" not in said.ports else (said.pid, said.ports["frames"])

    def _take_frame(self, payload: bytes) -> None:
        try:
            frame = decode(payload)
        except MiaError as error:
            self.chronicle.note("desk", "warning", str(error))
            return
        self.packed = browser_bytes(frame)
        self.frame, self.frame_at = frame, time.monotonic()
        self.frames += 1
        self.chronicle.see_frame(frame)
        self._fresh()

    def _ask_status(self) -> None:
        word: Word | None = None
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                word = word or Word(self.home)
                for status, asked_at in word.turn():
                    self._take_status(status, asked_at)
            except (MiaError, OutsideError) as error:
                self.refusal = str(error)
                self.chronicle.see_silence(self.refusal)
                if word is not None:
                    word.close()
                word = None
                self._fresh()
            self._stop.wait(max(0.0, began + EVERY_S - time.monotonic()))
        if word is not None:
            word.close()

    def _take_status(self, status: GuardianStatus, asked_at: float) -> None:
        self.status, self.status_at, self.refusal = status, asked_at, ""
        self.chronicle.see_status(status)
        self._fresh()
