"""Gamma keeps its budgets: a book repriced, its flip, a new spot, a whole chain file."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from mia_kernel.adapters.chains import read_chain
from mia_kernel.cli.option_figures import option_figures
from mia_kernel.gamma.summary import levels_of
from tests.contract.project import ROOT
from tests.gates import SLACK
from tests.shared_data import shared_file

pytestmark = [pytest.mark.performance, pytest.mark.options]

TRIES = 3
MOST_MS = {"gex_recompute_ms": 8.0, "gex_flip_ms": 2.0, "gex_spot_tick_ms": 1.0}
FILE_S, MEMORY_MB = 1.5, 300.0

_MEMORY = """
import sys
from mia_kernel.adapters.chains import read_chain
from mia_kernel.gamma.summary import levels_of
levels_of(read_chain(sys.argv[1])).to_dict()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(float(status["VmHWM"].split()[0]) / 1024)
"""
"""The peak of this program alone: what `getrusage` tells of a child holds the size of the parent it came from."""


def test_repricing_flip_and_tick_keep_their_budgets() -> None:
    best = dict.fromkeys(MOST_MS, float("inf"))
    for _ in range(TRIES):
        for name, taken, _, _ in option_figures():
            if name in best:
                # The fastest tenth: another process of the machine makes a call longer, none makes it shorter.
                best[name] = min(best[name], float(sorted(taken)[len(taken) // 10]))
        if all(best[name] <= most * SLACK for name, most in MOST_MS.items()):
            return
    pytest.fail(f"{best}, at most {MOST_MS}")


def test_a_whole_chain_file_becomes_levels_in_time() -> None:
    path = shared_file("options/spx_20220205_2009ET_weekend.csv")
    seen: list[float] = []
    for _ in range(TRIES + 1):
        # Time of this process, all its threads together: what other processes take does not count.
        began = time.process_time()
        levels_of(read_chain(path)).to_dict()
        seen.append(time.process_time() - began)
        if seen[-1] <= FILE_S * SLACK:
            return
    pytest.fail(f"{seen} s, at most {FILE_S}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read where Linux tells it")
def test_a_whole_chain_file_fits_in_memory() -> None:
    path = shared_file("options/spx_20220205_2009ET_weekend.csv")
    levels_of(read_chain(path))  # compiled here, where it is needed: the compiler's memory is not the chain's
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < MEMORY_MB
