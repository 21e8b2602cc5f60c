"""Tell what has happened: changes between two frames or two words of the guardian, as lines of an event log."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mia_kernel.adapters.messages import GuardianStatus
from mia_kernel.core.session_table import NEW_YORK

KEPT = 500
GROUP_NS = 300 * 1_000_000_000
"""Refusals by the same gate stand in one line while they come within five minutes of each other, as seen here."""


@dataclass
class _Group:
    """Signals one gate refused: how many, since when (ns UTC, market time), and the line that tells them."""

    first: int
    count: int = 0
    missed: bool = False
    event: dict[str, Any] = field(default_factory=dict)

    def words(self, code: str, last: int, text: str) -> str:
        """Return the line: the newest refusal in full, and how often since when."""
        if self.count == 1 and not self.missed:
            return text
        span = f"{_minute(self.first)}–{_minute(last)}"
        many = f"{'at least ' if self.missed else ''}{self.count}"
        return f"refused by {code.replace('_', ' ')} ×{many}, {span} New York; the last: {text}"


class Chronicle:
    """The last events, oldest first; each has id, ts (ns UTC, when it was seen here), source, level and text."""

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._id = 0
        self._status: GuardianStatus | None = None
        self._silent = False
        self._signal: int | None = None
        self._fills: int | None = None
        self._run: tuple[Any, ...] | None = None
        self._alerts: set[int] = set()
        self._groups: dict[str, _Group] = {}

    def note(self, source: str, level: str, text: str) -> None:
        """Write one line, unless it repeats the one before it."""
        with self._lock:
            if not self._events or (self._events[-1]["source"], self._events[-1]["text"]) != (source, text):
                self._write(source, level, text)

    def _write(self, source: str, level: str, text: str) -> dict[str, Any]:
        self._id += 1
        event = {"id": self._id, "ts": time.time_ns(), "source": source, "level": level, "text": text}
        self._events.append(event)
        return event

    def _refused(self, row: dict[str, Any], missed: bool) -> None:
        """Write a refused signal, together with those the same gate refused just before: one line, the newest place."""
        code, text = row["code"] or "no verdict", f"{_wish(row)}: {row['sentence']}"
        with self._lock:
            group = self._groups.get(code)
            if (
                group is None
                or time.time_ns() - group.event["ts"] > GROUP_NS
                or group.event not in self._events
            ):
                group = self._groups[code] = _Group(row["ts"])
            else:
                self._events.remove(group.event)
            group.count += 1
            group.missed = group.missed or missed
            group.event = self._write("signal", "info", group.words(code, row["ts"], text))

    def last(self, count: int) -> list[dict[str, Any]]:
        """Return the last `count` events, oldest first."""
        with self._lock:
            return list(self._events)[-count:]

    def see_silence(self, why: str) -> None:
        """The guardian does not answer."""
        if not self._silent:
            self.note("guardian", "critical", f"state UNKNOWN: {why}")
        self._silent = True

    def see_status(self, status: GuardianStatus) -> None:
        """Compare with the word before: armed or not, trading state, protection, alerts."""
        before, self._status = self._status, status
        if self._silent or before is None:
            self.note("guardian", "info", f"answers: {_standing(status)}")
        elif (before.armed, before.trading_state) != (status.armed, status.trading_state):
            level = "critical" if status.trading_state == "halted" else "info"
            self.note("guardian", level, f"{_standing(status)}: {status.last_reason}")
        self._silent = False
        if before is not None and before.protective_stop != status.protective_stop:
            level = {"absent": "critical", "unknown": "critical", "unconfirmed": "warning"}.get(
                status.protective_stop, "info"
            )
            self.note("guardian", level, f"protective stop: {status.protective_stop}")
        for alert in status.alerts:
            if alert.alert_id not in self._alerts:
                self._alerts.add(alert.alert_id)
                self.note("alert", alert.level, f"{alert.code}: {alert.text}")

    def see_frame(self, frame: dict[str, Any]) -> None:
        """Compare with the frame before: another run, new signals, new fills."""
        run = (frame.get("source_name"), frame.get("settings_id"), frame.get("mode"))
        if run != self._run:
            self._run, self._signal, self._fills = run, None, None
            self._groups.clear()
            self.note("engine", "info", f"{frame.get('mode')} on {frame.get('source_name')}")
        signals, fills = frame.get("signals") or [], frame["fills"]["ts"]
        newest = signals[0]["sequence"] if signals else -1
        if self._signal is not None:
            self._see_signals(
                [row for row in reversed(signals) if row["sequence"] > self._signal], len(signals)
            )
        self._signal = newest
        for i in range(self._fills if self._fills is not None else len(fills), len(fills)):
            side = "bought" if frame["fills"]["side"][i] > 0 else "sold"
            price, qty = float(frame["fills"]["price"][i]), int(frame["fills"]["qty"][i])
            of, role = frame["fills"]["symbol"][i], frame["fills"]["role"][i]
            self.note("fill", "info", f"{side} {qty} {of} at {price:.2f} ({role})")
        self._fills = len(fills)

    def _see_signals(self, fresh: list[dict[str, Any]], shown: int) -> None:
        # Where every signal of the frame is new, older ones may have come and gone between two frames.
        missed = len(fresh) == shown and self._signal != -1
        for row in fresh:
            if row["allowed"]:
                self.note("signal", "info", f"{_wish(row)} allowed: {row['sentence']}")
            else:
                self._refused(row, missed)


def _wish(row: dict[str, Any]) -> str:
    return f"{row['grade']} {'long' if row['side'] > 0 else 'short'} {row['entry']:.2f}"


def _minute(ts: int) -> str:
    return dt.datetime.fromtimestamp(ts / 1e9, NEW_YORK).strftime("%H:%M")


def _standing(status: GuardianStatus) -> str:
    return f"{'ARMED' if status.armed else 'DISARMED'}, {status.trading_state.upper()}"
