"""A loop to look at, for tests of screens: the real engine over a recording, frames on the real bus, and a guardian
that only keeps its word (arms in two steps, disarms, halts). No order leaves; money is the run's own.

    python -m tests.fakes.desk_loop --home DIR --source synthetic:7 --from 0.6 --speed 20 [--journal PATH]
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from mia_kernel import frames
from mia_kernel.adapters import messages as say
from mia_kernel.adapters.bus import Server, announce, load_keys, withdraw
from mia_kernel.adapters.pace import paced
from mia_kernel.adapters.sources import open_recording
from mia_kernel.runtime import Run
from mia_kernel.settings import load

PHRASE, ACCOUNT, CODE_S = "arm es", "DRY-RUN", 30.0
FRAME_S = 0.1
RISK = 500.0


class Guarding:
    """The guardian's manners, without a venue."""

    def __init__(self, run: Run, mode: str) -> None:
        self.run, self.mode = run, mode
        self.armed, self.halted, self.until = False, False, 0.0
        self.code, self.code_until, self.reason = "", 0.0, "start: every mode with a broker starts disarmed"

    def answer(self, message: Any) -> say.Message:
        """Answer one control message."""
        if isinstance(message, say.Arm):
            return self._begin(message)
        if isinstance(message, say.Confirm):
            return self._confirm(message)
        if isinstance(message, say.Disarm):
            self.armed, self.reason = False, message.reason
        elif isinstance(message, say.Halt):
            self.armed, self.halted, self.reason = False, True, message.reason
        elif isinstance(message, say.Resume):
            self.halted, self.reason = False, message.reason
        return self.status()

    def _begin(self, message: say.Arm) -> say.Message:
        if self.halted:
            return say.Refused("halted", "halted: resume with a reason first")
        if message.phrase != PHRASE or message.account != ACCOUNT:
            return say.Refused("phrase", "phrase or account is not the one expected")
        self.code, self.code_until = f"{secrets.randbelow(10**6):06d}", time.monotonic() + CODE_S
        allows = "account DRY-RUN, ES, up to 2 contracts, daily loss 500 USD, until the session ends"
        return say.Challenge(self.code, CODE_S, allows)

    def _confirm(self, message: say.Confirm) -> say.Message:
        if not self.code or message.code != self.code or time.monotonic() > self.code_until:
            return say.Refused("code", "the code is wrong or has expired; nothing is armed")
        self.armed, self.code, self.until = True, "", time.time() + 3600
        self.reason = "armed in two steps"
        return self.status()

    def status(self) -> say.GuardianStatus:
        """Say how things stand."""
        account = self.run.engine.rooms.account
        day = account.day_net_cents / 100
        return say.GuardianStatus(
            mode=self.mode,
            account=ACCOUNT,
            armed=self.armed,
            armed_until=round(self.until * 1e9) if self.armed else None,
            trading_state="halted" if self.halted else "active" if self.armed else "reducing",
            position=float(account.position),
            working_orders=2 * len(self.run.engine.rooms.oms.open_brackets()),
            protective_stop="resting at venue" if account.position else "not needed",
            day_net_usd=day,
            limits={"daily_loss": say.LimitUse(RISK, max(0.0, -day), "usd")},
            engine_heartbeat_age_s=0.1,
            stale=False,
            last_reason=self.reason,
            build="test",
            ts=time.time_ns(),
            venue="simulated",
            connected=True,
            reconciled=True,
            phrase=PHRASE,
        )


def main() -> int:
    """Run until the recording ends or the process is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--source", default="synthetic:7")
    parser.add_argument("--from", dest="start", type=float, default=0.6, help="share run at full speed first")
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--tz")
    parser.add_argument("--mode", default="paper")
    given = parser.parse_args()
    recording = open_recording(given.source, tz=given.tz, home=given.home)
    run = Run(load().settings, recording, given.journal)
    memory = frames.Memory(run)
    first = round(len(recording.events) * given.start)
    run.feed(0, first)
    memory.take(recording.events, 0, first)
    guarding = Guarding(run, given.mode)
    with Server(load_keys(given.home), ("control",), publish=True) as server:
        announce(given.home, "guardian", {"control": server.ports["control"]}, "test")
        announce(given.home, "engine", {"frames": server.ports["frames"]}, "test")
        print("ready", flush=True)
        try:
            screen = Screen(server, run, memory, guarding)
            screen.play(first, given.speed)
            run.finish()
            run.close()
            print("ended", flush=True)
            while True:  # the last frame stays until the test ends this process
                screen.turn()
                time.sleep(0.02)
        finally:
            withdraw(given.home, "guardian")
            withdraw(given.home, "engine")
    return 0


class Screen:
    """Plays a recording to whoever looks."""

    def __init__(self, server: Server, run: Run, memory: frames.Memory, guarding: Guarding) -> None:
        self.server, self.run, self.memory, self.guarding = server, run, memory, guarding
        self.seq, self.due = 0, 0.0

    def play(self, first: int, speed: float) -> None:
        """Take the rows as they become due."""
        events = self.run.recording.events
        arrivals = np.asarray(events["ts_recv"])
        for start, stop in paced(arrivals, first, speed, sleep=lambda _: time.sleep(0.02)):
            self.run.feed(start, stop)
            self.memory.take(events, start, stop)
            self.turn()

    def turn(self) -> None:
        """Answer who asks, and publish when a frame is due."""
        for name, peer, request, message in self.server.poll(0.0):
            self.server.say(name, peer, request, self.guarding.answer(message))
        if time.monotonic() < self.due:
            return
        self.due = max(self.due + FRAME_S, time.monotonic() - FRAME_S)
        self.seq += 1
        extra = {"sent_ms": time.time() * 1e3}
        frame = frames.build(self.run, self.memory, seq=self.seq, mode=self.guarding.mode, extra=extra)
        self.server.publish(frames.encode(frame))


if __name__ == "__main__":
    sys.exit(main())
