"""Run what a set-up calls, and say how far it is.

Standard library only, and plain syntax as in `bootstrap.py`: an old Python must parse it.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time

SILENT_S = 10.0  # after this long without a word from the installer a line says that it is still at work


def say(text):
    """Print one line of progress at once."""
    sys.stdout.write("mia: %s\n" % text)
    sys.stdout.flush()


def run(command, total=0, log=None):
    """Run a command; return (exit code, output). With `total`, show one line of progress per step."""
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=clean_environment(),
    )
    lines = []
    seen = 0
    heard = {"at": time.time(), "doing": "still at work"}
    with _patience(heard):
        for line in child.stdout or ():
            lines.append(line)
            heard["at"] = time.time()
            if total and line.startswith(("Collecting ", "Downloaded ")):
                seen += 1
                _show_progress(seen, total, line.split()[1])
            elif total and line.startswith(("Installing collected", "Resolved", "Prepared", "Installed")):
                _show_progress(seen, total, line.split(":")[0].strip(), last=True)
                if line.startswith("Install"):
                    heard["doing"] = "writing and compiling the packages, once"
        code = child.wait()
    if child.stdout:
        child.stdout.close()
    if log is not None:
        with open(log, "a") as handle:
            handle.write("".join(lines))
    return code, "".join(lines)


@contextlib.contextmanager
def _patience(heard):
    """Say every SILENT_S that the installer works on: pip writes and compiles for a minute without a word."""
    over = threading.Event()

    def watch():
        while not over.wait(SILENT_S):
            silent = time.time() - heard["at"]
            if silent >= SILENT_S:
                _show_progress(0, 0, "%s (%d s)" % (heard["doing"], silent), last=True)

    thread = threading.Thread(target=watch)
    thread.daemon = True
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def clean_environment():
    """Return the environment for what runs inside the new one."""
    # A PYTHONPATH or PYTHONHOME of the caller would let foreign packages count as installed.
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}


def _show_progress(seen, total, what, last=False):
    text = "  %s" % what if last else "  %3d/%d  %s" % (seen, total, what)
    if sys.stdout.isatty():
        sys.stdout.write("\r" + text[:76].ljust(76) + ("\n" if last else ""))
    elif last or seen % 20 == 0:
        sys.stdout.write(text + "\n")
    sys.stdout.flush()
