"""Views: a frame becomes bytes for the page and a figure for the report; unknown is not drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import widgets
from mia_kernel.analytics.report import day_report
from tests.fakes import journals
from widgets import base, delta, price, theme

pytestmark = pytest.mark.unit

VIEWS = [widgets.PriceView, widgets.DeltaView, widgets.EquityView]


def frame(count: int = 200, **more: object) -> dict[str, object]:
    return dict(day_report(journals.material(count, **more)).frame)


@pytest.mark.parametrize("view", VIEWS)
def test_a_frame_travels_as_named_columns_of_float64(view: type[base.View]) -> None:
    one = view(frame())
    numbers = np.frombuffer(one.columns, "<f8")
    at, length = one.header["series"]["bars"]["close"]
    assert numbers[at : at + length].tolist() == np.asarray(one.frame["bars"]["close"]).tolist()
    at, length = one.header["series"]["bars"]["ts"]
    assert numbers[at] * 1e6 == one.frame["bars"]["ts"][0]
    assert one.header["stamp"] == "SYNTHETIC"
    assert isinstance(one.header["levels"], list)


@pytest.mark.parametrize("view", [*VIEWS, widgets.DayView])
def test_every_view_has_a_still_picture(view: type[base.View]) -> None:
    figure = view(frame()).static()
    assert len(figure.data) > 0
    assert any(note.text == "SYNTHETIC" for note in figure.layout.annotations)
    assert "http" not in str(figure.to_plotly_json())


@pytest.mark.parametrize("view", [*VIEWS, widgets.DayView])
def test_an_empty_frame_is_drawn_without_an_error(view: type[base.View]) -> None:
    assert view(frame(0)).static() is not None
    assert view({}).static() is not None


def test_the_module_of_a_view_is_whole_and_asks_nobody() -> None:
    for name in ("price", "delta", "equity"):
        text = base.module(name)
        assert "import {" not in text
        assert text.count("export ") == 1
        assert "export default" in text
        assert "http" not in text


def test_a_live_view_sends_at_most_twenty_frames_a_second_and_keeps_the_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(base.time, "monotonic", lambda: now[0])
    view = widgets.PriceView(frame(60))
    newer = frame(61)
    sent = []
    for _ in range(100):
        now[0] += 0.01
        sent.append(view.update(newer))
    assert sum(sent) == 20
    now[0] += 0.001
    assert view.update(frame(62)) is False
    assert (view.frame["seq"], view.header["seq"]) == (62, 61)
    view.flush()
    assert view.header["seq"] == 62


def test_a_live_source_is_not_stamped_a_replay_is() -> None:
    assert base.frame_stamp({"source_tag": "live"}) is None
    assert base.frame_stamp({"source_tag": "replay"}) == "REPLAY"
    assert base.frame_stamp({"source_tag": "live", "stamp": "STALE"}) == "STALE"


def test_bars_are_joined_without_losing_a_high_or_low() -> None:
    n = 5000
    ts = np.arange(n) * 60_000_000_000
    close = np.sin(np.arange(n) / 50) * 20 + 6500
    bars = {"ts": ts, "open": close, "high": close + 1, "low": close - 1, "close": close}
    found = price.thin({"bars": bars})
    assert len(found["ts"]) <= price.MAX_CANDLES
    assert found["high"].max() == bars["high"].max()
    assert found["low"].min() == bars["low"].min()
    assert found["close"][-1] == close[-1]
    assert found["minutes"] == 30


def test_refused_signals_are_hollow_and_entries_are_not() -> None:
    names = {t.name: t for t in price.traces(frame())}
    assert all(s.endswith("-open") for s in names["refused signal"].marker.symbol)
    assert not any(s.endswith("-open") for s in names["entry"].marker.symbol)


def test_delta_without_sides_is_a_sentence_and_not_a_zero() -> None:
    one = frame()
    del one["delta"]
    figure = widgets.DeltaView(one).static()
    assert len(figure.data) == 0
    assert any(note.text == delta.NO_DELTA for note in figure.layout.annotations)
    day = widgets.DayView(one).static()
    assert not any("Delta" in (note.text or "") for note in day.layout.annotations)


def test_labels_of_close_levels_do_not_overlap() -> None:
    one = frame()
    low, high = min(one["bars"]["low"]), max(one["bars"]["high"])
    step = (high - low) / 400
    one["levels"] = [{"name": f"L{i}", "family": "round", "price": low + i * step} for i in range(400)]
    marks = price.level_marks(one)
    assert len(marks) == 400
    assert sum(bool(note["text"]) for _, note in marks) < 50


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_keep_their_contrast_in_both_themes() -> None:
    for dark, light in theme.LIGHT_MARKS.items():
        assert contrast(dark, theme.DARK["surface"]) >= 3
        assert contrast(light, theme.LIGHT["surface"]) >= 3
    for surface in (theme.DARK, theme.LIGHT):
        assert contrast(surface["text"], surface["surface"]) >= 4.5
        assert contrast(surface["muted"], surface["raised"]) >= 4.5


def test_spread_draws_what_is_known_and_says_what_never_was() -> None:
    values = {
        "vwap_trend": np.array([-0.5, 0.5, np.nan]),
        "gamma_levels": np.full(3, np.nan),
        "volatility_regime": np.array([1.0, 4.0, 1.0]),
    }
    figure = widgets.spread(values, ["volatility_regime"], stamp="SYNTHETIC")
    sided, code = figure.data
    assert sum(sided.y) == pytest.approx(1)
    assert {theme.BUY, theme.SELL} <= set(sided.marker.color)
    assert set(code.marker.color) == {theme.NEUTRAL}
    assert code.x[-1] > 3.5
    words = [note.text for note in figure.layout.annotations]
    assert "never known: gamma levels" in words
    assert "SYNTHETIC" in words


def test_a_bar_of_zeros_is_cut_off_and_its_share_told() -> None:
    rare = np.r_[np.zeros(96), -0.5, 0.5, 0.5, 0.5]
    figure = widgets.spread({"sierra_patterns": rare})
    assert figure.layout.annotations[0].text == "sierra patterns · 96% at 0"
    (bars,) = figure.data
    at = int(np.argmax(bars.customdata))
    assert bars.customdata[at] == pytest.approx(0.96)
    assert bars.y[at] == pytest.approx(1.25 * 0.03)


def test_steadiness_is_the_mean_of_every_hour_and_leaves_out_what_has_no_side() -> None:
    hours = np.datetime64("2025-06-12T14:00", "ns").astype(np.int64) + 1_800_000_000_000 * np.arange(4)
    table = pd.DataFrame(
        {"tick_momentum": [0.2, 0.4, -1.0, np.nan], "volatility_regime": 1.0, "order_book": np.nan}
    )
    (heat,) = widgets.steadiness(table, hours, ["volatility_regime"]).data
    assert list(heat.y) == ["tick momentum"]
    assert np.allclose(heat.z, [[0.3, -1.0]])
    assert list(heat.customdata[0]) == ["10", "11"], "hours of New York"


def test_together_is_the_correlation_of_what_moves() -> None:
    line = np.linspace(-1, 1, 200)
    table = pd.DataFrame(
        {"a": line, "b": -line, "still": 0.0, "rare": np.where(np.arange(200) < 50, line, np.nan)}
    )
    (heat,) = widgets.together(table).data
    assert list(heat.y) == ["a", "b", "rare"]
    assert heat.z[1][0] == pytest.approx(-1)
    assert np.isnan(heat.z[2][0]), "fifty rows in common are too few"
