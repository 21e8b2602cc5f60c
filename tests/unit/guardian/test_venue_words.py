"""What the venue says about itself: locked quotes, halts, the contract's end, news; R4: each code in each state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.adapters.messages import Arm, Challenge, Refused
from mia_kernel.adapters.user_tables import read_events
from mia_kernel.core.venue import HALTED, Link, Place, Trouble
from mia_kernel.guardian.core import Guardian
from mia_kernel.risk.law import Law
from mia_kernel.risk.news import minutes_to_news
from tests.fakes.guarded import ACCOUNT, ASK, BID, Guarded, bracket
from tests.fakes.venue import T0

pytestmark = [pytest.mark.unit, pytest.mark.safety]


# -- quotes ----------------------------------------------------------------------------------------


def test_a_quote_locked_between_two_ticks_does_not_disarm_but_three_seconds_of_it_do(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.venue.quote(ASK, ASK)  # the bid has come, the ask is on its way
    guarded.run(0.5)
    assert guarded.g.armed
    guarded.venue.quote(ASK, ASK + 1)
    guarded.run(0.1)
    guarded.venue.quote(ASK + 1, ASK)
    guarded.run(2.8)
    assert guarded.g.armed
    guarded.run(0.5)
    assert not guarded.g.armed
    assert "no believable quote" in guarded.g.last_reason


# -- halts, the contract's end ---------------------------------------------------------------------


def test_a_halt_of_the_exchange_is_an_event_that_disarms_until_it_ends(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(0.5)
    guarded.venue.events.append(Trouble(HALTED, "the exchange has halted trading", value=1.0))
    guarded.step()
    assert not guarded.g.armed
    assert guarded.venue.stops() == 1
    refused = guarded.ask(Arm("ARM PAPER", ACCOUNT))
    assert (refused.code, refused.reason) == ("exchange_halt", "the exchange has halted trading")
    guarded.venue.events.append(Trouble(HALTED, "the exchange has ended its halt", value=0.0))
    guarded.step()
    assert isinstance(guarded.ask(Arm("ARM PAPER", ACCOUNT)), Challenge)


@pytest.mark.parametrize("code", ["ESX23", None])
def test_a_contract_about_to_end_or_unknown_takes_no_entry(tmp_path: Path, code: str | None) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.venue.contract = None if code is None else "ESU23"  # settled in September
    refused = guarded.submit(bracket(guarded.venue.now))
    assert isinstance(refused, Refused)
    assert refused.code == "roll"
    assert guarded.ask(Arm("ARM PAPER", ACCOUNT)).code == "roll"


def test_on_the_last_trading_day_what_is_held_is_made_flat(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(0.5)
    assert guarded.venue.positions["ES"] == 1
    guarded.venue.contract = "ESU23"
    guarded.run(1.0)
    assert guarded.venue.positions["ES"] == 0
    assert any(note.code == "expiry" for note in guarded.g.alerts.notes())


# -- news ------------------------------------------------------------------------------------------


def calendar(home: Path, *minutes: float) -> Any:
    """An events.csv: a small event a day around, and a high one so many minutes after T0 for each."""
    home.mkdir(parents=True, exist_ok=True)
    at = dt.datetime.fromtimestamp(T0 / 1e9, dt.UTC)
    rows = [(at - dt.timedelta(days=3), "low"), (at + dt.timedelta(days=3), "low")]
    rows += [(at + dt.timedelta(minutes=m), "high") for m in minutes]
    text = "ts,impact,name\n" + "".join(f"{t.isoformat()},{impact},x\n" for t, impact in sorted(rows))
    (home / "events.csv").write_text(text)
    return read_events(home / "events.csv")


def told(guarded: Guarded, events: Any, mode: str) -> Guardian:
    """Give the guardian another law, as a start in this mode with this calendar would."""
    g = guarded.g
    g.mode = mode
    g.law = Law(g.risk, g.law.costs, g.law.figures, events)
    g.law.look(g.facts())
    return g


@pytest.mark.parametrize(("minutes", "allowed"), [(5.0, False), (-14.0, False), (40.0, True)])
def test_news_close_the_door_for_entries(tmp_path: Path, minutes: float, allowed: bool) -> None:
    guarded = Guarded(tmp_path / "home")
    told(guarded, calendar(tmp_path / "home", minutes), "paper")
    guarded.arm()
    answer = guarded.submit(bracket(guarded.venue.now))
    assert isinstance(answer, Refused) != allowed
    if isinstance(answer, Refused):
        assert answer.code == "news"


def test_production_wants_a_calendar_that_covers_today_and_says_how(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")

    def problem() -> str:
        found = dict(guarded.people.problems(guarded.now))
        return found.get("news_calendar", "")

    told(guarded, None, "production")
    assert "write" in problem()
    assert "events.csv" in problem()
    events = calendar(tmp_path / "home", 40.0)
    assert "changed since the start" in problem()
    told(guarded, events, "production")
    assert problem() == ""
    (tmp_path / "home" / "events.csv").write_text("ts,impact,name\n2023-01-03T10:00:00-05:00,high,x\n")
    told(guarded, read_events(tmp_path / "home" / "events.csv"), "production")
    assert "does not cover today" in problem()
    (tmp_path / "home" / "events.csv").write_text("ts,impact,name\nyesterday,high,x\n")
    assert "ISO 8601" in problem()


def test_paper_does_without_a_calendar(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    assert "news_calendar" not in dict(guarded.people.problems(guarded.now))
    assert "news" not in {c.code for c in guarded.g.law.checks() if c.applies}


def test_minutes_to_news_are_unknown_beyond_the_calendar(tmp_path: Path) -> None:
    events = calendar(tmp_path, 90.0)
    session = {"open_ns": T0 - 10**13, "close_ns": T0 + 10**13}
    assert minutes_to_news(events, session, T0) == pytest.approx(90.0)
    beyond = minutes_to_news(events, {k: v + 10**15 for k, v in session.items()}, T0 + 10**15)
    assert beyond != beyond


# -- R4 --------------------------------------------------------------------------------------------

LINK = (1100, 1101, 1102, 2103, 2104)
OTHERS = (326, 502, 504, 1300, 2105, 2106, 2107, 2108, 2110, 2157, 2158, 10197)
CODES = (*LINK, *(pytest.param(code, marks=pytest.mark.long) for code in OTHERS))


class Heard:
    """A session without a wire, into which codes are spoken; what it tells goes to a guardian's venue."""

    def __init__(self, guarded: Guarded) -> None:
        self.guarded, self.resubscribed = guarded, 0
        self.session = IbkrSession(Address("ibkr", "127.0.0.1", 1), (999,))
        self.session._loop.close()  # nothing runs here: codes are spoken straight into it
        self.session._socket_up = self.session._link_up = True
        self.session.client = SimpleNamespace()
        self.session.add(self)

    def on_link(self, up: bool, reason: str, data_lost: bool) -> None:
        if up:
            self.guarded.socket.restore(data_lost=data_lost)
        else:
            self.guarded.socket.up = False
            self.guarded.venue.events.append(Link(False, reason, data_lost))

    def on_resubscribe(self, reason: str) -> None:
        self.resubscribed += reason != "data_kept"

    def say(self, code: int) -> None:
        self.session._take("error", (-1, code, f"code {code}"))


def _position(guarded: Guarded) -> None:
    guarded.enter()
    guarded.run(0.3, 0.05)


def _entry(guarded: Guarded) -> None:
    guarded.enter(entry=BID - 9)
    guarded.run(0.1, 0.05)


STATES: dict[str, Callable[[Guarded], None]] = {
    "disarmed": lambda g: g.g.disarm("test", g.now),
    "armed": lambda g: None,
    "entry working": _entry,
    "position": _position,
    "flattening": lambda g: (_position(g), g.g.flatten("test", g.now, everything=True))[0],
    "halted": lambda g: (_position(g), g.g.halt("test", g.now))[0],
    "partly filled": lambda g: (_entry(g), g.venue.quote(BID - 9, BID - 8))[0],
    "link lost before": lambda g: None,
    "farm broken before": lambda g: None,
}
BEFORE = {"link lost before": 1100, "farm broken before": 2103}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("code", CODES)
def test_each_code_in_each_state_ends_equal_and_sends_nothing_twice(
    tmp_path: Path, code: int, state: str
) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    STATES[state](guarded)
    heard = Heard(guarded)
    if state in BEFORE:
        heard.say(BEFORE[state])
        guarded.step()
    heard.say(code)
    guarded.step()
    lost = (code == 1100 or state == "link lost before") and code not in (1101, 1102)
    if lost:
        assert not guarded.g.reconciled
    if lost or code in (1101, 1102):
        assert not guarded.g.armed
    assert heard.resubscribed == (code == 1101 or (code == 2104 and state == "farm broken before"))
    if lost:
        heard.say(1102)
    guarded.run(2.0, 0.1)
    guarded.agrees()
    assert max(guarded.venue.refs_seen.values(), default=1) == 1
    assert guarded.g.reconciled
    opened = sum(isinstance(i, Place) and len(i.orders) == 3 for _, i in guarded.venue.received)
    assert opened <= 1
    assert guarded.venue.stops() >= abs(guarded.venue.positions.get("ES", 0))
