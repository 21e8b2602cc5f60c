"""One front: files, folders, stored days; what cannot be a recording is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.catalog_query import verify
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.sources import open_recording, open_source, read_folder
from mia_kernel.core import events as ev
from mia_kernel.core.errors import FormatError, InputError
from tests.fakes.market_files import bar_csv, cme_zip, minutes, session, zipped
from tests.shared_data import shared_file

pytestmark = pytest.mark.unit

DAYS = [datetime(2022, 8, 8) + timedelta(days=k) for k in range(3)]
BARS = [bar for day in DAYS for bar in session(day)]


@pytest.fixture
def cme(tmp_path: Path) -> Path:
    path = tmp_path / "day.zip"
    path.write_bytes(cme_zip())
    return path


def test_the_contract_of_most_volume_is_taken_unless_named(cme: Path) -> None:
    assert open_source(cme).source.contract == "ESU19"
    assert open_source(cme, symbol="ES").source.contract == "ESU19"
    assert open_source(cme, symbol="ESZ19").source.contract == "ESZ19"
    with pytest.raises(InputError) as caught:
        open_source(cme, symbol="ESH21")
    assert "ESU19" in str(caught.value)


def test_a_recording_tells_its_source(cme: Path) -> None:
    source = open_source(cme).source
    assert (source.tag, source.adapter, source.zone) == ("imported", "cme", "America/Chicago")
    assert source.content_sha256 is not None
    assert open_source(str(cme)).source == source


def test_replay_of_a_path_is_the_path(cme: Path) -> None:
    assert (open_source(f"replay:{cme}").events == open_source(cme).events).all()


@pytest.mark.parametrize("uri", ["ibkr:", "gateway:localhost:4002", "sierra:x.scid"])
def test_live_sources_are_no_recordings(uri: str) -> None:
    with pytest.raises(InputError, match="live"):
        open_source(uri)


def test_a_path_that_does_not_exist_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="no file"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="catalog"):
        open_source("replay:2019-08-09")


def test_a_folder_of_years_is_one_series_without_doubles(tmp_path: Path) -> None:
    (tmp_path / "ES_a.csv").write_bytes(bar_csv(BARS[:600]))
    (tmp_path / "ES_b.csv").write_bytes(bar_csv(BARS[550:]))
    recording = open_source(tmp_path)
    assert len(recording) == len(BARS)
    assert (np.diff(recording.events["ts_event"]) > 0).all()
    assert recording.events["seq"].tolist() == list(range(len(BARS)))


def test_a_short_file_takes_the_zone_its_neighbours_prove(tmp_path: Path) -> None:
    (tmp_path / "ES_a.csv").write_bytes(bar_csv(BARS))
    (tmp_path / "ES_b.csv").write_bytes(bar_csv(minutes(datetime(2022, 8, 11, 10), 12, step=300)))
    parts, hashes = read_folder(sorted(tmp_path.iterdir()), Ask(), None)
    assert {part.source.zone for part in parts} == {"America/New_York"}
    assert len(hashes) == 2


def test_a_folder_of_two_products_asks(tmp_path: Path) -> None:
    (tmp_path / "ES_a.csv").write_bytes(bar_csv(BARS))
    (tmp_path / "NQ_a.csv").write_bytes(bar_csv(BARS))
    with pytest.raises(InputError, match="--symbol"):
        open_source(tmp_path)
    assert open_source(tmp_path, symbol="NQ").source.symbol == "NQ"


def test_the_format_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "VIX_daily.csv"
    path.write_bytes(b"DATE,OPEN,HIGH,LOW,CLOSE\n" + b"8/8/2019,18.7,19.5,16.5,16.91\n")
    assert open_source(path).source.adapter == "vix"
    with pytest.raises(InputError):
        open_source(path, fmt="nothing")


@pytest.mark.safety
def test_an_empty_file_inside_an_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ES.zip"
    path.write_bytes(zipped({"a.csv": bar_csv(BARS), "b.csv": b""}))
    with pytest.raises(FormatError, match=r"b\.csv"):
        open_source(path)
    path.write_bytes(zipped({}))
    with pytest.raises(FormatError, match="archive is empty"):
        open_source(path)


def test_extras_are_laid_beside(cme: Path, tmp_path: Path) -> None:
    vix = tmp_path / "VIX_daily.csv"
    vix.write_bytes(
        b"DATE,OPEN,HIGH,LOW,CLOSE\n8/7/2019,1,1,1,19.49\n8/8/2019,1,1,1,16.91\n8/9/2019,1,1,1,17.97\n"
    )
    recording = open_recording(cme, [vix])
    rows = recording.events
    assert recording.others[0].symbol == "VIX"
    assert rows["instrument"].tolist() == [ev.VIX] + [ev.PRIMARY] * 5
    assert rows["px"][0] == 1691  # the close of the 8th, in force when the session opens


@pytest.mark.integration
def test_the_real_contracts_are_joined_at_the_roll() -> None:
    recording = open_source(shared_file("sierra_es_5min_contracts"))
    assert len(recording.objects) == 27
    assert recording.source.adjustment == "contract"
    assert recording.source.contract is None
    assert (np.diff(recording.events["ts_recv"]) > 0).all()
    first = recording.objects[0]
    assert (first.old, first.new) == ("ESH16", "ESM16")
    assert first.spread_ticks is None  # the files do not overlap
    # One numbering for rows and changes; a change stands before the first row of its contract.
    seqs = np.sort(np.r_[recording.events["seq"], [change.seq for change in recording.objects]])
    assert (seqs == np.arange(len(seqs))).all()
    at = int(np.searchsorted(recording.events["seq"], first.seq))
    assert recording.events["ts_recv"][at - 1] <= first.ts_recv < recording.events["ts_recv"][at]


@pytest.mark.long
@pytest.mark.integration
def test_the_joined_contracts_equal_a_hand_computation_and_stored_prices_stay(tmp_path: Path) -> None:
    """Plain pandas: front is the next contract from the day after its volume was larger, at the latest on the Monday of
    the expiry week (where no file holds it yet, nothing does); prices are those of the files.
    """
    folder = shared_file("sierra_es_5min_contracts")
    frames = []
    for file in sorted(folder.iterdir()):
        frame = pd.read_csv(file, skipinitialspace=True)
        local = pd.to_datetime(frame["Date"] + " " + frame["Time"])
        end = local.dt.tz_localize("America/Chicago").dt.tz_convert("UTC") + pd.Timedelta(minutes=5)
        day = (local + pd.Timedelta(hours=7)).dt.normalize()  # a trading day begins at 17:00 Chicago
        frames.append(pd.DataFrame({"end": end, "day": day, "px": (frame["Last"] * 4).round().astype(int),
                                    "sz": frame["Volume"], "contract": file.name[:5]}))  # fmt: skip
    bars = pd.concat(frames, ignore_index=True)
    order = bars.groupby("contract")["end"].min().sort_values().index.tolist()
    volume = bars.groupby(["day", "contract"])["sz"].sum().unstack().reindex(columns=order)
    months = {"H": 3, "M": 6, "U": 9, "Z": 12}
    firsts = {c: pd.Timestamp(2000 + int(c[3:]), months[c[2]], 1) for c in order}
    monday = {
        c: first + pd.offsets.WeekOfMonth(week=2, weekday=4) - pd.Timedelta(days=4)
        for c, first in firsts.items()
    }
    front, chosen = 0, {}
    for day, row in volume.iterrows():
        while front + 1 < len(order) and day >= monday[order[front]]:
            front += 1
        if pd.isna(row.iloc[front]) and front + 1 < len(order) and not pd.isna(row.iloc[front + 1]):
            front += 1
        chosen[day] = order[front] if day < monday[order[front]] else ""
        if front + 1 < len(order) and row.iloc[front + 1] > row.iloc[front]:
            front += 1  # from the next day on
    mine = bars[bars["contract"] == bars["day"].map(chosen)].sort_values("end")
    catalog = Catalog(tmp_path)
    import_sources([folder], catalog)
    before = {s.segment.file: s.segment.sha256 for s in catalog.stored()}
    joined = open_source(folder).events
    assert joined["ts_event"].tolist() == mine["end"].astype("datetime64[ns, UTC]").astype(np.int64).tolist()
    assert joined["px"].tolist() == mine["px"].tolist()
    assert joined["sz"].tolist() == mine["sz"].tolist()
    assert verify(catalog).ok
    assert {s.segment.file: s.segment.sha256 for s in catalog.stored()} == before
