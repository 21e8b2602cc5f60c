"""CME time and sales: trade dates, slots, what is no trade; known values of the real session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.cme import is_cme, read_cme
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.wrappers import Member, members
from mia_kernel.core import events as ev
from mia_kernel.core.errors import FormatError, InputError
from tests.fakes.market_files import cme_slot, cme_zip
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]


def _utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, object]:
    path = tmp_path / "day.zip"
    path.write_bytes(cme_zip())
    return {str(part.source.contract): part for part in read_cme(list(members(path)), Ask())}


def test_every_contract_with_a_trade_is_a_part(parts: dict[str, object]) -> None:
    assert set(parts) == {"ESU19", "ESZ19"}


def test_the_evening_before_comes_first_and_seconds_are_spread(parts: dict[str, object]) -> None:
    rows = parts["ESU19"].events  # type: ignore[attr-defined]
    # 17:00:00 Chicago of 8 August is 22:00 UTC; two trades in that second, in file order, +1 and +2 ns.
    evening, morning = _utc("2019-08-08T22:00:00"), _utc("2019-08-09T13:30:00")
    assert rows["ts_event"].tolist() == [
        evening + 1,
        evening + 2,
        morning + 1,
        morning + 10**9 + 1,
        morning + 10**9 + 2,
    ]
    assert rows["ts_recv"].tolist() == rows["ts_event"].tolist()
    assert rows["px"].tolist() == [11712, 11713, 11674, 11675, 11673]
    assert rows["sz"].tolist() == [5, 2, 1, 7, 3]


def test_quantity_zero_records_are_no_trades_and_are_counted(parts: dict[str, object]) -> None:
    verdict = parts["ESU19"].verdict  # type: ignore[attr-defined]
    assert verdict.counts["not_a_trade_open"] == 1
    assert verdict.counts["not_a_trade_indicative"] == 1


def test_sides_are_left_to_the_tick_rule_and_said_so(parts: dict[str, object]) -> None:
    part = parts["ESU19"]
    assert part.source.carries.aggressor == "tick_rule"  # type: ignore[attr-defined]
    rows = part.events  # type: ignore[attr-defined]
    assert not rows["side"].any()
    assert (rows["flags"] == ev.SIDE_TICK_RULE).all()
    assert part.source.clock_resolution_ns == 10**9  # type: ignore[attr-defined]


def _one(data: bytes) -> list[Member]:
    return [Member("day.zip!slot.xml", "slot.xml", data)]


def test_an_off_grid_price_is_set_aside() -> None:
    good = [("-", 1, 2918.5, f"08:30:{i:02d}") for i in range(40)]
    part = read_cme(_one(cme_slot("SEP 19", 109, [*good, ("-", 1, 2918.6, "08:30:50")])), Ask())[0]
    assert part.verdict.quarantined == {"off_grid": 1}
    assert len(part.events) == 40


def test_a_late_trade_is_applied_on_arrival_and_an_old_one_set_aside() -> None:
    clocks = [f"08:30:{i:02d}" for i in range(40)] + ["08:30:38", "08:30:10"]
    part = read_cme(_one(cme_slot("SEP 19", 109, [("-", 1, 2918.5, clock) for clock in clocks])), Ask())[0]
    assert part.verdict.repaired == {"late": 1}
    assert part.verdict.quarantined == {"too_late": 1}
    last = part.events[-1]
    assert last["ts_event"] == _utc("2019-08-09T13:30:38")
    assert last["ts_recv"] == _utc("2019-08-09T13:30:39") + 2


@pytest.mark.safety
def test_a_cut_member_is_refused_with_its_offset() -> None:
    data = cme_slot("SEP 19", 109, [("-", 1, 2918.5, "08:30:00")] * 5)
    for cut in (len(data) - 1, len(data) - 30, len(data) // 2):
        with pytest.raises(FormatError) as caught:
            read_cme(_one(data[:cut]), Ask())
        assert caught.value.offset == cut
        assert "slot.xml" in str(caught.value)


@pytest.mark.safety
def test_a_broken_record_is_named_by_its_offset() -> None:
    data = cme_slot("SEP 19", 109, [("-", 1, 2918.5, "08:30:00")] * 3)
    broken = data.replace(b"<quantity>1<", b"<quantity>x<", 1)
    with pytest.raises(FormatError) as caught:
        read_cme(_one(broken), Ask())
    assert caught.value.offset == broken.find(b"<reportRecordList>")


def test_another_symbol_is_refused() -> None:
    with pytest.raises(InputError, match="another symbol"):
        read_cme(_one(cme_slot("SEP 19", 109, [("-", 1, 2918.5, "08:30:00")])), Ask(symbol="NQ"))


def test_it_is_recognised_by_its_content() -> None:
    assert is_cme(cme_slot("SEP 19", 109, []))
    assert not is_cme(b"<?xml version='1.0'?><other/>")


@pytest.mark.integration
def test_the_real_session_has_its_known_values() -> None:
    path = shared_file("es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip")
    parts = {part.source.contract: part for part in read_cme(list(members(path)), Ask())}
    counts = {name: (len(part.events), part.volume) for name, part in parts.items()}
    assert counts == {"ESU19": (325_253, 1_962_653), "ESZ19": (1_628, 4_708), "ESH20": (81, 103)}
    rows = parts["ESU19"].events
    assert (rows["px"].min(), rows["px"].max()) == (2899 * 4, 2935.75 * 4)
    assert (np.diff(rows["ts_recv"]) > 0).all()
    assert parts["ESU19"].verdict.score == 1.0
    assert parts["ESU19"].verdict.counts["not_a_trade_open"] == 1
