"""Files too large to be held: read in slices they give catalog, verdict and errors of a whole reading."""

from __future__ import annotations

import gzip
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.adapters import scid_stream, streams
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import ImportResult, import_sources
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.quality import QualityParams
from mia_kernel.adapters.scid import EPOCH_US, HEADER, layout_of
from mia_kernel.adapters.sources import read_parts
from mia_kernel.adapters.stream_parts import stream_parts
from mia_kernel.adapters.streams import large_stream
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import DataError, FormatError

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

T_US = 1_704_404_400 * 1_000_000 + EPOCH_US  # 2024-01-04 21:40 UTC: twenty minutes before the close
HEAD = HEADER.pack(b"SCID", 56, 40, 1, 0, 0, b"")
DEFECTS = (
    "late",
    "too_late",
    "off_grid",
    "zero",
    "lone",
    "jump",
    "bad_time",
    "no_side",
    "wrong_side",
    "closed",
)


def records(rows: int, defects: list[tuple[str, int]], *, step_us: int = 9_000_000) -> np.ndarray:
    """Return trades over the evening's close into the next trading day, with defects at given rows."""
    layout, _ = layout_of(Member("ESH24.scid", "ESH24.scid", HEAD))
    out = np.zeros(rows, layout)
    k = np.arange(rows)
    out["time"] = T_US + k * step_us + (k * step_us > 1_200_000_000) * 3_600_000_000
    price, buy = 4800 + 0.25 * (k % 9), k % 2 == 0
    out["close"], out["low"], out["high"] = price, price - 0.25 * buy, price + 0.25 * ~buy
    out["volume"] = size = 1 + k % 4
    out["ask_volume"], out["bid_volume"] = np.where(buy, size, 0), np.where(buy, 0, size)
    for name, at in defects:
        row = out[at % rows : at % rows + 1]
        if name in ("late", "too_late"):
            row["time"] -= step_us + (500_000 if name == "late" else 30_000_000)
        elif name in ("off_grid", "lone", "jump"):
            row["close"] += {"off_grid": 0.1, "lone": 200, "jump": 60}[name]
        elif name == "zero":
            row["volume"] = 0
        elif name == "bad_time":
            row["time"] = 5
        elif name == "closed":
            row["time"] += 40_000_000
        elif name == "no_side":
            row["ask_volume"] = row["bid_volume"] = 0
        else:
            row["ask_volume"], row["bid_volume"] = row["bid_volume"].copy(), row["ask_volume"].copy()
    return out


def _written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every file for a large one, and few rows at a time."""
    monkeypatch.setattr(streams, "LARGE", 0)
    monkeypatch.setattr(scid_stream, "SLICE", 7)


def _said(part: Part) -> tuple[object, ...]:
    return part.verdict, part.source, part.rows, part.volume


@settings(max_examples=25, deadline=None)
@given(
    defects=st.lists(st.tuples(st.sampled_from(DEFECTS), st.integers(0, 199)), max_size=6),
    slice_rows=st.integers(1, 60),
)
def test_whatever_the_slices_verdict_and_rows_are_those_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, defects: list[tuple[str, int]], slice_rows: int
) -> None:
    path = _written(tmp_path_factory.mktemp("s") / "ESH24.scid", HEAD + records(200, defects).tobytes())
    ask = Ask(quality=QualityParams(refuse_share=0.5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "LARGE", 0)
        patch.setattr(scid_stream, "SLICE", slice_rows)
        stream = large_stream(path)
        assert stream is not None
        (part,) = stream_parts(stream, ask, None) or ()
        assert part.sliced is not None
        rows = np.concatenate(list(part.sliced.again()))
    (whole,) = read_parts(path, ask)
    assert rows.tobytes() == whole.events.tobytes()
    assert _said(part) == _said(whole)
    stamps = whole.events["ts_event"]
    assert (part.sliced.first, part.sliced.last) == (stamps.min(), stamps.max())


def _catalog(folder: Path, *files: Path) -> tuple[list[ImportResult], dict[str, bytes]]:
    catalog = Catalog(folder)
    results = import_sources(files, catalog)
    root = catalog.store.root
    return results, {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*.parquet"))}


@pytest.mark.parametrize("defects", [[], [("late", 120), ("off_grid", 30), ("lone", 61), ("wrong_side", 5)]])
def test_the_catalog_is_byte_for_byte_that_of_a_whole_reading(
    tmp_path: Path, defects: list[tuple[str, int]], in_slices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _written(tmp_path / "ESH24.scid", HEAD + records(400, defects).tobytes())
    sliced, files = _catalog(tmp_path / "a", file)
    monkeypatch.undo()
    whole, expected = _catalog(tmp_path / "b", file)
    assert len(expected) == 2  # two trading days
    assert files == expected
    assert [replace(r, path="") for r in sliced] == [replace(r, path="") for r in whole]
    assert [r.status for r in _catalog(tmp_path / "a", file)[0]] == ["known"]


@pytest.mark.parametrize("wrap", ["gz", "zip"])
def test_a_wrapped_file_is_unpacked_while_it_is_read(tmp_path: Path, in_slices: None, wrap: str) -> None:
    data = HEAD + records(60, []).tobytes()
    path = tmp_path / f"ESH24.scid.{wrap}"
    if wrap == "gz":
        path.write_bytes(gzip.compress(data))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ESH24.scid", data)
    stream = large_stream(path)
    assert stream is not None
    (part,) = stream_parts(stream, Ask(), None) or ()
    (whole,) = read_parts(path, Ask())
    assert _said(part) == _said(whole)
    if wrap == "gz":
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(FormatError, match="cut short"):
            stream_parts(stream, Ask(), None)


@pytest.mark.safety
def test_a_file_that_changes_between_its_two_readings_stores_nothing(tmp_path: Path, in_slices: None) -> None:
    file = _written(tmp_path / "ESH24.scid", HEAD + records(60, []).tobytes())
    stream = large_stream(file)
    assert stream is not None
    (part,) = stream_parts(stream, Ask(), None) or ()
    _written(file, HEAD + records(40, []).tobytes())
    catalog = Catalog(tmp_path / "data")
    with pytest.raises(DataError, match="changed while it was read"):
        catalog.add("0" * 64, file.name, [part], "2026-01-01T00:00:00+00:00")
    assert not list(catalog.store.root.rglob("*.parquet"))


def test_what_is_written_behind_an_open_file_is_left_for_the_next_import(
    tmp_path: Path, in_slices: None
) -> None:
    """Sierra goes on writing: the rows are those that stood there when the file was judged."""
    file = _written(tmp_path / "ESH24.scid", HEAD + records(60, []).tobytes())
    stream = large_stream(file)
    assert stream is not None
    (part,) = stream_parts(stream, Ask(), None) or ()
    with file.open("ab") as end:
        end.write(records(70, [])[60:].tobytes())
    assert part.sliced is not None
    assert sum(map(len, part.sliced.again())) == 60


@pytest.mark.safety
@pytest.mark.parametrize(
    ("name", "message"), [("bars", "trades and bars"), ("scale", "price_multiplier"), ("refused", "unusable")]
)
def test_what_is_wrong_is_said_as_of_a_whole_file(
    tmp_path: Path, in_slices: None, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    rows = records(60, [("off_grid", k) for k in range(30)] if name == "refused" else [])
    if name == "bars":
        rows["open"][40] = 4800
    elif name == "scale":
        for field in ("close", "low", "high"):
            rows[field] *= 100
    file = _written(tmp_path / "ESH24.scid", HEAD + rows.tobytes())
    (sliced,), none = _catalog(tmp_path / "a", file)
    monkeypatch.undo()
    (whole,), _ = _catalog(tmp_path / "b", file)
    assert sliced == whole
    assert message in str(whole.error)
    assert not none
