"""A user's own component: it works in a replay at once, and the laws catch one that cheats."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import mia_kernel as mia
from mia_kernel.core.errors import SettingsError
from mia_kernel.core.events import Recording
from mia_kernel.desk.laws import Finding, LawBook
from mia_kernel.features.spec import feature, forget, registry
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.property.strategies import small_market

pytestmark = pytest.mark.unit

HOURS = (15, 17)
"""Of the small market, after 18:00: enough for everything these components ask."""
LAWS = ["alive", "repeat", "prefix", "slicing", "snapshot-restore", "mirror"]


@pytest.fixture
def own() -> Iterator[str]:
    yield "own"
    forget("own")


@cache
def few_hours() -> Recording:
    """Return the busy hours of a SYNTHETIC session: each law takes them through the engine again."""
    whole = small_market(1)
    start = int(whole.events["ts_event"][0])
    first, last = (int(np.searchsorted(whole.events["ts_recv"], start + h * 3600 * 10**9)) for h in HOURS)
    return replace(whole, events=whole.events[first:last])


def findings(weights: Any = "bars") -> dict[str, Finding]:
    settings = load(arguments={"confluence.weights": weights}).settings
    return {finding.law: finding for finding in LawBook(settings, few_hours()).check(["own"])}


def broken(found: dict[str, Finding]) -> set[str]:
    return {law for law, finding in found.items() if finding.verdict == "broken"}


def define(answer: Callable[[Any], float | None]) -> None:
    @feature("own", needs=("flow",))
    class Own:  # pyright: ignore[reportUnusedClass]
        """What the test says. Source: this test."""

        def update_one(self, state: Any) -> float | None:
            return answer(state)


def soft_sigma(state: Any) -> float | None:
    sigma = state.measure("flow_anomaly_sigma")
    return None if sigma is None else sigma / (1 + abs(sigma))


def test_a_fair_component_holds_every_law_and_counts_in_the_score(own: str) -> None:
    define(soft_sigma)
    found = findings({"vwap_trend": 12, own: 6})
    assert [finding.law for finding in found.values()] == LAWS
    assert {finding.verdict for finding in found.values()} == {"holds"}
    run = Run(load(arguments={"confluence.weights": {"vwap_trend": 12, own: 6}}).settings, few_hours())
    run.drive()
    at = run.engine.rooms.features.names.index(own)
    assert abs(run.table.column("contributions")[:, at]).max() > 0.1
    assert abs(run.table.column("contributions").sum(axis=1) - run.table.column("heads")[:, 0]).max() < 1e-9


def test_it_reads_the_parts_of_the_record_and_the_instant(own: str) -> None:
    seen: list[tuple[int, int]] = []

    def note(state: Any) -> float:
        seen.append((state.ts, int(state["flow"]["day_trades"])))
        return 0.5

    define(note)
    assert findings()["alive"].verdict == "silent"
    assert seen[0][0] < seen[1][0]
    assert seen[100][1] > seen[0][1]


def test_dice_do_not_repeat(own: str) -> None:
    define(lambda _state: random.random())
    assert {"repeat", "prefix", "slicing"} <= broken(findings())


def test_memory_outside_itself_is_caught(own: str) -> None:
    asked = itertools.count()
    define(lambda _state: (next(asked) % 1000) / 1000)
    assert {"repeat", "slicing", "snapshot-restore"} <= broken(findings())


def test_a_leaning_component_breaks_the_mirror_alone(own: str) -> None:
    define(lambda state: None if (value := soft_sigma(state)) is None else max(value, 0.0))
    assert broken(findings()) == {"mirror"}


def test_memory_of_its_own_must_say_how_it_is_stored(own: str) -> None:
    @feature(own, needs=("flow",))
    class Slow:
        """An average that forgets. Source: this test."""

        def __init__(self) -> None:
            self.mean = 0.0

        def update_one(self, state: Any) -> float | None:
            value = soft_sigma(state)
            self.mean = self.mean if value is None else 0.9 * self.mean + 0.1 * value
            return self.mean

    found = findings()
    assert broken(found) == {"snapshot-restore"}
    assert (
        "'own' remembers mean; way out: give it to_bytes() and restore(bytes)"
        in found["snapshot-restore"].says
    )

    forget(own)

    @feature(own, needs=("flow",))
    class Kept(Slow):  # pyright: ignore[reportUnusedClass]
        """An average that forgets, and can be stored. Source: this test."""

        def to_bytes(self) -> bytes:
            return self.mean.hex().encode()

        def restore(self, state: bytes) -> None:
            self.mean = float.fromhex(state.decode())

    assert broken(findings()) == set()


def test_the_state_cannot_be_written_from_a_component(own: str) -> None:
    def write(state: Any) -> float:
        state["flow"]["day_trades"] = 0
        return 0.0

    define(write)
    with pytest.raises(ValueError, match="read-only"):
        findings()


def test_an_unknown_measure_names_the_nearest(own: str) -> None:
    define(lambda state: state.measure("net_dleta"))
    with pytest.raises(SettingsError, match="net_delta"):
        findings()


def test_a_cell_run_anew_replaces_what_it_defined(own: str) -> None:
    for name in ("First", "Second"):
        cell = type(
            name, (), {"__doc__": "Source: a cell.", "__module__": "__main__", "update_one": soft_sigma}
        )
        feature(own)(cell)
    assert registry()[own].where == "__main__.Second"


def test_an_unknown_component_is_named(own: str) -> None:
    with pytest.raises(SettingsError, match="no component is called 'vwap'"):
        mia.day("synthetic:7").laws("vwap")


def test_what_the_source_cannot_carry_is_not_checked(own: str) -> None:
    define(soft_sigma)
    spec = registry()[own]
    assert spec.needs == ("flow",)
    forget(own)

    @feature(own, needs=("options",))
    class Chain:  # pyright: ignore[reportUnusedClass]
        """Needs a chain. Source: this test."""

        def update_one(self, state: Any) -> float | None:
            return 0.0

    assert [finding.verdict for finding in findings().values()] == ["not checked"]
