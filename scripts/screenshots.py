"""Take the pictures of the README from the running product: a synthetic day, played; the page, looked at.

    python scripts/screenshots.py [--source URI] [--from HH:MM] [--out FOLDER]

Starts what `mia lab` starts (guardian, dry-run loop, alert watch) and the monitor page in a temporary MIA_HOME, opens
the page in the Chromium of this machine and writes small PNGs into docs/pictures. The market is SYNTHETIC and says so
in every picture.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mia_kernel.adapters.papermill_report import find_chromium  # noqa: E402
from tests.browser.desk import page_server, until  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
MOST_BYTES = 350_000
FRAMES = "Number(document.querySelector('.mia-console')?.dataset.frames || 0)"
LIVES = f"{FRAMES} > 12 && document.querySelector('.mia-decision').dataset.sequence > ''"
CLOCK = "document.querySelector('.mia-decision .time').textContent"
CALM_S = 20.0
"""Waited after the market's clock has come to `--from`: what ran fast on the way there is not what a trader sees."""
SPEED = "4"
SHOTS = (
    ("console_dark", "dark", (1380, 862), ""),
    ("console_light", "light", (1380, 862), ""),
    ("arming", "dark", (1380, 862), "a"),
    ("monitor_phone", "dark", (390, 844), ""),
    ("monitor_machine", "dark", (1380, 862), "End"),
)


def main() -> int:
    """Write every picture; 1 if one is larger than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="synthetic:7")
    parser.add_argument("--from", dest="start", default="11:15", metavar="HH:MM")
    parser.add_argument("--out", type=Path, default=PICTURES)
    given = parser.parse_args()
    given.out.mkdir(exist_ok=True)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with (
        tempfile.TemporaryDirectory() as folder,
        desk_of(Path(folder), given.source, given.start),
        page_server(Path(folder)) as address,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"] if root else [])
        wait_for(browser, address, given.start)
        large = [
            name
            for name, *how in SHOTS
            if shoot(browser, address, given.out / f"{name}.png", *how) > MOST_BYTES
        ]
        browser.close()
    for name in large:
        print(f"{name}.png is larger than {MOST_BYTES} bytes", file=sys.stderr)
    return 1 if large else 0


@contextlib.contextmanager
def desk_of(home: Path, source: str, start: str) -> Iterator[None]:
    """Run guardian, dry-run loop and alert watch; end them at once, nobody waits for the parity of a picture."""
    environment = {**os.environ, "MIA_HOME": str(home), "PYTHONPATH": str(ROOT)}
    loop = [
        "mia_kernel",
        "run",
        "--dry-run",
        "--headless",
        "--source",
        source,
        "--from",
        start,
        "--speed",
        SPEED,
    ]
    programs = [
        ["mia_kernel.guardian", "--home", str(home), "--mode", "dry-run"],
        loop,
        ["mia_kernel", "alerts", "watch"],
    ]
    with (home / "words.log").open("wb") as out:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", *words], env=environment, cwd=ROOT, stdout=out, stderr=out
            )
            for words in programs
        ]
        try:
            yield
        finally:
            for process in reversed(started):
                process.kill()
                process.wait()


def wait_for(browser: Any, address: str, start: str) -> None:
    """Wait until the market shown has come to the time of day that was asked for."""
    page = browser.new_page()
    page.goto(address)
    until(page, f"{LIVES} && {CLOCK} >= '{start}' && {CLOCK} < '17'", 300)
    page.close()
    time.sleep(CALM_S)


def shoot(browser: Any, address: str, path: Path, scheme: str, size: tuple[int, int], key: str) -> int:
    """Take one picture; return its size in bytes."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.goto(address)
    until(page, LIVES, 180)
    if key == "a":  # a dry-run begins armed
        page.locator(".mia-strip .disarm").click()
        until(page, "!document.querySelector('.mia-strip button.arm').disabled", 20)
    if key:
        page.keyboard.press(key)
        time.sleep(1.5 if key == "End" else 0.3)
    page.screenshot(path=path)
    page.close()
    print(f"{path.name}: {path.stat().st_size} bytes")
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
