"""The event log of the desk: refusals by one gate share a line, everything else stands alone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from mia_kernel.adapters import desk_events
from mia_kernel.adapters.desk_events import Chronicle

pytestmark = pytest.mark.unit

OPEN = int(dt.datetime(2019, 8, 9, 13, 31, tzinfo=dt.UTC).timestamp()) * 10**9
"""09:31 in New York."""


def signal(sequence: int, code: str, minute: int = 0, *, allowed: bool = False) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "ts": OPEN + minute * 60 * 10**9,
        "side": 1,
        "grade": "WEAK",
        "entry": 2927.0,
        "allowed": allowed,
        "code": code,
        "sentence": "pulled back" if allowed else f"Refused: {code}",
    }


def frame(*signals: dict[str, Any], name: str = "day") -> dict[str, Any]:
    return {
        "source_name": name,
        "settings_id": "1",
        "mode": "dry-run",
        "signals": list(reversed(signals)),
        "fills": {"ts": []},
    }


def told(seen: Chronicle) -> list[str]:
    return [event["text"] for event in seen.last(100) if event["source"] == "signal"]


@pytest.fixture
def seen() -> Chronicle:
    chronicle = Chronicle()
    chronicle.see_frame(frame())
    return chronicle


def test_refusals_by_one_gate_share_a_line_that_counts_them(seen: Chronicle) -> None:
    rows = [signal(n, "coverage", n) for n in range(4)]
    for n in range(1, 5):
        seen.see_frame(frame(*rows[:n]))
    assert told(seen) == [
        "refused by coverage ×4, 09:31–09:34 New York; the last: WEAK long 2927.00: Refused: coverage"
    ]


def test_gates_that_take_turns_have_a_line_each_and_an_entry_its_own(seen: Chronicle) -> None:
    rows = [signal(n, ("coverage", "news_window")[n % 2], n) for n in range(4)]
    rows.append(signal(4, "allowed", 4, allowed=True))
    seen.see_frame(frame(*rows))
    lines = told(seen)
    assert [line.split(";")[0] for line in lines] == [
        "refused by coverage ×2, 09:31–09:33 New York",
        "refused by news window ×2, 09:32–09:34 New York",
        "WEAK long 2927.00 allowed: pulled back",
    ]


def test_a_frame_full_of_new_signals_may_hide_older_ones_and_says_so(seen: Chronicle) -> None:
    seen.see_frame(frame(signal(0, "coverage")))
    seen.see_frame(frame(signal(7, "coverage", 7), signal(8, "coverage", 8)))
    assert told(seen)[0].startswith("refused by coverage ×at least 3, 09:31–09:39")


def test_a_lone_refusal_is_told_in_full(seen: Chronicle) -> None:
    seen.see_frame(frame(signal(0, "coverage")))
    assert told(seen) == ["WEAK long 2927.00: Refused: coverage"]


def test_a_later_refusal_begins_a_new_line(seen: Chronicle, monkeypatch: pytest.MonkeyPatch) -> None:
    seen.see_frame(frame(signal(0, "coverage")))
    monkeypatch.setattr(desk_events, "GROUP_NS", -1)
    seen.see_frame(frame(signal(0, "coverage"), signal(1, "coverage", 60)))
    assert len(told(seen)) == 2


def test_another_run_counts_anew(seen: Chronicle) -> None:
    seen.see_frame(frame(signal(0, "coverage")))
    seen.see_frame(frame(name="another"))
    seen.see_frame(frame(signal(0, "coverage"), name="another"))
    assert told(seen) == ["WEAK long 2927.00: Refused: coverage"] * 2


def test_a_fill_says_of_which_contract(seen: Chronicle) -> None:
    filled = frame()
    filled["fills"] = {
        "ts": [1],
        "side": [-1],
        "price": [2927.25],
        "qty": [4],
        "symbol": ["MES"],
        "role": ["stop"],
    }
    seen.see_frame(filled)
    assert [event["text"] for event in seen.last(9) if event["source"] == "fill"] == [
        "sold 4 MES at 2927.25 (stop)"
    ]
