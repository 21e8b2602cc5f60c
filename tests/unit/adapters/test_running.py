"""The checks on rows that come in slices: the same as of a file, however they are sliced, and told by a session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.recorded import list_sessions, verdict_of
from mia_kernel.adapters.recorder import SessionAbout, SessionRecorder
from mia_kernel.adapters.running import RunningChecks, checks_of
from mia_kernel.adapters.running_repeats import WINDOW, Repeats
from mia_kernel.adapters.sources import read_parts
from mia_kernel.core import events as ev
from mia_kernel.core.events import Carries, EventArray, SourceInfo
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

NS = 1_000_000_000
OPEN = 1_704_380_400 * NS
"""15:00 UTC of 4 January 2024, inside the day session."""


def tape(seed: int = 1, n: int = 400) -> EventArray:
    """Return quotes and trades in turn, a third of a second apart, without a defect."""
    rng = np.random.default_rng(seed)
    rows = ev.empty(n)
    rows["ts_event"] = OPEN + np.arange(n) * NS // 3
    rows["ts_recv"] = rows["ts_event"] + 2_000_000
    rows["seq"], rows["kind"] = np.arange(n), np.where(np.arange(n) % 2, ev.TRADE, ev.QUOTE)
    rows["bid"] = np.where(rows["kind"] == ev.QUOTE, 19_000 + rng.integers(0, 3, n), 0)
    rows["ask"] = np.where(rows["kind"] == ev.QUOTE, rows["bid"] + 1, 0)
    trade = rows["kind"] == ev.TRADE
    side = np.where(rng.random(n) < 0.5, 1, -1)
    before = np.r_[0, np.arange(n - 1)]
    rows["side"] = np.where(trade, side, 0)
    rows["px"] = np.where(trade, np.where(side > 0, rows["ask"][before], rows["bid"][before]), 0)
    rows["sz"] = np.where(trade, 3, 0)
    rows["flags"] = np.where(trade, ev.SIDE_FEED, 0)
    rows["b"][:, 0] = rows["a"][:, 0] = np.where(trade, 0, 10)
    return rows


def said(rows: EventArray) -> dict[str, int]:
    return checks_of(rows).counts


def test_a_sound_feed_is_good_and_says_nothing() -> None:
    verdict = checks_of(tape())
    assert (verdict.score, verdict.causes) == (1.0, ())
    assert verdict.counts["side_agree"] == verdict.counts["side_decidable"] == 200
    assert verdict.not_applicable == ("off_grid",)


def test_no_row_is_no_score() -> None:
    assert checks_of(ev.empty(0)).score is None


def bent(name: str) -> EventArray:
    """Return the tape with one defect."""
    rows = tape()
    if name == "gaps":
        rows["ts_event"][200:] += 90 * NS
        rows["ts_recv"][200:] += 90 * NS
    elif name == "crossed":
        rows["ask"][100] = rows["bid"][100]
    elif name == "disorder":
        rows["ts_event"][301] -= NS
    elif name == "too_late":
        rows["ts_event"][301] -= 3 * NS
    elif name == "zero_size":
        rows["sz"][51] = 0
    elif name == "jumps":
        rows["px"][51] *= 2
    elif name == "in_closed_hours":
        rows["ts_event"] += 7 * 3600 * NS + 1800 * NS  # 22:30 UTC, the hour without a market
        rows["ts_recv"] += 7 * 3600 * NS + 1800 * NS
    elif name == "constant_side":
        rows["side"][rows["kind"] == ev.TRADE] = 1
    elif name == "untrusted_side":
        rows["side"] *= -1
    elif name == "frozen_book":  # the quotes of 66 s are one and the same
        for column in ("bid", "ask", "b", "a"):
            rows[column][100:300:2] = rows[column][100]
        trade = (rows["kind"] == ev.TRADE) & (np.arange(400) >= 100) & (np.arange(400) < 300)
        rows["px"][trade] = np.where(rows["side"][trade] > 0, rows["ask"][100], rows["bid"][100])
    elif name == "duplicates":  # a reload: forty rows come again, thirty rows later
        rows = np.concatenate([rows[:200], rows[130:170], rows[200:]])
        rows["seq"] = np.arange(len(rows))
    elif name == "two_clocks":
        rows["ts_event"][rows["kind"] == ev.TRADE] -= 7200 * NS
    return rows


@pytest.mark.parametrize(
    "name",
    ["gaps", "crossed", "disorder", "too_late", "zero_size", "jumps", "in_closed_hours", "constant_side",
     "untrusted_side", "two_clocks", "frozen_book", "duplicates"],
)  # fmt: skip
def test_each_defect_is_told_by_its_name(name: str) -> None:
    causes = checks_of(bent(name)).causes
    assert [cause for cause in causes if cause.startswith(f"{name}: ")], causes


def test_two_clocks_tell_the_hours_between_them() -> None:
    assert (
        "two_clocks: 200 of 200 trades are stamped 2 h before they came"
        in checks_of(bent("two_clocks")).causes
    )


def test_rows_that_came_again_are_counted_and_others_not() -> None:
    assert said(bent("duplicates"))["duplicates"] == 40
    assert "duplicates" not in said(bent("disorder"))  # late, and new
    assert "duplicates" not in said(tape())


def test_a_reload_is_found_across_slices_and_forgotten_after_the_window() -> None:
    rows, checks = tape(), Repeats()
    first = [checks.add(part, np.zeros(len(part), np.bool_)) for part in np.split(rows, 40)]
    assert first == [0] * 40
    assert checks.add(rows[5:10], np.ones(5, np.bool_)) == 5
    filler = ev.empty(WINDOW)
    filler["ts_event"] = np.arange(WINDOW)
    assert checks.add(filler, np.zeros(WINDOW, np.bool_)) == 0
    assert checks.add(rows[5:10], np.ones(5, np.bool_)) == 0
    assert checks.total < 2 * WINDOW


def test_a_book_that_stands_still_is_stale_by_day_and_usual_at_night() -> None:
    verdict = checks_of(bent("frozen_book"))
    assert verdict.counts["frozen_book"] == 1
    assert verdict.score is not None
    assert verdict.score == pytest.approx(1 - 0.20 * 66 / (398 / 3), abs=2e-3)
    night = bent("frozen_book")
    for column in ("ts_event", "ts_recv"):
        night[column] -= 8 * 3600 * NS  # 02:00 New York
    assert "frozen_book" not in checks_of(night).counts


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(0, 400), max_size=8),
    name=st.sampled_from(
        [
            "",
            "gaps",
            "crossed",
            "disorder",
            "too_late",
            "jumps",
            "two_clocks",
            "untrusted_side",
            "frozen_book",
            "duplicates",
        ]
    ),
)
def test_the_verdict_does_not_depend_on_the_slices(cuts: list[int], name: str) -> None:
    rows, checks = bent(name), RunningChecks()
    for part in np.split(rows, sorted(cuts)):
        checks.add(part)
    assert checks.verdict() == checks_of(rows)


@needs_shared_data
def test_a_real_hour_is_judged_as_its_file_was() -> None:
    (part,) = read_parts(shared_file("dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"), Ask())
    verdict, told = checks_of(part.events), part.verdict.counts
    assert verdict.counts["side_agree"] / verdict.counts["side_decidable"] > 0.99
    assert verdict.counts["trades"] == told["rows"]
    assert verdict.counts.get("crossed", 0) == verdict.counts.get("disorder", 0) == 0
    assert verdict.score is not None
    assert verdict.score > 0.99


def recorder(folder: Path) -> SessionRecorder:
    source = SourceInfo("live", "ibkr", "IBKR", "ES", "ESH24", carries=Carries(quotes=True, trades=True))
    return SessionRecorder(folder, SessionAbout(
        session_id="s1", mode="paper", uri="ibkr:", source=source, others=(), declared=None, calendar=None,
        settings_id="x", settings={}, code_version="v", started_at="2024-01-04T15:00:00+00:00",
    ))  # fmt: skip


def test_a_session_carries_its_verdict_closed_killed_or_resumed(tmp_path: Path) -> None:
    folder, rows = tmp_path / "data" / "sessions" / "s1", bent("crossed")
    first = recorder(folder)
    first.append(rows[:250])
    first.seal(wait=True)
    killed = verdict_of(folder)
    assert killed == checks_of(rows[:250]).to_json()
    first.abandon()
    second = recorder(folder)
    second.append(rows[250:])
    second.close({"decisions": 0, "digest": "d"})
    assert verdict_of(folder) == checks_of(rows).to_json()
    (entry,) = list_sessions(tmp_path / "data")
    assert entry.score == pytest.approx(checks_of(rows).score, abs=1e-6)
    assert entry.causes[0].startswith("crossed: 1 ")


def test_a_recorded_session_is_imported_as_days_of_the_catalog(tmp_path: Path) -> None:
    folder, rows = tmp_path / "recorded" / "s1", bent("crossed")
    rows["flags"][:20] |= ev.WARM_UP
    session = recorder(folder)
    session.append(rows)
    session.close({})
    catalog = Catalog(tmp_path / "data")
    (result,) = import_sources([tmp_path / "recorded"], catalog)
    assert (result.status, result.rows, result.adapter) == ("stored", 380, "ibkr")
    day = catalog.read_day("ESH24", 20240104)
    assert day.events["ts_event"].tolist() == rows["ts_event"][20:].tolist()
    (again,) = import_sources([tmp_path / "recorded"], catalog)
    assert again.status == "known"
