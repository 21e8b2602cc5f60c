"""Long option tables say what the wide one says; imports keep chains; volume is held against what was usual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.cboe_csv import Asked
from mia_kernel.adapters.chain_history import ChainHistory
from mia_kernel.adapters.chain_views import tape_of
from mia_kernel.adapters.chains import read_chain
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.sources import open_source
from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.session import new_york_ns
from mia_kernel.gamma.chain import CALL, Chain
from mia_kernel.gamma.reference import Tape, put_call_reference
from mia_kernel.gamma.summary import levels_of

pytestmark = [pytest.mark.unit, pytest.mark.options]

EOD = ("underlying_symbol,quote_date,root,expiration,strike,option_type,open,high,low,close,trade_volume,"
       "bid_size_1545,bid_1545,ask_size_1545,ask_1545,underlying_bid_1545,underlying_ask_1545,"
       "implied_underlying_price_1545,active_underlying_price_1545,implied_volatility_1545,delta_1545,gamma_1545,"
       "theta_1545,vega_1545,rho_1545,bid_size_eod,bid_eod,ask_size_eod,ask_eod,underlying_bid_eod,"
       "underlying_ask_eod,vwap,open_interest,delivery_code")  # fmt: skip


def eod_table(chain: Chain, day: str = "2024-06-10") -> str:
    """A DataShop end-of-day table with the contracts of a chain."""
    lines = [EOD]
    for leg in chain.legs:
        expiry = f"{leg['expiry'] // 10_000}-{leg['expiry'] // 100 % 100:02}-{leg['expiry'] % 100:02}"
        iv = 0.0 if np.isnan(leg["iv"]) else leg["iv"]
        side = "C" if leg["right"] == CALL else "P"
        lines.append(
            f"^SPX,{day},{chain.roots[leg['root']]},{expiry},{leg['strike']:.3f},{side},"
            f"0,0,0,0,{leg['volume']:.0f},1,{leg['bid']},1,{leg['ask']},0,0,0,{chain.spot},{iv},{leg['delta']},"
            f"{leg['gamma']},0,0,0,1,9,1,9.1,0,0,0,{leg['oi']:.0f},"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def chain() -> Chain:
    made = synthetic_chain(7, spot=5360.0, day=20240610)
    near = np.isin(made.legs["expiry"], np.unique(made.legs["expiry"])[:4])
    return replace(made, legs=made.legs[near], as_of=new_york_ns(20240610, 945))


@pytest.fixture
def file(chain: Chain, tmp_path: Path) -> Path:
    path = tmp_path / "UnderlyingOptionsEODCalcs_2024-06-10.csv"
    path.write_text(eod_table(chain))
    return path


def test_a_datashop_table_gives_the_levels_of_the_chain_it_was_made_of(chain: Chain, file: Path) -> None:
    read = read_chain(file)
    assert (read.underlying, read.spot, read.as_of) == ("SPX", 5360.0, new_york_ns(20240610, 945))
    assert len(read.legs) == len(chain.legs)
    found, told = levels_of(read), levels_of(chain)
    assert found.net == pytest.approx(told.net, rel=1e-6)
    assert (found.walls["net"].call, found.walls["net"].put) == (
        told.walls["net"].call,
        told.walls["net"].put,
    )
    assert found.zero.price == pytest.approx(told.zero.price, abs=0.01)


def test_of_several_instants_the_one_asked_for_is_read_else_none(chain: Chain, file: Path) -> None:
    text = eod_table(chain) + "\n".join(eod_table(chain, "2024-06-11").splitlines()[1:]) + "\n"
    file.write_text(text)
    with pytest.raises(DataError, match="2 instants"):
        read_chain(file)
    at = new_york_ns(20240611, 945)
    read = read_chain(file, Asked(at))
    assert read.as_of == at
    assert len(read.legs) == len(chain.legs)
    assert any("other instants" in note for note in read.defects.notes)


def test_contracts_by_symbol_need_time_and_spot_from_the_user(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("option_symbol,bid,ask,iv,open_interest,volume\n"
                    "SPXW240617C05400000,20,20.5,0.12,1000,10\n"
                    "SPXW240617P05400000,30,30.5,0.12,900,10\nnonsense,,,,,\n")  # fmt: skip
    with pytest.raises(DataError, match="no time"):
        read_chain(path)
    at = new_york_ns(20240610, 945)
    with pytest.raises(DataError, match="no price of the underlying"):
        read_chain(path, Asked(at))
    read = read_chain(path, Asked(at, 5390.0))
    assert len(read.legs) == 2
    assert read.defects.unreadable_rows == 1
    assert read.legs["strike"].tolist() == [5400.0, 5400.0]


def test_two_underlyings_are_refused(chain: Chain, file: Path) -> None:
    file.write_text(eod_table(chain).replace("^SPX,", "^NDX,", 1))
    with pytest.raises(DataError, match="several underlyings"):
        read_chain(file)


def test_an_import_names_the_command_that_keeps_it_and_the_history_keeps_it_once(
    file: Path, tmp_path: Path
) -> None:
    (passed,) = import_sources([file], Catalog(tmp_path / "data"))
    assert passed.status == "options"
    assert "mia options store" in str(passed.error)
    shelf = ChainHistory(tmp_path / "data" / "options")
    assert [shelf.add(read_chain(file))[1] for _ in range(2)] == [True, False]
    assert len(shelf.snapshots("SPX")) == 1
    with pytest.raises(FormatError, match="options are not kept in the catalog"):
        open_source(file)


def _days(hour: int, ratios: list[float | None], *, partial: bool = False) -> list[Tape]:
    days = (3, 4, 5, 6, 7, 10, 11, 12)
    return [
        Tape(new_york_ns(20240600 + day, hour * 60), ratio, partial)
        for day, ratio in zip(days, ratios, strict=False)
    ]


def test_put_call_volume_is_held_against_the_median_of_sessions_at_the_same_time() -> None:
    evening = _days(20, [1.0, 1.2, 1.4, 1.6, 1.8])
    at = new_york_ns(20240611, 20 * 60)
    assert put_call_reference(evening, at) == pytest.approx(1.4)
    assert put_call_reference(evening[:4], at) is None
    # Noon is another time of day, a partial chain another book, tomorrow not yet known.
    noon = new_york_ns(20240611, 12 * 60)
    assert put_call_reference(evening, noon) is None
    assert put_call_reference([*evening, *_days(12, [9.0] * 6)], noon) == pytest.approx(9.0)
    assert put_call_reference(_days(20, [1.0] * 6, partial=True), at) is None
    assert put_call_reference([*evening, Tape(at + 1, 99.0, False)], at) == pytest.approx(1.4)
    # Of one session the last word counts, and never the session's own.
    early = [replace(tape, as_of=tape.as_of - 3_600_000_000_000, put_call_volume=50.0) for tape in evening]
    assert put_call_reference([*early, *evening], at) == pytest.approx(1.4)
    assert put_call_reference([*evening, Tape(at - 1_000_000_000, 50.0, False)], at) == pytest.approx(1.4)


def test_the_tape_of_a_chain_is_its_ratio_over_all_rows(chain: Chain) -> None:
    tape = tape_of(chain)
    legs = chain.legs
    calls, puts = (
        float(np.nansum(legs["volume"][(legs["right"] == CALL) == side])) for side in (True, False)
    )
    assert tape.put_call_volume == pytest.approx(puts / calls)
