"""Let a helper process end with the one that started it, however that one ended."""

from __future__ import annotations

import os
import threading
import time

import psutil

LOOK_S = 1.0


def end_with_parent(look_s: float = LOOK_S) -> None:
    """End this process at once, without cleaning up, when its parent is gone; for work that can be cut anywhere."""
    try:
        parent = psutil.Process(os.getppid())
    except psutil.NoSuchProcess:
        os._exit(1)

    def watch() -> None:
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE and os.getppid() == parent.pid:
            time.sleep(look_s)
        os._exit(1)

    threading.Thread(target=watch, name="mia-parent", daemon=True).start()
