"""The first start: what is refused, what is installed once, what a missing network says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mia_kernel import bootstrap, installing

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


def _project(folder: Path) -> Path:
    (folder / "requirements").mkdir(parents=True)
    for name in ("run", "test", "installer"):
        (folder / "requirements" / f"{name}.txt").write_text(f"# {name}\none==1 \\\n    --hash=sha256:00\n")
    return folder


class Recorder:
    """Stands where child processes are started and keeps what was asked."""

    def __init__(self, environment: Path) -> None:
        self.environment = environment
        self.brings_uv = False
        self.compiles_aside = 0
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], total: int = 0, log: str | None = None) -> tuple[int, str]:
        self.commands.append(command)
        python = Path(bootstrap.environment_python(str(self.environment)))
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        if self.brings_uv and command[-1].endswith("installer.txt"):
            (python.parent / "uv").touch()
        return 0, ""

    @property
    def installs(self) -> list[list[str]]:
        return [command for command in self.commands if "install" in command]


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder(tmp_path / "environment")
    monkeypatch.setattr(bootstrap, "_run", recorder)
    monkeypatch.setattr(bootstrap, "_which", lambda name: None)

    def aside(folder: str) -> None:
        recorder.compiles_aside += 1

    monkeypatch.setattr(bootstrap, "_compile_aside", aside)
    monkeypatch.delenv("MIA_BOOTSTRAP", raising=False)
    return recorder


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13), (3, 13, 0), (4, 0, 0)])
def test_other_pythons_are_refused_by_name(version: tuple[int, int, int]) -> None:
    with pytest.raises(bootstrap.SetupError, match="this is Python {}.{}.{}".format(*version)) as refusal:
        bootstrap.refuse_unsupported_python(version)
    assert refusal.value.code == 2
    assert "way out" in str(refusal.value)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9)])
def test_supported_pythons_pass(version: tuple[int, int, int]) -> None:
    bootstrap.refuse_unsupported_python(version)


def test_first_start_installs_by_hash_and_the_second_nothing(tmp_path: Path, recorder: Recorder) -> None:
    root = str(_project(tmp_path / "project"))
    environment = str(recorder.environment)
    bootstrap.prepare(root, environment, "run")
    assert recorder.commands[0][1:3] == ["-m", "venv"]
    installer, lock, project = recorder.installs
    assert "--require-hashes" in installer
    assert installer[-1].endswith("installer.txt")
    assert "--require-hashes" in lock
    assert lock[-1].endswith("run.txt")
    assert lock[1:3] == ["-m", "pip"]  # uv did not come: pip does it alone
    assert recorder.compiles_aside == 1
    assert {"--no-deps", "--no-build-isolation"} <= set(project)
    recorder.commands.clear()
    bootstrap.prepare(root, environment, "run")
    assert recorder.commands == []


def test_uv_that_pip_brought_installs_the_rest(tmp_path: Path, recorder: Recorder) -> None:
    recorder.brings_uv = True
    bootstrap.prepare(str(_project(tmp_path / "project")), str(recorder.environment), "run")
    brought, lock, project = recorder.installs
    uv = str(Path(bootstrap.environment_python(str(recorder.environment))).parent / "uv")
    assert "--require-hashes" in brought
    assert lock[:3] == [uv, "pip", "install"]
    assert "--require-hashes" in lock
    assert project[:3] == [uv, "pip", "install"]
    assert "--compile-bytecode" not in lock
    assert recorder.compiles_aside == 1
    recorder.commands.clear()
    bootstrap.prepare(str(tmp_path / "project"), str(recorder.environment), "test")
    assert "--compile-bytecode" in recorder.installs[0]
    assert recorder.compiles_aside == 1


def test_where_the_users_uv_fails_pip_is_made_ready_and_does_it(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "_which", lambda name: "/somewhere/uv")

    def without_pip(command: list[str], total: int = 0, log: str | None = None) -> tuple[int, str]:
        code, text = recorder(command, total, log)
        return (
            (1, "no")
            if command[0] == "/somewhere/uv" or command[1:] == ["-c", "import pip"]
            else (code, text)
        )

    monkeypatch.setattr(bootstrap, "_run", without_pip)
    bootstrap.prepare(str(_project(tmp_path / "project")), str(recorder.environment), "run")
    assert "--without-pip" in recorder.commands[0]
    assert [c[2] for c in recorder.commands if c[1] == "-m"] == [
        "venv",
        "ensurepip",
        "pip",
        "ensurepip",
        "pip",
    ]
    assert "uv did not manage it, trying pip" in capsys.readouterr().out


def test_tests_add_their_extras_to_an_environment_that_runs(tmp_path: Path, recorder: Recorder) -> None:
    root = str(_project(tmp_path / "project"))
    environment = str(recorder.environment)
    bootstrap.prepare(root, environment, "run")
    recorder.commands.clear()
    bootstrap.prepare(root, environment, "test")
    assert [c[-1].rsplit(os.sep, 1)[-1] for c in recorder.installs] == [
        "installer.txt",
        "test.txt",
        "project",
    ]
    marker = json.loads((recorder.environment / bootstrap.MARKER).read_text())
    assert marker["run"] == bootstrap.lock_hashes(root)["run"]
    recorder.commands.clear()
    bootstrap.prepare(root, environment, "run")
    assert recorder.commands == []


def test_a_changed_lock_is_installed_again(tmp_path: Path, recorder: Recorder) -> None:
    root = _project(tmp_path / "project")
    environment = str(recorder.environment)
    bootstrap.prepare(str(root), environment, "run")
    (root / "requirements" / "run.txt").write_text("two==2 \\\n    --hash=sha256:00\n")
    recorder.commands.clear()
    bootstrap.prepare(str(root), environment, "run")
    assert any("--require-hashes" in command for command in recorder.commands)


def test_an_interrupted_start_leaves_no_marker(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(command: list[str], total: int = 0, log: str | None = None) -> tuple[int, str]:
        if "--require-hashes" in command:
            return 1, "ERROR: Hash mismatch"
        return recorder(command, total, log)

    monkeypatch.setattr(bootstrap, "_run", broken)
    root = str(_project(tmp_path / "project"))
    with pytest.raises(bootstrap.SetupError, match="Hash mismatch") as failure:
        bootstrap.prepare(root, str(recorder.environment), "run")
    assert failure.value.code == 2
    assert not (recorder.environment / bootstrap.MARKER).exists()


def test_a_silent_installer_is_said_to_be_at_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installing, "SILENT_S", 0.05)
    compiling = (
        "import time; print('Installed 153 packages in 1s', flush=True); time.sleep(0.5); print('Bytecode')"
    )
    code, text = installing.run([sys.executable, "-c", compiling], total=153)
    said = capsys.readouterr().out
    assert (code, text.splitlines()) == (0, ["Installed 153 packages in 1s", "Bytecode"])
    assert "writing and compiling the packages, once (" in said
    time.sleep(0.15)
    assert capsys.readouterr().out == ""  # and it ends with the installer


def test_two_starts_at_once_set_up_once(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, environment = str(_project(tmp_path / "project")), str(recorder.environment)
    entered, leave = threading.Event(), threading.Event()

    def slow(command: list[str], total: int = 0, log: str | None = None) -> tuple[int, str]:
        entered.set()
        assert leave.wait(20)
        return recorder(command, total, log)

    monkeypatch.setattr(bootstrap, "_run", slow)
    starts = [threading.Thread(target=bootstrap.prepare, args=(root, environment, "run")) for _ in range(2)]
    for start in starts:
        start.start()
    assert entered.wait(20)
    said = ""
    while "waiting for it" not in said:
        time.sleep(0.01)
        said += capsys.readouterr().out
    assert recorder.commands == []
    leave.set()
    for start in starts:
        start.join(20)
    assert len(recorder.installs) == 3  # uv, the packages, the project: by one of the two
    assert (said + capsys.readouterr().out).count("(once;") == 1


def test_an_environment_of_another_checkout_says_whose_it_was(
    tmp_path: Path, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (str(_project(tmp_path / name)) for name in ("first", "second"))
    bootstrap.prepare(first, str(recorder.environment), "run")
    assert "until now" not in capsys.readouterr().out
    bootstrap.prepare(second, str(recorder.environment), "run")
    assert f"served {first} until now" in capsys.readouterr().out


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, recorder: Recorder) -> None:
    root = str(_project(tmp_path / "project"))
    recorder.environment.mkdir()
    (recorder.environment / "thesis.txt").write_text("mine")
    with pytest.raises(bootstrap.SetupError, match="other files"):
        bootstrap.prepare(root, str(recorder.environment), "run")
    assert (recorder.environment / "thesis.txt").read_text() == "mine"


@pytest.mark.integration
def test_missing_network_is_said_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setattr(bootstrap, "_which", lambda name: None)
    root = _project(tmp_path / "project")
    (root / "requirements" / "run.txt").write_text(
        f"mia-absent-package==1 \\\n    --hash=sha256:{'0' * 64}\n"
    )
    with pytest.raises(bootstrap.SetupError, match="no network") as failure:
        bootstrap.prepare(str(root), str(tmp_path / "environment"), "run")
    assert failure.value.code == 3
    assert "run the same command again" in str(failure.value)


@pytest.mark.integration
@pytest.mark.parametrize(
    "command", [["-m", "mia_kernel", "test"], ["launch_24_7_orderflow_trading.py", "--dry-run"]]
)
def test_old_pythons_print_the_message_instead_of_a_traceback(command: list[str]) -> None:
    pythons = _other_pythons()
    if not pythons:
        pytest.skip("no other Python on this machine to try it with")
    for python in pythons:
        done = subprocess.run(
            [python, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert done.returncode == 2, f"{python}: {done.stdout}"
        assert "MIA runs on Python 3.11 or 3.12" in done.stdout
        assert "Traceback" not in done.stdout


def _other_pythons() -> list[str]:
    folders = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = ("2.7", "3.6", "3.8", "3.9", "3.10", "3.13", "3.14")
    found = [str(p) for n in names for p in folders.glob(f"{n}.*/bin/python")]
    found += [path for n in names if (path := shutil.which(f"python{n}")) and "shims" not in path]
    return [p for p in found if subprocess.run([p, "--version"], capture_output=True).returncode == 0]


def test_this_environment_needs_no_second_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIA_BOOTSTRAP", "off")
    assert bootstrap.main(["config"]) is None
    assert sys.version_info[:2] in (bootstrap.OLDEST, bootstrap.NEWEST)


def test_bytecode_is_made_behind_everything_else_and_by_a_process_that_ends(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = bootstrap.environment_python(str(folder))
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.check_output([python, "-c", asked], text=True).strip())
    (site / "some.py").write_text("x = 1\n")
    began = time.monotonic()
    program = (
        f"from mia_kernel import bootstrap; bootstrap.ASIDE_S = 0; bootstrap._compile_aside({str(folder)!r})"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    while not list(site.glob("__pycache__/some.*.pyc")):
        assert time.monotonic() - began < 20.0
        time.sleep(0.05)
