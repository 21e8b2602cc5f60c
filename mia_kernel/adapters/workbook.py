"""Keep a person's copies of the pages in MIA_HOME/lab, and lay the live desk out so that it lives when it is opened.

How it moves: a page is copied where it is missing, and copied anew where this version's is another and the person has
not changed a cell since (JupyterLab saves by itself: outputs are no change). The live desk holds its console as a saved
output, so that JupyterLab shows it before any cell has run; Jupyter's own notary signs it: a browser shows no widget
of a page it does not trust. JupyterLab gets a workspace and defaults of ours; a person's own settings go before them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from ipywidgets.embed import dependency_state
from jupyterlab_server.workspaces_handler import WorkspacesManager
from nbformat.sign import NotebookNotary

from mia_kernel.core.errors import OutsideError

FOLDER, MEMORY = "lab", "copied.json"
WORKSPACE, LAYOUT = "mia", "layout-restorer:data"
STATE, VIEW = "application/vnd.jupyter.widget-state+json", "application/vnd.jupyter.widget-view+json"

DEFAULTS: Mapping[str, Any] = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
"""No look-up outside, dark or light as the system is, and no view taken out of the page while one scrolls."""


def copies(pages: Path, home: Path, desk_page: str, console: Callable[[], Any], drawn_by: str = "") -> Path:
    """Bring the copies in `MIA_HOME/lab` up to date and return that folder.

    Parameters
    ----------
    pages : Path
        The notebooks of this version.
    home : Path
        MIA_HOME.
    desk_page : str
        File name of the page that gets a console as an output.
    console : callable
        Makes the widget that is laid out where the page makes one; asked only where that page is written.
    drawn_by : str
        Names what draws the console: the saved one holds its script, so another name makes the page anew.

    Raises
    ------
    OutsideError
        If the folder cannot be written.
    """
    folder, memory = home / FOLDER, home / "run" / MEMORY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = _remembered(memory)
        for page in sorted(pages.glob("*.ipynb")):
            target = folder / page.name
            text = page.read_text("utf-8")
            ours, is_desk = _cells(text), page.name == desk_page
            stamp = f"{ours} {drawn_by}" if is_desk else ours
            if target.exists():
                copied = known.get(page.name, "")
                if copied == stamp or _cells(target.read_text("utf-8")) != copied.split(" ")[0]:
                    continue  # as it should be, or the person's own by now
            target.write_text(_laid_out(text, console()) if is_desk else text, "utf-8")
            known[page.name] = stamp
        memory.write_text(json.dumps(known, indent=1), "utf-8")
    except OSError as error:
        raise OutsideError(
            f"{folder}: {error.strerror or error}; way out: choose another MIA_HOME"
        ) from error
    return folder


def workspace(home: Path, page: str) -> tuple[Path, Path]:
    """Write JupyterLab's workspace and defaults; return (folder of workspaces, folder of defaults).

    A workspace that still shows `page` is left as the person has arranged it; else it is made anew: the page alone, at
    full width.
    """
    spaces, defaults = home / "run" / "workspaces", home / "run" / "lab-defaults"
    for folder in (spaces, defaults):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (defaults / "overrides.json").write_text(json.dumps(DEFAULTS, indent=1), "utf-8")
    manager, name = WorkspacesManager(str(spaces)), f"notebook:{page}"
    known = manager.load(WORKSPACE)["data"].get(LAYOUT, {})
    if name not in json.dumps(known.get("main", {})):
        closed = {"collapsed": True, "visible": True}
        dock = {"type": "tab-area", "currentIndex": 0, "widgets": [name]}
        layout = {"main": {"dock": dock, "current": name}, "left": closed, "right": closed}
        data = {
            LAYOUT: {**layout, "relativeSizes": [0, 1, 0]},
            name: {"data": {"path": page, "factory": "Notebook"}},
        }
        manager.save(WORKSPACE, json.dumps({"data": data, "metadata": {"id": WORKSPACE}}))
    return spaces, defaults


def _laid_out(text: str, console: Any) -> str:
    """Return a page whose console cell holds a saved console, signed."""
    page = nbformat.reads(text, 4)
    state = dependency_state([console], drop_defaults=False)
    page.metadata["language_info"] = _spoken()
    page.metadata["widgets"] = {STATE: {"version_major": 2, "version_minor": 0, "state": state}}
    for cell in page.cells:
        if cell.cell_type == "code" and "widgets.Console(" in cell.source:
            view = {"model_id": console.model_id, "version_major": 2, "version_minor": 0}
            data = {VIEW: view, "text/plain": "The console: run this cell to lay it out anew."}
            cell.outputs = [nbformat.v4.new_output("display_data", data)]
    # What is signed is what will be read back.
    said = nbformat.writes(page)
    NotebookNotary().sign(nbformat.reads(said, 4))
    return said


def _spoken() -> dict[str, Any]:
    """Return what a kernel of this Python says of its language; JupyterLab calls a page that says else unsaved."""
    from ipykernel.ipkernel import IPythonKernel

    return dict(IPythonKernel.language_info)


def _remembered(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _cells(text: str) -> str:
    """Return the hash of what a page's cells say, their outputs left out; empty for what is no page."""
    try:
        cells = nbformat.reads(text, 4).cells
    except ValueError:  # what is no notebook, or no JSON
        return ""
    said = json.dumps([(cell.cell_type, cell.source) for cell in cells])
    return hashlib.sha256(said.encode()).hexdigest()
