"""Symbols and contracts from names and users; prices to ticks without rounding."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.parts import (
    Ask,
    contract_code,
    full_contract,
    resolve_symbol,
    split_symbol,
    symbol_in_name,
    ticks_per_point,
    to_ticks,
)
from mia_kernel.core.errors import FormatError, InputError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a/ESU19-CME.txt.gz", ("ES", "ESU19")),
        ("a/ESH16-CME.part.txt.gz", ("ES", "ESH16")),
        ("a/ES_1min_2019.tar.xz!2019-08-09.json", ("ES", None)),
        ("a/ES1_5m_20241202.parquet", ("ES", None)),
        ("a/NQ_1min_sample.csv", ("NQ", None)),
        ("a/MES_1min.csv", ("MES", None)),
        ("a/VIX_daily.csv", ("VIX", None)),
        ("es_bars/day.csv", ("ES", None)),
        ("prices/test.csv", None),
        ("pairs/ES_NQ.csv", None),
    ],
)
def test_a_name_tells_its_symbol(path: str, found: tuple[str, str | None] | None) -> None:
    assert symbol_in_name(path) == found


def test_without_a_name_the_user_is_asked() -> None:
    with pytest.raises(InputError, match="--symbol"):
        resolve_symbol("/x/day.csv", Ask())
    assert resolve_symbol("/x/day.csv", Ask(symbol="ESU19")) == ("ES", "ESU19")


def test_a_name_and_a_user_who_disagree_are_refused() -> None:
    with pytest.raises(InputError, match="another symbol"):
        resolve_symbol("/x/NQ_day.csv", Ask(symbol="ES"))


def test_symbols_of_the_user() -> None:
    assert split_symbol("es") == ("ES", None)
    assert split_symbol("ESU19") == ("ES", "ESU19")
    with pytest.raises(InputError):
        split_symbol("EURUSD")


def test_contract_codes() -> None:
    assert contract_code("ES", 9, 19) == "ESU19"
    assert full_contract("ESH4", 2023) == "ESH24"
    assert full_contract("ESZ9", 2020) == "ESZ19"
    with pytest.raises(FormatError):
        contract_code("ES", 10, 19)


def test_prices_become_ticks_or_are_told_apart() -> None:
    ticks, bad = to_ticks(np.array([2915.75, 2915.76, 0.0, -1.0, np.nan, np.inf, 1.797e308]), "ES")
    assert ticks[0] == 11663
    assert bad.tolist() == [False, True, True, True, True, True, True]
    assert to_ticks(np.array([16.91]), "VIX")[0].tolist() == [1691]
    assert ticks_per_point("NQ") == 4
