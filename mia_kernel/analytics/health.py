"""Judge readings: green, amber or red, each with a remedy.

The readings come from `adapters/machine.py` and other probes; here is only judgment, so every threshold can
be tested without a machine. Unknown is amber, never green.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["green", "amber", "red"]
LEVELS: tuple[Level, ...] = ("green", "amber", "red")

DISK_AMBER_SHARE = 0.10
DISK_RED_SHARE = 0.05
CLOCK_AMBER_S = 0.250
CLOCK_RED_S = 1.0
CALENDAR_AMBER_DAYS = 60
ROLL_AMBER_DAYS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One judged reading; `remedy` is empty where nothing needs doing."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level of all; green where there is none."""
    worst_yet: Level = "green"
    for finding in findings:
        if LEVELS.index(finding.level) > LEVELS.index(worst_yet):
            worst_yet = finding.level
    return worst_yet


def python(version: tuple[int, int, int]) -> Finding:
    """Judge the Python that runs (3.11 and 3.12 are tested)."""
    text = ".".join(str(part) for part in version)
    if (3, 11) <= version[:2] <= (3, 12):
        return Finding("python", "green", text)
    return Finding("python", "red", text, "run with Python 3.11 or 3.12")


def packages(required: Mapping[str, str], installed: Mapping[str, str]) -> Finding:
    """Judge the environment against the lock: a missing package is red, another version amber."""
    if not required:
        return Finding("packages", "amber", "no lock beside the package to compare with", "run in a checkout")
    missing = sorted(name for name in required if name not in installed)
    other = sorted(n for n, v in required.items() if n in installed and installed[n] != v)
    remedy = "start once with `python -m mia_kernel doctor`: it installs what the lock says"
    if missing:
        return Finding("packages", "red", f"{len(missing)} of the lock are missing: {_some(missing)}", remedy)
    if other:
        named = [f"{name} {installed[name]} (lock {required[name]})" for name in other]
        return Finding("packages", "amber", f"{len(other)} differ from the lock: {_some(named)}", remedy)
    return Finding("packages", "green", f"{len(required)} as locked")


def disk(free_bytes: int, total_bytes: int) -> Finding:
    """Judge the room on the disk that holds journal and data."""
    share = free_bytes / total_bytes
    text = f"{free_bytes / 1e9:.1f} GB free ({share:.0%})"
    remedy = "make room, or move MIA_HOME to a larger disk; a full disk disarms"
    if share < DISK_RED_SHARE:
        return Finding("disk", "red", text, remedy)
    if share < DISK_AMBER_SHARE:
        return Finding("disk", "amber", text, remedy)
    return Finding("disk", "green", text)


def home(path: str, problem: str | None) -> Finding:
    """Judge whether MIA_HOME can be written; `problem` is what the attempt said, None if it worked."""
    if problem is None:
        return Finding("home", "green", f"{path} can be written")
    return Finding("home", "red", f"{path}: {problem}", "give permission, or name another folder in MIA_HOME")


def calendar(today: dt.date, last_known: dt.date | None) -> Finding:
    """Judge how far the exchange calendar reaches; a day beyond it may not trade."""
    if last_known is None:
        return Finding(
            "calendar", "red", "no exchange calendar", "reinstall: the table is part of the package"
        )
    left = (last_known - today).days
    text = f"known until {last_known}"
    remedy = "update MIA, or add the exchange's new notices to the calendar table"
    if left < 0:
        return Finding("calendar", "red", f"{text}: today is not covered", remedy)
    if left < CALENDAR_AMBER_DAYS:
        return Finding("calendar", "amber", f"{text}: {left} days left", remedy)
    return Finding("calendar", "green", text)


def session(day: dt.date | None, opens: str, closes: str, *, is_open: bool) -> Finding:
    """Tell the present or next session (New York times); None where the calendar does not reach it."""
    if day is None:
        return Finding("session", "amber", "unknown beyond the calendar", "update MIA")
    text = f"{day}, {opens} to {closes} New York, {'open' if is_open else 'closed'} now"
    return Finding("session", "green", text)


def roll(contract: str, days_left: int | None) -> Finding:
    """Judge the trading days left to the latest roll of the front contract, None where nobody knows."""
    if days_left is None:
        return Finding("roll", "amber", "unknown beyond the calendar", "update MIA")
    text = f"{contract}, {days_left} trading days to the latest roll"
    if days_left < ROLL_AMBER_DAYS:
        return Finding("roll", "amber", text, "trade the next contract; entries in this one stop soon")
    return Finding("roll", "green", text)


def catalog(days: int, verdicts: Mapping[str, int]) -> Finding:
    """Judge the stored market data by the verdicts of its files."""
    if not days:
        return Finding("catalog", "amber", "empty", "`mia import FILE...`; the synthetic market needs none")
    text = f"{days} days: " + ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
    if verdicts.get("bad") or verdicts.get("refused"):
        return Finding("catalog", "red", text, "`mia data health` names the files; import them anew")
    if verdicts.get("degraded") or verdicts.get("unknown"):
        return Finding("catalog", "amber", text, "`mia data health` names what is thin in which file")
    return Finding("catalog", "green", text)


def journal(checked: Sequence[tuple[str, bool, str]]) -> Finding:
    """Judge journals: (name, chain holds, reason) of each one checked."""
    if not checked:
        return Finding("journal", "green", "none yet")
    bad = [f"{name}: {reason}" for name, holds, reason in checked if not holds]
    if bad:
        remedy = "keep the file as evidence, restore it from a backup (`mia data backup`), do not arm"
        return Finding("journal", "red", _some(bad), remedy)
    return Finding("journal", "green", f"{len(checked)} newest verified")


def components(dead: Sequence[str], sessions: int) -> Finding:
    """Judge what the newest sessions measured: a component that never changed over them informs nobody."""
    if not dead:
        text = "none stood still" if sessions > 1 else "nothing to compare yet: it takes two sessions"
        return Finding("components", "green", text)
    return Finding(
        "components", "amber", f"dead over {sessions} sessions: {_some(dead, 6)}",
        "look at the stream it is measured on (sub-graph, depth, second symbol); its weight counts for nothing",
    )  # fmt: skip


def kernels(files: int) -> Finding:
    """Judge the cache of compiled kernels; a cold one costs the next start up to a minute."""
    if files:
        return Finding("kernels", "green", f"{files} compiled")
    return Finding("kernels", "amber", "not compiled yet", "the first replay compiles them, once")


def clock(synchronised: bool | None, newest_file_ahead_s: float) -> Finding:
    """Judge the wall clock: a time service keeps it, and no file of ours comes from the future."""
    remedy = "let a time service set the clock (chrony, systemd-timesyncd, Windows Time)"
    if newest_file_ahead_s > CLOCK_RED_S:
        return Finding(
            "clock", "red", f"{newest_file_ahead_s:.0f} s behind the newest file in MIA_HOME", remedy
        )
    if synchronised is None:
        return Finding("clock", "amber", "nobody here can tell whether it is synchronised", remedy)
    if not synchronised:
        return Finding("clock", "red", "not synchronised", remedy)
    return Finding("clock", "green", "synchronised")


def zones(missing: Sequence[str]) -> Finding:
    """Judge the zone data that sessions are computed from."""
    if missing:
        return Finding("time zones", "red", "missing: " + ", ".join(missing), "install the package tzdata")
    return Finding("time zones", "green", "New York and Chicago known")


def secrets(leaks: Sequence[str], open_files: Sequence[str]) -> Finding:
    """Judge where secrets were found: a leak is red, a readable `.env` amber."""
    if leaks:
        return Finding("secrets", "red", "found in " + _some(leaks), "remove it there and renew the secret")
    if open_files:
        return Finding("secrets", "amber", "others may read " + _some(open_files), "chmod 600 on it")
    return Finding("secrets", "green", "in no file of ours")


def settings(problem: str | None, settings_id: str) -> Finding:
    """Judge the effective settings; `problem` is why they were refused, None if they were not."""
    if problem is None:
        return Finding("settings", "green", f"valid, id {settings_id[:16]}")
    return Finding("settings", "red", problem, "`mia config check` after correcting it")


def _some(names: Sequence[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
