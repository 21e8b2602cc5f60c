# pyright: basic, reportGeneralTypeIssues=false
"""The figures that hold the synthetic market beside the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mia_kernel as mia
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core import events as ev
from mia_kernel.core.errors import InputError
from mia_kernel.desk import likeness_sessions
from mia_kernel.desk.likeness import BY_HOUR, FIGURES, by_hour, figures

pytestmark = pytest.mark.unit


def test_every_figure_of_a_synthetic_day_is_told_beside_the_real_one() -> None:
    table = mia.likeness("synthetic:1")
    assert list(table.index) == list(FIGURES)
    assert table["synthetic:1"].notna().all()
    assert table["real"].notna().all()
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


def test_the_first_hour_and_the_hours_stand_beside_the_real_ones(tmp_path: Path) -> None:
    source = str(tmp_path / "thin.parquet")
    write_recording(tmp_path / "thin.parquet", synthetic_recording(1, warm_up=False, scale=0.1))
    hour = mia.likeness(source, view="first_hour")
    assert {"spread_one_tick", "level_1", "ofi_r2", "ofi_slope"} <= set(hour.index)
    hours = mia.likeness(source, view="by_hour")
    assert list(hours.columns) == [(name, column) for name in BY_HOUR for column in (source, "real")]
    assert (hours.index[0], hours.index[-1], len(hours)) == ("18:00", "16:00", 23)
    told = hours.drop(columns=[("burst", source)])  # too few trades an hour in the thin one
    assert told.notna().all().all()
    assert hours["burst", "real"].between(0.2, 0.9).all()
    assert hours["volume"].sum().to_numpy() == pytest.approx([1, 1], abs=1e-3)
    with pytest.raises(InputError, match="by_hour"):
        mia.likeness(view="week")  # type: ignore[arg-type]


def test_known_quotes_give_known_hours() -> None:
    rows = ev.empty(120)
    rows["kind"] = ev.QUOTE
    rows["ts_event"] = rows["ts_recv"] = (
        1_704_380_400 * 10**9 + (1 + np.arange(120)) * 60 * 10**9
    )  # 10:00 New York
    rows["bid"], rows["ask"] = 19_200, 19_201 + (np.arange(120) < 15)
    rows["b"][:, 0], rows["a"][:, 0] = 10, np.where(np.arange(120) < 60, 20, 40)
    told = by_hour(rows)
    assert told["level"][16:18].tolist() == [15, 25]
    assert told["wide"][16:18].tolist() == [0.25, 0]
    assert np.isnan(told["volume"]).all()


def test_many_sessions_stand_beside_the_real_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_sessions, "SESSIONS", 60)
    table = mia.likeness(view="sessions")
    assert list(table.index) == list(likeness_sessions.FIGURES)
    assert table["real"].notna().all()
    near = table["synthetic"] / table["real"]
    assert near[["efficiency", "variance_ratio_10", "variance_ratio_30"]].between(0.85, 1.2).all()
    assert near["vix_per_percent"] == pytest.approx(1, abs=0.15)
    assert 0 < table.loc["news_0830", "synthetic"] < 0.4


def test_planted_news_and_trends_are_seen() -> None:
    minute = np.tile(np.arange(800, 1300), 20)
    steps = np.tile([1.0, -1.0], 5_000)
    steps[(minute == 870) & (np.arange(10_000) < 5_000)] = 40.0
    told = likeness_sessions.news(steps, minute)
    assert told["news_0830"] == 0.5
    assert (told["news_1000"], told["news_1400"]) == (0.0, 0.0)
    assert told["news_move"] == pytest.approx(40 / np.sqrt(np.pi / 2))
    straight, saw = np.arange(390.0), np.tile([0.0, 1.0], 195)
    assert likeness_sessions.regimes([straight])["efficiency"] == 1
    assert likeness_sessions.regimes([straight])["variance_ratio_10"] == pytest.approx(10)
    assert likeness_sessions.regimes([saw])["variance_ratio_10"] == 0
    assert likeness_sessions.news(steps, np.zeros(10_000, np.int64)) == {}
