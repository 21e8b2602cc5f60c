"""Say what is compiled before a run, and how far it is: numba compiles in silence, and a first start takes minutes."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from mia_kernel.adapters.parent import end_with_parent
from mia_kernel.core import compiled
from mia_kernel.core import kernel as kernels
from mia_kernel.rehearsal import warm_up
from mia_kernel.settings import Settings, load

NAMED = 6
"""So many changed sources are named before it is only counted."""
TELL_S = 10.0
MARKED = re.compile(rb"^[ \t]*@kernel\b", re.MULTILINE)
WORDS = ("compiling", "compiled")
"""How every line of this module begins: who starts a loop may pass them on."""


def compile_once(settings: Settings, source: str = "synthetic:") -> None:
    """Compile before the run what is not compiled in this environment, and say what: everything, or what changed.

    Before `source` is read: reading compiles too, in silence, and nothing would count as cold after it. A file that is
    not there is left to the reading to refuse, at once.
    """
    if ":" not in source and not Path(source).exists():
        return
    found = compiled.look()
    if found.cold:
        click.echo("compiling the engine for this machine (once, one to three minutes)", err=True)
    elif found.changed:
        click.echo(f"compiling anew what has changed, and what stands on it: {_some(found.names)}", err=True)
    else:
        return
    began = time.perf_counter()
    with told(TELL_S):
        warm_up(settings)
    compiled.settle(found)
    click.echo(f"compiled in {time.perf_counter() - began:.0f} s", err=True)


@contextmanager
def told(every_s: float) -> Iterator[None]:
    """Say every so often how many kernels lie compiled, of those there are; a run does not need every one."""
    began, over, most = time.perf_counter(), threading.Event(), kernels_there_are()

    def tell() -> None:
        while not over.wait(every_s):
            done, spent = kernels.compiled(), time.perf_counter() - began
            click.echo(f"compiling: {done} of at most {most} kernels after {spent:.0f} s", err=True)

    teller = threading.Thread(target=tell, name="mia-compiling", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def kernels_there_are() -> int:
    """Return how many kernels the sources hold."""
    return sum(len(MARKED.findall(source.read_bytes())) for source in kernels.kernel_sources())


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]))
    # Beside a first start: it steps back behind the loop and the screen, as far as it is told.
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[1]))
    compile_once(load().settings)
