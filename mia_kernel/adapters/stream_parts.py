"""The formats whose large files are read in slices; every other file is read whole."""

from __future__ import annotations

from mia_kernel.adapters.formats import recognise
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.scid_stream import stream_scid
from mia_kernel.adapters.sierra_config import with_rule
from mia_kernel.adapters.streams import Stream

_READERS = {"scid": stream_scid}


def stream_parts(stream: Stream, ask: Ask, fmt: str | None) -> list[Part] | None:
    """Return the parts of a large file in slices, None where it must be read whole.

    Raises
    ------
    FormatError, DataError
        As the reader of the whole file.
    """
    known = recognise(stream.head)
    name = fmt if fmt is not None else known.name if known is not None else ""
    read = _READERS.get(name)
    return None if read is None else read(stream, with_rule(ask, stream.path))
