"""Be the process of `mia lab`'s loop: `python -m mia_kernel.cli.plain --source synthetic: --speed 1 --from 10:00`.

Where all is compiled it is `mia run` with these words. Else a first session begins in plain Python: what makes the
market compiles in seconds and is asked for every row of two days, so it is loaded before the switch; everything after
it is left plain.
"""

from __future__ import annotations

import importlib
import sys

from mia_kernel.core import compiled
from mia_kernel.core.kernel import leave_plain

if __name__ == "__main__":
    if compiled.look().wanting:
        importlib.import_module("mia_kernel.adapters.synthetic")
        leave_plain()
        sys.exit(importlib.import_module("mia_kernel.cli.first").first())
    sys.exit(
        importlib.import_module("mia_kernel.__main__").main(["run", "--dry-run", "--headless", *sys.argv[1:]])
    )
