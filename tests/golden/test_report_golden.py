"""The page of a real recorded day, in words: what it says may change only where somebody wants it to.

Prices of the day are not ours to publish, so results and shares stand here, not prices. After a wanted change run
`GOLDEN=write python -m mia_kernel test tests/golden` and say in the commit why.
"""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.ghosts import ledger
from mia_kernel.cli.replay import note_asked
from mia_kernel.desk.review import review
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.shared_data import shared_file

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).with_name("report_cme_day.txt")
CME = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"


def words(fragment: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", fragment)).strip()


def test_the_page_of_a_real_day_reads_as_written_down(
    mia_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is, the day is replayed as proof.
    monkeypatch.setattr(importlib.import_module("mia_kernel.desk.review"), "PROVE_S", float("inf"))
    settings = load(arguments={"confluence.weights": "bars"}).settings
    path = settings.journal_folder / "day.sqlite"
    source = str(shared_file(CME))
    run = Run(settings, open_recording(source), path)
    note_asked(run, source, (), symbol=None, tz=None)
    run.drive()
    run.close()
    page = review(path, settings=settings)
    assert page.card["checks"] == {"journal": "proven", "decisions": "proven", "replay": "proven"}
    found = [
        words(page.verdict).split(" code ")[0],
        *(
            f"{a.gate}: {a.n} refused, {a.alone} alone, {a.winners} winners, balance {a.balance_usd:+.2f}"
            for a in ledger(run_ghosts(page, path))
        ),
        *(f"{advice.kind}: {advice.message}" for advice in page.advices),
        words(page.conduct),
        f"trades told: {page.trades.count('<pre>')}",
        f"second reading: {'the same page' if same(page, review(path, settings=settings)) else 'another page'}",
    ]
    text = "\n".join(found) + "\n"
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def run_ghosts(page, path):  # type: ignore[no-untyped-def]
    from mia_kernel.desk.review import material_of

    look = material_of(path, load().settings, prove=False).look
    assert look is not None
    return look.ghosts


def same(a, b) -> bool:  # type: ignore[no-untyped-def]
    names = ("verdict", "trades", "saved", "fills", "mentor", "conduct", "groups", "integrity", "provenance")
    return all(getattr(a, name) == getattr(b, name) for name in names)
