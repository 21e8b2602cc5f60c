"""Answer people: status, arming, disarming, the kill switch, resuming, the drill.

Every answer comes from the guardian alone, so each works while the engine hangs. What opens (arm, resume)
lists everything that speaks against it; what closes (disarm, halt) never asks anything.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np

from mia_kernel.adapters.limits_file import read
from mia_kernel.adapters.messages import (
    Acknowledge,
    Arm,
    Challenge,
    Confirm,
    Disarm,
    Drill,
    GuardianStatus,
    Halt,
    Message,
    Refused,
    Resume,
    Reveal,
    Status,
)
from mia_kernel.adapters.user_tables import EVENTS_FILE, home_events
from mia_kernel.core.contract import MIN_TRADING_DAYS_LEFT
from mia_kernel.core.errors import InvariantError, MiaError
from mia_kernel.core.orders import TradingState
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.status import rolling, status_of
from mia_kernel.guardian.watch import Watch
from mia_kernel.risk.record import HALT_HUMAN, HALT_NONE

HALT_FILE = "HALT"
PAPER_ACCOUNTS = ("DU", "DF")
"""Account ids of IBKR paper trading begin so; real ones with U."""


class People:
    """Control of one guardian.

    Parameters
    ----------
    guardian : Guardian
    watch : Watch
    home : Path
    """

    def __init__(self, guardian: Guardian, watch: Watch, home: Path) -> None:
        self.g = guardian
        self.watch = watch
        self.home = home

    def answer(self, message: Any, now: float) -> Message | None:
        """Return the answer to a control message; None for a message of another kind."""
        g = self.g
        if isinstance(message, Disarm):
            g.disarmed_by_hand = True
            g.disarm(message.reason or "by hand", now)
        elif isinstance(message, Halt):
            g.halt(message.reason or "by hand", now)
        elif isinstance(message, Acknowledge):
            g.alerts.acknowledge(message.alert_id)
        elif isinstance(message, Arm):
            return self._arm(message, now)
        elif isinstance(message, Reveal):
            return g.arming.reveal(message.channel, now)
        elif isinstance(message, Confirm):
            if (refused := self._confirm(message, now)) is not None:
                return refused
        elif isinstance(message, Resume):
            if (refused := self._resume(message, now)) is not None:
                return refused
        elif isinstance(message, Drill):
            if (refused := self._drill(now)) is not None:
                return refused
        elif not isinstance(message, Status):
            return None
        return self.status(now)

    def status(self, now: float) -> GuardianStatus:
        """Return how things stand."""
        return status_of(self.g, self.watch, now)

    # -- opening -----------------------------------------------------------------------------------

    def _arm(self, ask: Arm, now: float) -> Challenge | Refused:
        problems = self.problems(now)
        if problems:
            self.g.arming.forget()
            return Refused(problems[0][0], "; ".join(text for _, text in problems))
        answer = self.g.arming.begin(ask, now, self._bound(), self._allows())
        if isinstance(answer, Refused):
            self._note("arming refused", code=answer.code)
        return answer

    def _confirm(self, said: Confirm, now: float) -> Refused | None:
        problems = self.problems(now)
        refused = self.g.arming.confirm(said, now, self._bound())
        if refused is None and problems:
            refused = Refused(problems[0][0], "; ".join(text for _, text in problems))
        if refused is not None:
            self._note("arming refused", code=refused.code)
            return refused
        g = self.g
        g.last_reason = f"armed by hand from {said.channel}"
        if not g.write_down("arm", channel=said.channel, allows=self._allows()):
            return Refused("disk", g.last_reason)
        g.disarmed_by_hand = False
        g.law.memory.arm(True)
        return None

    def _bound(self) -> str:
        g = self.g
        return f"{g.mode} {g.account} {g.file.digest if g.file else 'no limits'} {g.build} {g.engine_run}"

    def _allows(self) -> str:
        g = self.g
        return (
            f"{g.mode} trading on {g.account}: up to {g.risk.max_position:g} ES contracts, "
            f"{g.risk.daily_loss_usd:g} USD loss a day, until disarmed, degraded or restarted"
        )

    def problems(self, now: float) -> list[tuple[str, str]]:
        """Return everything that speaks against arming now, as (code, text)."""
        g = self.g
        found: list[tuple[str, str]] = []
        if g.state is TradingState.HALTED:
            found.append(("halted", f"trading is halted: {g.kept.halt_reason}; `mia resume --reason TEXT`"))
        if (self.home / HALT_FILE).exists():
            found.append(("halt_file", f"the file {HALT_FILE} is there; remove it, then `mia resume`"))
        if g.memory_cut is not None:
            found.append(("memory", f"{g.memory_cut}; compare with the broker, then restart the guardian"))
        if g.disk_failed:
            found.append(("disk", "the journal cannot be written"))
        if g.alerts.unseen_for(now) is not None:
            found.append(
                ("unseen_alert", "critical alerts wait: look at `mia status`, then `mia status --seen`")
            )
        if g.engine_beat is None or now - g.engine_beat >= g.params.heartbeat_lost_s:
            found.append(("no_engine", "no engine beats: start `mia run`"))
        if g.mode != "dry-run":
            found += self._venue_problems() + self._law_problems()
        return found

    def _venue_problems(self) -> list[tuple[str, str]]:
        g, socket = self.g, self.g.socket
        if socket is None:
            return [("no_venue", "there is no order socket")]
        found: list[tuple[str, str]] = []
        if not socket.connected:
            found.append(("not_connected", f"{socket.name} is not connected"))
        elif g.account not in socket.accounts:
            reported = ", ".join(socket.accounts) or "none"
            found.append(("account", f"the broker reports {reported}, risk.toml says {g.account}"))
        if g.mode == "paper" and not g.account.startswith(PAPER_ACCOUNTS):
            found.append(("account", f"{g.account} is no paper account"))
        if g.mode == "production" and (g.file is None or g.account not in g.file.law.allow):
            found.append(("allow_list", f"{g.account} is not on the allow-list of risk.toml"))
        if not g.reconciled:
            found.append(("not_reconciled", f"position and orders are not confirmed equal: {g.last_reason}"))
        if g.flattening is not None:
            found.append(("flattening", f"the account is being made flat ({g.flattening[0]})"))
        if g.exchange_halted:
            found.append(("exchange_halt", "the exchange has halted trading"))
        if g.days_left is None or g.days_left < MIN_TRADING_DAYS_LEFT:
            found.append(("roll", rolling(g)))
        if self.watch.stale:
            found.append(("stale", "there is no fresh quote"))
        if socket.equity_usd() is None:
            found.append(("equity", "the broker has not told the account's equity"))
        return found

    def _law_problems(self) -> list[tuple[str, str]]:
        g = self.g
        if g.file is None:
            return [
                (
                    "no_limits",
                    "risk.toml is missing: python -m mia_kernel.guardian --home MIA_HOME --write-limits ACCOUNT",
                )
            ]
        found: list[tuple[str, str]] = []
        try:
            if read(self.home / "risk.toml").digest != g.file.digest:
                found.append(("limits_changed", "risk.toml changed since the start: restart the guardian"))
        except MiaError as error:
            found.append(("limits", str(error)))
        today = dt.datetime.fromtimestamp(g.now_ns() / 1e9, dt.UTC).date()
        age = (today - g.file.law.reviewed).days
        if g.mode == "production" and age > g.params.review_days:
            found.append(
                ("review", f"risk.toml was reviewed {age} days ago, {g.params.review_days} are allowed")
            )
        return found + self._calendar_problems()

    def _calendar_problems(self) -> list[tuple[str, str]]:
        """Production needs the economic calendar; one that changed since the start is not the one in force."""
        known, path = self.g.law.calendar, self.home / EVENTS_FILE
        try:
            there = home_events(self.home)
        except MiaError as error:
            return [("news_calendar", str(error))]
        same = there is known if there is None or known is None else np.array_equal(there, known)
        if not same:
            return [("news_calendar", f"{path.name} changed since the start: restart the guardian")]
        if self.g.mode != "production":
            return []
        if known is None:
            return [
                (
                    "news_calendar",
                    f"production needs the economic calendar: write {path} (ts,impact,name; docs/data.md), restart",
                )
            ]
        if self.g.law.figure("to_news_min") is None:
            ends = dt.datetime.fromtimestamp(int(known["ts"][-1]) / 1e9, dt.UTC)
            return [
                (
                    "news_calendar",
                    f"{path} ends on {ends:%Y-%m-%d} and does not cover today: bring it up to date",
                )
            ]
        return []

    # -- resuming ----------------------------------------------------------------------------------

    def _resume(self, said: Resume, now: float) -> Refused | None:
        g = self.g
        record = g.law.memory.record[0]
        if (self.home / HALT_FILE).exists():
            return Refused("halt_file", f"the file {HALT_FILE} is there; remove it first")
        if record["halt"] == HALT_NONE:
            return Refused("not_halted", "trading is not halted")
        if g.flattening is not None or (g.socket is not None and not g.reconciled):
            return Refused("not_reconciled", "the account is not confirmed flat and equal yet")
        code = g.law.memory.halt_code
        try:
            g.law.memory.resume(said.reason)
        except InvariantError as error:
            return Refused("not_yet", str(error))
        if code == "drawdown":
            g.law.figures.peak_usd = None  # a person has seen the fall: the next is counted from here
        g.last_reason = f"resumed: {said.reason}; disarmed"
        if not g.write_down("resume", halt=code, cause=g.kept.halt_reason, reason=said.reason):
            g.law.memory.halt(HALT_HUMAN, "operator", g.law.figures.day, g.law.figures.week)
            return Refused("disk", "the reason cannot be written down")
        g.kept.halt_reason = ""
        g.save()
        return None

    # -- rehearsing --------------------------------------------------------------------------------

    def _drill(self, now: float) -> Refused | None:
        g = self.g
        if g.mode == "production":
            return Refused("production", "the fire drill is for paper and dry-run")
        if not g.write_down("drill"):
            return Refused("disk", g.last_reason)
        g.kept.drill_ts = g.now_ns()
        g.halt("fire drill", now)
        return None

    def _note(self, what: str, **facts: Any) -> None:
        self.g.write_down(what, **facts)
