"""Every name a user may ask for exists, and the page says what it is."""

from __future__ import annotations

import re

import pytest

from mia_kernel.desk.moment import Moment
from mia_kernel.features.spec import registry
from mia_kernel.measures.shelf import EXPORT_NAMES, MEASURES, NAMES
from tests.contract.project import ROOT

pytestmark = pytest.mark.unit

# The names of the recorded groups (domain §5), but for components under their own name.
ASKED = """
vwap_trend_signal sierra_pattern_strength gamma_levels_proximity volume_confirmation options_flow_bias
order_book_imbalance level_proximity_score aggression_bias
atr_14 realized_volatility trend_strength session_time_ratio volume_relative
execution_time_ms slippage_ticks market_impact bid_ask_spread fill_quality
tick_momentum_score large_orders_bias aggressive_buy_ratio aggressive_sell_ratio volume_spike_detected
bid_ask_spread_ticks data_quality_score
total_gamma_exposure dealer_gamma_position gamma_flip_level vix_level term_structure_slope vol_skew_25_delta
put_call_ratio put_call_volume_ratio unusual_options_activity days_to_monthly_expiry days_to_weekly_expiry
session_phase time_since_open_minutes time_to_close_minutes economic_events_today high_impact_event_today
seasonal_bias market_stress_indicator overnight_gap_percent
""".split()

# The rooms that see and weigh, as the user calls them (domain §24).
USER_WORDS = """
constants session_analyzer structure_data market_data_feed orderflow_analyzer options_data_manager order_book_imbalance
smart_money_tracker mtf_confluence_elite patterns_detector volatility_regime market_regime gamma_cycles
feature_calculator enhanced_feature_calculator confluence_calculator confluence_analyzer battle_navale
signal_validator signal_explainer
""".split()


@pytest.mark.parametrize("name", ASKED)
def test_a_name_the_user_asks_for_exists_once(name: str) -> None:
    assert (name in NAMES) + (name in EXPORT_NAMES) == 1


def test_no_two_measures_share_a_name_with_each_other_or_a_component() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert not set(NAMES) & set(registry())
    assert set(EXPORT_NAMES.values()) <= set(registry())


def test_the_page_has_a_row_per_measure() -> None:
    page = (ROOT / "docs" / "features.md").read_text("utf-8")
    missing = [
        measure.name
        for measure in MEASURES
        if f"| `{measure.name}` | {measure.says} | {measure.unit} |" not in page
    ]
    assert not missing


def test_the_page_tells_what_each_measure_costs() -> None:
    page = (ROOT / "docs" / "features.md").read_text("utf-8")
    told = dict(
        re.findall(r"^\| `(\w+)` \|(?: [^|]* \|){5} ((?:< )?\d+\.\d{3}(?: for \d+)?) \|$", page, re.MULTILINE)
    )
    assert not [name for name in NAMES if name not in told]


def test_what_the_user_calls_things_is_told_and_exists() -> None:
    page = (ROOT / "docs" / "features.md").read_text("utf-8")
    section = page.split("## The user's words")[1].split("\n## ")[0]
    told = [line.split(" | ")[0].strip("| `") for line in section.splitlines() if line.startswith("| ")][1:]
    assert not [word for word in USER_WORDS if word not in told]
    for name in re.findall(r"`now\.(\w+)", section):
        assert hasattr(Moment, name), name
    kinds = re.findall(r"\b([cm]) ((?:`\w+`(?:, )?)+)", section)
    assert len(kinds) > 15
    for kind, names in kinds:
        known = registry() if kind == "c" else NAMES
        assert not [name for name in re.findall(r"`(\w+)`", names) if name not in known]
