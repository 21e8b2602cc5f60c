"""ES beside NQ against plain numpy on the two files, at every decision of real minutes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.window import instant
from tests.plain import Whole, equal, whole
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

ES = "es_nq_1min_2026/ES_1min_2026-06-15_2026-06-22.csv"
NQ = "es_nq_1min_2026/NQ_1min_2026-06-15_2026-06-22.csv"
LEAST = 45
LEAST_DECISIONS = 3_500
UNTIL = "2026-06-19T02:00:00-04:00"  # three breaks of the day lie before it
MINUTE = pd.Timedelta(minutes=1)


@pytest.fixture(scope="module")
def run() -> Whole:
    minutes = open_recording(shared_file(ES), [shared_file(NQ)])
    return whole(replace(minutes, events=minutes.events[minutes.events["ts_recv"] <= instant(UNTIL)]))


def closes(name: str) -> pd.Series:
    """Return the closes of a file by the end of their minute; a row without volume is no bar."""
    table = pd.read_csv(shared_file(name), skipinitialspace=True)
    start = pd.to_datetime(table["Date"] + " " + table["Time"]).dt.tz_localize("America/Chicago")
    table.index = start.dt.tz_convert("America/New_York") + MINUTE
    return table["Last"][table["Volume"] > 0]


@pytest.fixture(scope="module")
def plain(run: Whole) -> pd.DataFrame:
    """Every figure at the end of each minute both markets have, and kept until the next one."""
    es = run.frames["bars"]["close"].astype(float)
    both = pd.DataFrame({"es": es, "nq": closes(NQ)}).dropna()
    returns = np.log(both).diff()[both.index.to_series().diff() == MINUTE]
    ends = returns.index
    minute = (ends - ends[0]) // MINUTE
    rows = [figures(returns.to_numpy(), minute.to_numpy(), i) for i in range(len(ends))]
    table = pd.DataFrame(rows, ends, dtype=float)
    table["diverges"] = (table["divergence"].abs() > 2).astype(float).where(table["divergence"].notna())
    at = run.measures.index
    placed = place(table, at)
    placed["age"] = at - place(pd.DataFrame({"end": both.index}, both.index), at)["end"]
    return placed


def figures(returns: np.ndarray, minute: np.ndarray, i: int) -> dict[str, float]:
    """Return what the returns of ES and NQ up to row i say."""
    row: dict[str, float] = {}
    for window in (30, 60, 120):
        first = np.searchsorted(minute, minute[i] - window, side="right")
        if i + 1 - first >= window * LEAST // 60:
            row[f"corr_{window}"] = correlation(*returns[first : i + 1].T)
    if "corr_60" not in row:
        return row
    hour = np.arange(np.searchsorted(minute, minute[i] - 60, side="right"), i + 1)
    es, nq = (returns[hour] - returns[hour].mean(axis=0)).T
    row["beta_60"] = beta = es @ nq / (nq @ nq)
    # Five minutes without a hole, the first of them within two hours.
    starts = np.arange(np.searchsorted(minute, minute[i] - 120, side="right"), i - 3)
    starts = starts[minute[starts + 4] - minute[starts] == 4]
    if len(starts) == 0 or starts[-1] != i - 4:
        return row
    five = sum(returns[starts + k] for k in range(5))
    residual = five[:, 0] - beta * five[:, 1]
    row["z"] = five[-1, 1] / five[:, 1].std()
    row["divergence"] = residual[-1] / residual.std()
    sizes = {}
    for lag in range(-5, 6):
        now = hour[(hour - lag >= 0) & (hour - lag <= i)]
        if len(now) >= LEAST - abs(lag):
            sizes[lag] = abs(correlation(returns[now, 0], returns[now - lag, 1]))
    row["lead_lag"] = min(sizes, key=lambda lag: (-round(sizes[lag], 12), abs(lag)))
    return row


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation."""
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def place(table: pd.DataFrame, at: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the newest row at or before each instant, unknown before the first."""
    found = table.index.searchsorted(at, side="right") - 1
    placed = table.iloc[np.maximum(found, 0)].set_axis(at)
    return placed.where(pd.Series(found >= 0, at), axis=0)


@pytest.mark.parametrize("window", [30, 60, 120])
def test_correlation_of_returns(run: Whole, plain: pd.DataFrame, window: int) -> None:
    equal(run.measures[f"es_nq_corr_{window}"], plain[f"corr_{window}"], least=LEAST_DECISIONS)


@pytest.mark.parametrize("name", ["beta_60", "divergence", "diverges", "lead_lag"])
def test_slope_residual_and_leader(run: Whole, plain: pd.DataFrame, name: str) -> None:
    equal(run.measures[f"es_nq_{name}"], plain[name], least=LEAST_DECISIONS)


def test_component_is_nq_s_move_by_the_correlation(run: Whole, plain: pd.DataFrame) -> None:
    size = np.minimum(plain["z"].abs() / 2, 1)
    value = (plain["corr_60"] * np.sign(plain["z"]) * size).clip(-1, 1)
    stale = plain["age"] > 5 * MINUTE
    equal(run.decisions["es_nq_correlation"], value.where(~stale), least=LEAST_DECISIONS)
