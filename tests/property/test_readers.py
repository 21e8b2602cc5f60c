"""Hostile input: whatever is done to a file, a reader gives checked rows or an error that names the file.

Every format is cut and bent at random places. Nothing but the error tree may come out, and what is read
must keep the laws of rows: order of arrival, prices and sizes above zero, a book that is not crossed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.catalog_query import verify
from mia_kernel.adapters.formats import FORMATS, recognise
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.sources import read_parts
from mia_kernel.adapters.wrappers import members
from mia_kernel.core import events as ev
from mia_kernel.core.errors import CorruptError, InputError
from tests.fakes.every_format import BARS, FILES, ZONES

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def _check(path: Path, data: bytes) -> None:
    try:
        parts = read_parts(path, Ask(symbol=None, tz=ZONES.get(path.name)), data=data)
    except (InputError, CorruptError) as error:
        assert path.name in str(error)
        return
    for part in parts:
        rows = part.events
        assert (np.diff(rows["ts_recv"]) >= 0).all()
        assert (np.diff(rows["seq"]) == 1).all()
        priced = (rows["kind"] == ev.TRADE) | (rows["kind"] == ev.BAR)
        assert (rows["px"][priced] > 0).all()
        assert (rows["sz"] >= 0).all()
        both = (rows["bid"] > 0) & (rows["ask"] > 0)
        assert (rows["bid"][both] < rows["ask"][both]).all()
        assert part.verdict.score is None or 0.0 <= part.verdict.score <= 1.0


@pytest.mark.parametrize("name", FILES)
def test_the_whole_file_is_read(name: str, tmp_path: Path) -> None:
    parts = read_parts(tmp_path / name, Ask(tz=ZONES.get(name)), data=FILES[name])
    assert sum(len(part.events) for part in parts) > 0


def test_every_reader_is_in_this_suite() -> None:
    """A format that gets a reader and no place here fails: nobody can forget to bend its files."""
    bent = {recognise(next(members(Path(name), data))) for name, data in FILES.items()}
    assert {known.name for known in bent if known} == {known.name for known in FORMATS if known.read}


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_at_every_byte_gives_checked_rows_or_a_named_error(name: str) -> None:
    for at in range(1, len(FILES[name])):
        _check(Path("/nowhere") / name, FILES[name][:at])


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(sorted(FILES)), share=st.floats(0.05, 0.95), value=st.integers(0, 255))
def test_a_refused_file_leaves_the_catalog_as_it_was(name: str, share: float, value: int) -> None:
    data = bytearray(FILES[name])
    data[int(len(data) * share)] = value
    with tempfile.TemporaryDirectory() as folder:
        file, catalog = Path(folder) / "new" / name, Catalog(Path(folder) / "data")
        file.parent.mkdir()
        import_sources([_written(Path(folder) / "ESH24.scid", FILES["ESH24.scid"])], catalog)
        before = _picture(catalog)
        (result,) = import_sources([_written(file, bytes(data[: int(len(data) * share) + 1]))], catalog)
        if result.status == "refused":
            assert _picture(catalog) == before
            assert name in str(result.error)
        assert verify(catalog).ok


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _picture(catalog: Catalog) -> dict[str, bytes]:
    """Return every file of the catalog but its lock."""
    root = catalog.store.root
    return {
        str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file() and f.name != "_lock"
    }


TEXTS = ["NQ_ticks.csv", "ES_dom.txt", "ES_quotes.csv", "ESU22.txt", "ES.csv", "VIX.csv"]


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=15)
@given(
    at=st.integers(0, 12), new=st.sampled_from([b"fecha", b"Preis", "\u65e5\u4ed8".encode(), b"", b"x" * 300])
)
def test_a_column_nobody_knows_is_named_or_the_file_refused(name: str, at: int, new: bytes) -> None:
    head, rest = FILES[name].split(b"\n", 1)
    sign = b";" if b";" in head else b","
    columns = head.split(sign)
    columns[at % len(columns)] = new
    _check(Path("/nowhere") / name, sign.join(columns) + b"\n" + rest)


@pytest.mark.parametrize("name", ["NQ_ticks.csv", "ES_dom.txt", "ES_quotes.csv", "ESU22.txt", "ES.csv"])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_a_foreign_locale_is_read_or_named(name: str, encoding: str) -> None:
    """Decimal commas, semicolons, non-breaking spaces between thousands, and files of another encoding."""
    text = FILES[name].decode()
    if ";" not in text:
        text = text.replace(",", ";")
    text = text.replace(".25", ",25").replace("4800", "4\u00a0800")
    _check(Path("/nowhere") / name, text.encode(encoding))


@pytest.mark.parametrize("name", ["ESU22.txt", "ES.csv", "ES.json"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Paris"])
def test_the_wrong_zone_is_refused_and_names_the_share(name: str, zone: str) -> None:
    with pytest.raises(InputError, match="zone") as caught:
        read_parts(Path("/nowhere") / name, Ask(tz=zone), data=FILES[name])
    assert name in str(caught.value)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=25)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_cut_file_gives_checked_rows_or_a_named_error(name: str, share: float) -> None:
    data = FILES[name]
    _check(Path("/nowhere") / name, data[: int(len(data) * share)] or b"\n")


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40)
@given(
    bends=st.lists(
        st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    )
)
@example(bends=[(0.375, 0)])  # a column of a recording under another name
@example(bends=[(0.3569415162099847, 127)])  # a price of a .depth that is a signalling NaN
def test_a_bent_file_gives_checked_rows_or_a_named_error(name: str, bends: list[tuple[float, int]]) -> None:
    data = bytearray(FILES[name])
    for share, value in bends:
        data[int(len(data) * share)] = value
    _check(Path("/nowhere") / name, bytes(data))


@settings(max_examples=100)
@given(data=st.binary(min_size=1, max_size=400))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_parts(Path("/nowhere/ES.bin"), Ask(), data=data)


@settings(max_examples=40)
@given(
    line=st.text(st.characters(codec="utf-8"), max_size=60),
    at=st.integers(1, len(BARS)),
    name=st.sampled_from(["ESU22.txt", "ES.csv"]),
)
def test_a_strange_line_in_a_text_is_named_or_set_aside(line: str, at: int, name: str) -> None:
    lines = FILES[name].split(b"\n")
    lines.insert(at, line.encode())
    _check(Path("/nowhere") / name, b"\n".join(lines))
