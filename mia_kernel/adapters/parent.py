"""Let a process end with the one that started it, however that one ended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import psutil

LOOK_S = 1.0


def cut() -> None:
    """End this process at once, without cleaning up: for work that can be cut anywhere."""
    os._exit(1)


def end_with_parent(pid: int, end: Callable[[], None] = cut, look_s: float = LOOK_S) -> None:
    """Call `end` once process `pid` is gone; it may be gone already.

    The number comes from the parent: who asks for it here may be late, or gets that of a launcher in between.
    """
    began = psutil.Process(pid).create_time() if psutil.pid_exists(pid) else None

    def watch() -> None:
        while _lives(pid, began):
            time.sleep(look_s)
        end()

    threading.Thread(target=watch, name="mia-parent", daemon=True).start()


def _lives(pid: int, began: float | None) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == began and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
