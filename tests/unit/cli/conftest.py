"""One thin session for all commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thin synthetic session in MIA's own format."""
    path = tmp_path_factory.mktemp("session") / "thin.parquet"
    write_recording(path, synthetic_recording(3, warm_up=False, scale=0.02))
    return path
