"""No component is dead unnoticed: each moves on some real market, and the page tells what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mia_kernel.adapters.chain_views import lay_read_chains
from mia_kernel.adapters.chains import read_chain
from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.distribution import distributions
from mia_kernel.core.events import Recording
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
# The two days at hand of bars beside a chain: after the weekend before, and of the same morning, near the money only.
CHAINED = {
    "with a chain": (
        "sierra_es_5min_contracts/ESH22-CME.txt.gz",
        "options/spx_20220205_2009ET_weekend.csv",
        ("2022-02-06T23:00", "2022-02-07T22:00"),
    ),
    "with a near chain": (
        "sierra_es_5min_contracts/ESZ24-CME.txt.gz",
        "spx_chains/spx_quotedata_20241111_nearmoney_es_locale.csv",
        ("2024-11-10T23:00", "2024-11-11T22:00"),
    ),
}
# Known to be silent on every file at hand, each for the reason said; one that speaks must leave this table.
SILENT = {
    "options_flow": "a chain has one volume all day; no two chains of a day with bars are at hand",
    "session_context": "no file holds 30 round trips of a side in one phase",
}


@pytest.fixture(scope="module")
def measured() -> dict[str, list[dict[str, Any]]]:
    settings = load(arguments={"confluence.weights": "bars"}).settings
    found: dict[str, list[dict[str, Any]]] = {}
    recordings = {
        name: open_recording(shared_file(first), [shared_file(other) for other in others])
        for name, (first, *others) in SOURCES.items()
    }
    for name, recording in (recordings | {name: chained(*parts) for name, parts in CHAINED.items()}).items():
        run = Run(settings, recording)
        run.drive()
        found[name] = distributions(run.table)
    return found


def chained(contract: str, chain: str, window: tuple[str, str]) -> Recording:
    """Return one day of a contract with an option chain in force."""
    recording = open_recording(shared_file(contract), [])
    first, last = (np.datetime64(text, "ns").astype(np.int64) for text in window)
    when = recording.events["ts_recv"]
    day = replace(recording, events=recording.events[(when >= first) & (when <= last)])
    return lay_read_chains(day, [read_chain(shared_file(chain))])


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
