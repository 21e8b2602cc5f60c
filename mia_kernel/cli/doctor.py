"""`mia doctor`: probe this machine, judge, name a remedy for each thing that is not green."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
from pydantic import SecretStr

from mia_kernel.adapters import journal_reader, machine
from mia_kernel.analytics import health
from mia_kernel.analytics.health import Finding
from mia_kernel.cli.output import json_option, print_table, stop, write_json
from mia_kernel.core.errors import MiaError
from mia_kernel.settings import PROJECT, Loaded, load, settings_id

NEWEST_JOURNALS = 3


@click.command()
@json_option
def doctor(json_path: str | None) -> None:
    """Health of environment, data, disk and clock: green, amber or red, with a remedy each.

    Exit code 1 where anything is red.
    """
    findings = examine()
    worst = health.worst(findings)
    if json_path:
        write_json(json_path, {"verdict": worst, "findings": findings})
    if json_path != "-":
        print_table(
            ("", "what", "found", "remedy"), [(f.level.upper(), f.name, f.text, f.remedy) for f in findings]
        )
        click.echo(f"overall {worst.upper()}")
    if worst == "red":
        stop(1)


def examine() -> list[Finding]:
    """Return every finding; a probe that needs settings is left out where the settings are refused."""
    findings = [
        health.python(sys.version_info[:3]),
        health.packages(
            machine.locked_packages(PROJECT / "requirements" / "run.txt"), machine.installed_packages()
        ),
        health.zones(machine.missing_zones()),
    ]
    try:
        loaded = load()
    except MiaError as error:
        return [*findings, health.settings(str(error), "")]
    findings.append(health.settings(None, settings_id(loaded.settings)))
    return findings + [probe(loaded) for probe in PROBES]


def _home(loaded: Loaded) -> Finding:
    home = loaded.settings.home
    return health.home(str(home), machine.write_problem(home))


def _disk(loaded: Loaded) -> Finding:
    return health.disk(*machine.disk(loaded.settings.data_folder))


def _clock(loaded: Loaded) -> Finding:
    ours = [loaded.settings.journal_folder, loaded.settings.reports_folder]
    return health.clock(machine.clock_synchronised(), machine.newest_ahead_s(ours))


def _journal(loaded: Loaded) -> Finding:
    checked: list[tuple[str, bool, str]] = []
    for path in loaded.settings.journals()[:NEWEST_JOURNALS]:
        answer = journal_reader.verify(path)
        checked.append((path.name, answer.ok, answer.reason))
    return health.journal(checked)


def _kernels(_: Loaded) -> Finding:
    from mia_kernel.state.kernel import cache_folder  # late: it loads the compiler

    return health.kernels(machine.compiled_kernels(cache_folder(Path(sys.prefix) / "mia-kernels")))


def _secrets(loaded: Loaded) -> Finding:
    values = [getattr(loaded.settings.secrets, name) for name in type(loaded.settings.secrets).model_fields]
    texts = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    settings = loaded.settings
    places = [settings.journal_folder, settings.reports_folder, PROJECT / "notebooks", PROJECT / "docs"]
    return health.secrets(machine.files_with(texts, places), machine.readable_by_others([PROJECT / ".env"]))


PROBES: tuple[Callable[[Loaded], Finding], ...] = (_home, _disk, _clock, _journal, _kernels, _secrets)
