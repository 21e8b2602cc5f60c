"""When nobody could enter and why: guardian, the engine's own limits and the exchange are told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.analytics.halts import (
    STATES,
    exchange_sentences,
    gap_sentences,
    halt_bands,
    halt_sentences,
    halts,
    note_state,
    rejections,
    states_in,
)
from mia_kernel.analytics.report import day_report
from mia_kernel.analytics.report_material import Material
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import FAILED
from mia_kernel.core.events import StateChange
from mia_kernel.core.orders import OrderStatus
from mia_kernel.core.session import new_york_ns
from tests.fakes import journals
from widgets.day import DayView

pytestmark = pytest.mark.unit

AT = journals.GATE_CODES.index("regime_side")
CODES = tuple("trading_state" if code == "regime_side" else code for code in journals.GATE_CODES)


def material(failed: range, *, limit: str = "", shift_ns: int = 0, **more: object) -> Material:
    """Return an invented day whose trading state refused the decisions of `failed`."""
    codes = tuple(limit if limit and code == "rvol" else code for code in CODES)
    found = []
    for i, decision in enumerate(journals.decisions(200)):
        outcome = decision.gate_outcome.copy()
        if i in failed:
            outcome[AT] = FAILED
            outcome[codes.index(limit) if limit else AT] = FAILED
        moved = replace(decision, codes=decision.codes.copy(), ts_event=decision.ts_event + shift_ns)
        moved.gate_outcome[:] = outcome
        found.append(moved)
    head = journals.header(gate_codes=list(codes))
    table = DecisionTable(head["names"], head["gate_codes"], head["gate_levels"])
    for decision in found:
        table.append(decision)
    return Material(head, table, [], {"digest": "0" * 64}, **more)


def ts(i: int) -> int:
    return journals.START_NS + i * journals.STEP_NS


def state(i: int, name: str, reason: str) -> StateChange:
    return StateChange(ts(i), ts(i), i, name, reason)


def test_a_halt_of_the_guardian_and_a_disarmed_start_are_told_apart() -> None:
    said = [
        state(0, "reducing", "started: disarmed"),
        state(10, "active", "armed"),
        state(100, "halted", "halted: kill switch"),
    ]
    one = material(range(10), states=states_in(said))
    assert [halt.state for halt in halts(one)] == ["reducing"]
    both = material(range(200), states=states_in(said))
    found = [(halt.state, halt.reason, halt.n) for halt in halts(both)]
    assert found == [("reducing", "started: disarmed", 10), ("", "", 90), ("halted", "kill switch", 100)]
    sentences = halt_sentences(both)
    assert "Entries were not allowed (started: disarmed): from 2026-02-25 09:30:00 EST" in sentences[0]
    assert "halted by the guardian (kill switch)" in sentences[2]
    assert "100 decisions could not enter" in sentences[2]
    assert [band["text"] for band in halt_bands(both)] == ["halted", "halted"], "being disarmed is no halt"


def test_a_halt_of_the_engines_own_names_its_limit() -> None:
    beside = material(range(50, 200), limit="drawdown")
    assert "Trading was halted after the drawdown limit:" in halt_sentences(beside)[0]
    trip = replace(journals.material(400).trips[0], exit_reason="daily_loss", exit_ts=ts(49))
    closed = replace(material(range(50, 200)), trips=[trip])
    assert "halted after the daily loss limit" in halt_sentences(closed)[0]
    later = replace(closed, trips=[replace(trip, exit_ts=ts(199))])
    assert halt_sentences(later)[0].startswith("Trading was halted: "), "what came later is no reason"


def test_a_day_without_a_halt_says_nothing() -> None:
    assert halt_sentences(material(range(0))) == []
    assert halt_bands(material(range(0))) == []
    assert exchange_sentences(material(range(0))) == []
    assert gap_sentences(material(range(0))) == []


def test_a_stop_of_the_exchange_is_named_from_the_calendar() -> None:
    breaker = material(range(0), shift_ns=new_york_ns(20200316, 9 * 60 + 20) - journals.START_NS)
    said = exchange_sentences(breaker)
    assert len(said) == 1
    assert "2020-03-16 09:31:00 EDT to 09:45:00 EDT: market-wide circuit breaker, level 1." in said[0]
    assert [band["text"] for band in halt_bands(breaker)] == ["exchange closed"]


def test_the_reason_is_text_and_stands_on_page_and_picture() -> None:
    said = states_in([state(0, "halted", "halted: <b>by hand</b>")])
    page = day_report(material(range(20, 60), states=said, rejected={"exchange_halt": 2}))
    assert "&lt;b&gt;by hand" in page.verdict
    assert "<b>by hand" not in page.verdict
    assert "refused after the gate had permitted them: 2 (exchange halt (2))" in page.verdict
    figure = DayView(page.frame).static()
    assert "halted" in [note.text for note in figure.layout.annotations]
    assert [shape.type for shape in figure.layout.shapes].count("rect") == 1


def test_the_journal_keeps_what_was_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.sqlite"
    with JournalWriter(path, live=False) as journal:
        journal.open_run(journals.header())
        note_state(state(3, "halted", "halted: signal"), journal.append_record)
        journal.close({"digest": "0" * 64})
    with JournalReader(path) as reader:
        rows = reader.records(STATES)
    assert rows == [{"ts": ts(3), "state": "halted", "reason": "halted: signal"}]


def test_rejections_are_counted_by_reason() -> None:
    _, reports = journals.round_trips(journals.decisions(400))
    turned = [
        replace(r, status=OrderStatus.REJECTED, reason=why)
        for r, why in zip(reports, ("a", "b", "b"), strict=False)
    ]
    assert rejections([*turned, *reports]) == {"b": 2, "a": 1}
