"""pyproject.toml, the lock and environment.yml say the same."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mia_kernel.bootstrap import NEWEST, OLDEST
from tests.contract.project import ROOT

pytestmark = pytest.mark.unit

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _wanted(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _locked(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if "==" in line and line[0] not in " #"]


@pytest.mark.parametrize(("lock", "inputs"), [("run", ("run",)), ("test", ("run", "test"))])
def test_every_wanted_package_is_locked_at_a_version_it_allows(lock: str, inputs: tuple[str, ...]) -> None:
    locked: dict[str, list[str]] = {}
    for requirement in _locked(lock):
        version = next(iter(requirement.specifier)).version
        locked.setdefault(canonicalize_name(requirement.name), []).append(version)
    for requirement in (r for name in inputs for r in _wanted(name)):
        versions = locked.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not in requirements/{lock}.txt: run requirements/lock"
        assert all(requirement.specifier.contains(v) for v in versions), f"{requirement}: {versions}"


def test_both_locks_agree_so_that_test_extends_run() -> None:
    run = {(canonicalize_name(r.name), str(r.specifier), str(r.marker)) for r in _locked("run")}
    test = {(canonicalize_name(r.name), str(r.specifier), str(r.marker)) for r in _locked("test")}
    assert {name for name, _, _ in run} <= {name for name, _, _ in test}
    assert {(name, version) for name, version, _ in run} <= {(name, version) for name, version, _ in test}


@pytest.mark.parametrize(
    "lock",
    [
        "run",
        "test",
        "client_ib_async",
        "client_ibapi",
        "client_nautilus_ibapi",
        "oracle_edge",
        "oracle_mlfinpy",
    ],
)
def test_every_locked_package_carries_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_project_takes_its_dependencies_from_the_same_lists() -> None:
    dynamic = PROJECT["tool"]["setuptools"]["dynamic"]
    assert dynamic["dependencies"] == {"file": ["requirements/run.in"]}
    assert dynamic["optional-dependencies"] == {"test": {"file": ["requirements/test.in"]}}


def test_python_range_is_said_the_same_everywhere() -> None:
    oldest, newest = OLDEST, (NEWEST[0], NEWEST[1] + 1)
    said = ">={}.{},<{}.{}".format(*oldest, *newest)
    assert PROJECT["project"]["requires-python"] == said
    assert f"python{said}" in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert PROJECT["tool"]["ruff"]["target-version"] == "py{}{}".format(*oldest)


def test_conda_takes_the_packages_from_the_lock() -> None:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    assert pip == ["--require-hashes", "-r requirements/run.txt"]


def test_build_backend_is_in_the_lock() -> None:
    assert PROJECT["build-system"]["build-backend"].startswith("setuptools")
    assert any(r.name == "setuptools" for r in _locked("run"))
