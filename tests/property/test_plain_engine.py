"""The plain law: the engine in plain Python and the compiled one decide the same, bit for bit.

Two machines for one text: an error of the compiler, or a place where numpy's own types count differently (a sum of its
booleans is a boolean, its float32 stays one), shows as another digest. A first start relies on it: its session is
decided in plain Python until the engine is compiled.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.events import Recording
from mia_kernel.core.session import new_york_ns
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.safety]

ROOT = Path(__file__).resolve().parents[2]
HOUR_NS = 3_600_000_000_000
DAY = 20250128
"""The day of the SYNTHETIC market `synthetic:`."""
ROWS = 60_000
CME = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"


def of_the_day(first_h: float, last_h: float) -> Recording:
    """Return the SYNTHETIC market between two hours of New York."""
    made = open_recording("synthetic:")
    ts, midnight = made.events["ts_event"], new_york_ns(DAY, 0)
    inside = (ts >= midnight + int(first_h * HOUR_NS)) & (ts < midnight + int(last_h * HOUR_NS))
    return replace(made, events=made.events[inside].copy())


def of_cme(share: float) -> Recording:
    """Return some rows of the recorded CME session."""
    made = open_recording(str(shared_file(CME)))
    at = int(share * len(made.events))
    return replace(made, events=made.events[at : at + ROWS].copy())


def decided(market: Path) -> str:
    """Return how many decisions a market gives, how many of them signals, and the digest of all."""
    run = Run(Settings(), pickle.loads(market.read_bytes()))
    run.drive()
    return f"{len(run.table)} {run.close()['signals']} {run.digest.hexdigest()}"


def in_plain_python(market: Path) -> str:
    """Return what `decided` says of a market in a process without compiled kernels."""
    program = (
        "import sys, numpy, pathlib, tests.property.test_plain_engine as law;"
        "from mia_kernel.features import roster;"
        "assert type(roster.measure_roster).__name__ == 'function';"
        "numpy.seterr(over='ignore');"  # integers of the compiled engine wrap without a word, too
        "print(law.decided(pathlib.Path(sys.argv[1])))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(market)], cwd=ROOT, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=True, timeout=900,
    )  # fmt: skip
    assert said.stderr == ""
    return said.stdout.strip()


@pytest.mark.parametrize(
    ("make", "signals"),
    [
        (partial(of_the_day, 9.25, 9.6), 0),
        pytest.param(partial(of_the_day, 8.0, 11.0), 1, marks=pytest.mark.long),
        pytest.param(partial(of_the_day, 13.0, 16.2), 1, marks=pytest.mark.long),
        pytest.param(partial(of_cme, 0.0), 0, marks=pytest.mark.long),
        pytest.param(partial(of_cme, 0.8), 0, marks=pytest.mark.long),
    ],
)
def test_plain_python_decides_the_same_bits(
    make: Callable[[], Recording], signals: int, tmp_path: Path
) -> None:
    market = tmp_path / "market.pickle"
    market.write_bytes(pickle.dumps(make()))
    compiled = decided(market)
    assert in_plain_python(market) == compiled
    decisions, signalled, _ = compiled.split()
    assert int(decisions) > 60
    assert (int(signalled) > 0) == (signals > 0)
