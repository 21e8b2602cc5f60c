"""`mia lab` and `mia monitor`: the desk in JupyterLab with a living market behind it, and the monitor page alone."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mia_kernel.adapters import logs
from mia_kernel.adapters.bus import ENGINE, GUARDIAN, find, guardian
from mia_kernel.adapters.http import LOOPBACK, loopback_socket, serve
from mia_kernel.adapters.jupyter_proxy import server_entry
from mia_kernel.adapters.jupyter_start import begin, without_grammar
from mia_kernel.adapters.messages import GuardianStatus, Status
from mia_kernel.cli.compiling import WORDS
from mia_kernel.core.errors import MiaError
from mia_kernel.settings import load

log = logging.getLogger("mia.lab")

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PAGE = "08_live_desk.ipynb"
STATIC = NOTEBOOKS.parent / "widgets" / "static"
DESK = "/mia/state"
"""A page of the desk server behind JupyterLab's proxy: asking for it starts the server."""
CONSOLE_PX = 860
SYNTHETIC_FROM = "10:00"
"""Half an hour after the cash open: the overnight session is taken at full speed, then the market lives."""
ADDRESS = re.compile(r"https?://\S+[?&]token=\S+")
OPEN = "desk    {address}\n        Ctrl-C ends it; JupyterLab's own words are in {log}"
JUPYTER_LOG = "jupyter.log"
END_S = 20.0
LOOK_S = 1.0
ANSWER_S = 2.0
DRY_RUN = "dry-run"
LOOP_END_S = 180.0
"""A loop that ends seals its record and replays it for the parity check."""
AWAITED = (
    "loop    none is started: a guardian runs ({mode}), and the desk waits for the loop of its `mia run`"
)
STARTS = "loop    {source} starts: it reads and warms up first (a first start also compiles); log in {log}"
STARTS_PLAIN = """\
loop    {source} starts; log in {log}
        while the engine has to be compiled it runs in plain Python, and how far that is is told here"""
PLAIN, PLAIN_SPEED = "plain", 10.0
ENDED = "ended   {what} with code {code}; its words are in MIA_HOME/run and MIA_HOME/logs"
ENDS = """\
ending  the loop seals its record, replays it for the parity check and writes the page of the day
        Ctrl-C again leaves at once: record and journal stay, parity and page are then left out"""
LEFT = "left    without the parity check and the page of the day; `mia report daily` writes the page later"
LAST_WORDS = ("parity", "report")
LEAVE_S = 2.0
"""What a process gets to end after the second Ctrl-C."""


@click.command()
@click.option(
    "--source", default="synthetic:", show_default=True, metavar="URI", help="market of the dry-run"
)
@click.option("--speed", default="1", show_default=True, metavar="N", help="event seconds per second")
@click.option(
    "--from",
    "start",
    metavar="HH:MM",
    help=f"where the pace begins (default for synthetic: {SYNTHETIC_FROM})",
)
@click.option(
    "--weights", metavar="NAME", help="weights of the confluence; `bars` for a source without a book"
)
@click.option("--port", type=int, default=0, help="port of JupyterLab (default: one the system gives)")
@click.option("--no-browser", is_flag=True, help="only print the address")
def lab(source: str, speed: str, start: str | None, weights: str | None, port: int, no_browser: bool) -> None:
    """Open JupyterLab on the live desk; starts a dry-run loop if none runs, and ends what it started.

    Pages are copies in MIA_HOME/lab: yours to change; one you have not changed follows this version.
    """
    home = load().settings.home
    signal.signal(signal.SIGTERM, _end_in_order)
    logs.start(home, "lab", logs.environment_secrets())
    log.info("started", extra={"source": source})
    if start is None and source.startswith("synthetic:"):
        start = SYNTHETIC_FROM
    with dry_run_loop(home, source, speed, start, weights) as started:
        folder = laid_out(home)
        command = jupyter_command(home, port, browser=not no_browser)
        server = _start_jupyter(command, folder, home)
        try:
            attend(server, started)
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                server.wait(END_S)  # JupyterLab got the same Ctrl-C
        finally:
            _end(server, END_S)


def laid_out(home: Path) -> Path:
    """Return the folder of the person's pages, the live desk among them laid out."""
    without_grammar()
    from mia_kernel.adapters.workbook import copies

    drawn_by = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(STATIC.iterdir())))
    return copies(NOTEBOOKS, home, PAGE, _console, drawn_by.hexdigest())


def _console() -> Any:
    # Late: no other command needs the drawing libraries, and this one only where the page is written anew.
    from widgets.live import Console

    return Console(height=CONSOLE_PX, in_view=True)


def _start_jupyter(command: list[str], folder: Path, home: Path) -> subprocess.Popen[bytes]:
    """Start JupyterLab; its many words go into a file, its address to the terminal."""
    server = subprocess.Popen(
        command,
        env={**os.environ, "MIA_HOME": str(home)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    words = home / "run" / JUPYTER_LOG
    threading.Thread(target=_pass_on, args=(server, words), name="mia-jupyter-words", daemon=True).start()
    return server


def _pass_on(server: subprocess.Popen[bytes], words: Path) -> None:
    told = False
    with words.open("ab") as out:
        for line in server.stdout or ():
            out.write(line)
            out.flush()
            found = None if told else ADDRESS.search(line.decode("utf-8", "replace"))
            if found is not None:
                told = True
                click.echo(OPEN.format(address=found.group(), log=words), err=True)
                asks = (found.group(), PAGE, DESK, lambda: server.poll() is None)
                threading.Thread(target=begin, args=asks, name="mia-begin", daemon=True).start()


def _module_of(process: subprocess.Popen[bytes]) -> str:
    command = process.args
    return " ".join(map(str, command[2:4])) if isinstance(command, list | tuple) else str(command)


def attend(server: subprocess.Popen[bytes], started: list[subprocess.Popen[bytes]]) -> None:
    """Wait for JupyterLab to end; tell once of each process beside it that ended on its own."""
    gone: set[int] = set()
    while server.poll() is None:
        for process in started:
            if process.poll() is not None and process.pid not in gone:
                gone.add(process.pid)
                told = ENDED.format(code=process.returncode, what=_module_of(process))
                click.echo(told, err=True)
                log.warning(told)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(LOOK_S)


def _end_in_order(number: int, frame: object) -> None:
    """A polite kill ends what was started too: an orphaned loop would go on trading in simulation unseen."""
    raise SystemExit(128 + number)


def jupyter_command(home: Path, port: int, *, browser: bool) -> list[str]:
    """Return the command that serves the person's pages with the desk server behind `<base>/mia/`."""
    from mia_kernel.adapters.workbook import FOLDER, WORKSPACE, workspace

    spaces, defaults = workspace(home, PAGE)
    # The installed package has an entry in the launcher already, for a JupyterLab that was started without us.
    entry = server_entry(home) | {"launcher_entry": {"enabled": False}}
    return [
        *(sys.executable, "-m", "mia_kernel.adapters.jupyter_start", f"--ServerApp.root_dir={home / FOLDER}"),
        # With the page named, a second tab shows it too: JupyterLab gives that tab an empty workspace of its own.
        f"--LabApp.default_url=/lab/workspaces/{WORKSPACE}/tree/{PAGE}",
        *(f"--ServerApp.ip={LOOPBACK}", f"--port={port}"),
        *(f"--LabApp.workspaces_dir={spaces}", f"--LabApp.app_settings_dir={defaults}"),
        f"--ServerProxy.servers={ {'mia': entry}!r}",
        *("--ServerApp.answer_yes=True", "--LabApp.extension_manager=readonly"),
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


@contextlib.contextmanager
def dry_run_loop(
    home: Path, source: str, speed: str, start: str | None = None, weights: str | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Have a guardian and a dry-run loop in `home` for as long as the context lasts; those that run stay."""
    started: list[subprocess.Popen[bytes]] = []
    over = threading.Event()
    folder = home / "run"
    words_of_loop = folder / "loop.log"
    before = words_of_loop.stat().st_size if words_of_loop.exists() else 0
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if not _runs(home, GUARDIAN):
            started.append(
                _start(["guardian", "--home", str(home), "--mode", "dry-run"], folder / "guardian.log", home)
            )
        awaited = None if _runs(home, ENGINE) or started else _serves(home)
        if awaited is not None:
            click.echo(AWAITED.format(mode=awaited), err=True)
        elif not _runs(home, ENGINE):
            words = ["--source", source, "--speed", speed]
            words += ["--from", start] if start else []
            words += ["--weights", weights] if weights else []
            command = [PLAIN] if may_go_plain(source, speed, start) else ["run", "--dry-run", "--headless"]
            started.append(_start(command + words, words_of_loop, home))
            started.append(_start(["alerts", "watch"], folder / "alerts.log", home))
            said = STARTS_PLAIN if command == [PLAIN] else STARTS
            click.echo(said.format(source=source, log=words_of_loop), err=True)
            asks = (words_of_loop, before, over)
            threading.Thread(target=_pass_on_compiling, args=asks, name="mia-loop-words", daemon=True).start()
        yield started
    finally:
        over.set()
        if started:
            click.echo(ENDS, err=True)
            click.echo(_last_words(words_of_loop, before) if _end_all(started) else LEFT, err=True)


def may_go_plain(source: str, speed: str, start: str | None) -> bool:
    """Return whether the loop may begin in plain Python, should it have to compile (`cli/plain` looks).

    Plain Python takes three thousand rows a second, the SYNTHETIC market brings 8 to 15 in the cash session; another
    source may bring any number, and its reading is compiled anyway.
    """
    slow = speed.replace(".", "", 1).isdigit() and float(speed) <= PLAIN_SPEED
    return source.startswith("synthetic:") and start is not None and slow


def _serves(home: Path) -> str | None:
    """Return the mode of a guardian that guards a broker's account, None for one of dry-runs or none at all.

    Its loop takes a minute to warm up: a dry-run started beside it would show another market in its place. A guardian
    that does not answer counts as one that does.
    """
    if not _runs(home, GUARDIAN):
        return None
    try:
        with guardian(home) as client:
            said = client.ask(Status(), ANSWER_S)
    except MiaError:
        return "it does not say for which account"
    mode = said.mode if isinstance(said, GuardianStatus) else "it does not say for which account"
    return None if mode == DRY_RUN else mode


def _pass_on_compiling(words: Path, at: int, over: threading.Event) -> None:
    """Say in this terminal how far the loop's compiling is: a first one takes minutes."""
    while not over.wait(LOOK_S):
        with words.open("rb") as said:
            said.seek(at)
            text = said.read()
        whole = text.rpartition(b"\n")[0]
        at += len(whole) + 1 if whole else 0
        for line in whole.decode("utf-8", "replace").splitlines():
            if line.startswith(WORDS):
                click.echo(f"loop    {line}", err=True)


def _start(words: list[str], log: Path, home: Path) -> subprocess.Popen[bytes]:
    begins = {GUARDIAN: ["mia_kernel.guardian"], PLAIN: ["mia_kernel.cli.plain", str(os.getpid())]}
    module = [*begins[words[0]], *words[1:]] if words[0] in begins else ["mia_kernel", *words]
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


def _end_all(started: list[subprocess.Popen[bytes]]) -> bool:
    """End processes, the last one first; False where a second Ctrl-C cut it short."""
    patient = True
    for process in reversed(started):
        patient = _end(process, LOOP_END_S if patient else LEAVE_S) and patient
    return patient


def _end(process: subprocess.Popen[bytes], wait_s: float) -> bool:
    """Ask a process to end and let it finish its work; False where a second Ctrl-C did not wait."""
    if process.poll() is not None:
        return True
    process.terminate()
    try:
        process.wait(wait_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
        process.kill()
        process.wait()
        return not isinstance(error, KeyboardInterrupt)
    return True


def _last_words(log: Path, before: int) -> str:
    """Return what the loop said at its end: parity and where the page lies."""
    if not log.exists():
        return "ended"
    with log.open("rb") as said:
        said.seek(before)
        lines = said.read().decode("utf-8", "replace").splitlines()
    return "\n".join(["ended", *(line for line in lines if line.startswith(LAST_WORDS))])


@click.command()
@click.option("--port", type=int, default=0, help="loopback port (default: one the system gives)")
def monitor(port: int) -> None:
    """Serve the monitor page, frames and Prometheus figures of this MIA_HOME; the address is printed once."""
    home = load().settings.home
    token = os.environ.get("MIA_DESK_TOKEN") or secrets.token_urlsafe(24)
    bound = loopback_socket(port)
    click.echo(f"http://{LOOPBACK}:{bound.getsockname()[1]}/?token={token}")
    serve(home, bound, token)
    click.echo("stopped")
