"""Probe the running parts for `mia doctor`: guardian to trial log, and this machine's load."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
import psutil

from mia_kernel.adapters import bus, logs, machine, wire
from mia_kernel.adapters.ibkr_params import Address, permit
from mia_kernel.adapters.limits_file import NAME, GuardianParams, read
from mia_kernel.adapters.messages import GuardianStatus, Status
from mia_kernel.adapters.models import ModelRegistry, models_folder
from mia_kernel.adapters.timetable import Timetable
from mia_kernel.adapters.trials import TrialLog
from mia_kernel.analytics import health_services as judge
from mia_kernel.analytics.health import Finding
from mia_kernel.core.errors import DataError, MiaError, OutsideError, SettingsError
from mia_kernel.core.session_table import date_of
from mia_kernel.settings import Settings

ASK_S = 1.0


def services(settings: Settings) -> list[Finding]:
    """Return what is found of every running part; nothing here waits longer than a few seconds."""
    engine, running, frame = _engine(settings)
    guardian, mode = _guardian(settings)
    return [
        *guardian,
        engine,
        _desk(settings, needed=running),
        *_gateway(settings, needed=mode in ("paper", "production"), mine=running),
        judge.options(frame.get("gamma"), frame.get("ts_event")),
        _model(settings),
        _watch(settings, needed=running),
        judge.discord(settings.secrets.discord_webhook is not None),
        _schedule(settings),
        _trials(settings),
        _logs(settings),
        *_load(),
    ]


def _guardian(settings: Settings) -> tuple[list[Finding], str]:
    announced = bus.find(settings.home, bus.GUARDIAN) is not None
    status: Mapping[str, Any] | None = None
    why = ""
    if announced:
        try:
            with bus.guardian(settings.home) as client:
                answer = client.ask(Status(), ASK_S)
            if isinstance(answer, GuardianStatus):
                status = msgspec.structs.asdict(answer)
        except OutsideError as error:
            why = str(error)
    return judge.guardian(status, announced, why), "" if status is None else str(status["mode"])


def _engine(settings: Settings) -> tuple[Finding, bool, Mapping[str, Any]]:
    said = bus.find(settings.home, bus.ENGINE)
    if said is None or not said.alive or "frames" not in said.ports:
        return judge.engine(said is not None, said is not None and said.alive, None), False, {}
    viewer = bus.Viewer(bus.load_keys(settings.home), said.ports["frames"])
    try:
        began = time.monotonic()
        seen = viewer.frame(ASK_S)
        waited = None if seen is None else time.monotonic() - began
        return judge.engine(True, True, waited), True, {} if seen is None else wire.decode(seen)
    except DataError as error:
        return (
            Finding("engine", "red", f"its frame cannot be read: {error}", "one version for both"),
            True,
            {},
        )
    finally:
        viewer.close()


def _desk(settings: Settings, *, needed: bool) -> Finding:
    said = bus.find(settings.home, bus.DESK)
    return judge.desk(said is not None, said is not None and said.alive, needed=needed)


def _gateway(settings: Settings, *, needed: bool, mine: bool) -> list[Finding]:
    host, port = settings.ibkr.host, settings.ibkr.port
    address = Address("ibkr", host, port)
    try:
        socket.create_connection((host, port), ASK_S).close()
    except OSError:
        return [judge.gateway(f"{host}:{port}", listens=False, needed=needed)]
    try:
        permit(address, settings.profile, settings.ibkr.accounts)
    except SettingsError as error:  # a port for real money is not even greeted
        return [judge.gateway(f"{host}:{port}", listens=True, needed=needed), judge.no_greeting(str(error))]
    from mia_kernel.adapters.ibkr_probe import try_ids  # late: it loads the broker's library

    orders, data = _order_id(settings), settings.ibkr.data_client_id
    spare = settings.ibkr.spare_ids
    tried = sorted({one for first in (orders, data) for one in range(first, max(first - spare - 1, 0), -1)})
    words = try_ids(address, tried[::-1])
    return [
        judge.gateway(f"{host}:{port}", listens=True, needed=needed),
        judge.client_ids(words, (orders, data), mine=mine or needed),
    ]


def _order_id(settings: Settings) -> int:
    """Return the client id of the order socket, by the limits file; its default where there is none to read."""
    with suppress(MiaError):
        return read(settings.home / NAME).law.guardian.client_id
    return GuardianParams().client_id


def _model(settings: Settings) -> Finding:
    registry = ModelRegistry(models_folder(settings.home) / settings.ml.model)
    name, trusted = settings.ml.model, settings.ml.expires_days
    if not registry.folder.is_dir():
        return judge.model(name, None, trusted, "")
    try:
        version = registry.in_state("champion")
        made = None if version is None else registry.load(version)
    except MiaError as error:
        return judge.model(name, None, trusted, str(error))
    if made is None:
        return judge.model(name, None, trusted, "")
    return judge.model(name, (time.time_ns() - max(made.trained_at, made.valid_from)) / 86_400e9, trusted, "")


def _watch(settings: Settings, *, needed: bool) -> Finding:
    path = settings.home / "run" / "alerts.json"
    try:
        state = json.loads(path.read_text("utf-8"))
        age = time.time() - int(state["ts"]) / 1e9
        waiting = [str(alert["title"]) for alert in state["alerts"] if alert["waits"]]
        failing = [
            str(channel["name"]) for channel in state["channels"] if channel["failed"] or channel["lost"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return judge.watch(None, (), (), needed=needed)
    return judge.watch(age, waiting, failing, needed=needed)


def _schedule(settings: Settings) -> Finding:
    try:
        rows = Timetable(settings.data_folder / "schedule.sqlite").rows(6)
    except MiaError as error:
        return judge.schedule([("schedule", "failed", str(error))])
    return judge.schedule([(f"{row.job} of {date_of(row.day)}", row.state, row.note) for row in rows])


def _trials(settings: Settings) -> Finding:
    try:
        return judge.trials(TrialLog(settings.trials_file).verify()[0], "")
    except MiaError as error:
        return judge.trials(None, str(error))


def _logs(settings: Settings) -> Finding:
    folder = settings.home / "logs"
    return judge.logs(logs.newest(settings.home), machine.write_problem(folder) if folder.is_dir() else None)


def _load() -> list[Finding]:
    memory = psutil.virtual_memory()
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0] / cores if hasattr(os, "getloadavg") else None
    return [judge.memory(memory.available / memory.total, memory.available), judge.cpu(load)]
