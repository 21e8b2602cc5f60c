"""A dry-run's guardian: armed for simulated fills by every engine that greets, unless a person has disarmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mia_kernel.adapters.messages import PROTOCOL, Disarm, Hello
from mia_kernel.guardian.book import Book
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.intake import Intake
from mia_kernel.guardian.people import People
from mia_kernel.guardian.watch import Watch
from tests.fakes.guarded import BUILD

pytestmark = [pytest.mark.unit, pytest.mark.safety]


@pytest.fixture
def guardian(tmp_path: Path) -> Guardian:
    made = Guardian("dry-run", None, None, Book(tmp_path / "journal"), BUILD)
    made.start(1_000.0)
    return made


def greet(guardian: Guardian, run_id: str, now: float) -> None:
    Intake(guardian).answer(Hello(BUILD, PROTOCOL, "s", "dry-run", run_id, None), now)


def test_each_engine_arms_a_dry_run(guardian: Guardian) -> None:
    greet(guardian, "plain", 1_001.0)
    assert guardian.armed
    guardian.disarm("the engine is silent", 1_002.0)
    greet(guardian, "compiled", 1_005.0)
    assert guardian.armed


def test_what_a_person_disarmed_no_greeting_arms(guardian: Guardian, tmp_path: Path) -> None:
    """A first start changes its engine by itself after some minutes: nobody asked for that."""
    greet(guardian, "plain", 1_001.0)
    People(guardian, Watch(guardian), tmp_path).answer(Disarm("enough"), 1_002.0)
    assert not guardian.armed
    greet(guardian, "compiled", 1_005.0)
    assert not guardian.armed
