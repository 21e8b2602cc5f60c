"""The checks beside the tests: style, types, room contracts, clean notebooks, supply chain.

Each check is a function of the project folder that runs one tool and answers with an `Outcome`. What cannot
be asked (no advisory source in reach) is "not run", never "pass".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["pass", "fail", "not run"]

_COMPILE = """
from mia_kernel.core.kernel import compiled
from mia_kernel.rehearsal import warm_up
from mia_kernel.settings import Settings
warm_up(Settings())
print(compiled())
"""
PYTHON_PATHS = ("mia_kernel", "widgets", "tests", "notebooks", "launch_24_7_orderflow_trading.py")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of one check; `detail` is what the tool said, shown where it failed."""

    name: str
    verdict: Verdict
    note: str = ""
    detail: str = ""
    seconds: float = 0.0


def run_tool(
    command: Sequence[str], root: Path, *, timeout_s: float = 600.0, stderr: bool = True
) -> tuple[int, str]:
    """Run one command in `root`; return (exit code, output). A time-out is exit code 124."""
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            list(command),
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if stderr else subprocess.PIPE,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {timeout_s:.0f} s"
    return done.returncode, done.stdout


def module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a Python module of this environment."""
    return [sys.executable, "-m", name, *arguments]


def script(name: str, *arguments: str) -> list[str]:
    """Return the command of a console script of this environment."""
    suffix = ".exe" if os.name == "nt" else ""
    return [str(Path(sysconfig.get_path("scripts")) / (name + suffix)), *arguments]


def tracked_files(root: Path) -> list[str]:
    """Return the files of the project: git's list, or in an unpacked archive all but hidden and generated."""
    code, text = run_tool(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], root)
    if code == 0:
        return sorted(name for name in text.split("\0") if name and (root / name).is_file())
    found: list[str] = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        generated = relative.parts[0] in ("data", "reports") or "__pycache__" in relative.parts
        if path.is_file() and not generated and not relative.parts[0].startswith("."):
            found.append(relative.as_posix())
    return found


def style(root: Path) -> Outcome:
    """ruff: dead names, traps, import order, docstrings."""
    return _plain(
        "style", module("ruff", "check", "--quiet", "--output-format", "concise", *_existing(root)), root
    )


def layout(root: Path) -> Outcome:
    """ruff format: nobody discusses it."""
    return _plain("format", module("ruff", "format", "--check", *_existing(root)), root)


def types(root: Path) -> Outcome:
    """pyright: strict from core to engine, basic elsewhere."""
    code, text = run_tool(module("pyright", "--pythonpath", sys.executable), root)
    last = text.strip().splitlines()[-1] if text.strip() else ""
    return Outcome("types", "pass" if code == 0 else "fail", last, text)


def kernels(root: Path) -> Outcome:
    """Compile every kernel of a run on a handful of rows: once here, so that no two tests wait for the same one."""
    code, text = run_tool([sys.executable, "-c", _COMPILE], root)
    return Outcome("kernels", "fail" if code else "pass", "" if code else f"{text.strip()} compiled", text)


def rooms(root: Path) -> Outcome:
    """import-linter: imports go down only, the core never touches the world."""
    code, text = run_tool(script("lint-imports"), root)
    lines = [line for line in text.splitlines() if line.startswith("Contracts:")]
    return Outcome("rooms", "pass" if code == 0 else "fail", lines[-1] if lines else "", text)


def notebooks_stripped(root: Path) -> Outcome:
    """nbstripout --verify: no outputs, no execution counts in a committed page."""
    pages = [name for name in tracked_files(root) if name.endswith(".ipynb")]
    if not pages:
        return Outcome("notebooks stripped", "pass", "no pages")
    code, text = run_tool(module("nbstripout", "--verify", *pages), root)
    note = f"{len(pages)} pages" if code == 0 else "way out: nbstripout notebooks/*.ipynb"
    return Outcome("notebooks stripped", "pass" if code == 0 else "fail", note, text)


def hooks(root: Path) -> Outcome:
    """pre-commit: the hook file is one that pre-commit accepts (each hook is one of these checks)."""
    return _plain("pre-commit", module("pre_commit", "validate-config", ".pre-commit-config.yaml"), root)


def advisories(root: Path) -> Outcome:
    """pip-audit over the lock: how many packages were really looked up, how many have a known hole."""
    command = module("pip_audit", "-r", "requirements/test.txt", "--disable-pip", "--require-hashes")
    command += ["--progress-spinner", "off", "--timeout", "10", "-f", "json"]
    code, text = run_tool(command, root, timeout_s=180.0, stderr=False)
    try:
        answers = json.loads(text)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        return Outcome("advisories", "not run", "no advisory source in reach", text)
    asked = [answer for answer in answers if "vulns" in answer]
    holes = [(a["name"], a["version"], v["id"]) for a in asked for v in a["vulns"]]
    if not asked:
        return Outcome("advisories", "not run", f"0 of {len(answers)} packages could be looked up")
    note = f"{len(asked)} of {len(answers)} packages looked up, {len(holes)} known holes"
    detail = "\n".join(" ".join(hole) for hole in holes)
    return Outcome("advisories", "fail" if holes or code else "pass", note, detail)


def code_safety(root: Path) -> Outcome:
    """bandit: no finding of high severity in our own code."""
    command = module("bandit", "-r", "mia_kernel", "widgets", "-f", "json", "-q")
    code, text = run_tool(command, root, stderr=False)
    try:
        findings = json.loads(text)["results"]
    except (json.JSONDecodeError, KeyError):
        return Outcome("code safety", "fail", f"bandit gave no answer (exit {code})", text)
    by_level = {
        level: [f for f in findings if f["issue_severity"] == level] for level in ("HIGH", "MEDIUM", "LOW")
    }
    note = ", ".join(f"{len(found)} {level.lower()}" for level, found in by_level.items())
    detail = "\n".join(f"{f['filename']}:{f['line_number']} {f['issue_text']}" for f in by_level["HIGH"])
    return Outcome("code safety", "fail" if by_level["HIGH"] else "pass", note, detail)


def bill_of_materials(root: Path) -> Outcome:
    """CycloneDX: what the workbench is made of, written to reports/sbom.json."""
    target = root / "reports" / "sbom.json"
    target.parent.mkdir(exist_ok=True)
    command = module(
        "cyclonedx_py", "requirements", "requirements/run.txt", "--of", "JSON", "-o", str(target)
    )
    code, text = run_tool(command, root)
    if code:
        return Outcome("bill of materials", "fail", "", text)
    count = len(json.loads(target.read_text(encoding="utf-8")).get("components", []))
    return Outcome(
        "bill of materials", "pass" if count else "fail", f"{count} components in reports/sbom.json"
    )


def secrets(root: Path) -> Outcome:
    """detect-secrets: nothing that looks like a secret beyond the reviewed baseline."""
    files = [name for name in tracked_files(root) if not name.startswith("requirements/")]
    command = module("detect_secrets.pre_commit_hook", "--baseline", ".secrets.baseline", *files)
    code, text = run_tool(command, root)
    return Outcome("secrets", "pass" if code == 0 else "fail", f"{len(files)} files", text)


# The two slowest first: they run beside each other and all others fit in behind them.
CHECKS: dict[str, Callable[[Path], Outcome]] = {
    "types": types,
    "kernels": kernels,
    "style": style,
    "format": layout,
    "rooms": rooms,
    "notebooks": notebooks_stripped,
    "hooks": hooks,
    "advisories": advisories,
    "safety": code_safety,
    "materials": bill_of_materials,
    "secrets": secrets,
}


def timed(check: Callable[[Path], Outcome], root: Path) -> Outcome:
    """Run one check and tell how long it took; a tool that is not installed is a failure with a way out."""
    start = time.perf_counter()
    try:
        outcome = check(root)
    except FileNotFoundError as error:
        outcome = Outcome(
            check.__name__, "fail", f"not installed: {error.filename}; way out: python -m mia_kernel test"
        )
    return Outcome(outcome.name, outcome.verdict, outcome.note, outcome.detail, time.perf_counter() - start)


def _plain(name: str, command: Sequence[str], root: Path) -> Outcome:
    code, text = run_tool(command, root)
    return Outcome(name, "pass" if code == 0 else "fail", "", text)


def _existing(root: Path) -> list[str]:
    return [name for name in PYTHON_PATHS if (root / name).exists()]
