"""The tree of errors, sorted by what the operator must do.

MiaError
├── InputError            fix the input: a file, a line, a field, an option            exit 2
│   ├── FormatError       no reader knows this content, or it breaks its own format
│   ├── DataError         the format is right and a value is impossible
│   └── SettingsError     an unknown key, a wrong unit, a value outside its rule
├── OutsideError          wait or retry: disk full, link down, file busy               exit 3
├── CorruptError          stop and restore: a stored record does not match its hash    exit 2
└── InvariantError        stop and report: the program broke its own law

Every message names what was wrong, the value it had, the rule, and the way out.
"""

from __future__ import annotations


class MiaError(Exception):
    """Base of every error MIA raises on purpose."""

    exit_code = 1


class InputError(MiaError):
    """Something the user gave cannot be used as it is."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        offset: int | None = None,
        field: str | None = None,
        value: object = None,
        rule: str | None = None,
        way_out: str | None = None,
    ) -> None:
        self.message = message
        self.path = path
        self.line = line
        self.offset = offset
        self.field = field
        self.value = value
        self.rule = rule
        self.way_out = way_out
        super().__init__(self._render())

    def _render(self) -> str:
        where = self.path or ""
        if self.line is not None:
            where += f":{self.line}"
        if self.offset is not None:
            where += f" at byte {self.offset}"
        parts = [f"{where}: {self.message}" if where else self.message]
        if self.field is not None:
            parts.append(f"{self.field} = {self.value!r}")
        elif self.value is not None:
            parts.append(f"found {self.value!r}")
        if self.rule is not None:
            parts.append(f"rule: {self.rule}")
        if self.way_out is not None:
            parts.append(f"way out: {self.way_out}")
        return "; ".join(parts)


class FormatError(InputError):
    """No reader recognises the content, or the content breaks its own format."""


class DataError(InputError):
    """The format is right and a value in it is impossible."""


class SettingsError(InputError):
    """A setting is unknown, has the wrong unit or breaks its rule."""


class OutsideError(MiaError):
    """The world failed: disk, network, another process. Nothing of ours is wrong."""

    exit_code = 3


class CorruptError(MiaError):
    """A stored record does not match its hash; nothing after it may be trusted."""

    exit_code = 2


class InvariantError(MiaError):
    """The program broke one of its own laws. Stop, keep the evidence, report."""
