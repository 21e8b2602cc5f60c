"""Be the guardian's process: `python -m mia_kernel.guardian --home DIR --mode paper --venue gateway:127.0.0.1:4002`.

Its limits are the engine's own functions, run as plain Python here: a look at all of them takes a third of a
millisecond, while loading what is compiled costs a restarted guardian a second, in which nobody can send.
"""

from __future__ import annotations

import importlib
import os
import sys

if __name__ == "__main__":
    os.environ["NUMBA_DISABLE_JIT"] = "1"  # read where kernels are made, so before anything is imported
    sys.exit(importlib.import_module("mia_kernel.guardian.start").main())
