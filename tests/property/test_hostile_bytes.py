"""S8: journal, spare file and configuration under hostile bytes: an answer within a second, or a named refusal.

The frame decoder and hostile clients: `test_gateway_wire.py`. Short form a few hundred cases, `--long` 20,000 each.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from mia_kernel.adapters.journal_reader import records_since, verify
from mia_kernel.adapters.limits_file import CAPS, parse
from mia_kernel.core.errors import MiaError
from mia_kernel.guardian.book import read_spare
from tests.fakes.guarded import Guarded, law_text

pytestmark = [pytest.mark.unit, pytest.mark.safety]

MOST_S = 1.0
FORMS = [200, pytest.param(20_000, marks=pytest.mark.long)]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Flip, cut, repeat, insert or overwrite a few bytes."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, span = rng.randrange(len(out) + 1), rng.choice((1, 1, 2, 16, 200))
        match rng.randrange(5):
            case 0 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                del out[at : at + span]
            case 2:
                out[at:at] = out[at : at + span]
            case 3:
                out[at:at] = rng.randbytes(span)
            case _:
                out[at : at + span] = rng.randbytes(min(span, len(out) - at))
    return bytes(out)


@pytest.mark.parametrize("times", FORMS)
def test_a_mutated_law_is_refused_or_within_the_caps(times: int) -> None:
    rng, whole, taken = random.Random(times), law_text().encode(), 0
    for _ in range(times):
        data = mutated(rng, whole)
        began = time.monotonic()
        try:
            limits = parse(data.decode("utf-8", "replace")).law.limits
        except MiaError as error:
            assert str(error)
        else:
            taken += 1
            assert all(getattr(limits, name) <= cap for name, cap in CAPS.items())
        assert time.monotonic() - began < MOST_S
    assert taken < times


@pytest.mark.parametrize("times", FORMS)
def test_a_mutated_journal_or_spare_file_is_found_out_or_means_the_same(tmp_path: Path, times: int) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(0.5, 0.05)
    guarded.g.book.close()
    source = next((tmp_path / "home" / "journal").glob("guardian-*.sqlite"))
    whole, meant = source.read_bytes(), records_since(source, None)
    rng, refused = random.Random(times), 0
    copy, spare = tmp_path / "copy.sqlite", tmp_path / "spare"
    line = b'["send",1,{"intent_id":"a","why":"b"}]\n'
    for _ in range(times):
        copy.write_bytes(mutated(rng, whole))
        spare.write_bytes(mutated(rng, line * 3 + bytes(200)))
        began = time.monotonic()
        try:
            verify(copy)
            found = records_since(copy, None)
            assert (
                found == meant[: len(found)]
            )  # rows gone from the end are found by reconciling with the venue
        except MiaError as error:
            refused += 1
            assert str(error)
        try:
            assert all(len(row) == 3 for row in read_spare(spare))
        except MiaError as error:
            assert "way out" in str(error)
        assert time.monotonic() - began < MOST_S
    assert refused > times // 10
