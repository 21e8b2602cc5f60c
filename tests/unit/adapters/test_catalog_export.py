"""A stored day leaves as Sierra's files and comes back the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.catalog_export import export_sierra
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.sources import open_source
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, InputError
from tests.fakes.market_files import cme_zip

pytestmark = pytest.mark.unit


def test_trades_leave_and_come_back(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "data")
    source = tmp_path / "day.zip"
    source.write_bytes(cme_zip())
    import_sources([source], catalog)
    made = export_sierra(catalog, tmp_path / "out" / "ESU19.scid", "ESU19/2019-08-09")
    assert list(made) == ["ESU19.scid"]
    stored = catalog.read_uri("ESU19/2019-08-09").events
    back = open_source(tmp_path / "out" / "ESU19.scid").events
    trades = stored[stored["kind"] == ev.TRADE]
    assert back["px"].tolist() == trades["px"].tolist()
    assert back["sz"].tolist() == trades["sz"].tolist()
    assert (abs(back["ts_event"] - trades["ts_event"]) < 1_000_000).all()
    with pytest.raises(DataError, match="no book"):
        export_sierra(catalog, tmp_path / "ESU19.depth", "ESU19/2019-08-09")
    with pytest.raises(InputError, match="unknown export"):
        export_sierra(catalog, tmp_path / "ESU19.txt", "ESU19/2019-08-09")
