"""The terminal view: a frame becomes a screen, a pipe gets lines, unknown is a dash."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mia_kernel.analytics.explain import RunFacts
from mia_kernel.cli.sparkline import braille
from mia_kernel.cli.terminal import TerminalView, frame_of, line, render
from tests.fakes import journals

pytestmark = pytest.mark.unit


def run(count: int = 200, **more: Any) -> Any:
    """Return what a view reads of a run, filled with an invented one."""
    material = journals.material(count, **more)
    found = journals.decisions(count, **more)
    gate = SimpleNamespace(state=SimpleNamespace(value="active"))
    source = SimpleNamespace(tag="synthetic", name="synthetic:7", symbol="ES", contract="ESH6")
    return SimpleNamespace(
        recording=SimpleNamespace(source=source, events=range(1000)),
        table=material.table,
        round_trips=material.trips,
        last=found[-1] if found else None,
        engine=SimpleNamespace(rooms=SimpleNamespace(gate=gate)),
        header=journals.header,
    )


def screen(of: Any, *, width: int = 130) -> str:
    facts = RunFacts.from_header(journals.header())
    console = Console(file=io.StringIO(), width=width, height=44, force_terminal=True, record=True)
    console.print(render(frame_of(of, 500, facts, seconds=2.0)))
    return console.export_text()


def test_a_screen_answers_state_market_decision_and_health() -> None:
    text = screen(run())
    for word in (
        "DRY-RUN · SYNTHETIC",
        "ACTIVE · SIMULATED",
        "ESH6",
        "FLAT",
        "VWAP",
        "coverage",
        "signals 8",
    ):
        assert word in text
    for word in ("round trips", "delta of the session", "order-book imbalance", "data 0.97", "250 rows/s"):
        assert word in text


def test_without_a_decision_everything_unknown_is_a_dash() -> None:
    text = screen(run(0))
    assert "no decision yet" in text
    assert "VWAP —" in text
    assert "0.00 USD" not in text.split("market")[0]


def test_a_pipe_gets_plain_lines_and_no_screen() -> None:
    out = io.StringIO()
    with TerminalView(Console(file=out, width=200)) as view:
        view(run(), 500)
        view(run(), 600)  # too soon: not printed
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    assert "[SYNTHETIC] 50% · 200 decisions" in lines[0]
    assert "\x1b" not in lines[0]


def test_a_terminal_is_left_as_it_was() -> None:
    out = io.StringIO()
    with TerminalView(Console(file=out, width=120, height=40, force_terminal=True)) as view:
        view(run(), 500)
    assert "\x1b[?1049h" in out.getvalue()
    assert out.getvalue().endswith("\x1b[?25h\x1b[?1049l")


def test_the_line_names_source_and_progress() -> None:
    facts = RunFacts.from_header(journals.header())
    text = line(frame_of(run(0), 0, facts, seconds=0.0))
    assert text.startswith("— ESH6 — [SYNTHETIC] 0%")


def test_braille_draws_rising_and_flat_lines() -> None:
    # Four values over a 2 x 4 cell: (0,3) (1,2) from the bottom left to the top right.
    assert braille([0, 1], width=1, height=1) == chr(0x2800 + 0x40 + 0x08 + 0x10 + 0x20)
    assert braille([], width=3, height=2) == "⠀⠀⠀\n⠀⠀⠀"
    flat = braille([5, 5, 5], width=2, height=1)
    assert flat == "⣀⡀"
