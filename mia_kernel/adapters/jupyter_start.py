"""Start JupyterLab, or read a notebook, without the slowest part of their import.

jsonschema builds a grammar of international addresses while it is imported, to check a `format` that no schema of
Jupyter's needs: 2 s on a quiet machine, 9 on a busy one, in every process. The package is optional to it: where it is
absent that one format is not checked.

    python -m mia_kernel.adapters.jupyter_start ...     # the arguments of `jupyter lab`
"""

from __future__ import annotations

import sys

GRAMMAR = "rfc3987_syntax"


def without_grammar() -> None:
    """Let jsonschema find no grammar in this process; call it before nbformat, papermill or JupyterLab is imported."""
    sys.modules.setdefault(GRAMMAR, None)  # pyright: ignore[reportArgumentType]


def main() -> int | None:
    """Run JupyterLab."""
    without_grammar()
    from jupyterlab.labapp import main as jupyterlab

    return jupyterlab()


if __name__ == "__main__":
    sys.exit(main())
