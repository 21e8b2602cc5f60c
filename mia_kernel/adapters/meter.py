"""Tell how far the reading and storing of one file is: a share that never falls and is 1 at the end.

A reader that goes through its file in pieces (members of an archive, blocks of text, slices of records) calls `reach`
or wraps the pieces in `over`; whoever began the work gives each piece of it a `stage`. A reader that says nothing is
told by the stages alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


class Meter:
    """The share of one file's work that is done.

    Parameters
    ----------
    tell : callable, optional
        Called with the share whenever it has grown.
    """

    def __init__(self, tell: Callable[[float], None] | None = None) -> None:
        self.share = 0.0
        self._from, self._to = 0.0, 1.0
        self._tell = tell

    def stage(self, end: float) -> None:
        """Begin a piece of the work: from where it stands now to `end`, a share of all of it."""
        self._from, self._to = self.share, max(end, self.share)

    def reach(self, done: float, total: float) -> None:
        """Say that `done` of `total` of the present stage is behind; less than was said before changes nothing."""
        part = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        self._grow(self._from + (self._to - self._from) * part)

    def over(self, pieces: Sequence[T]) -> Iterator[T]:
        """Yield pieces of the present stage, each counted when the next one is asked for."""
        for done, piece in enumerate(pieces, start=1):
            yield piece
            self.reach(done, len(pieces))

    def finish(self) -> None:
        """Say that everything is done."""
        self._grow(1.0)

    def _grow(self, share: float) -> None:
        if share > self.share:
            self.share = share
            if self._tell is not None:
                self._tell(share)


def drawn(name: str) -> Meter:
    """Return a meter that draws itself as a bar on the terminal while a file is read, and takes it away at the end."""
    bar = tqdm(total=100, desc=name, unit="%", leave=False)

    def tell(share: float) -> None:
        bar.update(100 * share - bar.n)
        if share == 1.0:
            bar.close()

    return Meter(tell)


class MeteredBytes(io.BytesIO):
    """Bytes whose reading moves a meter."""

    def __init__(self, data: bytes, meter: Meter) -> None:
        super().__init__(data)
        self._meter, self._size = meter, len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes and say how far they reach."""
        block = super().read(size)
        self._meter.reach(self.tell(), self._size)
        return block


class FilesBar:
    """A bar on the terminal over files, in bytes: it moves inside a file as its meter does."""

    def __init__(self, files: Sequence[Path], *, shown: bool) -> None:
        self._sizes = {file: _size(file) for file in files}
        self._behind = 0.0
        self._bar = tqdm(
            total=sum(self._sizes.values()), desc="import", unit="B", unit_scale=True, disable=not shown
        )

    def reach(self, file: Path, share: float) -> None:
        """Say that this share of a file is done."""
        now = self._behind + share * self._sizes[file]
        self._bar.update(now - self._bar.n)

    def begin(self, file: Path) -> None:
        """Name the file that is worked on."""
        self._bar.set_postfix_str(file.name, refresh=False)

    def end(self, file: Path) -> None:
        """Count a file as done, however it ended."""
        self.reach(file, 1.0)
        self._behind += self._sizes[file]

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


def _size(file: Path) -> int:
    try:
        return sum(f.stat().st_size for f in file.rglob("*")) if file.is_dir() else file.stat().st_size
    except OSError:
        return 0  # what is wrong with it is said when it is opened
