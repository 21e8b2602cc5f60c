"""Tell JupyterLab how to reach the desk server: its named server `mia`, same origin, Jupyter's own login.

The server is started when a page first asks for it. On systems with Unix sockets it listens on a private one; elsewhere
on a loopback port with a token that only the proxy knows.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

START_S = 60


def server_entry(home: Path) -> dict[str, Any]:
    """Return the entry of the named server `mia`."""
    command = [sys.executable, "-m", "mia_kernel.adapters.http", "--home", str(home)]
    entry: dict[str, Any] = {
        "timeout": START_S,
        "absolute_url": False,
        "new_browser_tab": True,
        "launcher_entry": {"title": "MIA monitor", "enabled": True},
    }
    if sys.platform != "win32":
        return entry | {"command": [*command, "--socket", "{unix_socket}"], "unix_socket": True}
    token = secrets.token_urlsafe(24)
    return entry | {
        "command": [*command, "--port", "{port}"],
        "environment": {"MIA_DESK_TOKEN": token},
        "request_headers_override": {"Authorization": f"Bearer {token}"},
    }
