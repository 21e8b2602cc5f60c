"""The whole of it: gateway, guardian, engine as processes; brackets trade while things break.

One scenario: warm up, arm, trade, lose the link, restart the gateway with ids rolled back, kill the engine; each
time position, orders and money of venue, guardian and engine must be the same again. By default on a SYNTHETIC
market, fast, with the position of one entry carried through all of it; with `--long` on a real day of ES where the
data is there (prints alone: the gateway infers a one-tick market and says so), trading again after every fault.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mia_kernel.adapters import bus
from mia_kernel.adapters.messages import Halt
from mia_kernel.adapters.recorded import closing_of, read_session, session_folders
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.orders import OrderReport
from tests.fakes.whole_stack import SETTINGS, TENTHS, World, limits
from tests.shared_data import SHARED

pytestmark = [pytest.mark.integration, pytest.mark.safety]

REAL = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"
REAL_FROM, MADE_FROM = "2019-08-09T13:29:00+00:00", "2025-03-14T13:04:00+00:00"
MADE_KEPT = "2025-03-14T08:00:00+00:00", "2025-03-14T16:00:00+00:00"


@dataclass(frozen=True)
class Form:
    """How a scenario is played: its market and its times."""

    market: str
    speed: float
    fills_between: int
    """Executions waited for after each fault; 0 carries the first entry's position through all of them."""
    stale_326_s: float


SHORT = Form("made", 8.0, 0, 1.0)
LONG = Form("real", 2.0, 1, 2.0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    here = World(tmp_path)
    yield here
    here.close()


def market(name: str, folder: Path) -> tuple[str, str]:
    """Return a file and the time to begin at."""
    if name == "real" and SHARED is not None and (SHARED / REAL).exists():
        return str(SHARED / REAL), REAL_FROM
    day = folder / "day.parquet"
    made = synthetic_recording(3, warm_up=False, scale=0.8)
    times = made.events["ts_recv"]
    kept = (times >= _ns(MADE_KEPT[0])) & (
        times < _ns(MADE_KEPT[1])
    )  # enough to warm up on, and no more to read
    write_recording(day, replace(made, events=made.events[kept]))
    return str(day), MADE_FROM


def _ns(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    "form", [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.long)]
)
def test_brackets_trade_while_link_gateway_and_engine_break(
    world: World, form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    day, start = market(form.market, world.home)
    limits(world.home)
    world.start("gateway", "gateway", "--port", str(world.port), "--control-port", str(world.control), "--source",
                day, "--infer-quotes", "--from", start, "--speed", str(form.speed))  # fmt: skip
    sets = [word for one in SETTINGS for word in ("--set", one)]
    run = world.start("run", "run", "--live", "--headless", "--source", f"gateway:127.0.0.1:{world.port}",
                      "--with", day, *sets)  # fmt: skip
    world.times["start to beating"] = world.until(world.beating, 240.0, "no engine")

    world.arm()
    world.times["first fill"] = world.trade(1, 300.0)
    world.until(world.agree, 20.0, "venue and guardian differ after the first fill")

    world.ctl("drop-link", data_lost=True)
    world.until(world.unarmed, 10.0, "still armed without a link")
    time.sleep(2.0)
    world.ctl("restore")
    world.times["link restored to reconciled"] = world.until(world.agree, 15.0, "differ after the link")

    trade_on(world, form)
    world.ctl("restart", down_s=1.0, id_rollback=True, stale_326_s=form.stale_326_s)
    world.until(world.unarmed, 10.0, "still armed in a restart")
    world.times["gateway restart to reconciled"] = world.until(world.agree, 45.0, "differ after the restart")

    trade_on(world, form)
    os.kill(world.engine_pid(), signal.SIGKILL)
    time.sleep(1.5)
    world.times["engine killed to beating"] = world.until(
        world.beating, 120.0, "the engine did not come back"
    )
    world.until(world.agree, 20.0, "differ after the engine came back")

    trade_on(world, form)
    world.until(world.agree, 20.0, "differ at the end")
    finish(world, run, capsys)


def trade_on(world: World, form: Form) -> None:
    """Arm again, and trade where this form does."""
    world.arm()
    if form.fills_between:
        world.trade(form.fills_between, 420.0)


def finish(world: World, run: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    """End the session; its record, its replay and the venue tell the same."""
    with bus.guardian(world.home) as client:
        client.ask(Halt("the scenario ends"), 2.0)
    world.times["kill switch to flat and equal"] = world.until(
        lambda: world.agree() and world.venue_tenths() == 0, 20.0, "not flat after the kill switch"
    )
    time.sleep(2.0)  # the engine hears of it
    run.send_signal(signal.SIGTERM)
    assert run.wait(150.0) == 0, world.said()
    folder = session_folders(world.home / "data")[-1]
    closing = closing_of(folder)
    assert closing is not None, world.said()
    log = (world.home / "run" / "engine.log").read_text()
    assert f"parity {closing['decisions']}/{closing['decisions']}" in log, log
    reports = [e for e in read_session(folder).objects if isinstance(e, OrderReport) and e.last_qty > 0]
    assert len({e.exec_id for e in reports}) == len(reports)  # no fill twice
    there = world.ctl("status")
    assert there["orders"]["executions"] == len(reports)
    assert sum(TENTHS[e.symbol] * e.side * e.last_qty for e in reports) == world.venue_tenths()
    with capsys.disabled():
        print("\nwhole stack:", {name: round(seconds, 2) for name, seconds in world.times.items()}, there["orders"],
              there["realized_usd"], world.disarmed)  # fmt: skip
