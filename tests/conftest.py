"""Fixtures and settings that every test shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import planted

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


def pytest_configure(config: pytest.Config) -> None:
    """Plant secrets in the environment of every test and of every process that it starts (S3)."""
    os.environ.update(planted.SECRETS)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search every file the session has left for them; one that holds any fails the session."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    base = getattr(factory, "_basetemp", None)
    if base is None or hasattr(session.config, "workerinput"):
        return  # nothing was written, or a worker, whose files lie below those of the session
    found = planted.found_in(base)
    if found:
        print(f"\nS3: a planted secret was written to {', '.join(map(str, found[:10]))}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def mia_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A MIA_HOME of its own, empty."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("MIA_HOME", str(home))
    return home
