# pyright: basic, reportGeneralTypeIssues=false
"""The figures that hold the synthetic market beside the real one."""

from __future__ import annotations

import numpy as np
import pytest

import mia_kernel as mia
from mia_kernel.core import events as ev
from mia_kernel.desk.likeness import FIGURES, figures

pytestmark = pytest.mark.unit


def test_every_figure_of_a_synthetic_day_is_told_beside_the_real_one() -> None:
    table = mia.likeness("synthetic:1")
    assert list(table.index) == list(FIGURES)
    assert table["synthetic:1"].notna().all()
    assert table["real"].notna().sum() >= 10
    assert 0.9 < table.loc["spread_one_tick", "synthetic:1"] <= 1


def test_known_rows_give_known_figures() -> None:
    rows = ev.empty(400)
    rows["kind"] = ev.TRADE
    rows["ts_event"] = rows["ts_recv"] = 1_704_380_400 * 10**9 + np.arange(400) * 10**9
    rows["px"], rows["sz"] = 19_200, 1 + np.arange(400) % 4
    told = figures(rows)
    assert (told["size_median"], told["size_p99"]) == (2.5, 4.0)
    assert "ofi_r2" not in told
    assert "nq_correlation" not in told
