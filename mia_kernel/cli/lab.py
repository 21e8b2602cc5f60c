"""`mia lab` and `mia monitor`: the desk in JupyterLab with a living market behind it, and the monitor page alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from mia_kernel.adapters.bus import ENGINE, GUARDIAN, find
from mia_kernel.adapters.http import LOOPBACK, loopback_socket, serve
from mia_kernel.adapters.jupyter_proxy import server_entry
from mia_kernel.core.errors import OutsideError
from mia_kernel.settings import load

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PAGE = "08_live_desk.ipynb"
GUARDIAN_S = 30.0
END_S = 20.0


@click.command()
@click.option(
    "--source", default="synthetic:", show_default=True, metavar="URI", help="market of the dry-run"
)
@click.option("--speed", default="1", show_default=True, metavar="N", help="event seconds per second")
@click.option("--port", type=int, default=0, help="port of JupyterLab (default: one the system gives)")
@click.option("--no-browser", is_flag=True, help="only print the address")
def lab(source: str, speed: str, port: int, no_browser: bool) -> None:
    """Open JupyterLab on the live desk; starts a dry-run loop if none runs, and ends what it started."""
    home = load().settings.home
    signal.signal(signal.SIGTERM, _end_in_order)
    with dry_run_loop(home, source, speed):
        click.echo(f"loop    log in {home / 'run' / 'loop.log'}", err=True)
        command = jupyter_command(home, port, browser=not no_browser)
        server = subprocess.Popen(command, env={**os.environ, "MIA_HOME": str(home)})
        try:
            server.wait()
        except KeyboardInterrupt:
            server.wait(END_S)  # JupyterLab got the same Ctrl-C and asks on its own
        finally:
            _end(server)


def _end_in_order(number: int, frame: object) -> None:
    """A polite kill ends what was started too: an orphaned loop would go on trading in simulation unseen."""
    raise SystemExit(128 + number)


def jupyter_command(home: Path, port: int, *, browser: bool) -> list[str]:
    """Return the command that serves the notebooks with the desk server behind `<base>/mia/`."""
    return [
        *(sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={NOTEBOOKS}"),
        *(f"--LabApp.default_url=/lab/tree/{PAGE}", f"--ServerApp.ip={LOOPBACK}", f"--port={port}"),
        f"--ServerProxy.servers={ {'mia': server_entry(home)}!r}",
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


@contextlib.contextmanager
def dry_run_loop(home: Path, source: str, speed: str) -> Iterator[None]:
    """Have a guardian and a dry-run loop in `home` for as long as the context lasts; those that run stay."""
    started: list[subprocess.Popen[bytes]] = []
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if not _runs(home, GUARDIAN):
            started.append(
                _start(["guardian", "--home", str(home), "--mode", "dry-run"], folder / "guardian.log", home)
            )
            _wait_for(home, started[-1], folder / "guardian.log")
        if not _runs(home, ENGINE):
            words = ["run", "--dry-run", "--headless", "--source", source, "--speed", speed]
            started.append(_start(words, folder / "loop.log", home))
        yield
    finally:
        for process in reversed(started):
            _end(process)


def _start(words: list[str], log: Path, home: Path) -> subprocess.Popen[bytes]:
    module = ["mia_kernel.guardian", *words[1:]] if words[0] == "guardian" else ["mia_kernel", *words]
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            env={**os.environ, "MIA_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C in the terminal is JupyterLab's; the loop is ended in order
        )


def _runs(home: Path, name: str) -> bool:
    said = find(home, name)
    return said is not None and said.alive


def _wait_for(home: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + GUARDIAN_S
    while not _runs(home, GUARDIAN):
        if process.poll() is not None or time.monotonic() > until:
            raise OutsideError(f"the guardian did not start; its words are in {log}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@click.command()
@click.option("--port", type=int, default=0, help="loopback port (default: one the system gives)")
def monitor(port: int) -> None:
    """Serve the monitor page, frames and Prometheus figures of this MIA_HOME; the address is printed once."""
    home = load().settings.home
    token = os.environ.get("MIA_DESK_TOKEN") or secrets.token_urlsafe(24)
    bound = loopback_socket(port)
    click.echo(f"http://{LOOPBACK}:{bound.getsockname()[1]}/?token={token}")
    serve(home, bound, token)
