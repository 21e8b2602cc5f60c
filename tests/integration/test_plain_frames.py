"""Qualities of the five timeframes and completeness of patterns against pandas, at every bar or decision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.integration.test_plain_structure import both, resampled
from tests.plain import contract_tables
from tests.plain_battle import Rule, governed, outcome
from tests.plain_patterns import completeness
from tests.plain_replay import SESSION, replayed

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]


def quality(table: pd.DataFrame, rule: Rule | None, strength: Any) -> Any:
    """Return K: the mean of what is known of base, volume and pattern, 1.15 times where the rule agrees.

    Without a rule (it is forgotten when the trading day changes) volume and pattern are left.
    """
    volume = table["volume"].astype(float)
    loud = (volume / (1.8 * volume.shift(1).rolling(10).mean())).clip(upper=1)
    base = pd.Series(np.nan if rule is None else rule.quality, table.index)
    mean = pd.concat([base, loud, completeness(table)], axis=1).mean(axis=1).fillna(0)
    agrees = False if rule is None else (rule.side != 0) & (rule.side == np.sign(strength))
    return (mean * np.where(agrees, 1.15, 1.0)).clip(0, 1).to_numpy()


def test_completeness_of_patterns() -> None:
    bars, found, decided = contract_tables()
    expected = completeness(bars).to_numpy()
    both(found["pattern_completeness"], expected, decided, least=16_000)
    assert {1.0, 0.8, 0.6, 6 / 7, 5 / 7} <= set(expected)


@pytest.mark.parametrize(
    ("frame", "minutes", "agreeing"), [("15m", 15, 1_000), ("1h", 60, 5), ("4h", 240, 0)]
)
def test_quality_of_the_slower_timeframes(frame: str, minutes: int, agreeing: int) -> None:
    """Of that timeframe's own bars; its strength is held elsewhere (`test_plain_structure`)."""
    bars, found, decided = contract_tables()
    table = resampled(bars, minutes)
    rule = governed(table, outcome(table, minutes))
    at = np.searchsorted(table["end"].to_numpy(), bars["end"].to_numpy(), "right") - 1
    new_day = table["day"].to_numpy()[np.maximum(at, 0)] != bars["day"].to_numpy()
    strength = found[f"mtf_{frame}_strength"].to_numpy()
    of_bar = pd.Series(strength, bars.index).where(~new_day).groupby(at).last().reindex(range(len(table)))
    ruled, without = quality(table, rule, of_bar.to_numpy()), quality(table, None, None)
    expected = np.where(new_day, without[at], ruled[at])
    expected = np.where(np.isnan(strength) | (at < 0), np.nan, expected)
    both(found[f"mtf_{frame}_quality"], expected, decided, least=8_000)
    assert ((rule.side != 0) & (rule.side == np.sign(of_bar.to_numpy()))).sum() >= agreeing


def test_quality_of_the_minute() -> None:
    session = replayed(SESSION)
    _, first = np.unique(session.bar["end"], return_index=True)
    minutes = session.bar[first]
    minutes = minutes[minutes["end"] > 0]
    table = pd.DataFrame({name: minutes[name] for name in minutes.dtype.names})
    rule = governed(table, outcome(table, 1))
    at = np.searchsorted(table["end"].to_numpy(), session.at, "right") - 1
    strength = session.measures["mtf_1m_strength"]
    of_bar = pd.Series(strength).groupby(at).last().reindex(range(len(table))).to_numpy()
    expected = np.where(np.isnan(strength), np.nan, quality(table, rule, of_bar)[at])
    both(session.measures["mtf_1m_quality"], expected, slice(None), least=5_200)
    assert (rule.side == np.sign(of_bar)).sum() > 20
