"""Be the process of `mia lab`'s loop: `python -m mia_kernel.cli.plain PID --source synthetic: --speed 1 --from 10:00`.

Where all is compiled, or nothing compiled could be kept, it is `mia run` with these words. Else a first session begins
in plain Python: what makes the market compiles in seconds and is asked for every row of two days, so it is loaded
before the switch; everything after it is left plain. It ends in order when process PID, which started it, is gone.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

from mia_kernel.adapters.parent import end_with_parent
from mia_kernel.core import compiled
from mia_kernel.core.kernel import leave_plain


def main(words: list[str]) -> int:
    """Run the loop and return its exit code."""
    if compiled.look().wanting and compiled.can_be_kept():
        importlib.import_module("mia_kernel.adapters.synthetic")
        leave_plain()
        first = importlib.import_module("mia_kernel.cli.first").first
        return int(importlib.import_module("mia_kernel.cli").answered(first, words))
    return int(
        importlib.import_module("mia_kernel.__main__").main(["run", "--dry-run", "--headless", *words])
    )


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]), lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.exit(main(sys.argv[2:]))
