"""Tell what has happened: changes between two frames or two words of the guardian, as lines of an event log."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from mia_kernel.adapters.messages import GuardianStatus

KEPT = 500


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

    def note(self, source: str, level: str, text: str) -> None:
        """Write one line, unless it repeats the one before it."""
        with self._lock:
            if self._events and (self._events[-1]["source"], self._events[-1]["text"]) == (source, text):
                return
            self._id += 1
            self._events.append(
                {"id": self._id, "ts": time.time_ns(), "source": source, "level": level, "text": text}
            )

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
            level = "critical" if status.protective_stop in ("absent", "unknown") else "info"
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
            self.note("engine", "info", f"{frame.get('mode')} on {frame.get('source_name')}")
        signals, fills = frame.get("signals") or [], frame["fills"]["ts"]
        newest = signals[0]["sequence"] if signals else -1
        for row in reversed(signals):
            if self._signal is not None and row["sequence"] > self._signal:
                side = "long" if row["side"] > 0 else "short"
                verdict = "allowed" if row["allowed"] else "refused"
                self.note(
                    "signal", "info", f"{row['grade']} {side} {row['entry']:.2f} {verdict}: {row['sentence']}"
                )
        self._signal = newest
        for i in range(self._fills if self._fills is not None else len(fills), len(fills)):
            side = "bought" if frame["fills"]["side"][i] > 0 else "sold"
            price, qty = float(frame["fills"]["price"][i]), int(frame["fills"]["qty"][i])
            self.note("fill", "info", f"{side} {qty} at {price:.2f} ({frame['fills']['role'][i]})")
        self._fills = len(fills)


def _standing(status: GuardianStatus) -> str:
    return f"{'ARMED' if status.armed else 'DISARMED'}, {status.trading_state.upper()}"
