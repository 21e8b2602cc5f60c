"""`mia test`: every check, then every test, then one table.

Without arguments all of it runs. Arguments go to pytest and then only the tests they choose run
(`mia test -m safety`, `mia test tests/unit/state -k profile`). `--check NAME` runs one check alone.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

import mia_kernel
from mia_kernel.cli import checks
from mia_kernel.cli.checks import Outcome
from mia_kernel.cli.output import print_table, stop
from mia_kernel.core.errors import InputError

WORKERS = "2"

# Budgets of time are measured with the machine to themselves; a page's cells stay together in one worker.
# Browser tests stand apart: Playwright keeps an event loop running, and nothing else of asyncio works beside it.
SUITES: dict[str, tuple[str, ...]] = {
    "tests": (
        "tests",
        "mia_kernel",
        "widgets",
        "--doctest-modules",
        "--ignore=tests/browser",
        "-m",
        "not performance",
        "-n",
        WORKERS,
        "--dist",
        "worksteal",
    ),
    "browser": ("tests/browser", "-m", "not performance", "-n", WORKERS, "--dist", "loadfile"),
    "performance": ("tests", "--ignore=tests/browser", "-m", "performance"),
    "pace": ("tests/browser", "-m", "performance"),
    "pages": ("notebooks", "--nbval-lax", "--nbval-current-env", "-n", WORKERS, "--dist", "loadfile"),
}
NO_TESTS_CHOSEN = 5


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--check", "names", multiple=True, type=click.Choice(list(checks.CHECKS)), help="only this check"
)
@click.option("--checks-only", is_flag=True, help="every check, no test")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(names: tuple[str, ...], checks_only: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run every check and every test; PYTEST_ARGUMENTS choose among the tests."""
    root = Path(mia_kernel.__file__).resolve().parent.parent
    if not (root / "tests").is_dir():
        raise InputError(
            "the tests are not installed", path=str(root), way_out="run them in a checkout of the project"
        )
    outcomes: list[Outcome] = []
    if not pytest_arguments:
        outcomes += run_checks(names or tuple(checks.CHECKS), root)
    if pytest_arguments:
        outcomes.append(run_suite("tests", pytest_arguments, root))
    elif not names and not checks_only:
        outcomes += [run_suite(name, SUITES[name], root) for name in SUITES if _has_work(name, root)]
    print_table(
        ("check", "verdict", "seconds", "note"),
        [(o.name, o.verdict, f"{o.seconds:.1f}", o.note) for o in outcomes],
    )
    failed = [o.name for o in outcomes if o.verdict == "fail"]
    if failed:
        click.echo("failed: " + ", ".join(failed))
        stop(1)
    click.echo("all good" + _not_run(outcomes))


def run_checks(names: Sequence[str], root: Path) -> list[Outcome]:
    """Run the named checks, two at a time; what a failing one said is printed when it ends."""
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(max_workers=int(WORKERS)) as pool:
        waiting = [pool.submit(checks.timed, checks.CHECKS[name], root) for name in names]
        for future in waiting:
            outcome = future.result()
            click.echo(f"{outcome.verdict:8} {outcome.name}  {outcome.note}")
            if outcome.verdict == "fail" and outcome.detail.strip():
                click.echo(_tail(outcome.detail))
            outcomes.append(outcome)
    return outcomes


def run_suite(name: str, arguments: Sequence[str], root: Path) -> Outcome:
    """Run pytest with its output on the terminal."""
    click.echo(f"--- pytest {' '.join(arguments)}")
    start = time.perf_counter()
    code = subprocess.run(checks.module("pytest", *arguments), cwd=root, check=False).returncode
    seconds = time.perf_counter() - start
    if code == NO_TESTS_CHOSEN:
        return Outcome(name, "fail", "no test was chosen", seconds=seconds)
    return Outcome(
        name, "pass" if code == 0 else "fail", "" if code == 0 else f"pytest exit {code}", seconds=seconds
    )


def _has_work(suite: str, root: Path) -> bool:
    return suite != "pages" or any((root / "notebooks").glob("*.ipynb"))


def _not_run(outcomes: Sequence[Outcome]) -> str:
    names = [o.name for o in outcomes if o.verdict == "not run"]
    return f" (not run: {', '.join(names)})" if names else ""


def _tail(text: str, most: int = 60) -> str:
    lines = text.rstrip().splitlines()
    return "\n".join(
        lines if len(lines) <= most else [f"... {len(lines) - most} lines before", *lines[-most:]]
    )
