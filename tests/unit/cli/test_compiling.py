"""Compiling is told as it goes: how many kernels of how many, in lines that another process can pass on."""

from __future__ import annotations

import re
import time

import pytest

from mia_kernel.cli import compiling
from mia_kernel.core import kernel

pytestmark = pytest.mark.unit


def test_progress_counts_the_kernels_that_lie_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    with compiling.told(0.01):
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    found = re.fullmatch(r"compiling: (\d+) of at most (\d+) kernels after 0 s", lines[0])
    assert found is not None
    assert int(found[1]) == kernel.compiled() <= int(found[2])
    assert lines[0].startswith(compiling.WORDS)


def test_what_fails_while_compiling_is_raised_and_the_telling_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ZeroDivisionError), compiling.told(0.01):
        raise ZeroDivisionError
    said = len(capsys.readouterr().err)
    time.sleep(0.05)
    assert len(capsys.readouterr().err) == 0
    assert said < 1000
