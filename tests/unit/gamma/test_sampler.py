"""Which contracts to ask for with few lines, and the chain made of the answers."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.core.errors import InputError
from mia_kernel.gamma.book import book_of
from mia_kernel.gamma.sampler import RESERVED, STALE_S, Quoted, chain_of_quotes, is_stale_alarm, plan

pytestmark = [pytest.mark.unit, pytest.mark.options]


def test_a_plan_never_asks_for_more_than_its_lines() -> None:
    chain = synthetic_chain()
    book = book_of(chain)
    age = np.full(len(book.legs), np.inf)
    for lines in (7, 20, 80, 500):
        made = plan(book, chain.roots, age, lines)
        asked = [*made.pinned, *made.rotating]
        assert len(asked) <= lines - RESERVED
        assert len({contract.symbol for contract in asked}) == len(asked)
        first_two = sorted(set(book.legs["expiry"].tolist()))[:2]
        assert all(contract.expiry in first_two for contract in made.pinned)
    with pytest.raises(InputError, match="too few market-data lines"):
        plan(book, chain.roots, age, RESERVED + 1)


def test_rotation_reaches_the_most_gamma_first_and_then_the_rest() -> None:
    chain = synthetic_chain()
    book = book_of(chain)
    age = np.full(len(book.legs), np.inf)
    seen: list[float] = []
    symbols = {(chain.roots[int(r["root"])], int(r["expiry"]), float(r["strike"]), int(r["right"])): i
               for i, r in enumerate(book.legs)}  # fmt: skip
    for _ in range(4):
        made = plan(book, chain.roots, age, 205)
        seen.append(made.fresh_share)
        for one in (*made.pinned, *made.rotating):
            age[symbols[one.root, one.expiry, one.strike, one.right]] = 0.0
        age += 5.0
    assert seen == sorted(seen)
    assert seen[0] > 0.1
    assert seen[-1] > seen[0] + 0.1


def test_stale_quotes_leave_the_chain_and_are_told() -> None:
    chain = synthetic_chain()
    book = book_of(chain)
    made = plan(book, chain.roots, np.full(len(book.legs), np.inf), 45)
    quotes = [
        Quoted(one, 1.0, 1.2, 0.12, None, None, 50.0, None, STALE_S + 1 if i % 2 else 3.0)
        for i, one in enumerate(made.pinned)
    ]
    found = chain_of_quotes(quotes, as_of=chain.as_of, spot=chain.spot, underlying="SPX", source="sampled")
    assert len(found.legs) == (len(quotes) + 1) // 2
    assert any("older than 900 s left out" in note for note in found.defects.notes)
    assert found.defects.partial
    assert np.isnan(found.legs["volume"]).all()


def test_an_alarm_needs_three_stale_sweeps_in_a_row() -> None:
    assert not is_stale_alarm([0.5, 0.5])
    assert not is_stale_alarm([0.5, 0.05, 0.5])
    assert is_stale_alarm([0.0, 0.2, 0.2, 0.11])
