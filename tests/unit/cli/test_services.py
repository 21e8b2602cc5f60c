"""The running parts, judged: nothing that is missing where it is needed stays green, and every other has a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mia_kernel.analytics import health_services as judge
from mia_kernel.cli.doctor_services import services
from mia_kernel.settings import load

pytestmark = pytest.mark.unit

STATUS: dict[str, Any] = {
    "mode": "paper", "armed": True, "trading_state": "active", "last_reason": "", "venue": "gateway", "connected": True,
    "reconciled": True, "protective_stop": "resting at venue", "position": 1.0, "engine_heartbeat_age_s": 0.4,
    "drill_ts": 10**18, "ts": 10**18 + 86_400 * 10**9,
}  # fmt: skip


def levels(found: list[Any]) -> dict[str, str]:
    assert all(f.remedy for f in found if f.level != "green")
    return {f.name: f.level for f in found}


def test_a_healthy_guardian_is_green_all_through() -> None:
    assert set(levels(judge.guardian(STATUS, True, "")).values()) == {"green"}


@pytest.mark.parametrize(
    ("change", "name", "level"),
    [
        ({"trading_state": "halted", "last_reason": "daily loss"}, "guardian", "red"),
        ({"protective_stop": "unknown"}, "protective stop", "red"),
        ({"protective_stop": "unconfirmed"}, "protective stop", "amber"),
        ({"connected": False}, "venue", "amber"),
        ({"reconciled": False}, "venue", "amber"),
        ({"engine_heartbeat_age_s": 3.0}, "engine heartbeat", "amber"),
        ({"engine_heartbeat_age_s": 9.0}, "engine heartbeat", "red"),
        ({"drill_ts": None}, "fire drill", "amber"),
        ({"ts": 10**18 + 8 * 86_400 * 10**9}, "fire drill", "amber"),
    ],
)
def test_each_trouble_has_its_light_and_a_remedy(change: dict[str, Any], name: str, level: str) -> None:
    assert levels(judge.guardian(STATUS | change, True, ""))[name] == level


def test_a_guardian_that_is_announced_and_silent_is_red() -> None:
    assert levels(judge.guardian(None, True, "no answer"))["guardian"] == "red"
    assert levels(judge.guardian(None, False, ""))["guardian"] == "green"


def test_engine_watch_schedule_trials_and_logs() -> None:
    assert judge.engine(True, False, None).level == "red"
    assert judge.engine(True, True, None).level == "amber"
    assert judge.watch(None, (), (), needed=True).level == "amber"
    assert judge.watch(1.0, ("Feed silent",), (), needed=True).level == "red"
    assert judge.watch(1.0, (), ("discord",), needed=True).level == "amber"
    assert judge.schedule([("daily of 2025-06-10", "failed", "no disk")]).level == "red"
    assert judge.schedule([("daily of 2025-06-10", "done", "")]).level == "green"
    assert judge.trials(None, "trial 2: it is missing").level == "red"
    assert judge.logs(None, "read-only").level == "red"
    assert judge.memory(0.03, 10**9).level == "red"
    assert judge.cpu(None).level == "amber"


def test_an_empty_home_is_probed_without_waiting(mia_home: Path) -> None:
    found = levels(services(load().settings))
    assert found["guardian"] == "green"
    assert found["engine"] == "green"
    assert found["trials"] == "green"
    assert {"alerts", "discord", "schedule", "logs", "memory", "cpu"} <= set(found)


def test_desk_gateway_options_and_model_have_their_lights_and_remedies() -> None:
    assert judge.desk(False, False, needed=False).level == "green"
    assert judge.desk(False, False, needed=True).level == "amber"
    assert judge.desk(True, False, needed=True).level == "red"
    assert judge.gateway("127.0.0.1:4002", listens=False, needed=True).level == "red"
    assert judge.gateway("127.0.0.1:4002", listens=False, needed=False).level == "green"
    now = 10**18
    old, new = ({"as_of": now - 90 * 60 * 10**9, "fresh": fresh} for fresh in (False, True))
    assert judge.options(None, None).level == "green"
    assert judge.options(None, now).level == judge.options(old, now).level == "amber"
    assert judge.options(new, now).text == "chain 90 min old"
    assert judge.model("filter", 31.0, 30.0, "").level == "amber"
    assert judge.model("filter", None, 30.0, "damaged").level == "red"
    assert judge.model("filter", None, 30.0, "").level == "green"
    found = [judge.desk(True, False, needed=True), judge.gateway("a", listens=False, needed=True)]
    assert all(f.remedy for f in [*found, judge.options(None, now), judge.model("m", 31.0, 30.0, "")])


def test_client_ids_have_their_lights_and_remedies() -> None:
    free, one, all_held = ({999: a, 998: b, 997: c} for a, b, c in (
        ("free", "free", "free"), ("in use", "free", "free"), ("in use", "in use", "in use")))  # fmt: skip
    assert judge.client_ids(free, (999, 998), mine=False).level == "green"
    assert judge.client_ids(one, (999, 998), mine=False).level == "amber"
    assert judge.client_ids(one, (999, 998), mine=True).level == "green"
    assert judge.client_ids(all_held, (999, 998), mine=False).level == "red"
    assert judge.client_ids(dict.fromkeys(free, "no answer"), (999, 998), mine=True).level == "red"
