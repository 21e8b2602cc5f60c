"""A stored day as Sierra Chart's own files: `.scid` from its trades or bars, `.depth` from its books."""

from __future__ import annotations

import os
from pathlib import Path

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.marketdepth import depth_files
from mia_kernel.adapters.scid import scid_bytes
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.core.events import PRIMARY

SUFFIXES = (".scid", ".depth")


def export_sierra(catalog: Catalog, file: Path, day: str) -> dict[str, int]:
    """Write a stored day (`2019-08-09`, `ESU19/2019-08-09`) and return the bytes of each file by name.

    A `.depth` file covers one UTC day, so its name gets the day: `ESU19.depth` becomes `ESU19.2019-08-09.depth`.

    Raises
    ------
    InputError
        If the suffix is another, or the day is not stored.
    OutsideError
        If the disk refuses; no half file is left.
    """
    if file.suffix not in SUFFIXES:
        raise InputError("unknown export", field="file", value=file.name, rule=" or ".join(SUFFIXES))
    recording = catalog.read_uri(day)
    rows = recording.events[recording.events["instrument"] == PRIMARY]
    root = recording.source.symbol
    if file.suffix == ".scid":
        made = {file.name: scid_bytes(rows, root)}
    else:
        made = {f"{file.stem}.{utc}.depth": data for utc, data in depth_files(rows, root).items()}
    for name, data in made.items():
        _write(file.with_name(name), data)
    return {name: len(data) for name, data in made.items()}


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutsideError(
            f"{path}: cannot be written: {error}; free space or choose another place"
        ) from error
