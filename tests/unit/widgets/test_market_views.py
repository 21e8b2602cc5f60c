"""The pictures of the market's state: they show what is there, and say what is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mia_kernel as mia
import widgets
from mia_kernel.core.errors import InputError
from mia_kernel.desk import Moment, Run
from mia_kernel.desk.tape import footprint
from mia_kernel.state.regime import MARKET_NAMES

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run() -> Run:
    return mia.day("synthetic:7").replay()


@pytest.fixture(scope="module")
def now(run: Run) -> Moment:
    return run.at(run.decisions.index[len(run.decisions) * 3 // 4].isoformat())


def test_the_structure_says_how_each_field_stands(now: Moment) -> None:
    table = now.structure
    assert table.loc["vwap_eth", "status"] == "ok"
    assert table.loc["call_wall", "status"] == "absent"
    assert table["value"].notna().eq(table["status"] == "ok").all()
    assert table.loc["vwap_eth_sd1_up", "value"] > table.loc["vwap_eth", "value"]
    assert table.loc["val", "value"] <= table.loc["poc", "value"] <= table.loc["vah", "value"]


def test_measures_at_an_instant_are_those_of_the_run(run: Run, now: Moment) -> None:
    row = run.measures.loc[pd.Timestamp(now.decision.ts_event, tz="UTC").tz_convert("America/New_York")]
    at = now.measures
    for name in run.measures.columns:
        value = at.loc[name, "value"]
        assert (pd.isna(row[name]) and pd.isna(value)) or row[name] == value, name
    assert at.loc["order_book_imbalance", "value"] == now.features["order_book"]
    assert at.loc["gamma_pin", "status"] == "absent"


def test_a_footprint_adds_up_to_the_bars_it_is_of(now: Moment) -> None:
    table, bars = now.footprint("5m", 6), now.bars["5m"].tail(6)
    sums = table.groupby("start")[["bid", "ask"]].sum()
    assert sums["ask"].tolist() == bars["ask_volume"].tolist()
    assert sums["bid"].tolist() == bars["bid_volume"].tolist()
    figure = widgets.footprint(table, bars, stamp="SYNTHETIC")
    assert len(figure.data) == 3 * 6


def test_imbalances_are_diagonal_and_stack_in_threes() -> None:
    rows = [(0, price, 20, 1) for price in (101, 102, 103)] + [(0, price, 3, -1) for price in (100, 101, 102)]
    trades = pd.DataFrame(rows, columns=["ts", "px", "sz", "side"])
    table = footprint(trades, [0], [1], 3.0, 10, 3).set_index("price")
    assert table["buy_imbalance"].tolist() == [False, True, True, True]
    assert table["buy_stacked"].tolist() == [False, True, True, True]
    assert not table["sell_imbalance"].any()


def test_no_sides_is_a_sentence(now: Moment) -> None:
    empty = now.footprint("5m", 3).iloc[:0]
    assert "does not say who" in widgets.footprint(empty).layout.annotations[0].text


def test_the_profile_holds_the_volume_of_its_anchor(now: Moment) -> None:
    rows = now.volume_profile("eth")
    assert rows["volume"].sum() == now.market.array["profile"][0]["anchor"][0]["volume"]
    rth = now.volume_profile()
    inside = rth[rth["in_area"]]["volume"].sum() / rth["volume"].sum()
    assert 0.68 <= inside <= 0.85
    with pytest.raises(InputError, match="anchor"):
        now.volume_profile("week")
    assert len(widgets.profile(rth, {"poc": 5900.0, "none": None}).data) == 3


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h", "4h"])
def test_battle_is_there_for_every_timeframe(now: Moment, timeframe: str) -> None:
    battle = now.battle(timeframe)
    balls = battle.events[battle.events["kind"].str.endswith("_ball")]
    assert (balls["pivot_ts"] < balls["ts"]).all(), "a ball lies before it is known"
    assert (battle.events["ts"] <= now.ts_event).all()
    figure = widgets.battle(battle.bars.tail(120), battle.events, battle.now)
    assert "score" in figure.layout.title.text
    with pytest.raises(InputError, match="timeframe"):
        now.battle("2m")


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h"])
def test_the_entry_zone_lies_where_the_pullback_says(now: Moment, timeframe: str) -> None:
    battle = now.battle(timeframe)
    stands, close = battle.now, float(battle.bars["close"].iloc[-1])
    if stands["entry_low"] is None:
        assert stands["ball_trend"] == 0 or stands["pullback"] is None
        return
    assert stands["entry_low"] <= stands["entry_high"]
    assert stands["in_entry_zone"] == (stands["entry_low"] <= close <= stands["entry_high"])
    notes = [note.text for note in widgets.battle(battle.bars, battle.events, stands).layout.annotations]
    assert "entry zone of the pullback" in notes


def test_regimes_are_words_with_what_they_imply(now: Moment) -> None:
    value = now.regimes["value"]
    measured = now.measures["value"]
    assert value["market regime"] in MARKET_NAMES
    sides = {"both": (1, 1), "long": (1, 0), "short": (0, 1), "none": (0, 0)}[value["allowed sides"]]
    assert (measured["market_allows_buy"], measured["market_allows_sell"]) == sides
    assert value["volatility regime"] is None or value["stop factor"] > 0
    assert ("trend" in value["market regime"]) == (measured["market_kind"] <= 1)


def test_anomalies_are_listed_with_kind_size_and_time(now: Moment) -> None:
    found = now.anomalies
    assert len(found) == min(int(now.market.array["micro"][0]["event_n"]), 32) > 0
    assert found["kind"].isin(["volume", "spread", "flow"]).all()
    assert found["ts"].is_monotonic_increasing
    assert str(found["ts"].dt.tz) == "America/New_York"
    assert (found["ts"] <= pd.Timestamp(now.ts_event, tz="UTC")).all()
    assert (found[found["kind"] != "flow"]["size"] > 1).all()


def test_the_verdict_on_large_orders_is_the_components(now: Moment) -> None:
    measured = now.measures["value"]
    vector = now.decision.vector
    at = vector.names.index("smart_money")
    if measured["smart_signal"] is None:
        assert vector.value("smart_money") is None
        return
    assert measured["smart_confidence"] == pytest.approx(float(vector.quality[at]))
    assert (measured["smart_signal"] >= 2) == (float(vector.values[at]) != 0.0)


def test_timeframes_weigh_to_one_and_say_what_is_missing(now: Moment) -> None:
    table = now.timeframes
    assert table["weight"].sum() == pytest.approx(1.0)
    assert (table["weight"] > 0).eq(table["strength"].notna()).all()
    texts = widgets.timeframes(table).data[0].text
    assert [text == "not ready" for text in texts] == table["strength"].isna().tolist()


def test_large_orders_are_over_the_threshold_in_force_or_inferred(now: Moment) -> None:
    orders = now.large_orders
    large = orders[orders["kind"] != "iceberg"]
    assert len(large) > 0
    assert (large["size"] >= 100).all()
    assert len(widgets.large_orders(now.bars["1m"].tail(240), orders).data) >= 2


def test_nq_beside_es_and_without_it(run: Run) -> None:
    prices = run.beside
    assert prices[["es", "nq"]].notna().mean().min() > 0.95
    assert len(widgets.es_nq(prices, run.measures).data) >= 5
    assert "No NQ" in widgets.es_nq(prices.iloc[:0], run.measures).layout.annotations[0].text


def test_a_row_never_known_says_so(run: Run) -> None:
    unknown = run.measures.iloc[::50].assign(vpin=float("nan"))
    figure = widgets.microstructure(unknown)
    assert "not known in this run" in [note.text for note in figure.layout.annotations]


def test_the_control_says_what_it_shows_and_what_it_cannot() -> None:
    found = mia.day("synthetic:7").replay(weights="bars").random_control()
    figure = widgets.control(found)
    assert "random sets did at least as well" in figure.layout.title.text
    assert "proves nothing" in figure.layout.title.text


def test_levels_say_since_when_they_stand(now: Moment) -> None:
    table = now.levels
    assert table["price"].is_monotonic_increasing
    assert str(table["since"].dt.tz) == "America/New_York"
    assert (table["age_hours"] >= 0).all()


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h"])
def test_what_confirms_a_pullback_is_read_off_the_newest_bar(now: Moment, timeframe: str) -> None:
    battle = now.battle(timeframe)
    stands, bar = battle.now, battle.bars.iloc[-1]
    e = np.sign(stands["ball_trend"])
    if e == 0:
        assert stands["confirms"] is None
        return
    delta = bar["ask_volume"] - bar["bid_volume"]
    expected = {
        "stacked imbalance": bar["stacked_buy" if e > 0 else "stacked_sell"] > 0,
        "absorption": e * bar["absorption"] > 0.1,
        "delta": e * delta > 0 and e * (bar["close"] - bar["open"]) > 0,
    }
    assert stands["confirms"] == [name for name, there in expected.items() if there]
    in_zone = dict(stands) | {"in_entry_zone": True}
    assert ("no sign" in widgets.battle(battle.bars, battle.events, in_zone).layout.title.text) != bool(
        stands["confirms"]
    )


def test_strong_zones_near_a_price_and_what_zones_weigh_there(now: Moment) -> None:
    zones = now.zones
    strong = zones[zones["score"] >= 0.6].iloc[0]
    near = now.zones_near(strong["centre"])
    assert near["low"].iloc[0] == strong["low"]
    assert (near["distance_ticks"] <= 20).all()
    assert near["distance_ticks"].is_monotonic_increasing
    assert now.score_at(strong["centre"]) >= strong["score"] - 1e-9
    assert now.score_at(zones["low"].min() - 100) == 0.0
    assert now.score_at() == now.score_at(now.market.price_ticks / 4)


def test_a_price_that_absorbed_is_marked_in_the_footprint(now: Moment) -> None:
    table, bars = now.footprint("5m", 8), now.bars["5m"]
    cell = table.iloc[len(table) // 2]
    inside = {"ts": int(cell["start"]) + 60_000_000_000, "price": cell["price"], "side": 1, "volume": 300}
    rows = pd.DataFrame(
        [inside, inside | {"price": cell["price"] + 500}, inside | {"ts": inside["ts"] + 10**15}]
    )
    rows = rows.assign(refilled=310, score=2.0)
    marks = widgets.footprint(table, bars, rows).data[-1]
    assert list(marks.y) == [cell["price"]], "neither a price that is not shown nor a time after the bars"
    assert "selling absorbed: 300 traded, 310 refilled" in marks.text[0]


def test_absorption_needs_a_book_and_is_known_at_the_end_of_its_window(now: Moment) -> None:
    found = now.absorbed()
    assert (found["ts"] <= now.ts_event).all()
    assert (found["volume"] >= found["threshold"]).all()
    assert (found["refilled"] >= found["volume"]).all()
    assert (found["mid_move_ticks"].abs() <= 1).all()
