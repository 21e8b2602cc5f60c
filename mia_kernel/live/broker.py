"""A session with a broker: market data on its own session, orders through the guardian, all of it recorded.

How it moves: connect, fix the clock, declare what the session carries, greet the guardian and take its limits;
then the same loop as everywhere. A killed engine is resumed from its record: the rows and events it had taken
are decided again, which gives the same state to the last bit, what the venue said meanwhile is asked of the
guardian, and nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mia_kernel import frames
from mia_kernel.adapters.guardian_link import GuardianLink
from mia_kernel.adapters.ibkr_feed import IbkrFeed
from mia_kernel.adapters.ibkr_head import head_of
from mia_kernel.adapters.ibkr_params import address_of, permit
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.limits_file import parse
from mia_kernel.adapters.machine import code_version
from mia_kernel.adapters.messages import Limits
from mia_kernel.adapters.recorded import SESSIONS, about_session, read_session, read_table
from mia_kernel.adapters.recorder import SessionRecorder
from mia_kernel.adapters.user_tables import home_events
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.core.events import Recording, empty
from mia_kernel.execution.silent import SilentVenue
from mia_kernel.live.collect import Collector
from mia_kernel.live.follow import TURN_S, Follow, last_heard, never_arrived, numbered
from mia_kernel.live.history import STRIDE, before, stored, warm
from mia_kernel.live.loop import Loop, Timer
from mia_kernel.live.models import watch_model
from mia_kernel.live.options import OptionSweep, base_of, has_chains
from mia_kernel.live.parity import Parity, parity
from mia_kernel.live.relink import Relink
from mia_kernel.live.session import about_of, status_of
from mia_kernel.measures.shelf import Shelf
from mia_kernel.rehearsal import warm_up
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings, settings_id

READY_S = 30.0
QUIET_LOOK_S = 0.1
NOTHING_HEARD = 0  # the guardian's first report is number 1
ML_MODES = ("off", "advise", "require")
"""From the freest to the strictest."""


@dataclass
class BrokerSession:
    """One session, ready to turn. `close` seals the record and returns how its replay compares."""

    settings: Settings
    run: Run
    loop: Loop
    collector: Collector
    feed: IbkrFeed
    link: Relink
    folder: Path
    resumed_rows: int
    sweep: OptionSweep | None = None

    def go(self) -> None:
        """Turn until somebody asks to stop, the market closes for good or the session fails."""
        self.loop.turn()

    def close(self) -> Parity:
        """End feed, link and record; replay it."""
        self._end_sweep()
        self.feed.session.close()
        self.link.close()
        closing = {"decisions": len(self.run.table), "stopped_by": self.loop.stopped_by}
        self.collector.close(closing | {"digest": self.run.digest.hexdigest()})
        answer, again = parity(self.settings, self.folder, self.collector.digest)
        self.run.recording = again.recording
        return answer

    def abandon(self) -> None:
        """Leave everything as it is after a failure: the record can be resumed."""
        self._end_sweep()
        self.feed.session.close()
        with suppress(OutsideError):
            self.link.close()
        self.collector.recorder.abandon()
        if self.run.journal is not None:
            self.run.journal.abandon()

    def _end_sweep(self) -> None:
        if self.sweep is not None:
            self.sweep.stop()


def open_broker_session(
    settings: Settings,
    uri: str,
    mode: str,
    journal: Path,
    *,
    session_id: str,
    resume: bool = False,
    history: Sequence[str] = (),
) -> BrokerSession:
    """Return a connected session.

    Parameters
    ----------
    uri : str
        `gateway:HOST:PORT` or `ibkr:[HOST:PORT]`.
    mode : str
        paper or production, as the guardian runs.
    journal : Path
    session_id : str
        Name of the session's folder; with `resume` that of the one to continue.
    history : sequence of str
        Sources of the time before, to warm up on; default the newest finished session of this contract.

    Raises
    ------
    InputError
        If the address is none, the port is one for real money, or the guardian refuses this engine.
    OutsideError
        If gateway or guardian cannot be reached in time.
    """
    address = address_of(uri, settings.ibkr)
    permit(address, settings.profile, settings.ibkr.accounts)
    folder = settings.data_folder / SESSIONS / session_id
    first = settings.ibkr.data_client_id
    session = IbkrSession(address, range(first, max(first - settings.ibkr.spare_ids - 1, 0), -1))
    inbox = Inbox(stamp=session.clock.now_ns)
    feed = IbkrFeed(session, inbox, settings.ibkr)
    session.add(_Ends(inbox, session))
    lines = settings.ibkr.option_lines
    sweep = OptionSweep(session, inbox, lines) if lines and has_chains(settings.home) else None
    session.start()
    try:
        compile_all(settings)  # while the session connects: nothing may compile between two beats
        session.wait_ready(READY_S)
        past = read_session(folder) if resume else None
        kept = None
        if past is None:
            assert feed.contract is not None
            kept = stored(settings.home, settings.data_folder, history, feed.contract.code)
        base = None if sweep is None else base_of(settings.home, session.clock.now_ns(), past)
        sweep = None if base is None else sweep
        begun = about_session(folder).guardian_reports if resume else None
        link, limits = greet(settings, mode, session_id, past, begun or NOTHING_HEARD)
        session_ = _furnish(settings, uri, mode, journal, session_id, feed, inbox, past, link, limits, sweep)
        if kept is not None:
            rows = before(kept, session.clock.now_ns())
            warm(session_.run, session_.collector, inbox, rows, lambda: session_.link.beat(0))
        if sweep is not None and base is not None:
            assert feed.contract is not None
            market = session_.run.engine.rooms.market
            sweep.begin(base, feed.contract, lambda: market.mid_ticks)
        return session_
    except BaseException:
        session.close()
        raise


def compile_all(settings: Settings) -> None:
    """Run everything the loop will call once: engine, measures, frames."""
    run = warm_up(settings)
    market = run.engine.rooms.market
    Shelf(run.given).read(market, int(market.array["clock"]["ts"][0]))
    frames.encode(frames.build(run, frames.Memory(run)))


def greet(
    settings: Settings, mode: str, session_id: str, past: Recording | None, begun: int
) -> tuple[GuardianLink, Limits]:
    """Greet the guardian; a resumed engine asks for what was told after the last report of its record.

    Where it has heard none, that is after the last one told when the session began (`begun`).
    """
    link = GuardianLink(
        settings.home, build=code_version(), settings_id=settings_id(settings), mode=mode, run_id=session_id
    )
    limits = link.greet(None if past is None else max(last_heard(past.objects) or NOTHING_HEARD, begun))
    refuse_strangers(limits, fresh=past is None)
    return link, limits


def _furnish(
    settings: Settings,
    uri: str,
    mode: str,
    journal: Path,
    session_id: str,
    feed: IbkrFeed,
    inbox: Inbox,
    past: Recording | None,
    link: GuardianLink,
    limits: Limits,
    sweep: OptionSweep | None,
) -> BrokerSession:
    session, folder = feed.session, settings.data_folder / SESSIONS / session_id
    settings = under_limits(settings, limits)
    if past is not None and about_session(folder).settings_id != settings_id(settings):
        raise InputError("the session was begun with other settings", path=str(folder), field="settings_id",
                         way_out="start a new session")  # fmt: skip
    assert feed.contract is not None
    fresh = head_of(session, settings.ibkr, feed.contract, feed.refused, options=sweep is not None)
    head = replace(fresh, calendar=home_events(settings.home)) if past is None else replaced_head(past)
    run = Run(settings, head, journal, venue=SilentVenue(), durable=True)
    if past is None:
        about = replace(about_of(session_id, mode, uri, settings, head), guardian_reports=limits.reports)
    else:
        about = about_session(folder)
    collector = Collector(run, SessionRecorder(folder, about))
    loop = Loop(run, inbox, collector)
    told = (dict) if sweep is None else sweep.status
    collector.status = lambda: status_of(loop) | feed_status(feed) | told()
    relink = Relink(settings.home, link, session_id)
    follow = Follow(relink, inbox, session.clock.now_ns, collector.sent)
    if past is not None:
        take_up(run, past, inbox, collector, folder, lambda: relink.beat(0))
        oms = run.engine.rooms.oms
        mine = {view.bracket_id for view in oms.open_brackets()}
        for report in (*never_arrived(oms, limits.brackets), *map(numbered, link.reports())):
            if report.bracket_id in mine:  # what closed before the crash is in the record already
                inbox.put_object(report)
    run.venue = SilentVenue(follow.send)
    watch_model(settings, loop)
    loop.timers += [Timer(TURN_S, follow.turn), Timer(QUIET_LOOK_S, feed.tick)]
    taken = 0 if past is None else len(past)
    return BrokerSession(settings, run, loop, collector, feed, relink, folder, taken, sweep)


def refuse_strangers(limits: Limits, *, fresh: bool) -> None:
    """Refuse to begin anew beside brackets of an earlier run: a fresh engine knows nothing of them."""
    if fresh and limits.brackets:
        raise InputError("brackets of an earlier session are open at the guardian", field="brackets",
                         value=", ".join(limits.brackets), rule="a fresh session begins flat",
                         way_out="`mia run --resume`, or `mia halt` makes the account flat")  # fmt: skip


def under_limits(settings: Settings, limits: Limits) -> Settings:
    """Return the settings with the guardian's limits in the place of our own: the two cannot differ.

    What the model may do is the stricter of both: a law that is silent on it must not loosen a profile that requires
    an opinion.
    """
    if not limits.toml:
        return settings
    law = parse(limits.toml).law
    stricter = max(settings.risk.gates.ml_mode, law.limits.gates.ml_mode, key=ML_MODES.index)
    gates = law.limits.gates.model_copy(update={"ml_mode": stricter})
    risk = law.limits.model_copy(update={"gates": gates})
    return settings.model_copy(update={"risk": risk, "costs": law.costs})


def replaced_head(past: Recording) -> Recording:
    """Return the head of a recorded session without its rows."""
    return Recording(empty(0), past.source, (), past.others, past.calendar, past.declared)


def take_up(
    run: Run, past: Recording, inbox: Inbox, collector: Collector, folder: Path, beat: Callable[[], None]
) -> None:
    """Decide a recorded session again and let new rows follow it; nothing is sent."""
    objects = list(past.objects)
    for at in range(0, len(past.events), STRIDE):
        rows = past.events[at : at + STRIDE]
        due = [event for event in objects if event.ts_recv <= int(rows["ts_recv"][-1])]
        objects = objects[len(due) :]
        run.take(rows, due)
        beat()
    run.take(past.events[:0], objects)
    collector.continue_after({kind: table_rows(folder, kind) for kind in collector.KINDS})
    if len(past.events):
        last = max(int(past.events["ts_recv"][-1]), *(event.ts_recv for event in past.objects), 0)
        seqs = (event.seq for event in past.objects)
        inbox.resume_at(last, max(int(past.events["seq"][-1]), *seqs, 0))


def table_rows(folder: Path, kind: str) -> Any:
    """Return the sealed rows of a table by what they are; empty for none."""
    table = read_table(folder, kind)
    return [] if table is None else table.column("what" if kind == "post_trade" else 0).to_pylist()


def feed_status(feed: IbkrFeed) -> dict[str, float]:
    """Return what the feed has counted, for the `session` table."""
    counts = {name: float(value) for name, value in vars(feed.counts).items()}
    return counts | {
        "connected": float(feed.session.connected),
        "reconnects": float(feed.session.reconnects),
        "clock_skew_s": feed.session.skew_s,
    }


class _Ends:
    """Ends the inbox when the session's thread failed: the loop must not wait for it."""

    def __init__(self, inbox: Inbox, session: IbkrSession) -> None:
        self._inbox, self._session = inbox, session

    def on_down(self, reason: str) -> None:
        """Pass a failure of our own on; a lost link is not one."""
        if self._session.failure is not None:
            self._inbox.end(self._session.failure)
