"""Answer jupyter-server-proxy's question for the named server `mia`: the desk server of the settings' MIA_HOME."""

from __future__ import annotations

from typing import Any

from mia_kernel.adapters.jupyter_proxy import server_entry
from mia_kernel.settings import load


def desk_server() -> dict[str, Any]:
    """Return the entry; found by its entry point in any JupyterLab of this environment."""
    return server_entry(load().settings.home)
