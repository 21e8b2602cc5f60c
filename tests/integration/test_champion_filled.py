"""A model judges what the real guardian sends: the whole stack as processes, a made-up champion in the seat.

SYNTHETIC market, SYNTHETIC champion (one split, trained on nothing): what is shown is the way of an opinion, from the
seat to the fill and back in the replay, never that it pays.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.models import ModelRegistry, models_folder
from mia_kernel.adapters.recorded import closing_of, read_session, session_folders
from mia_kernel.core.decisions import Decision
from mia_kernel.core.model_event import ModelChange
from mia_kernel.core.orders import OrderReport, PlaceBracket
from tests.fakes.learned import stump
from tests.fakes.whole_stack import SETTINGS, World, limits
from tests.integration.test_live_end_to_end import SHORT, market

pytestmark = [pytest.mark.integration, pytest.mark.safety, pytest.mark.long]

APPROVED = 0.70
OPENED = "2025-03-14T13:45:00+00:00"
"""A quarter of an hour after the cash open: the profile of RTH is known, so no opinion lacks its features."""
PLENTY = 40
"""Signals after which a session has shown both kinds."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    here = World(tmp_path)
    yield here
    here.close()


def champion(home: Path) -> str:
    """Store a champion that is sure of what flows the signal's way and sure that the rest loses."""
    registry = ModelRegistry(models_folder(home) / "filter")
    made = stump(at=0.0, lose=0.12, win=0.88, trained_at=MADE_NS)
    registry.save("1.0.0", made, {"report.json": b"{}"}, {"source": "SYNTHETIC, made up"}, at_ns=1)
    for state in ("shadow", "champion"):
        registry.move("1.0.0", state, "test", at_ns=2)
    return registry.model_id("1.0.0")


MADE_NS = 1_741_824_000_000_000_000
"""13 March 2025, the day before the SYNTHETIC session: the model is neither too old nor has it seen that day."""


def session(world: World, mode: str) -> subprocess.Popen[bytes]:
    day, _ = market("made", world.home)
    limits(world.home)
    world.start("gateway", "gateway", "--port", str(world.port), "--control-port", str(world.control), "--source",
                day, "--infer-quotes", "--from", OPENED, "--speed", str(SHORT.speed))  # fmt: skip
    sets = [word for one in (*SETTINGS, f"risk.gates.ml_mode={mode}") for word in ("--set", one)]
    run = world.start("run", "run", "--live", "--headless", "--source", f"gateway:127.0.0.1:{world.port}",
                      "--with", day, *sets)  # fmt: skip
    world.until(world.beating, 240.0, "no engine")
    world.arm()
    return run


def signals(home: Path) -> list[Decision]:
    (path,) = (home / "data" / "journal").glob("*.sqlite")
    with JournalReader(path) as reader:
        return [d for d in reader.decisions() if d.signal is not None]


@pytest.mark.parametrize("mode", ["require", "advise"])
def test_a_guardians_fill_was_judged_by_the_champion_and_is_in_the_replay(world: World, mode: str) -> None:
    who = champion(world.home)
    run = session(world, mode)
    world.trade(1, 300.0)
    world.until(world.agree, 20.0, "venue and guardian differ after the fill")
    world.until(lambda: losing(world.home), 240.0, "no signal was thought to lose")
    run.send_signal(signal.SIGTERM)
    assert run.wait(150.0) == 0, world.said()

    found = signals(world.home)
    assert {d.opinion.model_id for d in found if d.opinion} == {who}
    folder = session_folders(world.home / "data")[-1]
    recorded = read_session(folder)
    (named,) = [e for e in recorded.objects if isinstance(e, ModelChange)]
    assert (named.model_id, named.role) == (who, "champion")
    placed = {c.bracket_id: d for d in found for c in d.intents if isinstance(c, PlaceBracket)}
    filled = {e.bracket_id for e in recorded.objects if isinstance(e, OrderReport) and e.last_qty > 0}
    assert filled
    assert filled <= placed.keys()
    refused = [d for d in found if score(d) is not None and score(d) < APPROVED]
    if mode == "require":
        assert all(score(placed[name]) >= APPROVED for name in filled)
        assert refused
        assert all(not d.intents and not d.verdict.allowed for d in refused)
    closing = closing_of(folder)
    assert closing is not None
    assert (
        f"parity {closing['decisions']}/{closing['decisions']}"
        in (world.home / "run" / "engine.log").read_text()
    )


def score(decision: Decision) -> float | None:
    return None if decision.opinion is None else decision.opinion.ml_score


def losing(home: Path) -> bool:
    found = signals(home)
    return len(found) > PLENTY or any((score(d) or 1.0) < APPROVED for d in found)
