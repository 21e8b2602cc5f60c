"""`mia doctor`: probe this machine, judge, name a remedy for each thing that is not green."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import click
import numpy as np
from pydantic import SecretStr

from mia_kernel.adapters import journal_reader, machine
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.analytics import health
from mia_kernel.analytics.distribution import Part, dead
from mia_kernel.analytics.health import Finding
from mia_kernel.cli.doctor_services import services
from mia_kernel.cli.output import json_option, print_table, stop, write_json
from mia_kernel.core.calendar_table import FIRST_DAY, LAST_DAY
from mia_kernel.core.contract import calendar_front, forced_roll_day
from mia_kernel.core.errors import MiaError
from mia_kernel.core.session import is_open, sessions, trading_days_between
from mia_kernel.core.session_table import NEW_YORK, date_of, day_number
from mia_kernel.settings import PROJECT, Loaded, load, settings_id

NEWEST_JOURNALS = 3
LOOK_BACK_NS = 5 * 86_400 * 10**9
"""Two sessions, over a weekend and a holiday."""


@click.command()
@json_option
def doctor(json_path: str | None) -> None:
    """Health of environment, data, disk, clock and running parts: green, amber or red, with a remedy each.

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
    return [*findings, *(probe(loaded) for probe in PROBES), *services(loaded.settings)]


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


def _components(loaded: Loaded) -> Finding:
    """Look at the last days of the newest journals; one that cannot be read is told by the journals' own probe."""
    parts: list[Part] = []
    for path in loaded.settings.journals()[:NEWEST_JOURNALS]:
        with suppress(MiaError), journal_reader.JournalReader(path) as reader:
            last = reader.tail(1)
            if last:
                found = reader.columns(last[0].ts_event - LOOK_BACK_NS)
                parts.append((reader.names, found["ts_event"], found["value"], found["status"]))
    return health.components(*dead(parts))


def _kernels(_: Loaded) -> Finding:
    from mia_kernel.core.kernel import compiled  # late: it loads the compiler

    return health.kernels(compiled())


def _secrets(loaded: Loaded) -> Finding:
    values = [getattr(loaded.settings.secrets, name) for name in type(loaded.settings.secrets).model_fields]
    texts = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    settings = loaded.settings
    places = [settings.journal_folder, settings.reports_folder, PROJECT / "notebooks", PROJECT / "docs"]
    return health.secrets(machine.files_with(texts, places), machine.readable_by_others([PROJECT / ".env"]))


def _calendar(_: Loaded) -> Finding:
    return health.calendar(_today(), date_of(LAST_DAY))


def _session(_: Loaded) -> Finding:
    now = time.time_ns()
    table = sessions()
    at = int(np.searchsorted(table["close_ns"], now, side="right"))
    if at == len(table):
        return health.session(None, "", "", is_open=False)
    row = table[at]
    hours = [_new_york(int(row[field])) for field in ("open_ns", "close_ns")]
    return health.session(date_of(int(row["trading_day"])), *hours, is_open=is_open(now))


def _roll(_: Loaded) -> Finding:
    today = _today()
    if not _is_covered(today):
        return health.roll("ES", None)
    day = day_number(today)
    front = calendar_front("ES", day)
    return health.roll(front.code, trading_days_between(day, forced_roll_day(front)))


def _catalog(loaded: Loaded) -> Finding:
    # A day is as good as its busiest series: a few prints of a far contract do not spoil it.
    busiest: dict[tuple[str, int], tuple[int, str]] = {}
    for stored in Catalog(loaded.settings.data_folder).stored():
        key = (stored.segment.symbol, stored.segment.day)
        busiest[key] = max(busiest.get(key, (-1, "")), (stored.segment.volume, str(stored.verdict["grade"])))
    return health.catalog(len({day for _, day in busiest}), Counter(grade for _, grade in busiest.values()))


def _today() -> dt.date:
    return dt.datetime.now(NEW_YORK).date()


def _is_covered(day: dt.date) -> bool:
    return date_of(FIRST_DAY) <= day <= date_of(LAST_DAY)


def _new_york(ns: int) -> str:
    return f"{dt.datetime.fromtimestamp(ns / 1e9, NEW_YORK):%a %H:%M}"


PROBES: tuple[Callable[[Loaded], Finding], ...] = (
    _home,
    _disk,
    _clock,
    _calendar,
    _session,
    _roll,
    _catalog,
    _journal,
    _components,
    _kernels,
    _secrets,
)
