"""Make the environment on first use, then run the command inside it.

Standard library only, and written so that an old Python (2.7 too) can parse the file and print why it
stops: no f-strings, no annotations, ASCII only.

    not inside .venv  ->  python -m venv, packages by hash from requirements/, the project itself,
                          a marker with the lock's hash  ->  the same command again, inside
    inside            ->  nothing to do: the marker matches, the command runs

`MIA_VENV` names another folder. `MIA_BOOTSTRAP=off` uses the running Python as it is (conda, containers).
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import time

from mia_kernel.installing import clean_environment, say
from mia_kernel.installing import run as _run

OLDEST = (3, 11)
NEWEST = (3, 12)
MARKER = "mia-environment.json"
LOG = "mia-setup.log"
INSTALLER = "installer"
"""The lock of uv alone."""
ASIDE_S = 60.0  # bytecode waits for this long: first comes what the person started

_NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectionError|ConnectTimeout|ReadTimeout|Name or service not known|No address associated"
    r"|Temporary failure in name resolution|Network is unreachable|getaddrinfo failed|dns error|Connection refused"
    r"|ProxyError|from versions: none|tcp connect error|error sending request|No route to host",
    re.IGNORECASE,
)


class SetupError(Exception):
    """The environment cannot be made; the message says what to do, `code` is the exit code."""

    def __init__(self, code, message):
        Exception.__init__(self, message)
        self.code = code


def main(arguments):
    """Return None when this process may run the command itself; else run it inside and return its exit code."""
    try:
        refuse_unsupported_python(sys.version_info)
        root = project_root()
        extras = "test" if arguments[:1] == ["test"] else "run"
        if is_ready(root, extras):
            return None
        folder = environment_folder(root)
        prepare(root, folder, extras)
        if _same_place(folder, sys.prefix):
            return None
        return rerun(folder, arguments)
    except SetupError as error:
        sys.stderr.write("mia: %s\n" % error)
        return error.code


def refuse_unsupported_python(version):
    """Raise SetupError unless `version` (a tuple like sys.version_info) is supported."""
    here = tuple(version[:2])
    if OLDEST <= here <= NEWEST:
        return
    raise SetupError(
        2,
        "this is Python %s, MIA runs on Python 3.11 or 3.12.\n"
        "way out: install one of them (python.org, your system's packages, pyenv or conda) and give the same\n"
        "command to it, for example: %s" % (".".join(str(n) for n in version[:3]), _suggestion()),
    )


def _suggestion():
    for name in ("python3.12", "python3.11"):
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            # A pyenv shim exists for versions that are installed but not selected: it would only fail.
            if "shims" not in folder and os.access(os.path.join(folder, name), os.X_OK):
                return "%s -m mia_kernel test   (found in %s)" % (name, folder)
    return "python3.12 -m mia_kernel test"


def project_root():
    """Return the folder that holds the package, which for a checkout also holds requirements/."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def environment_folder(root):
    """Return where the environment lies: MIA_VENV, else .venv in the project."""
    return os.path.abspath(os.path.expanduser(os.environ.get("MIA_VENV") or os.path.join(root, ".venv")))


def environment_python(folder):
    """Return the interpreter of an environment folder."""
    if os.name == "nt":
        return os.path.join(folder, "Scripts", "python.exe")
    return os.path.join(folder, "bin", "python")


def lock_hashes(root):
    """Return {"run": hash, "test": hash} of the two lock files."""
    hashes = {}
    for name in ("run", "test"):
        with open(_lock(root, name), "rb") as handle:
            hashes[name] = hashlib.sha256(handle.read()).hexdigest()
    return hashes


def _lock(root, name):
    return os.path.join(root, "requirements", name + ".txt")


def is_ready(root, extras):
    """Return True where the running Python already is a finished environment for `extras`."""
    if os.environ.get("MIA_BOOTSTRAP", "").lower() == "off":
        return True
    if not os.path.exists(_lock(root, extras)):
        return True  # installed from a wheel: whoever installed it also chose the packages
    if _same_place(environment_folder(root), sys.prefix) or _marker(sys.prefix):
        return _is_current(sys.prefix, root, extras)
    return _is_installed_here()


def _same_place(first, second):
    return os.path.realpath(first) == os.path.realpath(second)


def _is_installed_here():
    # An environment made by the user, for example from environment.yml: the project's metadata stands in it.
    import sysconfig

    folder = sysconfig.get_paths()["purelib"]
    return os.path.isdir(folder) and any(
        name.startswith("mia_kernel-") and name.endswith(".dist-info") for name in os.listdir(folder)
    )


def _marker(folder):
    try:
        with open(os.path.join(folder, MARKER)) as handle:
            return json.load(handle)
    except (IOError, OSError, ValueError):
        return {}


def _is_current(folder, root, extras):
    marker = _marker(folder)
    return marker.get(extras) == lock_hashes(root)[extras] and marker.get("project") == root


def prepare(root, folder, extras):
    """Bring the environment in `folder` to the state the lock asks for; does nothing where it is there.

    Raises
    ------
    SetupError
        No network (3), no room or no permission (3), an unusable folder or a package that fails (2).
    """
    if os.path.exists(environment_python(folder)) and _is_current(folder, root, extras):
        return
    try:
        with _alone(folder):
            if not (os.path.exists(environment_python(folder)) and _is_current(folder, root, extras)):
                _set_up(root, folder, extras)
    except (IOError, OSError) as error:
        raise SetupError(
            3,
            "the environment could not be written: %s\n"
            "way out: make room or give permission, or name another folder in MIA_VENV, then run the same "
            "command again." % error,
        )


def _set_up(root, folder, extras):
    say("setting up in %s (once; 1 to 2 GB and up to three minutes)" % folder)
    _make(folder)
    hashes = lock_hashes(root)
    marker = _marker(folder)
    if marker.get("project") not in (None, root):
        say("this environment served %s until now; MIA_VENV gives each its own" % marker["project"])
    uv = _uv(root, folder)
    if marker.get(extras) != hashes[extras]:
        _install_lock(root, folder, extras, uv)
    _install_project(root, folder, uv)
    # run.txt is a subset of test.txt with the same versions, so `test` brings both.
    if extras == "run":
        _compile_aside(folder)
    done = {"run": hashes["run"], "test": hashes["test"] if extras == "test" else None, "project": root}
    with open(os.path.join(folder, MARKER), "w") as handle:
        json.dump(done, handle, indent=1)
    say("ready")


@contextlib.contextmanager
def _alone(folder):
    # Two terminals on their first start would write into one environment; the second waits for the first.
    # The file lies beside the folder, which `venv --clear` empties; the system lets go when its holder dies.
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        os.makedirs(parent)
    with open(folder + ".lock", "a") as handle:
        if not _take(handle):
            say("another start is setting up %s: waiting for it" % folder)
            while not _take(handle):
                time.sleep(0.2)
        yield


def _take(handle):
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (IOError, OSError) as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True


def _make(folder):
    if os.path.exists(environment_python(folder)):
        return
    if (
        os.path.isdir(folder)
        and os.listdir(folder)
        and not os.path.exists(os.path.join(folder, "pyvenv.cfg"))
    ):
        raise SetupError(
            2, "%s is a folder with other files in it.\nway out: name an empty one in MIA_VENV." % folder
        )
    say("making the environment with Python %s" % sys.version.split()[0])
    # pip compiles itself for eight seconds; where uv installs, it comes with the other packages
    bare = ["--without-pip"] if _which("uv") else []
    code, text = _run([_base_python(), "-m", "venv", "--clear"] + bare + [folder])
    if code:
        raise SetupError(
            2,
            "python -m venv failed:\n%s\n"
            "way out: on Debian and Ubuntu install the package python3-venv; then run the same command again."
            % text.strip(),
        )


def _base_python():
    return getattr(sys, "_base_executable", None) or sys.executable


def _install_lock(root, folder, extras, uv):
    lock = _lock(root, extras)
    with open(lock) as handle:
        total = sum(1 for line in handle if "==" in line)
    log = os.path.join(folder, LOG)
    for name, installer in _installers(folder, uv, bytecode=extras == "test"):
        say("fetching and installing up to %d packages with %s" % (total, name))
        code, text = _run(installer + ["--require-hashes", "-r", lock], total, log)
        if code == 0:
            return
        if name == "uv":
            say("uv did not manage it, trying pip")
    tail = "\n".join(text.strip().splitlines()[-8:])
    if _NO_NETWORK.search(text):
        raise SetupError(
            3,
            "the packages cannot be fetched: no network (or no way to the package index).\n"
            "way out: connect, or set pip's own proxy or index, and run the same command again;\n"
            "what is already there is kept. Last lines:\n%s\nWhole log: %s" % (tail, log),
        )
    raise SetupError(
        2,
        "the packages could not be installed:\n%s\nWhole log: %s\n"
        "way out: run the same command again; if it stays, remove %s and start over." % (tail, log, folder),
    )


def _installers(folder, uv, bytecode=False):
    """Yield (name, command) of what can install, the fast one first; pip is made ready when it is asked for.

    With `bytecode` everything is compiled at once, as pip does: tests start hundreds of processes, while a person's
    first one need not wait for it.
    """
    if uv:
        whole = ["--compile-bytecode"] if bytecode else []
        yield "uv", [uv, "pip", "install", "--python", environment_python(folder)] + whole
    _have_pip(folder)
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    yield "pip", [environment_python(folder), "-m", "pip", "install"] + quiet


def _compile_aside(folder):
    """Compile what was installed to bytecode, behind everything else; it takes two minutes and ends by itself.

    Nobody waits for it: what is imported meanwhile is compiled then. Without it a Python that is told to write no
    bytecode would do that anew at every start.
    """
    program = (
        "import os, sysconfig, compileall, sys, time; getattr(os, 'nice', int)(19); time.sleep(float(sys.argv[1])); "
        "compileall.compile_dir(sysconfig.get_paths()['purelib'], quiet=2, workers=2)"
    )
    with open(os.devnull, "r+") as nothing:
        how = {"stdin": nothing, "stdout": nothing, "stderr": nothing, "env": clean_environment()}
        if os.name != "nt":
            how["start_new_session"] = True  # Ctrl-C ends the command, not this
        subprocess.Popen([environment_python(folder), "-c", program, str(ASIDE_S)], **how)


def _uv(root, folder):
    """Return the user's uv, else the one pip brings by its hash (a tenth of pip's time); None where that fails."""
    inside = os.path.join(os.path.dirname(environment_python(folder)), "uv.exe" if os.name == "nt" else "uv")
    found = _which("uv") or (os.path.exists(inside) and inside)
    if found:
        return found
    say("fetching the installer")
    _have_pip(folder)
    fetch = [environment_python(folder), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    fetch += ["--retries", "1", "--only-binary", ":all:", "--require-hashes", "-r", _lock(root, INSTALLER)]
    code, _ = _run(fetch, 0, os.path.join(folder, LOG))
    return inside if code == 0 and os.path.exists(inside) else None


def _have_pip(folder):
    python = environment_python(folder)
    if _run([python, "-c", "import pip"])[0]:
        _run([python, "-m", "ensurepip"])


def _install_project(root, folder, uv):
    say("installing the project itself")
    local = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--editable", root]
    for _, installer in _installers(folder, uv):
        code, text = _run(installer + local)
        if code == 0:
            return
    raise SetupError(2, "the project could not be installed into its environment:\n%s" % text.strip())


def _which(name):
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for suffix in ("", ".exe"):
            path = os.path.join(folder, name + suffix)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def rerun(folder, arguments):
    """Run `python -m mia_kernel` with the same arguments inside the environment; return its exit code."""
    command = [environment_python(folder), "-P", "-m", "mia_kernel"] + list(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # exec on Windows returns to the shell at once and loses the exit code
        return subprocess.call(command)
    os.execv(command[0], command)
    return None  # not reached: this process has become the other
