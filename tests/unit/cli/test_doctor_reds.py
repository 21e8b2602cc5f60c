"""Every red light of `mia doctor`, made red in the world it looks at, not in the judgment; each with its remedy.

Client ids need a gateway: `test_doctor_ids.py`. Broken journal and leaked secret: `test_commands.py`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from mia_kernel.adapters import bus, machine
from mia_kernel.adapters.messages import LimitUse
from mia_kernel.adapters.models import models_folder
from mia_kernel.adapters.timetable import Timetable, due
from mia_kernel.cli import doctor, doctor_services
from mia_kernel.settings import load
from tests.integration.test_desk_server import status

pytestmark = [pytest.mark.unit, pytest.mark.safety]

Patch = pytest.MonkeyPatch
NOBODY = 2**22 - 3
"""A process id that nobody has."""


@contextmanager
def answering(home: Path, told: Any) -> Iterator[None]:
    """Serve a guardian that says this of itself."""
    over, ready = threading.Event(), threading.Event()

    def serve() -> None:
        with bus.Server(bus.load_keys(home), ("control",)) as server:
            bus.announce(home, bus.GUARDIAN, {"control": server.ports["control"]}, "t")
            ready.set()
            while not over.is_set():
                for name, peer, request, _ in server.poll(0.02):
                    server.say(name, peer, request, told)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield
    over.set()
    thread.join(5)


def _gone(home: Path, name: str, port: str) -> None:
    bus.announce(home, name, {port: 1}, "t")
    path = home / "run" / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": NOBODY}))


def engine(home: Path, patch: Patch) -> None:
    """Announced, its process gone."""
    _gone(home, bus.ENGINE, "frames")


def guardian(home: Path, patch: Patch) -> None:
    """Announced, its process gone: no answer."""
    _gone(home, bus.GUARDIAN, "control")


def alerts(home: Path, patch: Patch) -> None:
    """A critical alert nobody has seen."""
    (home / "run").mkdir(parents=True, exist_ok=True)
    state = {"ts": time.time_ns(), "alerts": [{"title": "Feed silent", "waits": True}], "channels": []}
    (home / "run" / "alerts.json").write_text(json.dumps(state))


def schedule(home: Path, patch: Patch) -> None:
    """The page of an evening failed."""
    (home / "data").mkdir(parents=True, exist_ok=True)
    table, item = Timetable(home / "data" / "schedule.sqlite"), due(time.time_ns(), after_close_min=0.0)[-1]
    assert table.claim(item, time.time_ns())
    table.finish(item, "failed", "no room", time.time_ns())


def trials(home: Path, patch: Patch) -> None:
    """The log of trials is torn."""
    path = load().settings.trials_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"torn")


def model(home: Path, patch: Patch) -> None:
    """The list of what became of models is bent."""
    folder = models_folder(home) / load().settings.ml.model
    folder.mkdir(parents=True)
    (folder / "states.jsonl").write_text("{bent")


def disk(home: Path, patch: Patch) -> None:
    """Two percent are left."""
    patch.setattr(machine, "disk", lambda _: (2, 100))


def memory(home: Path, patch: Patch) -> None:
    """Two percent are left."""
    patch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2, total=100))


def clock(home: Path, patch: Patch) -> None:
    """A file of ours comes from tomorrow."""
    folder = load().settings.reports_folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page.html").write_text("x")
    os.utime(folder / "page.html", (time.time() + 86_400, time.time() + 86_400))


def calendar(home: Path, patch: Patch) -> None:
    """Today lies beyond the table."""
    patch.setattr(doctor, "_today", lambda: dt.date(2031, 1, 2))


def packages(home: Path, patch: Patch) -> None:
    """A locked package is missing."""
    have = {name: version for name, version in machine.installed_packages().items() if name != "numpy"}
    patch.setattr(machine, "installed_packages", lambda: have)


def python(home: Path, patch: Patch) -> None:
    """An untried Python."""
    patch.setattr(doctor.sys, "version_info", (3, 9, 1))


def zones(home: Path, patch: Patch) -> None:
    """No data of New York."""
    patch.setattr(machine, "missing_zones", lambda: ["America/New_York"])


def home_closed(home: Path, patch: Patch) -> None:
    """MIA_HOME is a file."""
    place = home / "a file"
    place.write_text("x")
    patch.setenv("MIA_HOME", str(place))


def logs(home: Path, patch: Patch) -> None:
    """The folder of logs cannot be written."""
    (home / "logs").mkdir()
    real = machine.write_problem
    patch.setattr(machine, "write_problem", lambda path: "read-only" if path.name == "logs" else real(path))


def settings(home: Path, patch: Patch) -> None:
    """A limit that is none."""
    patch.setenv("MIA_RISK__DAILY_LOSS_USD", "-1")


REDS: dict[str, Callable[[Path, Patch], None]] = {
    "engine": engine, "guardian": guardian, "alerts": alerts, "schedule": schedule, "trials": trials, "model": model,
    "disk": disk, "memory": memory, "clock": clock, "calendar": calendar, "packages": packages, "python": python,
    "time zones": zones, "home": home_closed, "logs": logs, "settings": settings,
}  # fmt: skip


@pytest.mark.parametrize("name", REDS)
def test_what_is_broken_is_red_with_a_remedy(name: str, mia_home: Path, monkeypatch: Patch) -> None:
    REDS[name](mia_home, monkeypatch)
    found = {finding.name: finding for finding in doctor.examine()}
    assert (found[name].level, bool(found[name].remedy)) == ("red", True), found[name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("guardian", {"trading_state": "halted", "last_reason": "daily_loss: the limit is reached"}),
        ("protective stop", {"position": 1.0, "protective_stop": "absent"}),
        ("engine heartbeat", {"engine_heartbeat_age_s": 9.0}),
        ("gateway", {"mode": "paper"}),
    ],
)
def test_what_a_guardian_says_is_red_with_a_remedy(
    name: str, said: dict[str, Any], mia_home: Path, monkeypatch: Patch
) -> None:
    told = status(**({"limits": {"daily_loss": LimitUse(-500.0, 0.0, "usd")}} | said))
    if name == "gateway":  # nothing listens on a port nobody opened
        monkeypatch.setenv("MIA_IBKR__PORT", "9")
    with answering(mia_home, told):
        found = {finding.name: finding for finding in doctor_services.services(load().settings)}
    assert (found[name].level, bool(found[name].remedy)) == ("red", True), found[name]


def test_a_desk_server_that_died_beside_an_engine_is_red(mia_home: Path) -> None:
    keys = bus.load_keys(mia_home)
    with bus.Server(keys, (), publish=True) as server:
        bus.announce(mia_home, bus.ENGINE, {"frames": server.ports["frames"]}, "t")
        _gone(mia_home, bus.DESK, "http")
        found = {finding.name: finding for finding in doctor_services.services(load().settings)}
        bus.withdraw(mia_home, bus.ENGINE)
    assert found["desk server"].level == "red"
    assert found["engine"].level == "amber", "it is there, and shows nothing"
