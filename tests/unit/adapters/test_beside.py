"""NQ and VIX beside the traded instrument: one order, one numbering, the value in force at the start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.adapters.beside import merge_sources
from mia_kernel.core import events as ev
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import ContractChange, Recording, SourceInfo

pytestmark = pytest.mark.unit


def _recording(symbol: str, stamps: list[int], objects: tuple = ()) -> Recording:
    rows = ev.empty(len(stamps))
    rows["ts_event"] = rows["ts_recv"] = stamps
    rows["seq"] = np.arange(len(stamps))
    rows["kind"] = ev.TRADE
    return Recording(rows, SourceInfo("imported", "x", f"{symbol}.csv", symbol), objects)


def test_the_primary_comes_first_at_equal_arrival_and_all_are_numbered() -> None:
    merged = merge_sources(
        _recording("ES", [10, 20, 30]), [_recording("NQ", [5, 10, 20, 99]), _recording("VIX", [1, 2])]
    )
    assert merged.events["ts_recv"].tolist() == [2, 5, 10, 10, 20, 20, 30]
    assert merged.events["instrument"].tolist() == [2, 1, 0, 1, 0, 1, 0]
    assert merged.events["seq"].tolist() == list(range(7))
    assert [source.symbol for source in merged.others] == ["NQ", "VIX"]


def test_without_extras_nothing_changes() -> None:
    primary = _recording("ES", [1, 2])
    assert merge_sources(primary, []) is primary


@pytest.mark.parametrize("symbol", ["ES", "MES"])
def test_the_traded_product_cannot_stand_beside_itself(symbol: str) -> None:
    with pytest.raises(InputError):
        merge_sources(_recording("ES", [1]), [_recording(symbol, [1])])


def test_two_sources_for_one_place_and_one_without_common_time_are_refused() -> None:
    with pytest.raises(InputError, match="two sources"):
        merge_sources(_recording("ES", [1]), [_recording("VIX", [1]), _recording("VIX", [1])])
    with pytest.raises(InputError, match="nothing for the time"):
        merge_sources(_recording("ES", [1, 2]), [_recording("NQ", [50])])


@given(
    es=st.lists(st.integers(0, 50), min_size=1, max_size=30),
    nq=st.lists(st.integers(0, 50), min_size=1, max_size=30),
    change=st.integers(0, 50),
)
def test_objects_keep_their_place_among_the_primary_rows(es: list[int], nq: list[int], change: int) -> None:
    es, nq = sorted(es), sorted(nq)
    primary = _recording("ES", es)
    at = int(np.searchsorted(es, change))
    primary.events["seq"][at:] += 1
    event = ContractChange(change, change, at, "ESU19", "ESZ19", None)
    primary = Recording(primary.events, primary.source, (event,))
    nq = [es[0], *nq]
    merged = merge_sources(primary, [_recording("NQ", sorted(nq))])
    moved = merged.objects[0]
    numbers = sorted([*merged.events["seq"].tolist(), moved.seq])
    assert numbers == list(range(len(numbers)))
    mine = merged.events[merged.events["instrument"] == 0]
    assert int((mine["seq"] < moved.seq).sum()) == at
    keys = [(int(r["ts_recv"]), int(r["seq"])) for r in merged.events] + [(moved.ts_recv, moved.seq)]
    assert [seq for _, seq in sorted(keys)] == list(range(len(keys)))
