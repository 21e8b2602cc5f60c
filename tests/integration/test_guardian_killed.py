"""R1, R2: engine or guardian killed at random moments; the venue, in a process of its own, is the oracle."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from mia_kernel.adapters.journal_reader import records_since, verify
from mia_kernel.guardian.book import SEND
from tests.fakes.processes import GENEROUS, Stage

pytestmark = [
    pytest.mark.integration,
    pytest.mark.safety,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"),
]


def _agree(stage: Stage) -> None:
    """Wait until guardian and venue say the same twice in a row, then hold the laws."""
    deadline = time.monotonic() + 10.0
    while True:
        status, ledger = stage.status(), stage.ledger()
        position = ledger["positions"].get("ES", 0) + ledger["positions"].get("MES", 0) / 10
        if (
            status is not None
            and status.reconciled
            and status.position == pytest.approx(position)
            and status.working_orders == len(ledger["working"])
        ):
            break
        assert time.monotonic() < deadline, (status, ledger)
        time.sleep(0.01)
    assert max(ledger["refs_seen"].values(), default=0) <= 1, "an order was sent twice"


def _protected(stage: Stage) -> bool:
    ledger = stage.ledger()
    return ledger["stops"] >= sum(abs(q) for q in ledger["positions"].values())


def _campaign(home: Path, seed: int, kills: int, least: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)
    stage = Stage(home, seed, speed=20.0, **GENEROUS)
    ready: list[float] = []
    bare: list[float] = []
    try:
        stage.start_guardian()
        stage.start_engine()
        stage.until(lambda s: s.engine_heartbeat_age_s is not None, 15.0)
        stage.arm()
        for number in range(kills):
            time.sleep(rng.uniform(0.0, 0.35))
            if number % 5 == 4:
                stage.kill(stage.guardian)
                ready.append(stage.start_guardian())
                stage.kill(stage.engine)
            else:
                stage.kill(stage.engine)
            stage.start_engine()
            began = time.monotonic()
            while not _protected(stage):
                assert time.monotonic() - began < 3.0, stage.ledger()
                time.sleep(0.005)
            bare.append(time.monotonic() - began)
            _agree(stage)
            stage.until(lambda s: (s.engine_heartbeat_age_s or 9) < 0.5, 10.0)
            stage.arm()
        _agree(stage)
        ledger = stage.ledger()
        stage.kill(stage.guardian)
        sent = _lost(stage, ledger)
    finally:
        stage.close()
    ready.sort()
    with capsys.disabled():
        print(
            f"\nR1/R2 seed {seed}: {kills} kills, {sent} orders sent, 0 lost, 0 duplicated; "
            f"unprotected at most {max(bare):.3f} s; guardian ready in {ready[len(ready) // 2]:.2f} s median, "
            f"{ready[-1]:.2f} s worst of {len(ready)}"
        )
    assert sent >= least, "too little was traded to prove anything"
    assert ready[len(ready) // 2] < 5.0


def _lost(stage: Stage, ledger: dict) -> int:
    """Every order the venue saw is in the journal, and every journal verifies; return how many were sent."""
    journalled: set[str] = set()
    for path in sorted((stage.home / "data" / "journal" / "guardian").glob("*.sqlite")):
        assert verify(path).ok
        for kind, _, payload in records_since(path, None):
            if kind == SEND:
                for name, body in payload["instructions"]:
                    journalled |= {o["ref"] for o in body["orders"]} if name == "Place" else set()
    seen = set(ledger["refs_seen"])
    assert seen <= journalled, f"left without a record: {seen - journalled}"
    return len(seen)


def test_kills_at_random_lose_and_duplicate_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _campaign(tmp_path / "home", seed=7, kills=30, least=15, capsys=capsys)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_a_thousand_kills(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    _campaign(tmp_path / "home", seed=100 + seed, kills=50, least=10, capsys=capsys)


@pytest.mark.parametrize(
    "way",
    [
        "stopped",
        pytest.param("spin", marks=pytest.mark.long),
        pytest.param("balloon", marks=pytest.mark.long),
    ],
)
def test_an_engine_that_hangs_loses_its_entries_in_time(
    tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path / "home", 3, **GENEROUS)
    try:
        stage.start_guardian()
        stage.start_engine()
        stage.until(lambda s: s.engine_heartbeat_age_s is not None, 15.0)
        stage.arm()
        stage.until(lambda s: (s.working_orders or 0) > 0 or (not s.armed and bool(stage.arm())), 20.0)
        if way == "stopped":
            os.kill(stage.engine.pid, signal.SIGSTOP)
        else:
            (stage.home / "engine.mood").write_text(way)
        began = time.monotonic()
        stage.until(lambda s: not s.armed, 3.0)
        took = time.monotonic() - began
        time.sleep(0.2)
        entries = [ref for ref in stage.ledger()["working"] if ref.endswith("-entry")]
        assert entries == []
        assert took <= 1.5
        os.kill(stage.engine.pid, signal.SIGKILL)
    finally:
        stage.close()
    with capsys.disabled():
        print(f"\nR2: engine {way}: noticed and its entries withdrawn after {took:.2f} s")
