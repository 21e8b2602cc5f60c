"""Cut bytes into frames and frames into fields, and the way back.

How it moves: a client opens with `API\\0`, then every message is a big-endian uint32 length and that many
bytes: text fields, each ended by NUL. `FrameDecoder` takes bytes as the socket gives them, split anywhere.
Source: the framing of the TWS API up to server version 200.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from decimal import Decimal

PREFIX = b"API\0"
LONGEST_FRAME = 1 << 20
"""A client message is a few kilobytes; a longer one is no client of this protocol."""

_UNSET_DOUBLE = 1.7976931348623157e308
_LENGTH = struct.Struct(">I")


class FrameError(ValueError):
    """The bytes are not of this protocol; the connection cannot be read on."""


class FrameDecoder:
    """Collects bytes and hands out whole frames.

    Parameters
    ----------
    longest : int
        A frame that announces more bytes is refused.
    prefix : bytes
        What must stand before the first frame.
    """

    def __init__(self, longest: int = LONGEST_FRAME, prefix: bytes = PREFIX) -> None:
        self._longest = longest
        self._prefix = prefix
        self._waiting = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._waiting)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads completed by `data`, in order.

        Raises
        ------
        FrameError
            If the prefix is wrong, or a frame is empty or longer than allowed. The decoder is then of no
            further use.
        """
        buffer = self._waiting
        buffer += data
        if self._prefix and not self._take_prefix():
            return []
        frames: list[bytes] = []
        at = 0
        while len(buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, at)
            if not 0 < length <= self._longest:
                raise FrameError(f"a frame of {length} bytes; 1 to {self._longest} are allowed")
            end = at + _LENGTH.size + length
            if len(buffer) < end:
                break
            frames.append(bytes(buffer[at + _LENGTH.size : end]))
            at = end
        del buffer[:at]
        return frames

    def _take_prefix(self) -> bool:
        have = bytes(self._waiting[: len(self._prefix)])
        if not self._prefix.startswith(have):
            raise FrameError(f"the connection opens with {have!r}; {self._prefix!r} is expected")
        if len(have) < len(self._prefix):
            return False
        del self._waiting[: len(self._prefix)]
        self._prefix = b""
        return True


def fields_of(payload: bytes) -> list[str]:
    """Return the fields of a message.

    Raises
    ------
    FrameError
        If the last field is not ended.
    """
    if payload[-1:] != b"\0":
        raise FrameError("the last field is not ended by NUL")
    return payload[:-1].decode("utf-8", "backslashreplace").split("\0")


def frame(payload: bytes) -> bytes:
    """Return a payload with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


def message(values: Iterable[object]) -> bytes:
    """Return one framed message of the given values."""
    return frame(("\0".join(map(text, values)) + "\0").encode())


def text(value: object) -> str:
    """Return a value as the wire writes it: unset is empty, truth is 1, whole numbers have no point.

    ibapi at version 157 reads sizes with int(), so `5.0` must go out as `5`.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        if value == _UNSET_DOUBLE or value != value:
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value).replace("\0", "")
