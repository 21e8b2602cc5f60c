"""R7: the wall clock of a guardian's process is moved by libfaketime: seconds, hours, back, a leap second.

Timers run on the monotonic clock and go on as if nothing were; what is off against the venue by more than a quarter of
a second alarms, by more than a second disarms, whatever the direction; nothing is sent and the stop stays.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.safety]

ROOT = Path(__file__).parents[2]
PLACES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
LIBRARY = next((p for place in PLACES if (p := Path(place) / "libfaketime.so.1").is_file()), None)
needs_library = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not here: apt install faketime")


def turns(tmp_path: Path, move_s: float, seconds: float = 3.5) -> list[dict[str, Any]]:
    """Run the guardian and move its wall clock once it holds a position; return what it printed."""
    told = tmp_path / "moved"
    told.write_text("+0")
    environment = os.environ | {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    command = [sys.executable, "-m", "tests.fakes.faked_clock", str(tmp_path / "home"), str(seconds)]
    lines: list[dict[str, Any]] = []
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith("agrees"):
                return lines
            lines.append(json.loads(line))
            if len(lines) == 20:
                told.write_text(f"{move_s:+.3f}")
    raise AssertionError(f"it ended early after {len(lines)} turns")


@needs_library
@pytest.mark.parametrize(
    ("move_s", "armed"),
    [
        pytest.param(3_600.0, False, marks=pytest.mark.long),
        (-1.5, False),
        pytest.param(-3_600.0, False, marks=pytest.mark.long),
        pytest.param(1.5, False, marks=pytest.mark.long),
        pytest.param(-1.0, True, marks=pytest.mark.long, id="leap second"),
        pytest.param(0.1, True, marks=pytest.mark.long),
    ],
)
def test_a_wall_clock_that_jumps_alarms_disarms_and_sends_nothing(
    tmp_path: Path, move_s: float, armed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = turns(tmp_path, move_s)
    before, after = lines[10], lines[-1]
    assert before["armed"]
    assert before["wall"] == 0.0
    assert after["wall"] == pytest.approx(move_s, abs=0.11), "the clock was not moved: nothing is shown"
    assert after["armed"] is armed, after
    assert ("clock" in after["alerts"]) is (abs(move_s) > 0.9)
    assert {line["stops"] for line in lines} == {1}
    assert {line["sent"] for line in lines} == {before["sent"]}
    assert "silent" not in after["reason"]
    with capsys.disabled():
        print(f"\nR7: wall clock moved by {move_s:+g} s: {after['reason']}; nothing sent, the stop stays")
