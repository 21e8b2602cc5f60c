"""Rows survive the way into Parquet columns and back, kind by kind and as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.columns import (
    KINDS,
    from_table,
    object_from_json,
    object_to_json,
    source_from_json,
    source_to_json,
    to_table,
    whole_rows,
    whole_table,
)
from mia_kernel.core import events as ev
from mia_kernel.core.events import Carries, ContractChange, SourceInfo

pytestmark = pytest.mark.unit

_FIELDS = {
    ev.TRADE: ("px", "sz", "side", "order_count"),
    ev.QUOTE: ("bid", "ask"),
    ev.BOOK: ("bid", "ask", "b", "a"),
    ev.BAR: ("px", "sz"),
    ev.TIMER: (),
}


def _rows(kind: int, n: int = 50) -> ev.EventArray:
    rng = np.random.default_rng(7)
    rows = ev.empty(n)
    rows["kind"] = kind
    for name in ("ts_event", "ts_recv", "seq", "flags", *_FIELDS[kind]):
        rows[name] = rng.integers(0, 100, rows[name].shape)
    if kind == ev.QUOTE:
        rows["b"][:, 0], rows["a"][:, 0] = 3, 4
    if kind == ev.BAR:
        rows["b"][:, :7] = rng.integers(0, 100, (n, 7))
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_survives(kind: int) -> None:
    rows = _rows(kind)
    assert (from_table(to_table(rows, kind), kind) == rows).all()
    assert (whole_rows(whole_table(rows)) == rows).all()


def test_a_source_survives() -> None:
    source = SourceInfo("imported", "cme", "x", "ES", "ESU19", carries=Carries(trades=True), notes=("a", "b"))
    assert source_from_json(source_to_json(source)) == source


def test_an_object_survives_and_an_unknown_one_is_refused() -> None:
    change = ContractChange(1, 2, 3, "ESU19", "ESZ19", None)
    assert object_from_json(object_to_json(change)) == change
    with pytest.raises(TypeError):
        object_to_json("something")
