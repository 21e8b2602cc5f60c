"""The terminal's door: help without imports, exit codes, names that are nearly right."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time

import click
import pytest

from mia_kernel import cli
from mia_kernel.cli.output import pairs, plain, write_json
from mia_kernel.core.errors import CorruptError, InputError, InvariantError, OutsideError

pytestmark = pytest.mark.unit


def _raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("bad", path="a.csv", line=3), 2),
        (CorruptError("row 7"), 2),
        (OutsideError("disk full"), 3),
        (InvariantError("law broken"), 1),
        (OSError(errno.ENOSPC, "No space left on device"), 3),
        (FileNotFoundError(errno.ENOENT, "No such file", "day.zip"), 2),
        (KeyboardInterrupt(), 1),
        (click.UsageError("no such option"), 2),
        (click.FileError("x"), 2),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: _raising(error))
    assert cli.main(["config"]) == code
    assert capsys.readouterr().err


def test_success_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert "mia" in capsys.readouterr().out


def test_a_command_nearly_right_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["repaly"]) == 2
    assert "did you mean 'replay'?" in capsys.readouterr().err


def test_an_unknown_command_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["zzz"]) == 2
    assert "journal" in capsys.readouterr().err


def test_help_names_every_command_and_loads_none() -> None:
    code = "import sys; from mia_kernel import cli; cli.main(['--help'])"
    code += "; print([m for m in sys.modules if m.startswith('mia_kernel.cli.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert all(f"\n  {name} " in done.stdout for name in cli.COMMANDS)


@pytest.mark.performance
def test_help_answers_within_a_second() -> None:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from mia_kernel import cli; cli.main(['--help'])"],
        capture_output=True,
        check=True,
    )
    assert time.perf_counter() - start < 1.0


def test_json_goes_to_a_file_or_to_standard_output(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json("-", {"a": 1})
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    target = tmp_path / "out.json"
    write_json(str(target), {"price": float("nan"), "path": target})
    assert json.loads(target.read_text()) == {"price": None, "path": str(target)}


def test_json_that_cannot_be_written_is_an_outside_error(tmp_path) -> None:
    with pytest.raises(OutsideError, match="cannot be written"):
        write_json(str(tmp_path / "absent" / "out.json"), {})


def test_unknown_numbers_become_null_and_numpy_becomes_plain() -> None:
    numpy = pytest.importorskip("numpy")
    assert plain({"a": float("inf"), "b": numpy.float64(1.5), "c": numpy.array([1, 2])}) == {
        "a": None,
        "b": 1.5,
        "c": [1, 2],
    }


def test_assignments_are_pairs() -> None:
    assert pairs(["a.b=1", "c = x=y"]) == {"a.b": "1", "c": "x=y"}
    with pytest.raises(InputError, match="key=value"):
        pairs(["nonsense"])
