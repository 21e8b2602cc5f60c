"""A guardian that serves, for the commands and the magics that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.guarded import Guarded
from tests.fakes.served import Served


@pytest.fixture
def served(mia_home: Path) -> Iterator[Served]:
    """A guardian on its bus that hears an engine; nothing is armed."""
    served = Served(Guarded(mia_home))
    served.beat()
    yield served
    served.close()
