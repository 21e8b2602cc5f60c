#!/usr/bin/env python3
"""Start the trading loop: `python launch_24_7_orderflow_trading.py [--dry-run | --paper | --live] [...]`.

Sets itself up on the first start, then it is `mia run` with the same arguments. Without a mode it runs dry:
simulated fills, no order leaves this machine. Parsed by old Pythons too, so only plain syntax here.
"""

import os
import sys

# The file may be started from anywhere: the project is where this file lies.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mia_kernel.__main__ import main  # noqa: E402  (the path comes first)

LIVE_IS_PAPER = """
==============================================================================
  --live means IBKR PAPER trading: real market data, simulated money.
  Real money is never started from here.
==============================================================================
"""

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--live" in arguments and not os.environ.get("MIA_LIVE_SAID"):
        os.environ["MIA_LIVE_SAID"] = "1"
        sys.stderr.write(LIVE_IS_PAPER)
    sys.exit(main(["run"] + arguments))
