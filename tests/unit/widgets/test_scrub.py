"""The slider through a day shows exactly the instant it stands on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from widgets import Scrubber

pytestmark = pytest.mark.unit


class Instant:
    """A moment that knows only its time."""

    def __init__(self, ts: int) -> None:
        self.ts = ts
        self.score = 0.25
        self.decision: Any = self
        self.score_side = 1
        self.book = pd.DataFrame([{"bid": 100.0, "bid_size": 3, "ask": 100.25, "ask_size": 4}])

    def why(self) -> str:
        return f"why at {self.ts} <b>"

    def why_not(self) -> str:
        return "Nothing was in the way."


class Day:
    """Four decisions, a minute apart."""

    def __init__(self, count: int = 4) -> None:
        index = pd.date_range("2025-06-10 09:30", periods=count, freq="min", tz="America/New_York").as_unit(
            "ns"
        )
        self.decisions = pd.DataFrame({"price_ticks": range(400, 400 + count)}, index=index)
        self.asked: list[int] = []

    def at(self, ts: int) -> Any:
        self.asked.append(ts)
        now = Instant(ts)
        now.decision = type("Decision", (), {"score": type("Score", (), {"side": 1})})
        return now


def test_it_opens_at_the_end_and_follows_the_slider() -> None:
    day = Day()
    scrub = Scrubber(day, picture=False)
    assert "4 of 4" in scrub.head.value
    scrub.slider.value = 1
    ts = int(day.decisions.index.to_numpy(np.int64)[1])
    assert day.asked[-1] == ts
    assert f"why at {ts} &lt;b&gt;" in scrub.words.value
    assert "09:31:00" in scrub.head.value
    assert "100.25" in scrub.head.value
    assert "ask     100.25" in scrub.book.value


def test_a_run_without_a_decision_says_so() -> None:
    scrub = Scrubber(Day(0), picture=False)
    assert "No decision" in scrub.head.value
