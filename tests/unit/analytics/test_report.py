"""The daily page's content: every sentence stands on numbers, and every kind of day reads well."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.analytics.html import esc, number, table, text
from mia_kernel.analytics.picture import day_frame
from mia_kernel.analytics.report import DayReport, day_report, days_in_words, rules_kept
from tests.fakes import journals

pytestmark = pytest.mark.unit


def words(fragment: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", fragment))


def page(count: int = 400, **more: object) -> DayReport:
    return day_report(journals.material(count, **more))


def test_a_trading_day_says_result_interval_rules_and_quality() -> None:
    found = page()
    said = words(found.verdict)
    assert "ESH6 · Wednesday 25 February 2026" in said
    assert "USD +1.33 R net of costs" in said
    assert "8 round trips" in said
    assert "too few for an interval" in said
    assert "kept: 8 of 8 entries were permitted" in said
    assert "0.97 (lowest 0.97)" in said
    assert "win rate ≥ 65 %: not shown" in said
    assert "SYNTHETIC market: nothing on this page is a result" in said


def test_a_day_without_trade_says_which_gate_and_which_input() -> None:
    found = page(absent=2, signals=False)
    said = words(found.verdict)
    assert "No trade" in said
    assert "Coverage never reached the floor of 0.60 (highest 0.50)" in said
    assert "Never present: gamma levels, vwap trend." in said
    assert "--weights bars" in said
    refused = words(found.refusals)
    assert re.search(r"coverage blocks 400 400 100%", refused)
    assert "an option chain" in words(found.components)
    assert "No round trip was closed." in words(found.trades)


def test_a_day_with_refused_signals_only_says_so() -> None:
    one = journals.material(400)
    denied = [d for d in journals.decisions(400) if not d.intents]
    table_ = type(one.table)(one.table.names, one.table.gate_codes, one.table.gate_levels)
    for decision in denied:
        table_.append(decision)
    said = words(day_report(replace(one, table=table_, trips=[])).verdict)
    assert "8 signals were raised and none was permitted" in said


def test_an_empty_run_is_a_page_too() -> None:
    found = page(0)
    assert "nothing was decided" in words(found.verdict)
    assert found.frame["bars"] == {}
    for name in ("trades", "saved", "groups", "fills", "refusals", "components", "gamma"):
        assert getattr(found, name) == "", "no head over nothing"
    assert "Targets" not in found.verdict
    assert found.provenance


def test_each_trade_unfolds_to_contributions_that_add_up() -> None:
    found = page()
    assert found.trades.count("<details>") == 8
    reason = found.trades.split("<pre>")[1].split("</pre>")[0]
    parts = [float(x) for x in re.findall(r"= ([+-]0\.\d{4})", reason)]
    total = float(re.search(r"sum\s+([+-]0\.\d{4})", reason)[1])  # type: ignore[index]
    assert sum(parts) == pytest.approx(total, abs=5e-4)


def test_a_broken_rule_is_said() -> None:
    one = journals.material(400)
    trips = [replace(one.trips[0], bracket_id="nobody-allowed-this"), *one.trips[1:]]
    assert "broken" in rules_kept(replace(one, trips=trips))


def test_nothing_from_outside_can_write_html() -> None:
    one = journals.material(60)
    source = {"name": "<script>alert(1)</script>", "tag": "replay", "notes": ["<b>x</b>"], "carries": {}}
    found = day_report(replace(one, header={**one.header, "source": source, "symbol": "<i>"}))
    for part in (found.verdict, found.quality, found.provenance):
        assert "<script" not in part
        assert "<b>" not in part
        assert "<i>" not in part


def test_the_frame_draws_stored_bars_where_there_are_some() -> None:
    one = journals.material(60)
    names = ["open", "high", "low", "close", "volume", "bid_volume", "ask_volume", "known_volume"]
    dtype = [
        ("start", "i8"),
        ("end", "i8"),
        *((n, "i4") for n in names),
        ("cvd", "i8"),
        ("vwap", "f8"),
        ("vwap_sd", "f8"),
    ]
    bars = np.zeros(3, np.dtype(dtype))
    bars["end"] = journals.START_NS + np.arange(3)
    bars["close"], bars["high"], bars["vwap"], bars["vwap_sd"] = 26000, 26004, 26001.0, 4.0
    bars["known_volume"], bars["ask_volume"], bars["bid_volume"] = [0, 5, 5], [0, 4, 1], [0, 1, 4]
    frame = day_frame(one.table, one.trips, title="t", source_tag="replay", capital_cents=100, bars=bars)
    assert frame["bars"]["high"].tolist() == [6501.0] * 3
    assert frame["lines"]["vwap_upper"].tolist() == [6501.25] * 3
    assert np.isnan(frame["delta"]["delta"][0])
    assert frame["delta"]["delta"][1:].tolist() == [3.0, -3.0]
    without = day_frame(one.table, one.trips, title="t", source_tag="replay", capital_cents=100)
    assert without["bars_from"] == "the price at each decision, not every trade"


def test_equity_starts_at_the_capital_and_ends_at_the_result() -> None:
    one = journals.material(400)
    frame = day_report(one).frame
    assert frame["equity"]["usd"][0] == 50_000
    assert frame["equity"]["usd"][-1] == 50_000 + sum(t.net_cents for t in one.trips) / 100


def test_days_are_named_by_the_trading_day() -> None:
    assert days_in_words(journals.material(4).table) == "Wednesday 25 February 2026"
    assert days_in_words(journals.material(0).table) == "no decision"


def test_numbers_are_printed_for_people() -> None:
    assert number(None).text == "—"
    assert number(float("nan")).text == "—"
    assert number(-0.0, ".1f", signed=True).text == "+0.0"
    assert number(-1234.5, signed=True).text == "−1,234.50"
    assert number(-1234.5, signed=True).kind == "num down"
    assert esc("<a>") == "&lt;a&gt;"
    assert "<th scope" in table(("a",), [[text("b")]])
