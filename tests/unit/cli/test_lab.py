"""`mia lab`: what it starts it ends, what runs already it leaves alone."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel
from nbformat.sign import NotebookNotary

from mia_kernel.adapters.bus import announce
from mia_kernel.adapters.workbook import STATE, VIEW, copies, workspace
from mia_kernel.cli import lab
from widgets import Console

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def own_signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))


def test_what_runs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path, "guardian", {"control": 1}, "t")
    announce(tmp_path, "engine", {"frames": 2}, "t")
    monkeypatch.setattr(lab, "_start", lambda *_: pytest.fail("something was started"))
    with lab.dry_run_loop(tmp_path, "synthetic:", "1"):
        pass


def test_beside_a_guardian_of_an_account_no_dry_run_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(tmp_path, "guardian", {"control": 1}, "t")
    monkeypatch.setattr(lab, "ANSWER_S", 0.1)
    monkeypatch.setattr(lab, "_start", lambda *_: pytest.fail("something was started"))
    with lab.dry_run_loop(tmp_path, "synthetic:", "1") as started:
        assert started == []  # nobody answers at that port: it may guard an account
    assert "waits for the loop of its `mia run`" in capsys.readouterr().err


def test_a_loop_that_compiles_is_told_in_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "LOOK_S", 0.01)
    words = tmp_path / "loop.log"
    words.write_bytes(
        b"compiled of yesterday\ncompiling the engine\nread 3 rows\ncompiled in 3 s\ncompiled: the loop goes on\nha"
    )
    over = threading.Event()
    threading.Timer(0.3, over.set).start()
    lab._pass_on_compiling(words, len("compiled of yesterday\n"), over)
    assert capsys.readouterr().err.splitlines() == [
        "loop    compiling the engine", "loop    compiled in 3 s", "loop    compiled: the loop goes on",
    ]  # fmt: skip


def test_what_was_started_is_ended_in_reverse_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Process:
        def __init__(self, name: str) -> None:
            self.name = name

        def poll(self) -> None:
            return None

        def terminate(self) -> None:
            told.append(f"end {self.name}")

        def wait(self, seconds: float | None = None) -> int:
            return 0

    def start(words: list[str], log: Path, home: Path) -> Process:
        told.append(f"start {words[0]}")
        return Process(words[0])

    monkeypatch.setattr(lab, "_start", start)
    with pytest.raises(SystemExit), lab.dry_run_loop(tmp_path, "synthetic:", "1"):
        lab._end_in_order(15, None)
    assert told == ["start guardian", "start run", "start alerts", "end alerts", "end run", "end guardian"]


@pytest.mark.parametrize(
    ("source", "speed", "start", "may"),
    [
        ("synthetic:", "1", "10:00", True),
        ("synthetic:7", "2.5", "10:00", True),
        ("synthetic:", "1", None, False),
        ("synthetic:", "max", "10:00", False),
        ("synthetic:", "60", "10:00", False),
        ("day.scid", "1", "10:00", False),
    ],
)
def test_only_a_market_that_is_made_here_and_slow_may_begin_in_plain_python(
    source: str, speed: str, start: str | None, may: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab.may_go_plain(source, speed, start) is may
    begun: list[list[str]] = []

    def start_one(words: list[str], log: Path, home: Path) -> Any:
        begun.append(words)
        raise SystemExit

    monkeypatch.setattr(lab, "_start", start_one)
    monkeypatch.setattr(lab, "_runs", lambda home, name: name == lab.GUARDIAN)
    monkeypatch.setattr(lab, "_serves", lambda home: None)
    with pytest.raises(SystemExit), lab.dry_run_loop(tmp_path, source, speed, start):
        raise AssertionError("unreachable")
    assert begun[0][0] == (lab.PLAIN if may else "run")
    assert begun[0][-2:] == (["--from", start] if start else ["--speed", speed])


def test_jupyter_is_loopback_only_and_has_the_desk_server_behind_it(tmp_path: Path) -> None:
    command = lab.jupyter_command(tmp_path, 0, browser=False)
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--no-browser" in command
    assert any(word.endswith(f"/tree/{lab.PAGE}") for word in command), "a second tab would show no desk"
    proxied = next(word for word in command if word.startswith("--ServerProxy.servers="))
    assert "mia_kernel.adapters.http" in proxied
    assert str(tmp_path) in proxied
    if os.name == "posix":
        assert "unix_socket" in proxied


def test_the_pages_are_copies_that_follow_the_version_until_they_are_changed(tmp_path: Path) -> None:
    pages, home = tmp_path / "pages", tmp_path / "home"
    pages.mkdir()
    for name in ("00_tour.ipynb", lab.PAGE):
        (pages / name).write_text((lab.NOTEBOOKS / name).read_text("utf-8"), "utf-8")
    console = Console(height=700)
    folder = copies(pages, home, lab.PAGE, lambda: console)
    desk = nbformat.read(folder / lab.PAGE, 4)
    shown = [cell.outputs[0].data[VIEW]["model_id"] for cell in desk.cells if cell.get("outputs")]
    assert shown == [console.model_id]
    assert desk.metadata["widgets"][STATE]["state"][console.model_id]["state"]["height"] == 700
    assert NotebookNotary().check_signature(desk), "a page that is not trusted shows no widget"
    assert desk.metadata["language_info"] == IPythonKernel.language_info, "JupyterLab would call it unsaved"
    tour = (folder / "00_tour.ipynb").read_text("utf-8").replace('"source": [', '"source": [\n "# mine",', 1)
    (folder / "00_tour.ipynb").write_text(tour, "utf-8")
    desk.cells[-1]["outputs"] = [nbformat.v4.new_output("stream", text="saved by JupyterLab")]
    nbformat.write(desk, folder / lab.PAGE)
    changed = (pages / lab.PAGE).read_text("utf-8").replace("# Live desk", "# The live desk")
    (pages / lab.PAGE).write_text(changed, "utf-8")
    copies(pages, home, lab.PAGE, Console)
    copies(pages, home, lab.PAGE, lambda: pytest.fail("nothing has changed since"))
    with pytest.raises(LookupError):
        copies(pages, home, lab.PAGE, lambda: {}["asked"], "another script")
    assert (folder / "00_tour.ipynb").read_text("utf-8") == tour
    assert "# The live desk" in (folder / lab.PAGE).read_text("utf-8")


def test_a_workspace_is_kept_as_long_as_it_shows_the_desk(tmp_path: Path) -> None:
    spaces, defaults = workspace(tmp_path, lab.PAGE)
    made = next(spaces.iterdir())
    first = json.loads(made.read_text("utf-8"))
    assert first["data"]["layout-restorer:data"]["left"]["collapsed"]
    assert json.loads((defaults / "overrides.json").read_text("utf-8"))
    first["data"]["mine"] = 1
    made.write_text(json.dumps(first), "utf-8")
    workspace(tmp_path, lab.PAGE)
    assert json.loads(made.read_text("utf-8"))["data"]["mine"] == 1
    workspace(tmp_path, "other.ipynb")
    assert "mine" not in json.loads(made.read_text("utf-8"))["data"]
