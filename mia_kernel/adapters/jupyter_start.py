"""Start JupyterLab, or read a notebook, without the slowest part of their import.

jsonschema builds a grammar of international addresses while it is imported, to check a `format` that no schema of
Jupyter's needs: 2 s on a quiet machine, 9 on a busy one, in every process. The package is optional to it: where it is
absent that one format is not checked.

    python -m mia_kernel.adapters.jupyter_start ...     # the arguments of `jupyter lab`
"""

from __future__ import annotations

import json
import logging
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

log = logging.getLogger("mia.lab")

GRAMMAR = "rfc3987_syntax"
BEGIN_S, AGAIN_S = 60.0, 0.5


def without_grammar() -> None:
    """Let jsonschema find no grammar in this process; call it before nbformat, papermill or JupyterLab is imported."""
    sys.modules.setdefault(GRAMMAR, None)  # pyright: ignore[reportArgumentType]


def begin(address: str, page: str, desk: str, serves: Callable[[], bool] = lambda: True) -> bool:
    """Start what a page waits for while the browser still loads JupyterLab; False where something did not start.

    JupyterLab shows a saved view only when the page's kernel has answered, and the desk server starts when it is first
    asked: both can be under way before the browser asks. What does not start here starts then.

    Parameters
    ----------
    address : str
        JupyterLab's own, with its token.
    page : str
        Notebook whose kernel is started, as the server names it.
    desk : str
        Path of the desk server behind the proxy.
    serves : callable
        Whether the server still runs: it tells its address before it listens, so a refusal is asked again.
    """
    at = urlsplit(address)
    token = parse_qs(at.query)["token"][0]
    asked = {"path": page, "name": page, "type": "notebook", "kernel": {"name": "python3"}}
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({})
    )  # the token is for this machine alone
    wanted = [("/api/sessions", json.dumps(asked).encode()), (desk, None)]
    ends, told, begun = time.monotonic() + BEGIN_S, "", True
    while wanted and serves() and time.monotonic() < ends:
        path, body = wanted[0]
        request = urllib.request.Request(
            f"{at.scheme}://{at.netloc}{path}", body, {"Authorization": f"token {token}"}
        )
        try:
            direct.open(request, timeout=BEGIN_S).close()
            wanted.pop(0)
        except urllib.error.HTTPError as error:  # it listens and says no: this one is left to the page
            log.warning("not begun", extra={"path": path, "why": str(error)})
            wanted.pop(0)
            begun = False
        except (urllib.error.URLError, OSError) as error:
            if told != str(error):
                told = str(error)
                log.info("not begun yet", extra={"path": path, "why": told})
            time.sleep(AGAIN_S)  # asking again starts nothing twice: a page has one session
    return begun and not wanted


def main() -> int | None:
    """Run JupyterLab."""
    without_grammar()
    from jupyterlab.labapp import main as jupyterlab

    return jupyterlab()


if __name__ == "__main__":
    sys.exit(main())
