#!/usr/bin/env python3
"""Start the trading loop: `python launch_24_7_orderflow_trading.py [--dry-run | --paper | --live] [...]`.

Sets itself up on the first start, then it is `mia run` with the same arguments. Without a mode it runs dry:
simulated fills, no order leaves this machine. Parsed by old Pythons too, so only plain syntax here.
"""

import os
import sys

# The file may be started from anywhere: the project is where this file lies.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mia_kernel.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["run"] + sys.argv[1:]))
