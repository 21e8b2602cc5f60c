"""Measure for the monitor page and for Prometheus: this machine, our processes, and what the frames say."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

import psutil
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from mia_kernel.adapters.bus import ENGINE, GUARDIAN, find
from mia_kernel.adapters.desk_link import DeskLink
from mia_kernel.core.errors import MiaError

READ_AGAIN_S = 1.0


class Machine:
    """CPU, memory, disk and network of this machine and of our processes, read at most once a second."""

    def __init__(self, link: DeskLink) -> None:
        self._link = link
        self._known: dict[int, psutil.Process] = {}
        self._read_at = 0.0
        self._last: dict[str, Any] = {}
        psutil.cpu_percent()  # the first call only starts the measurement

    def read(self) -> dict[str, Any]:
        """Return system figures and one row per process: name, pid, cpu_percent, memory_mb, threads."""
        if time.monotonic() - self._read_at < READ_AGAIN_S:
            return self._last
        self._read_at = time.monotonic()
        memory, network = psutil.virtual_memory(), psutil.net_io_counters()
        disk = psutil.disk_usage(str(self._link.home))
        self._last = {
            "cpu_percent": psutil.cpu_percent(),
            "memory_used_percent": memory.percent,
            "memory_free_mb": memory.available / 2**20,
            "disk_free_mb": disk.free / 2**20,
            "disk_used_percent": disk.percent,
            "network_sent_mb": network.bytes_sent / 2**20 if network else None,
            "network_received_mb": network.bytes_recv / 2**20 if network else None,
            "processes": list(self._processes()),
        }
        return self._last

    def _processes(self) -> Iterator[dict[str, Any]]:
        for name, pid in (*self._announced(), ("desk", os.getpid())):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process = self._known.setdefault(pid, psutil.Process(pid))
                yield {
                    "name": name,
                    "pid": pid,
                    "cpu_percent": process.cpu_percent(),
                    "memory_mb": process.memory_info().rss / 2**20,
                    "threads": process.num_threads(),
                    "started_ts": int(process.create_time() * 1e9),
                }

    def _announced(self) -> Iterator[tuple[str, int]]:
        for name in (ENGINE, GUARDIAN):
            with contextlib.suppress(MiaError):
                said = find(self._link.home, name)
                if said is not None and said.alive:
                    yield name, said.pid


class _Figures(Collector):
    """What Prometheus scrapes; a figure that is not known is left out, never 0."""

    def __init__(self, link: DeskLink, machine: Machine) -> None:
        self._link, self._machine = link, machine

    def collect(self) -> Iterator[Any]:
        """Yield every figure that is known now."""
        link = self._link
        frames = CounterMetricFamily("mia_frames", "Frames received since the desk server started.")
        frames.add_metric([], link.frames)
        yield frames
        for name, text, value in (
            *_of_link(link),
            *_of_frame(link.frame or {}),
            *_of_machine(self._machine.read()),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, value=float(value))
        if link.frame is not None:
            limits = GaugeMetricFamily(
                "mia_limit_actual", "Where a limit stands, in its unit.", labels=["limit", "unit"]
            )
            for row in link.frame["limits"]:
                if row["actual"] is not None:
                    limits.add_metric([row["code"], row["unit"]], row["actual"])
            yield limits


Figure = tuple[str, str, float | int | bool | None]


def _of_link(link: DeskLink) -> Iterator[Figure]:
    standing = link.standing()
    said = standing["guardian"]
    yield "mia_frame_age_seconds", "Age of the newest frame.", standing["frame_age_s"]
    yield "mia_guardian_known", "1 while the guardian answers.", standing["known"]
    if said is not None:
        yield "mia_armed", "1 while entries are allowed.", said["armed"]
        yield "mia_halted", "1 while the kill switch holds.", said["trading_state"] == "halted"
        yield "mia_position_contracts", "Signed position at the guardian, ES contracts.", said["position"]
        yield "mia_guardian_day_net_usd", "Net result of the day at the guardian.", said["day_net_usd"]
        yield "mia_engine_heartbeat_age_seconds", "Age of the engine's beat.", said["engine_heartbeat_age_s"]
        yield "mia_working_orders", "Orders working at the venue.", said["working_orders"]


def _of_frame(frame: dict[str, Any]) -> Iterator[Figure]:
    decision, money, health = (frame.get(name) or {} for name in ("decision", "money", "health"))
    yield "mia_price_points", "Last price.", (frame.get("price") or {}).get("last")
    yield "mia_confluence_percent", "Confluence of the last decision.", decision.get("percent")
    yield "mia_coverage", "Weighed share of components that are known.", decision.get("coverage")
    yield "mia_day_net_usd", "Net result of the day at the engine.", money.get("day_net_usd")
    yield "mia_equity_usd", "Equity at the engine.", money.get("equity_usd")
    yield "mia_trades_today", "Round trips opened today.", money.get("trades_today")
    yield "mia_data_quality", "Trust in the feed over the last minute, 0 to 1.", health.get("data_quality")
    yield "mia_book_age_milliseconds", "Age of the book in event time.", health.get("book_age_ms")
    yield "mia_rows", "Event rows taken by the engine.", frame.get("rows")
    yield from _of_pace(health)
    ml = frame.get("ml") or {}
    yield "mia_ml_probability", "What the filter gives the last signal.", ml.get("probability")
    yield "mia_ml_agreement", "How far its members agree, 0 to 1.", ml.get("agreement")
    yield "mia_ml_signals_asked", "Signals the filter was asked about.", ml.get("asked")
    yield "mia_ml_signals_answered", "Signals it had a probability for.", ml.get("answered")


def _of_pace(health: dict[str, Any]) -> Iterator[Figure]:
    spent, parity = health.get("latency") or {}, health.get("parity")
    yield "mia_feed_latency_milliseconds", "Age of rows at arrival, median.", health.get("feed_latency_ms")
    for name in ("p50", "p95", "p99"):
        text = f"Arrival of a row to its decision, {name} of the newest."
        yield f"mia_decision_latency_{name}_milliseconds", text, spent.get(f"{name}_ms")
    yield "mia_rows_waiting", "Rows waiting in the engine's inbox.", health.get("rows_waiting")
    yield (
        "mia_longest_frame_milliseconds",
        "Longest time one frame took the loop.",
        health.get("longest_frame_ms"),
    )
    if parity is not None:
        yield (
            "mia_last_session_replayed_equal",
            "1 where the last session replayed the same.",
            parity[0] == parity[1],
        )


def _of_machine(read: dict[str, Any]) -> Iterator[Figure]:
    yield "mia_system_cpu_percent", "CPU of this machine.", read["cpu_percent"]
    yield "mia_system_memory_used_percent", "Memory of this machine.", read["memory_used_percent"]
    yield "mia_system_disk_free_megabytes", "Room on the disk of MIA_HOME.", read["disk_free_mb"]
    for row in read["processes"]:
        yield f"mia_{row['name']}_cpu_percent", f"CPU of the {row['name']} process.", row["cpu_percent"]
        yield f"mia_{row['name']}_memory_megabytes", f"Memory of the {row['name']} process.", row["memory_mb"]


class Metrics:
    """The text of `/metrics`."""

    def __init__(self, link: DeskLink, machine: Machine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Figures(link, machine))

    def text(self) -> bytes:
        """Return everything known in Prometheus' text format."""
        return generate_latest(self._registry)
