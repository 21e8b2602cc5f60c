"""The runner of checks: what is pass, fail and not run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mia_kernel.cli import checks
from mia_kernel.cli import test as command

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]


def _answering(monkeypatch: pytest.MonkeyPatch, code: int, text: str) -> None:
    monkeypatch.setattr(checks, "run_tool", lambda *_, **__: (code, text))


def test_an_audit_that_could_ask_nothing_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    skipped = {"dependencies": [{"name": "a", "skip_reason": "not found"}]}
    _answering(monkeypatch, 0, json.dumps(skipped))
    outcome = checks.advisories(ROOT)
    assert outcome.verdict == "not run"
    assert "0 of 1" in outcome.note


def test_an_audit_without_answer_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    _answering(monkeypatch, 1, "ConnectionError")
    assert checks.advisories(ROOT).verdict == "not run"


def test_an_audit_counts_what_was_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "b", "version": "2", "vulns": [{"id": "CVE-1"}]},
            {"name": "c", "skip_reason": "not found"},
        ]
    }
    _answering(monkeypatch, 1, json.dumps(answers))
    outcome = checks.advisories(ROOT)
    assert outcome.verdict == "fail"
    assert outcome.note == "2 of 3 packages looked up, 1 known holes"
    assert "b 2 CVE-1" in outcome.detail


def test_a_high_finding_fails_and_a_low_one_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    low = {"issue_severity": "LOW", "filename": "a.py", "line_number": 1, "issue_text": "assert"}
    _answering(monkeypatch, 1, json.dumps({"results": [low]}))
    assert checks.code_safety(ROOT).verdict == "pass"
    _answering(monkeypatch, 1, json.dumps({"results": [low, {**low, "issue_severity": "HIGH"}]}))
    outcome = checks.code_safety(ROOT)
    assert outcome.verdict == "fail"
    assert outcome.note == "1 high, 0 medium, 1 low"


def test_a_tool_that_is_not_installed_fails_with_a_way_out() -> None:
    def check(root: Path) -> checks.Outcome:
        raise FileNotFoundError(2, "No such file", "lint-imports")

    outcome = checks.timed(check, ROOT)
    assert outcome.verdict == "fail"
    assert "way out" in outcome.note


def test_a_tool_that_hangs_is_cut_off() -> None:
    code, text = checks.run_tool(checks.module("timeit", "-n", "1000000000", "1"), ROOT, timeout_s=0.2)
    assert code == 124
    assert "no answer" in text


def test_a_failing_check_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(checks.CHECKS, "style", lambda _: checks.Outcome("style", "fail", "", "a.py:1 bad"))
    outcomes = command.run_checks(["style"], ROOT)
    assert [o.verdict for o in outcomes] == ["fail"]


def test_the_project_lists_its_files_without_generated_ones() -> None:
    files = checks.tracked_files(ROOT)
    assert "pytest.ini" in files
    assert not [name for name in files if name.startswith((".venv/", "reports/sbom"))]
