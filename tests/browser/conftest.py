"""Browser tests use the Chromium of this machine; without one they are skipped and say so."""

from __future__ import annotations

import os
from typing import Any

import pytest

from mia_kernel.adapters.papermill_report import find_chromium

WHY = "no Chromium on this machine: install one, or set BROWSER_PATH to it"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    path = find_chromium()
    if path is None:
        pytest.skip(WHY)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {"executable_path": path, "args": ["--no-sandbox"] if root else []}
