"""Know the other processes of one MIA_HOME: the keys they prove themselves with, and where they listen.

Keys lie in `run/bus.keys`, announcements in `run/<name>.json`, all 0600 in a folder for the owner only.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from mia_kernel.adapters.messages import PROTOCOL
from mia_kernel.core.errors import OutsideError, SettingsError


@dataclass(frozen=True, slots=True)
class Keys:
    """CURVE key pairs (Z85 text) of whoever binds and of whoever connects; never shown."""

    server_public: str
    server_secret: str
    client_public: str
    client_secret: str

    def __repr__(self) -> str:
        return "Keys(********)"


@dataclass(frozen=True, slots=True)
class Announcement:
    """Where a process can be reached, and which code it runs."""

    name: str
    pid: int
    build: str
    protocol: int
    ports: dict[str, int]
    started_at: int  # ns UTC

    @property
    def alive(self) -> bool:
        """Whether a process with that number exists (it may be another one by now)."""
        try:
            os.kill(self.pid, 0) if sys.platform != "win32" else None
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def run_folder(home: Path) -> Path:
    """Return the folder of keys and announcements, made with rights for its owner only."""
    folder = home / "run"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutsideError(
            f"{folder}: {error.strerror or error}; way out: choose another MIA_HOME"
        ) from error
    return folder


def load_keys(home: Path) -> Keys:
    """Return the keys of this MIA_HOME; the first to ask makes them.

    Raises
    ------
    SettingsError
        If the file is not what was written or others may read it.
    OutsideError
        If this ZeroMQ has no CURVE, or the folder cannot be written.
    """
    if not zmq.has("curve"):
        raise OutsideError("this pyzmq has no CURVE encryption; way out: install the locked pyzmq wheel")
    path = run_folder(home) / "bus.keys"
    if not path.exists():
        _make_keys(path)
    if sys.platform != "win32" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            "others may read the keys",
            path=str(path),
            rule="mode 0600",
            way_out="delete the file, then restart",
        )
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=Keys)
        for text in asdict(keys).values():
            if len(z85.decode(text)) != 32:
                raise ValueError("a key has 40 characters")
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise SettingsError(
            "not a key file", path=str(path), rule=str(error), way_out="delete the file, then restart"
        ) from None
    return keys


def _make_keys(path: Path) -> None:
    pairs = [text.decode() for _ in range(2) for text in zmq.curve_keypair()]
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write_private(part, msgspec.json.encode(Keys(*pairs)))
        with contextlib.suppress(FileExistsError):  # another process was first: its keys count
            os.link(part, path)
        part.unlink()
    except OSError as error:
        raise OutsideError(
            f"{path}: {error.strerror or error}; way out: rights or room on that disk"
        ) from error


def _write_private(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def announce(home: Path, name: str, ports: dict[str, int], build: str) -> Announcement:
    """Write down where this process can be reached; by rename, 0600."""
    said = Announcement(name, os.getpid(), build, PROTOCOL, ports, time.time_ns())
    path = run_folder(home) / f"{name}.json"
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.unlink(missing_ok=True)
        _write_private(part, json.dumps(asdict(said), indent=1).encode())
        os.replace(part, path)
    except OSError as error:
        raise OutsideError(
            f"{path}: {error.strerror or error}; way out: rights or room on that disk"
        ) from error
    return said


def withdraw(home: Path, name: str) -> None:
    """Take this process's announcement back; another's stays."""
    said = find(home, name)
    if said is not None and said.pid == os.getpid():
        (home / "run" / f"{name}.json").unlink(missing_ok=True)


def find(home: Path, name: str) -> Announcement | None:
    """Return where `name` says it can be reached, None where nothing is announced.

    Raises
    ------
    SettingsError
        If the announcement is damaged.
    """
    path = home / "run" / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Announcement)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.MsgspecError as error:
        raise SettingsError(
            "not an announcement", path=str(path), rule=str(error), way_out=f"restart the {name}"
        ) from None


def expect(home: Path, name: str) -> Announcement:
    """Return the announcement of a process that must run; OutsideError where none does."""
    said = find(home, name)
    if said is None or not said.alive:
        raise OutsideError(f"no {name} runs in {home}; way out: start it with `mia run`")
    return said
