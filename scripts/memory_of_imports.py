"""Import every file of a folder by itself and tell what it took.

    python scripts/memory_of_imports.py FOLDER [LEAST_KB]

Each file is imported by `mia import` in a process of its own into an empty MIA_HOME; the figure is the largest resident
size of that process as the system counts it. Prints a row per file, the largest first; exit 1 if one is over 500 MB.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

MOST_MB = 500
ZONES = {
    "nq_ticks/": "Europe/Madrid",
    "es_nq_1min_2026/": "America/Chicago",
    "es_ticks_sierra_dom/": "UTC",
    "es_nq_5min_tradingview/": "UTC",
    "sierra/ES_intraday_export": "UTC",
    "20250916_raw/": "UTC",
}
"""What the README of the real data says of files that do not prove their zone, by the beginning of their place."""
SYMBOLS = {"20250905_clean": "ES"}


def imported(file: Path) -> tuple[int, float, float]:
    """Return exit code, largest resident MB and processor seconds of one import."""
    with tempfile.TemporaryDirectory() as home:
        words = [sys.executable, "-m", "mia_kernel", "import", str(file)]
        place = f"{file.parent.name}/{file.name}"
        for begin, zone in ZONES.items():
            words += ["--tz", zone] if place.startswith(begin) else []
        if symbol := SYMBOLS.get(file.parent.name):
            words += ["--symbol", symbol]
        quiet = os.open(os.devnull, os.O_WRONLY)
        child = os.posix_spawn(
            sys.executable, words, {**os.environ, "MIA_HOME": home},
            file_actions=[(os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)],
        )  # fmt: skip
        os.close(quiet)
        _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), used.ru_maxrss / 1024, used.ru_utime + used.ru_stime


def main() -> int:
    """Import every file of at least LEAST_KB and print what each took."""
    folder, least = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    files = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size >= least * 1024]
    taken = [(*imported(file), file) for file in sorted(files, key=lambda file: -file.stat().st_size)]
    for code, mb, seconds, file in sorted(taken, key=lambda row: -row[1]):
        print(f"{mb:6.0f} MB  {seconds:6.1f} s  exit {code}  {file.relative_to(folder)}")
    return int(max(mb for _, mb, _, _ in taken) > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())
