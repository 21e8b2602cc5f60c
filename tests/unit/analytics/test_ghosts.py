"""Ghosts: known endings by hand, the control's own arithmetic, and laws that hold for any path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.analytics.control import _outcomes
from mia_kernel.analytics.ghosts import (
    DATA_END,
    NOT_FOLLOWED,
    SESSION_END,
    STOP,
    TARGET,
    Ghost,
    follow,
    ledger,
)
from mia_kernel.core.decisions import BLOCKING
from mia_kernel.state.costs import CostParams
from tests.fakes import journals, paths

pytestmark = pytest.mark.unit

COSTS = CostParams()
CODES, LEVELS = journals.GATE_CODES, [BLOCKING] * 7 + [1]
FEES = 450
walks = st.lists(st.integers(-3, 3), min_size=2, max_size=120).map(
    lambda steps: (26_000 + np.cumsum(steps)).tolist()
)


def one(prices: list[int], side: int = 1, **more: int) -> Ghost:
    return follow(paths.path(prices), [paths.wish(side, **more)], CODES, LEVELS, COSTS)[0]  # type: ignore[arg-type]


def test_a_target_needs_a_price_beyond_it() -> None:
    touched = one([26_000, 26_017, 26_010])
    beyond = one([26_000, 26_018, 26_010])
    assert touched.ending == SESSION_END
    assert beyond.ending == TARGET
    assert beyond.net_cents == 16 * 1250 - FEES
    assert beyond.entry_ticks == 26_001


def test_a_stop_slips_and_a_gap_fills_where_it_opens() -> None:
    stopped = one([26_000, 25_993])
    gapped = one([26_000, 25_950])
    assert stopped.ending == gapped.ending == STOP
    assert stopped.net_cents == -(8 + 1) * 1250 - FEES
    assert gapped.net_cents == (25_950 - 1 - 26_001) * 1250 - FEES


def test_the_session_ends_a_ghost_and_no_row_follows_none() -> None:
    assert one([26_000, 26_004]).ending == SESSION_END
    assert one([26_000], at=10).ending == NOT_FOLLOWED
    assert one([26_000], at=10).net_cents is None


def test_data_that_end_early_say_so() -> None:
    prices = paths.path([26_000, 26_003])
    prices["last_of_session"] = 0
    ghost = follow(prices, [paths.wish(1)], CODES, LEVELS, COSTS)[0]
    assert ghost.ending == DATA_END


def test_permitted_signals_are_no_ghosts() -> None:
    found = journals.decisions(400)
    ghosts = follow(paths.path([26_000] * 4), found, CODES, LEVELS, COSTS)
    refused = [d for d in found if d.signal is not None and not d.intents]
    assert len(ghosts) == len(refused) > 0


@given(walks, st.sampled_from([1, -1]), st.integers(2, 12), st.integers(2, 20), st.integers(0, 2))
def test_a_ghost_makes_what_the_control_would_make(prices, side, stop, target, spread) -> None:
    path = paths.path(prices, spread=spread)
    ghost = follow(path, [paths.wish(side, stop=stop, target=target)], CODES, LEVELS, COSTS)[0]
    as_array = [np.array([x], np.int64) for x in (journals.START_NS, side, stop, target)]
    assert ghost.net_cents == round(_outcomes(path, *as_array)[0] * 1250) - FEES


@given(walks, st.integers(2, 12), st.integers(2, 20))
def test_the_mirror_of_a_market_is_the_mirror_of_a_ghost(prices, stop, target) -> None:
    mirrored = [52_000 - price for price in prices]
    long = one(prices, 1, stop=stop, target=target)
    short = one(mirrored, -1, stop=stop, target=target)
    assert (long.ending, long.net_cents) == (short.ending, short.net_cents)


@given(walks, st.sampled_from([1, -1]))
def test_no_ghost_does_better_when_costs_rise(prices, side) -> None:
    dear = COSTS.model_copy(update={"es_fee_per_side_usd": 5.0})
    signal = [paths.wish(side)]
    cheap = follow(paths.path(prices), signal, CODES, LEVELS, COSTS)[0]
    dearer = follow(paths.path(prices), signal, CODES, LEVELS, dear)[0]
    assert dearer.net_cents < cheap.net_cents  # type: ignore[operator]


@given(st.lists(st.tuples(walks, st.sets(st.integers(0, 6), min_size=1)), min_size=1, max_size=14))
def test_the_ledger_accounts_for_every_cent(days) -> None:
    ghosts = [
        follow(paths.path(p), [paths.wish(1, gates=tuple(g))], CODES, LEVELS, COSTS)[0] for p, g in days
    ]
    rows = {row.gate: row for row in ledger(ghosts)}
    total = rows["together"]
    assert total.n == len(ghosts)
    assert total.saved_usd - total.cost_usd == pytest.approx(-sum(g.net_cents or 0 for g in ghosts) / 100)
    assert sum(row.alone for gate, row in rows.items() if gate != "together") == total.alone
    for gate, row in rows.items():
        mine = [g for g in ghosts if gate == "together" or gate in g.gates]
        assert (row.n, row.saved_usd >= 0, row.cost_usd >= 0) == (len(mine), True, True)
        assert row.said == "too few"


def test_a_gate_that_saves_is_said_only_from_thirty_ghosts_with_an_interval() -> None:
    loser = one([26_000, 25_950])
    assert ledger([loser] * 29)[0].said == "too few"
    row = ledger([loser] * 30)[0]
    assert (row.gate, row.said) == ("spread", "saves")
    winner = one([26_000, 26_030])
    assert ledger([winner] * 30)[0].said == "costs"
    assert (
        ledger([winner, loser] * 15)[0].said == "not shown"
        or ledger([winner, loser] * 15)[0].interval_usd is not None
    )


def test_no_ghost_is_no_ledger() -> None:
    assert ledger([]) == []
