"""`mia status | arm | disarm | halt | resume` against a guardian that serves in a thread."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mia_kernel import cli
from mia_kernel.adapters.messages import AlertNote
from mia_kernel.cli.control import alert_lines
from tests.fakes.guarded import ACCOUNT
from tests.fakes.served import Served

pytestmark = [pytest.mark.unit, pytest.mark.safety, pytest.mark.integration]


def test_without_a_guardian_the_way_out_is_said(mia_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 3
    assert "mia run" in capsys.readouterr().err
    assert not (mia_home / "HALT").exists()
    assert cli.main(["halt"]) == 3
    assert (mia_home / "HALT").exists()
    assert "HALT" in capsys.readouterr().err


def test_arm_disarm_halt_resume_as_a_person_does(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "REDUCING" in said
    assert "emergency" not in said
    assert cli.main(["arm", "--phrase", "ARM PRODUCTION", "--account", ACCOUNT]) == 1
    assert "refused (phrase)" in capsys.readouterr().err
    assert cli.main(["arm", "--phrase", "ARM PAPER", "--account", "DU0000000"]) == 1
    capsys.readouterr()
    assert cli.main(["arm", "--phrase", "ARM PAPER", "--account", ACCOUNT, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["armed"] is True
    assert cli.main(["disarm", "--reason", "test", "--json", "-"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["armed"], status["last_reason"]) == (False, "disarmed: test")
    assert cli.main(["halt", "--reason", "test", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["trading_state"] == "halted"
    assert cli.main(["status"]) == 1
    capsys.readouterr()
    assert cli.main(["resume", "--reason", "seen", "--json", "-"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["trading_state"] == "reducing"
    assert status["limits"]["daily_loss"]["limit"] == -500.0


def test_the_halt_file_keeps_it_halted(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    (served.guarded.home / "HALT").touch()
    until = time.monotonic() + 3
    while served.guarded.g.state.value != "halted":
        assert time.monotonic() < until
        time.sleep(0.01)
    assert cli.main(["resume", "--reason", "go on"]) == 1
    assert "remove it first" in capsys.readouterr().err


def test_an_alert_raised_again_is_counted_and_not_repeated() -> None:
    notes = [
        AlertNote(n, n, level, code, text, acknowledged=level != "critical")
        for n, (level, code, text) in enumerate(
            (
                ("critical", "link_lost", "no broker"),
                ("info", "a", "b"),
                ("critical", "link_lost", "no broker"),
            )
        )
    ]
    assert alert_lines(notes) == [
        "info a: b",
        "critical link_lost: no broker (2 times) (not seen: `mia status --seen`)",
    ]
    assert alert_lines(notes, 1) == [
        "critical link_lost: no broker (2 times) (not seen: `mia status --seen`)"
    ]
