"""Write what happens as lines of JSON, in files that never grow without end, with every secret taken out.

How it moves: `start` gives the process one rotating file in `MIA_HOME/logs`; each line has time, level, logger, text
and whatever was given as `extra`. Before a line is written, the values of our secrets and what looks like a webhook,
a token or a long key are replaced. Standard logging, so libraries' own words land there too.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pydantic import SecretStr

from mia_kernel.core.errors import OutsideError

FILE_BYTES = 5_000_000
FILES = 5
MASK = "********"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|WEBHOOK|API_KEY")
_LOOKS_SECRET = re.compile(
    r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\S+"
    r"|(?i:bearer\s+)[\w.~+/=-]{8,}"
    r"|(?i:\b(?:token|password|passwd|secret|api[_-]?key)\b[\"']?\s*[=:]\s*[\"']?)[^\s\"',;]{4,}"
)


class Redactor:
    """Takes secrets out of text.

    Parameters
    ----------
    values : iterable of str
        Known secrets; those under four letters would mask half a language and are left.
    """

    def __init__(self, values: list[str]) -> None:
        self._values = sorted({value for value in values if len(value) >= 4}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked."""
        for value in self._values:
            text = text.replace(value, MASK)
        return _LOOKS_SECRET.sub(MASK, text)


class JsonLines(logging.Formatter):
    """One record as one line of JSON, redacted as a whole, tracebacks included."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        row = {
            "ts": when,
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        row |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            row["traceback"] = self.formatException(record.exc_info)
        # In ASCII: a line separator from outside must not make another line.
        return json.dumps({key: self._clean(value) for key, value in row.items()})

    def _clean(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        return self._redact(str(value))


def start(home: Path, name: str, secrets: list[str], *, level: int = logging.INFO) -> Path:
    """Let this process log into `MIA_HOME/logs/<name>.jsonl` and return that file.

    Calling it again for the same file changes nothing; for another one it takes the place of the first.

    Raises
    ------
    OutsideError
        If the folder cannot be written.
    """
    path = home / "logs" / f"{name}.jsonl"
    root = logging.getLogger()
    ours = [h for h in root.handlers if isinstance(h.formatter, JsonLines)]
    if any(isinstance(h, RotatingFileHandler) and Path(h.baseFilename) == path for h in ours):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8")
    except OSError as error:
        raise OutsideError(
            f"{path}: {error.strerror or error}; way out: make room or choose another MIA_HOME"
        ) from error
    for old in ours:
        root.removeHandler(old)
        old.close()
    handler.setFormatter(JsonLines(Redactor(secrets)))
    handler.setLevel(level)
    root.addHandler(handler)
    root.setLevel(min(level, root.level or level))
    # What httpx says at INFO holds the addresses it calls.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return path


def secret_values(secrets: object) -> list[str]:
    """Return the known values of a settings' secrets."""
    fields = getattr(type(secrets), "model_fields", {})
    found = [getattr(secrets, name) for name in fields]
    return [value.get_secret_value() for value in found if isinstance(value, SecretStr)]


def environment_secrets() -> list[str]:
    """Return what this process was given under a name of ours that sounds like a secret.

    For the processes that do not read the settings; a file's secrets reach them only through the environment.
    """
    return [
        value for name, value in os.environ.items() if name.startswith("MIA_") and _SECRET_NAME.search(name)
    ]


def newest(home: Path) -> float | None:
    """Return the age of the newest log line in seconds, None without any log."""
    files = list((home / "logs").glob("*.jsonl"))
    return time.time() - max(f.stat().st_mtime for f in files) if files else None
