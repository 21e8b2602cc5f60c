"""Fixtures and settings that every test shares."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A failing example is printed so that it can be pasted back; the first call of a kernel may compile, which
# is no reason to call an example slow.
settings.register_profile("mia", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mia")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long forms of fault, soak and statistics suites run; each has a short form that always runs."""
    parser.addoption("--long", action="store_true", help="run the long forms too (hours)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long") is not None:
            skip = pytest.mark.skip(reason="long form: give --long")
            item.add_marker(pytest.mark.timeout(0) if config.getoption("--long") else skip)


@pytest.fixture
def mia_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A MIA_HOME of its own, empty."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("MIA_HOME", str(home))
    return home
