"""`import mia_kernel` is light, lists what it has, and finds each name on first use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import mia_kernel
from tests.contract.project import ROOT
from tests.gates import SLACK

pytestmark = pytest.mark.unit


def _fresh(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


LOADED = "; print(json.dumps(sorted(set(sys.modules) - before)))"


def test_importing_the_package_loads_the_standard_library_only() -> None:
    loaded = json.loads(_fresh("import sys, json; before = set(sys.modules); import mia_kernel" + LOADED))
    known = {*sys.stdlib_module_names, "mia_kernel"}
    assert [name for name in loaded if name.split(".")[0] not in known] == []
    assert [name for name in loaded if name.startswith("mia_kernel")] == ["mia_kernel"]


def test_importing_a_core_word_loads_no_desk_and_no_adapter() -> None:
    loaded = json.loads(
        _fresh("import sys, json; before = set(sys.modules); import mia_kernel.core.errors" + LOADED)
    )
    ours = [name for name in loaded if name.startswith("mia_kernel")]
    assert ours == ["mia_kernel", "mia_kernel.core", "mia_kernel.core.errors"]


@pytest.mark.performance
def test_importing_the_package_takes_no_time() -> None:
    text = _fresh("import time; t = time.perf_counter(); import mia_kernel; print(time.perf_counter() - t)")
    assert float(text) < 0.05 * SLACK


def test_every_exported_name_is_found() -> None:
    for name in mia_kernel.__all__:
        assert getattr(mia_kernel, name) is not None
    assert set(mia_kernel.__all__) == set(dir(mia_kernel))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no 'dayz'; it has: .*day"):
        _ = mia_kernel.dayz
