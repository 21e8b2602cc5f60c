"""What a weekday's phase did before, against a plain list of returns: a year of 5-minute bars of ES."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.events import BAR, BAR_OPEN
from mia_kernel.core.session import trading_day_of
from tests.plain import equal, phase_at, read_at
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

YEAR = "es_nq_5min_tradingview/ES1_5m_20241202_20251205.parquet"
EVERY = 61  # no divisor of the bars of a day: every phase of every weekday is asked
LEAST, NS = 30, 1_000_000_000


def test_mean_and_interval_of_a_weekday_s_phase() -> None:
    """A phase counts from the bar on that begins another; the interval is 1.96 standard errors wide either side."""
    recording = open_recording(shared_file(YEAR))
    bars = recording.events
    end, opened, closed = bars["ts_event"], bars["b"][:, BAR_OPEN], bars["px"]
    assert (bars["kind"] == BAR).all()
    day = np.array([trading_day_of(int(ts)) for ts in end - 1])
    phase = phase_at(day, end - 300 * NS)
    weekday = pd.to_datetime(pd.Series(day).astype(str)).dt.day_of_week.to_numpy()
    found = read_at(recording, end[::EVERY])
    found = found[found["session_phase"] < 9]
    begins = np.flatnonzero(np.r_[True, (phase[1:] != phase[:-1]) | (day[1:] != day[:-1])])
    lasts = np.r_[begins[1:] - 1, len(bars) - 1]
    known = np.r_[end[begins[1:]], np.iinfo(np.int64).max]  # the bar that begins another has closed
    returns = np.log(closed[lasts] / opened[begins])
    kind = weekday[begins] * 100 + phase[begins]
    now = found.index.to_numpy()
    session = day[np.searchsorted(end, now, "right") - 1]
    asked = pd.to_datetime(pd.Series(session).astype(str)).dt.day_of_week.to_numpy() * 100
    asked += found["session_phase"].astype(int).to_numpy()
    rows = []
    for ts, one in zip(now, asked, strict=True):
        past = returns[(kind == one) & (known <= ts)]
        enough = len(past) >= LEAST
        error = past.std(ddof=1) / np.sqrt(len(past)) if enough else np.nan
        rows.append((len(past), 100 * past.mean() if enough else np.nan, 196 * error))
    n, mean, half = np.array(rows).T
    equal(found["seasonal_n"], n, least=1_000)
    equal(found["seasonal_bias"], mean, least=250)
    equal(found["seasonal_half_width"], half, least=250)
    assert len(set(asked[n >= LEAST])) > 30
