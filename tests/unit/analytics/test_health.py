"""Thresholds of health: what is green, amber, red, and that red comes with a remedy."""

from __future__ import annotations

import datetime as dt

import pytest

from mia_kernel.analytics import health
from mia_kernel.analytics.health import Finding

pytestmark = pytest.mark.unit

TODAY = dt.date(2026, 3, 2)


@pytest.mark.parametrize(
    ("share", "level"), [(0.30, "green"), (0.10, "green"), (0.099, "amber"), (0.05, "amber"), (0.049, "red")]
)
def test_disk_turns_amber_under_ten_and_red_under_five_percent(share: float, level: str) -> None:
    assert health.disk(int(share * 1_000_000), 1_000_000).level == level


@pytest.mark.parametrize(
    ("last", "level"),
    [
        (dt.date(2027, 12, 31), "green"),
        (dt.date(2026, 4, 1), "amber"),
        (dt.date(2026, 3, 1), "red"),
        (None, "red"),
    ],
)
def test_calendar_that_does_not_cover_today_is_red(last: dt.date | None, level: str) -> None:
    assert health.calendar(TODAY, last).level == level


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10, 9), "red"), ((3, 11, 0), "green"), ((3, 12, 4), "green"), ((3, 13, 0), "red")],
)
def test_python_outside_the_tested_range_is_red(version: tuple[int, int, int], level: str) -> None:
    assert health.python(version).level == level


def test_a_missing_package_is_red_and_another_version_amber() -> None:
    lock = {"numpy": "2.4.6", "rich": "15.0.0"}
    assert health.packages(lock, {"numpy": "2.4.6", "rich": "15.0.0"}).level == "green"
    assert health.packages(lock, {"numpy": "2.4.5", "rich": "15.0.0"}).level == "amber"
    missing = health.packages(lock, {"numpy": "2.4.6"})
    assert missing.level == "red"
    assert "rich" in missing.text
    assert health.packages({}, {}).level == "amber"


def test_a_clock_nobody_can_vouch_for_is_not_green() -> None:
    assert health.clock(None, 0.0).level == "amber"
    assert health.clock(True, 0.0).level == "green"
    assert health.clock(False, 0.0).level == "red"
    assert health.clock(True, 5.0).level == "red"


def test_a_broken_chain_is_red_and_named() -> None:
    finding = health.journal([("a.sqlite", True, ""), ("b.sqlite", False, "row 7 does not match")])
    assert finding.level == "red"
    assert "b.sqlite: row 7" in finding.text
    assert health.journal([]).level == "green"


@pytest.mark.parametrize(
    ("verdicts", "level"),
    [({"good": 3}, "green"), ({"good": 3, "degraded": 1}, "amber"), ({"good": 1, "bad": 1}, "red")],
)
def test_catalog_is_as_good_as_its_worst_file(verdicts: dict[str, int], level: str) -> None:
    assert health.catalog(4, verdicts).level == level


def test_an_empty_catalog_is_amber() -> None:
    assert health.catalog(0, {}).level == "amber"


def test_secrets_in_a_file_are_red_and_a_readable_env_amber() -> None:
    assert health.secrets([], []).level == "green"
    assert health.secrets([], [".env"]).level == "amber"
    assert health.secrets(["reports/a.html"], [".env"]).level == "red"


def test_the_worst_finding_decides() -> None:
    green, amber, red = (Finding("x", level, "") for level in health.LEVELS)
    assert health.worst([]) == "green"
    assert health.worst([green, amber]) == "amber"
    assert health.worst([red, green]) == "red"


def test_whatever_is_not_green_has_a_remedy() -> None:
    findings = [
        health.python((3, 10, 0)),
        health.packages({"a": "1"}, {}),
        health.disk(1, 1000),
        health.home("home", "Read-only file system"),
        health.calendar(TODAY, None),
        health.roll("ESH6", 1),
        health.catalog(0, {}),
        health.journal([("a", False, "x")]),
        health.kernels(0),
        health.clock(None, 0.0),
        health.zones(["America/New_York"]),
        health.secrets(["a"], []),
        health.settings("unknown setting", ""),
    ]
    for finding in findings:
        assert finding.level != "green"
        assert finding.remedy
