"""The guardian runs the limits as plain Python, the engine compiled: both must answer the same, bit for bit."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from mia_kernel.risk.law import Facts, Law
from mia_kernel.risk.params import RiskParams
from mia_kernel.state.costs import CostParams

pytestmark = [pytest.mark.unit, pytest.mark.safety]
OPEN_NS = 1_749_765_600_000_000_000
CASES = 150
ROOT = Path(__file__).resolve().parents[3]


def answers(seed: int) -> bytes:
    """Return what the limits say to made-up facts, with the odd ones among them: nothing known, zero, huge, signed."""
    dice, law, said = random.Random(seed), Law(RiskParams(), CostParams()), b""
    odd: tuple[float, ...] = (0.0, -0.0, 1e-300, 1e300, -1e9)
    for _ in range(CASES):
        bid = dice.choice((None, dice.randrange(0, 30_000)))
        law.memory.record["halt"] = 0
        law.memory.arm(dice.random() < 0.5)
        law.figures.consecutive_losses = dice.randrange(5)
        law.figures.slips = [dice.uniform(-3, 5) for _ in range(dice.randrange(7))][-5:]
        facts = Facts(
            ts=OPEN_NS + dice.randrange(14 * 86_400) * 1_000_000_000,
            net_usd=dice.choice((None, Decimal(dice.randrange(-400_000, 400_000)) / 100)),
            base_usd=Decimal(dice.choice((0, 50_000, 10_000_000))),
            es_position=dice.choice((*odd, dice.uniform(-4, 4))),
            open_risk_usd=dice.choice((*odd, dice.uniform(0, 2_000))),
            brackets=dice.randrange(5),
            bid_ticks=bid,
            ask_ticks=None if bid is None else bid + dice.randrange(-1, 12),
            book_age_s=dice.choice((None, 0.0, dice.uniform(0, 10))),
        )
        breaches = law.look(facts)
        said += law._out.tobytes() + repr(breaches).encode() + law.memory.to_bytes()
    return said


def test_plain_and_compiled_limits_answer_the_same_bits() -> None:
    program = (
        "import sys; from tests.unit.risk.test_plain_law import answers;"
        "from mia_kernel.risk import gates; assert type(gates.ask_all).__name__ == 'function';"
        "sys.stdout.buffer.write(answers(11))"
    )
    plain = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    compiled = answers(11)
    assert len(compiled) > 10_000
    assert plain.stdout == compiled
    assert plain.stderr == b"", plain.stderr.decode()


def test_the_guardian_loads_no_engine_and_no_table_or_chart_library() -> None:
    program = (
        "import sys, mia_kernel.guardian.start, mia_kernel.guardian.serve, mia_kernel.adapters.ibkr_broker;"
        "print(*sorted({'.'.join(m.split('.')[:2]) if m.startswith('mia_kernel') else m.split('.')[0] for m in "
        "sys.modules}))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = set(told.stdout.split())
    assert "ib_insync" in loaded
    unwanted = {"pandas", "plotly", "polars", "mia_kernel.engine", "mia_kernel.ml", "mia_kernel.analytics"}
    assert not unwanted & loaded
