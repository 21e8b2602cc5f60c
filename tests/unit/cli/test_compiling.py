"""Compiling is told as it goes: how many kernels of how many, in lines that another process can pass on."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from mia_kernel.cli import compiling, replay
from mia_kernel.core import compiled, kernel

pytestmark = pytest.mark.unit


def test_progress_counts_the_kernels_that_lie_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    with compiling.told(0.01):
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    found = re.fullmatch(r"compiling: (\d+) of at most (\d+) kernels after \d+ s", lines[0])
    assert found is not None
    assert int(found[1]) == kernel.compiled() <= int(found[2])
    assert lines[0].startswith(compiling.WORDS)


def test_compiling_comes_before_reading_but_a_missing_file_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        compiling.compiled, "look", lambda: asked.append("look") or compiled.Compiled(False, ())
    )
    monkeypatch.setattr(replay, "open_recording", lambda *_, **__: asked.append("read") or 1 / 0)
    here = tmp_path / "day.csv"
    here.write_text("x")
    for source in (str(here), "synthetic:1", str(tmp_path / "none.csv")):
        with pytest.raises(ZeroDivisionError):
            replay.replay.main([source], standalone_mode=False)
    assert asked == ["look", "read", "look", "read", "read"]


def test_what_fails_while_compiling_is_raised_and_the_telling_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ZeroDivisionError), compiling.told(0.01):
        raise ZeroDivisionError
    said = len(capsys.readouterr().err)
    time.sleep(0.05)
    assert len(capsys.readouterr().err) == 0
    assert said < 1000
