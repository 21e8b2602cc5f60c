"""Answer jupyter-server-proxy's question for the named server `mia`: the desk server of the settings' MIA_HOME.

JupyterLab asks while it starts, and waits for the answer: nothing is imported that it does not need.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mia_kernel.adapters.jupyter_proxy import server_entry


def desk_server() -> dict[str, Any]:
    """Return the entry; found by its entry point in any JupyterLab of this environment."""
    return server_entry(_home())


def _home() -> Path:
    said = os.environ.get("MIA_HOME")
    if said:  # the environment outranks every file of settings
        return Path(said).expanduser().absolute()
    from mia_kernel.settings import load

    return load().settings.home
