"""Carry messages to people without ever waiting for one: each channel has a thread and a short queue of its own.

How it moves: `Outbox.send` hands a message to every channel's queue and returns at once; a channel that is slow loses
its oldest messages, and the loss is counted and shown. A channel that fails is said to be failing; nothing that trades
waits for it or knows of it. Channels: Discord, a file of JSON lines, the terminal, the desktop's own notices.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TextIO

from mia_kernel.adapters.discord import DiscordWebhook, Message, Sent

WAITING = 64
DESKTOP_S = 5.0
FILE_BYTES = 5_000_000
ATTENTION = ("critical", "emergency")


class Channel(Protocol):
    """Something that can deliver a message; it may be slow, and it may fail."""

    name: str

    def send(self, message: Message) -> Sent:
        """Deliver one message."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel stands: delivered, failed and lost messages, and what the last failure was."""

    name: str
    delivered: int
    failed: int
    lost: int
    last_failure: str


class _Worker:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.delivered = self.failed = self.lost = 0
        self.last_failure = ""
        self._queue: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name=f"channel-{channel.name}", daemon=True)
        self._thread.start()

    def offer(self, message: Message) -> None:
        while True:
            try:
                self._queue.put_nowait(message)
                return
            except queue.Full:
                try:
                    self._queue.get_nowait()
                    self._queue.task_done()
                    self.lost += 1
                except queue.Empty:
                    continue

    def _run(self) -> None:
        while (message := self._queue.get()) is not None:
            try:
                sent = self.channel.send(message)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                sent = Sent(False, type(error).__name__, 1)
            if sent.ok:
                self.delivered += 1
            else:
                self.failed += 1
                self.last_failure = sent.reason
            self._queue.task_done()
        self._queue.task_done()

    def close(self, timeout_s: float) -> None:
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return  # it hangs in a send; the thread is a daemon and dies with the process
        self._thread.join(timeout_s)

    @property
    def state(self) -> ChannelState:
        return ChannelState(self.channel.name, self.delivered, self.failed, self.lost, self.last_failure)


class Outbox:
    """Every channel behind one door.

    Parameters
    ----------
    channels : sequence of Channel
    """

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._workers = [_Worker(channel) for channel in channels]

    def send(self, message: Message) -> None:
        """Hand a message to every channel and return at once."""
        for worker in self._workers:
            worker.offer(message)

    @property
    def states(self) -> list[ChannelState]:
        """How each channel stands."""
        return [worker.state for worker in self._workers]

    def close(self, timeout_s: float = 5.0) -> list[ChannelState]:
        """Let the queues empty for at most `timeout_s` each, and return how they ended."""
        for worker in self._workers:
            worker.close(timeout_s)
        return self.states


class DiscordChannel:
    """A Discord webhook as a channel."""

    name = "discord"

    def __init__(self, webhook: DiscordWebhook) -> None:
        self._webhook = webhook

    def send(self, message: Message) -> Sent:
        """Deliver through the webhook."""
        return self._webhook.send(message)


class FileChannel:
    """A file of JSON lines; at FILE_BYTES the old half is kept beside it once."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, message: Message) -> Sent:
        """Append one line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_file() and self.path.stat().st_size > FILE_BYTES:
            os.replace(self.path, self.path.with_name(self.path.name + ".1"))
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(asdict(message), ensure_ascii=False) + "\n")
        return Sent(True, "written", 1)


class TerminalChannel:
    """Lines on a terminal; a critical one rings its bell."""

    name = "terminal"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def send(self, message: Message) -> Sent:
        """Print one line, control characters taken out: a text from outside must not drive the terminal."""
        bell = "\a" if message.level in ATTENTION and self._stream.isatty() else ""
        self._stream.write(
            f"{bell}[{message.level.upper()}] {_printable(message.title)}: {_printable(message.text)}\n"
        )
        self._stream.flush()
        return Sent(True, "printed", 1)


class DesktopChannel:
    """The notices of the desktop: notify-send, osascript; absent elsewhere."""

    name = "desktop"

    def __init__(self, command: Callable[[Message], list[str]]) -> None:
        self._command = command

    def send(self, message: Message) -> Sent:
        """Show one notice; infos are left to the other channels."""
        if message.level == "info":
            return Sent(True, "not shown: info", 1)
        done = subprocess.run(self._command(message), capture_output=True, timeout=DESKTOP_S, check=False)
        return Sent(done.returncode == 0, f"exit {done.returncode}", 1)


def desktop_channel() -> DesktopChannel | None:
    """Return the desktop's notices where this machine has them, else None."""
    if (program := shutil.which("notify-send")) and (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return DesktopChannel(
            lambda m: [program, "--app-name=MIA", f"--urgency={'critical' if m.level in ATTENTION else 'normal'}", "--",
                       _printable(m.title), _printable(m.text)]
        )  # fmt: skip
    if sys.platform == "darwin" and (program := shutil.which("osascript")):
        script = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"
        return DesktopChannel(lambda m: [program, "-e", script, _printable(m.title), _printable(m.text)])
    return None


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:1000]
