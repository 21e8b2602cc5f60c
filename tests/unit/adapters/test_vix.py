"""VIX closes are known at 16:15 New York and not before."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.sources import open_source
from mia_kernel.adapters.vix import is_vix_daily, read_vix
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from tests.shared_data import shared_file

pytestmark = pytest.mark.unit

TEXT = b"DATE,OPEN,HIGH,LOW,CLOSE\n8/8/2019,18.70,19.50,16.50,16.91\n8/9/2019,17.90,19.10,17.01,17.97\n"


def _utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def test_a_close_enters_when_the_index_stops() -> None:
    part = read_vix([Member("VIX_daily.csv", "VIX_daily.csv", TEXT)], Ask())[0]
    assert part.events["ts_event"].tolist() == [_utc("2019-08-08T20:15"), _utc("2019-08-09T20:15")]
    assert part.events["px"].tolist() == [1691, 1797]
    assert (part.events["instrument"] == ev.VIX).all()
    assert "previous_close" in part.source.notes[0]


def test_it_is_recognised_by_columns_and_name() -> None:
    assert is_vix_daily(Member("VIX_daily.csv", "VIX_daily.csv", TEXT))
    assert not is_vix_daily(Member("ES_daily.csv", "ES_daily.csv", TEXT))


@pytest.mark.integration
def test_the_real_file_has_its_known_rows() -> None:
    recording = open_source(shared_file("vix/VIX_daily.csv"))
    assert len(recording) == 8_629
    assert recording.events["px"][0] == 1724
    assert (np.diff(recording.events["ts_event"]) > 0).all()
