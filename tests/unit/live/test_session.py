"""A dry-run session: its record replays to the same decisions, however it was fed, stopped or cut off."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mia_kernel import cli
from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.recorded import closing_of, read_session, read_table
from mia_kernel.adapters.recorded_feed import row_at
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.cli import run as run_command
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import Carries, Recording, SourceInfo, StateChange, empty
from mia_kernel.core.orders import OrderReport, OrderStatus, Role
from mia_kernel.core.session_table import NEW_YORK
from mia_kernel.desk.review import material_of
from mia_kernel.execution.silent import SilentVenue
from mia_kernel.live.before import left_behind
from mia_kernel.live.loop import Loop, Timer
from mia_kernel.live.parity import compare, parity_of_record
from mia_kernel.live.session import dry_run
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings, load

pytestmark = [pytest.mark.unit, pytest.mark.integration]

HOUR = 3_600_000_000_000


@pytest.fixture(scope="module")
def market() -> Recording:
    """Two hours around the cash open of a thin SYNTHETIC session."""
    whole = synthetic_recording(3, warm_up=False, scale=0.05)
    ts = whole.events["ts_recv"]
    return Recording(whole.events[: np.searchsorted(ts, ts[0] + 2 * HOUR)], whole.source, others=whole.others)


def settings_in(home: Path) -> Settings:
    return Settings(home=home)


def test_the_record_of_a_session_replays_to_the_same_decisions(market: Recording, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    plain = Run(settings, market)
    plain.drive()
    session = dry_run(settings, market, tmp_path / "j.sqlite", uri="synthetic:3", speed=float("inf"))
    session.go()
    session.run.close()
    answer = session.close()
    assert answer.holds
    assert answer.sentence == f"parity {len(plain.table)}/{len(plain.table)}"
    assert len(plain.table) > 100
    assert answer.live_digest == plain.digest.hexdigest() == answer.replay_digest
    assert read_session(session.folder).events.tobytes() == market.events.tobytes()
    closing = closing_of(session.folder)
    assert closing is not None
    assert closing["decisions"] == len(plain.table)
    for kind in ("standard", "microstructure", "bars"):
        assert read_table(session.folder, kind) is not None, kind
    assert parity_of_record(settings, session.folder).holds


def test_parity_names_the_decision_that_differs() -> None:
    assert compare([b"a", b"b"], [b"a", b"b"]) == (2, 2, None)
    assert compare([b"a", b"b", b"c"], [b"a", b"x", b"c"]) == (2, 3, 1)
    assert compare([b"a"], [b"a", b"b"]) == (1, 2, 1)


def test_a_session_stopped_by_hand_ends_whole(market: Recording, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    session = dry_run(settings, market, tmp_path / "j.sqlite", uri="synthetic:3", speed=3_600.0)
    threading.Timer(0.6, lambda: session.loop.stop("test")).start()
    session.go()
    session.run.close()
    assert 0 < session.run.seen < len(market.events)
    answer = session.close()
    assert answer.holds
    assert len(read_session(session.folder).events) == session.run.seen


def test_what_the_feed_fails_with_is_raised_by_the_loop(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    inbox = Inbox()
    source = SourceInfo("synthetic", "test", "SYNTHETIC nothing", "ES", carries=Carries(trades=True))
    loop = Loop(Run(settings, Recording(empty(0), source)), inbox)
    inbox.end(OSError("the cable"))
    with pytest.raises(OSError, match="the cable"):
        loop.turn()


def test_timers_run_on_the_monotonic_clock_while_nothing_comes(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    inbox, beats = Inbox(), []
    source = SourceInfo("synthetic", "test", "SYNTHETIC nothing", "ES", carries=Carries(trades=True))
    loop = Loop(
        Run(settings, Recording(empty(0), source)),
        inbox,
        timers=[Timer(0.05, lambda: beats.append(time.monotonic()))],
    )
    threading.Timer(0.5, lambda: loop.stop("test")).start()
    began = time.monotonic()
    loop.turn()
    assert 4 <= len(beats) <= (time.monotonic() - began) / 0.05 + 1
    assert min(np.diff(beats)) >= 0.05


@pytest.mark.safety
def test_reports_and_states_of_a_broker_are_replayed_from_the_record(
    market: Recording, tmp_path: Path
) -> None:
    """Orders of a paper session went elsewhere; its record alone gives the same decisions and account."""
    settings = settings_in(tmp_path)
    declared = frozenset({"second", "vix", "broker"})
    head = Recording(empty(0), market.source, others=market.others, declared=declared)

    def drive(pieces: int) -> Run:
        run = Run(settings, head, venue=SilentVenue())
        rows = market.events
        edges = np.linspace(0, len(rows), pieces + 1).astype(int)
        middle = int(rows["ts_recv"][len(rows) // 2])
        events = [
            StateChange(middle, middle + 1, 0, "active", "armed by hand"),
            OrderReport(
                middle, middle + 2, 1, "mia-1-entry", "mia-1", Role.ENTRY, "ES", 1, OrderStatus.REJECTED, 1, 0
            ),
            StateChange(middle, middle + 3, 2, "reducing", "data is late"),
        ]
        for a, b in itertools.pairwise(edges):
            last = int(rows["ts_recv"][b - 1])
            due = [event for event in events if event.ts_recv <= last]
            events = events[len(due) :]
            run.take(rows[a:b], due)
        run.finish()
        return run

    one, many = drive(1), drive(37)
    assert one.digest.hexdigest() == many.digest.hexdigest()
    assert one.engine.rooms.gate.state.value == many.engine.rooms.gate.state.value == "reducing"
    assert [report.order_id for report in one.reports] == ["mia-1-entry"]


def test_dry_run_says_parity_and_gives_the_digest_of_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], market: Recording
) -> None:
    from mia_kernel.adapters.replay import write_recording

    class NoPage:
        html = "not made here"

    monkeypatch.setattr(run_command, "daily_page", lambda *_: NoPage)
    monkeypatch.setenv("MIA_HOME", str(tmp_path))
    file = tmp_path / "day.parquet"
    write_recording(file, market)
    target = tmp_path / "run.json"
    assert (
        cli.main(["run", "--source", str(file), "--speed", "max", "--headless", "--json", str(target)]) == 0
    )
    out = capsys.readouterr().out
    figures = json.loads(target.read_text())
    assert f"parity {figures['decisions']}/{figures['decisions']}" in out
    assert figures["parity"]["holds"]
    for source in (str(file), f"replay:{figures['session']}"):
        assert cli.main(["replay", source, "--json", str(tmp_path / "again.json")]) == 0
        again = json.loads((tmp_path / "again.json").read_text())
        assert again["digest"] == figures["digest"]
        assert again["round_trips"] == figures["round_trips"]
    journal = Path(out.split("journal ")[1].split("\n")[0])
    decided = f"parity {figures['decisions']:,}/{figures['decisions']:,} with the recorded session"
    checks = material_of(journal, load(arguments={"home": str(tmp_path)}).settings, prove=False).checks
    assert checks["replay"] == ("proven", decided)
    assert {checks["journal"][0], checks["decisions"][0]} == {"proven"}
    with JournalReader(journal) as reader:
        assert reader.records("asked")[0]["source"] == str(file)
    settings = load(arguments={"home": str(tmp_path)}).settings
    assert left_behind(settings).parity == (figures["decisions"], figures["decisions"])
    copied = tmp_path / "backup" / "sessions" / Path(figures["session"]).name
    assert ", verified" in out.split("backup  ")[1].split("\n")[0]
    assert cli.main(["replay", str(copied), "--json", str(tmp_path / "again.json")]) == 0
    assert json.loads((tmp_path / "again.json").read_text())["digest"] == figures["digest"]
    assert cli.main(["data", "backup"]) == 0
    assert "1 sessions" in capsys.readouterr().out
    for table, suffix, rows in (
        ("events", "parquet", figures["events"]),
        ("standard", "csv", figures["decisions"]),
    ):
        out_file = tmp_path / f"out.{suffix}"
        assert cli.main(["data", "export", str(out_file), "--session", "last", "--table", table]) == 0
        assert f"{rows:,} rows" in capsys.readouterr().out
        assert out_file.stat().st_size > 0
    assert cli.main(["data", "export", str(out_file), "--session", "nobody"]) == 2


def test_the_pace_begins_at_a_time_of_day_and_nothing_else_changes(market: Recording, tmp_path: Path) -> None:
    first = int(market.events["ts_recv"][0])
    opens = dt.datetime.fromtimestamp(first / 1e9, NEW_YORK)
    clock = f"{opens + dt.timedelta(minutes=119, seconds=55):%H:%M:%S}"
    row = row_at(market.events, clock)
    assert 0 < row < len(market.events)
    settings = settings_in(tmp_path)
    session = dry_run(settings, market, tmp_path / "j.sqlite", uri="x", speed=50.0, first=row)
    began = time.monotonic()
    session.go()
    session.run.close()
    assert session.close().holds
    assert time.monotonic() - began < 60.0, "two hours at fifty times would take 144 s"
    for wrong in ("late", "04:00"):
        with pytest.raises(InputError):
            row_at(market.events, wrong)


@pytest.mark.skipif(os.name == "nt", reason="no polite kill there")
def test_a_polite_kill_ends_a_session_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], market: Recording
) -> None:
    from mia_kernel.adapters.replay import write_recording

    class NoPage:
        html = "not made here"

    monkeypatch.setattr(run_command, "daily_page", lambda *_: NoPage)
    monkeypatch.setenv("MIA_HOME", str(tmp_path))
    file = tmp_path / "day.parquet"
    write_recording(file, market)
    threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    assert cli.main(["run", "--source", str(file), "--speed", "60", "--headless"]) == 0
    said = capsys.readouterr()
    assert "stopped by hand" in said.err
    assert "parity" in said.out
