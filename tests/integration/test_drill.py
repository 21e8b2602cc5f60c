"""The drill as a person starts it: gateway, guardian and broker library on the real wire."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mia_kernel import cli

pytestmark = [pytest.mark.integration, pytest.mark.safety, pytest.mark.long]


def test_the_drill_ends_with_everything_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "drill.json"
    assert cli.main(["drill", "--json", str(target)]) == 0
    answer = json.loads(target.read_text())
    assert answer["ok"]
    assert len(answer["faults"]) == 6
    assert answer["net_usd"] == pytest.approx(answer["venue_net_usd"], abs=0.005)
    with capsys.disabled():
        for row in answer["faults"]:
            print(
                f"\n{row['fault']}: noticed {row['detected_s']}, confirmed equal {row['recovered_s']:.2f} s"
            )
