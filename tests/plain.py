"""One replay of a real contract and the comparison that the tests of plain definitions share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import mia_kernel as mia
from mia_kernel.desk import Run
from tests.shared_data import shared_file

CONTRACT = "sierra_es_5min_contracts/ESH17-CME.txt.gz"


@cache
def contract_run() -> Run:
    """Replay the 5-minute bars of ESH17 once for every module that asks."""
    return mia.day(shared_file(CONTRACT)).replay(weights="bars")


def same(found: pd.Series, expected: Any, *, least: int, rel: float = 1e-9, abs_: float = 1e-9) -> None:
    """Compare where both are known; nothing known may be missing in the definition."""
    expected = pd.Series(np.asarray(expected, float), found.index)
    known = found.notna()
    assert known.sum() >= least
    assert expected[known].notna().all()
    np.testing.assert_allclose(found[known], expected[known], rtol=rel, atol=abs_)


def equal(found: pd.Series, expected: Any, *, least: int, abs_: float = 1e-9) -> None:
    """Compare at every row: what one does not know, the other does not know either."""
    np.testing.assert_allclose(found.to_numpy(float), np.asarray(expected, float), rtol=1e-9, atol=abs_)
    assert found.notna().sum() >= least
