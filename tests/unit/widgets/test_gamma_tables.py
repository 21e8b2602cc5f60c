"""The tables of the gamma page: every figure of the chain in its place, unknown as a dash, hostile text inert."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import widgets
from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.gamma.summary import GammaLevels, levels_of

pytestmark = [pytest.mark.unit, pytest.mark.options]


@pytest.fixture(scope="module")
def levels() -> GammaLevels:
    made = synthetic_chain(7, spot=5360.0, day=20240610)
    near = np.isin(made.legs["expiry"], np.unique(made.legs["expiry"])[:4])
    return levels_of(replace(made, legs=made.legs[near], source="<b>of mine</b>"))


def test_a_glance_says_source_time_exposure_and_why_it_is_doubted(levels: GammaLevels) -> None:
    text = widgets.gamma_facts(levels).text
    assert "<b>of mine" not in text
    for words in ("2024-06-10", "5,360.00", "bn USD per 1 %", "gamma", "2024-06-21"):
        assert words in text
    assert f"{levels.confidence.score:.2f}" in text
    assert text.count("<li>") == len(levels.confidence.causes) > 0


def test_levels_stand_on_index_and_future_with_their_band(levels: GammaLevels) -> None:
    text = widgets.level_table(levels).text
    told = levels.to_dict()
    assert told["es"]["contract"] in text
    assert f"{told['call_wall']:,.2f}" in text
    assert f"{told['es']['call_wall']:,.2f}" in text
    low = levels.bands["zero_gamma"].low
    assert low is not None
    assert f"{low:,.2f}" in text
    assert text.count("<tr") == 1 + 7


def test_every_assumption_and_every_defect_has_a_row(levels: GammaLevels) -> None:
    assert widgets.alternatives_table(levels).text.count("<tr") == 1 + len(levels.alternatives) == 8
    assert "sticky delta" in widgets.alternatives_table(levels).text
    defects = widgets.defect_table(levels).text
    assert "rows read" in defects
    assert all(cause.split()[0] in defects for cause in levels.chain.defects.notes)


def test_no_unusual_contract_is_said_in_a_sentence(levels: GammaLevels) -> None:
    assert "No contract traded" in widgets.unusual_table(replace(levels, unusual=())).text


def test_a_chain_that_is_not_spx_says_why_it_has_no_place_on_the_future(levels: GammaLevels) -> None:
    spy = replace(levels, chain=replace(levels.chain, underlying="SPY"), basis=None)
    text = widgets.level_table(spy).text
    assert "SPY is not SPX" in text
    assert "--es" in text
