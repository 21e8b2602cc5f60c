"""`%mia status | arm | confirm | disarm | halt | why` against a guardian that serves in a thread."""

from __future__ import annotations

from pathlib import Path

import pytest

from mia_kernel.adapters.messages import Challenge, Reveal
from mia_kernel.cli.control import ask
from mia_kernel.core.errors import InputError
from mia_kernel.desk import magics
from tests.fakes.guarded import ACCOUNT
from tests.fakes.served import Served

pytestmark = [pytest.mark.unit, pytest.mark.safety, pytest.mark.integration]


def test_a_notebook_arms_by_both_steps_disarms_and_halts(served: Served) -> None:
    assert "DISARMED · REDUCING" in magics.mia("status")
    begun = magics.mia(f"arm 'ARM PAPER' {ACCOUNT}")
    assert "second step: %mia confirm CODE" in begun
    assert not served.guarded.g.armed
    shown: Challenge = ask(served.guarded.home, Reveal("terminal"))
    assert "ARMED · ACTIVE" in magics.mia(f"confirm {shown.code}")
    assert served.guarded.g.armed
    assert "DISARMED · REDUCING" in magics.mia("disarm lunch")
    assert "lunch" in magics.mia("status")
    assert "HALTED" in magics.mia("halt 'enough for today'")
    assert served.guarded.g.state.value == "halted"


def test_a_wrong_phrase_arms_nothing_and_says_so(served: Served) -> None:
    with pytest.raises(InputError, match=r"refused \(phrase\)"):
        magics.mia(f"arm 'ARM LIVE' {ACCOUNT}")
    assert not served.guarded.g.armed


def test_without_an_engine_why_says_what_to_type(mia_home: Path) -> None:
    for word in ("why", "why_not", "status"):
        assert "mia run" in magics.mia(word)
