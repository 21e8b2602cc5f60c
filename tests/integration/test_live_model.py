"""A champion in a session at a broker's wire: seated from the first row, recorded, and the same in the replay."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mia_kernel.adapters.messages import Limits
from mia_kernel.adapters.models import ModelRegistry, models_folder
from mia_kernel.adapters.recorded import read_session
from mia_kernel.core.model_event import ModelChange
from mia_kernel.live import broker
from mia_kernel.live.loop import Timer
from mia_kernel.live.parity import parity_of_record
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.fakes.learned import stump
from tests.fakes.live_gateway import LiveGateway, morning
from tests.fakes.no_guardian import NoGuardian

pytestmark = pytest.mark.integration


def test_a_session_at_a_broker_is_judged_by_the_champion_and_its_replay_too(
    mia_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, start = morning(scale=0.05)
    registry = ModelRegistry(models_folder(mia_home) / "filter")
    registry.save("1.0.0", stump(trained_at=start), {"report.json": b"{}"}, {"source": "made up"}, at_ns=1)
    for state in ("shadow", "champion"):
        registry.move("1.0.0", state, "test", at_ns=2)
    champion = registry.model_id("1.0.0")
    monkeypatch.setattr(broker, "Relink", NoGuardian)
    monkeypatch.setattr(broker, "greet", lambda *_: (NoGuardian(), Limits("", "", "reducing")))
    with LiveGateway(recording, start, speed=10.0) as running:
        source = f"gateway:127.0.0.1:{running.port}"
        session = broker.open_broker_session(
            load().settings, source, "paper", mia_home / "j.sqlite", session_id="judged"
        )
        began = time.monotonic()

        def enough() -> None:
            if len(session.run.table) > 1 or time.monotonic() - began > 30:
                session.loop.stop("seen")

        session.loop.timers.append(Timer(0.2, enough))
        session.go()
        seat = session.run.engine.rooms.model
        assert (seat.model_id, seat.role, seat.view["why"]) == (champion, "champion", "no signal yet")
        answer = session.close()
    assert answer.equal == answer.total > 0
    (named,) = [o for o in read_session(session.folder).objects if isinstance(o, ModelChange)]
    assert (named.model_id, named.role, named.reason) == (champion, "champion", "start")
    registry.move("1.0.0", "retired", "test", at_ns=3)
    again = Run(load().settings, read_session(session.folder))
    again.drive()
    assert again.engine.rooms.model.model_id == champion
    assert parity_of_record(load().settings, session.folder).holds
