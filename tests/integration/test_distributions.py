"""No component is dead unnoticed: each moves on some real market, and the page tells what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.distribution import distributions
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"
SOURCES = {
    "session": ["es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"],
    "book hour": ["dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"],
    "5m bars": ["sierra_es_5min_contracts/ESH17-CME.txt.gz"],
    "with NQ": [
        "es_nq_1min_2026/ES_1min_2026-06-15_2026-06-22.csv",
        "es_nq_1min_2026/NQ_1min_2026-06-15_2026-06-22.csv",
    ],
}
# Known to be silent on every file at hand, each for the reason said; one that speaks must leave this table.
SILENT = {
    "gamma_levels": "no option chain beside these files",
    "options_flow": "no option chain beside these files",
    "session_context": "no file holds 30 round trips of a side in one phase",
}


@pytest.fixture(scope="module")
def measured() -> dict[str, list[dict[str, Any]]]:
    settings = load(arguments={"confluence.weights": "bars"}).settings
    found: dict[str, list[dict[str, Any]]] = {}
    for name, (first, *others) in SOURCES.items():
        recording = open_recording(shared_file(first), [shared_file(other) for other in others])
        run = Run(settings, recording)
        run.drive()
        found[name] = distributions(run.table)
    return found


def test_every_component_moves_on_some_real_market(measured: dict[str, list[dict[str, Any]]]) -> None:
    moving = {
        row["component"]
        for rows in measured.values()
        for row in rows
        if row["distinct"] >= 5 or (row["component"] == "volatility_regime" and row["distinct"] > 1)
    }
    everyone = {row["component"] for row in measured["session"]}
    assert everyone - moving == set(SILENT)


def test_the_page_tells_what_was_measured(measured: dict[str, list[dict[str, Any]]]) -> None:
    page = PAGE.read_text("utf-8")
    missing = [
        line
        for source, rows in measured.items()
        for row in rows
        if row["distinct"] and (line := _line(source, row)) not in page
    ]
    assert not missing, "docs/features.md lacks:\n" + "\n".join(missing)


def _line(source: str, row: dict[str, Any]) -> str:
    drift = "–" if row["drift"] is None else f"{row['drift']:+.2f}"
    return (
        f"| `{row['component']}` | {source} | {row['ok']:.0%} | {row['mean']:+.3f} | {row['sd']:.3f} | "
        f"{row['q05']:+.2f} … {row['q95']:+.2f} | {row['zero']:.1%} | {drift} | {row['distinct']:,} |"
    )
