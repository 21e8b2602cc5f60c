"""A JupyterLab of its own for browser tests: isolated settings, no look-ups outside, driven by commands."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_S = 180

SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page
}

RUN_ALL = """
async (timeout) => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.sessionContext.ready;
  const all = app.commands.execute("notebook:run-all-cells");
  const late = new Promise((_, no) => setTimeout(() => no(new Error("run all did not end")), timeout));
  await Promise.race([all, late]);
  const cells = panel.content.model.cells;
  const found = [];
  for (let i = 0; i < cells.length; i++) {
    const cell = cells.get(i);
    if (cell.type !== "code") continue;
    const outputs = cell.outputs.toJSON();
    const error = outputs.filter((o) => o.output_type === "error").map((o) => o.evalue);
    found.push({ ran: cell.executionCount !== null, error });
  }
  return found;
}
"""


@dataclass
class Lab:
    """A running server: where it is and how to enter."""

    url: str
    token: str

    def open(self, page: Any, notebook: str, *, dark: bool = False) -> None:
        """Open a notebook in a workspace of its own and wait until its kernel is idle."""
        name = secrets.token_hex(4)
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.goto(f"{self.url}/lab/workspaces/{name}/tree/{notebook}?token={self.token}")
        page.wait_for_function("window.jupyterapp && window.jupyterapp.shell", timeout=60_000)
        page.evaluate("window.jupyterapp.restored")
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
        )
        page.wait_for_function(
            "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=60_000,
        )

    def run_all(self, page: Any, *, timeout_s: float = 240) -> list[dict[str, Any]]:
        """Run every cell; return for each code cell whether it ran and what it raised."""
        return page.evaluate(RUN_ALL, timeout_s * 1000)


@contextmanager
def running(
    folder: Path, *, arguments: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> Iterator[Lab]:
    """Serve copies of the project's notebooks from `folder` on a free port.

    `arguments` go to JupyterLab, `more` into its environment.
    """
    work = folder / "work"
    shutil.copytree(ROOT / "notebooks", work, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    settings = folder / "settings"
    for name, values in SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")
    token = secrets.token_hex(16)
    port = _free_port()
    environment = {
        **os.environ,
        **(more or {}),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [
        *(
            sys.executable,
            "-m",
            "mia_kernel.adapters.jupyter_start",
            "--no-browser",
            "--allow-root",
            f"--port={port}",
        ),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--ServerApp.ip=127.0.0.1"),
        *("--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"),
        f"--ServerApp.root_dir={work}",
        *arguments,
    ]
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=work)
        lab = Lab(f"http://127.0.0.1:{port}", token)
        try:
            _wait(lab, server, folder / "lab.log")
            yield lab
            _end_kernels(lab)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended: {log.read_text('utf-8', 'replace')[-2000:]}")
        try:
            _ask(lab, "GET", "/api/status")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not answer in {START_S} s")


def _end_kernels(lab: Lab) -> None:
    # Kernels are in sessions of their own: ending the server alone would leave them behind.
    for kernel in _ask(lab, "GET", "/api/kernels"):
        _ask(lab, "DELETE", f"/api/kernels/{kernel['id']}")


def _ask(lab: Lab, method: str, path: str) -> Any:
    request = urllib.request.Request(
        lab.url + path, method=method, headers={"Authorization": f"token {lab.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None
