"""Chain files in every spelling, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.cboe_csv import Asked
from mia_kernel.adapters.chain_dates import read_date_line
from mia_kernel.adapters.chain_history import ChainHistory
from mia_kernel.adapters.chains import read_chain
from mia_kernel.core.errors import CorruptError, DataError, FormatError

pytestmark = [pytest.mark.unit, pytest.mark.options]

HEAD = "\nStandard & Poors 500 Index,Last: 4300.01,Change: 6.08\n"
DATE = '"Date: June 9, 2023 at 1:40 PM EDT",Bid: 4299.3,Ask: 4300.8,Size: 1*1,Volume: 0\n'
NAMES = "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest\n"  # noqa: E501


def row(day: str = "230616", strike: int = 4300, root: str = "SPXW") -> str:
    call, put = (f"{root}{day}{side}{strike * 1000:08d}" for side in "CP")
    left = f"{call},20,0,19.5,20.5,100,0.12,0.5,0.003,1000"
    return f"Fri Jun 16 2023,{left},{strike},{put},19,0,18.5,19.5,90,0.13,-0.5,0.003,900\n"


def write(folder: Path, text: str | bytes, name: str = "quotedata.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


UTC_1740 = int(np.datetime64("2023-06-09T17:40", "ns").astype(np.int64))


@pytest.mark.parametrize(
    "text",
    [
        "June 9, 2023 at 1:40 PM EDT",
        "9 June 2023, 1:40 PM EDT",
        "9 June 2023, 13:40 UTC−4",
        "9 июня 2023 г. в 13:40 GMT-4",
        "9 de junio de 2023, 13:40 GMT-4",
        "9 juin 2023 à 19:40 UTC+2",
        "9. Juni 2023 um 19:40 UTC+2",
        "9 giugno 2023, 17:40 UTC",
        "2023-06-09 13:40 ET",
        "09/06/2023 13:40 ET",
        "06/09/2023, 1:40:00 PM ET",
    ],
)
def test_the_date_is_read_in_the_language_of_the_page(text: str) -> None:
    found, _ = read_date_line(text, "x.csv", [20230609, 20230612])
    assert found == UTC_1740


def test_a_date_that_is_two_dates_is_refused() -> None:
    with pytest.raises(DataError, match="two dates at once"):
        read_date_line("05/06/2023 13:40 ET", "x.csv", [])


@pytest.mark.parametrize(
    "text",
    [
        HEAD + DATE + NAMES + row() + row(strike=4305),
        HEAD + DATE + row() + row(strike=4305),  # no header
        "---Example Data---" + HEAD + DATE + NAMES + row() + row(strike=4305),
        (HEAD + DATE + NAMES).replace("\n", ",,,,,\n") + row() + row(strike=4305),  # padded
        (HEAD + DATE + NAMES + row() + row(strike=4305)).replace("\n", "\r\n"),
    ],
)
def test_a_quote_table_is_read_in_every_dress(tmp_path: Path, text: str) -> None:
    chain = read_chain(write(tmp_path, text))
    assert len(chain.legs) == 4
    assert chain.spot == 4300.01
    assert chain.as_of == UTC_1740
    assert chain.legs["oi"].tolist() == [1000, 900, 1000, 900]
    assert chain.legs["bid"].tolist() == [19.5, 18.5, 19.5, 18.5]


def test_a_wrapped_table_is_the_same_chain(tmp_path: Path) -> None:
    text = (HEAD + DATE + NAMES + row()).encode()
    plain = read_chain(write(tmp_path, text))
    wrapped = read_chain(write(tmp_path, gzip.compress(text), "q.csv.gz"))
    assert plain.legs.tobytes() == wrapped.legs.tobytes()
    assert plain.as_of == wrapped.as_of


def test_a_cut_row_is_left_out_and_told(tmp_path: Path) -> None:
    chain = read_chain(write(tmp_path, HEAD + DATE + NAMES + row() + row(strike=4305)[:60]))
    assert len(chain.legs) == 2
    assert chain.defects.unreadable_rows == 1


def test_what_the_file_does_not_say_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + NAMES + row())
    with pytest.raises(DataError, match="--at TIME"):
        read_chain(path)
    assert read_chain(path, Asked(at=UTC_1740)).as_of == UTC_1740
    path = write(tmp_path, "name\n" + DATE + NAMES + row())
    with pytest.raises(DataError, match="--spot PRICE"):
        read_chain(path)
    assert read_chain(path, Asked(spot=4301.0)).spot == 4301.0


def test_the_delayed_quotes_page_is_read(tmp_path: Path) -> None:
    option = {"option": "SPXW230616C04300000", "bid": 1, "ask": 2, "iv": 0.0, "open_interest": 5, "volume": 1}
    page = {
        "timestamp": "2023-06-09 17:40:00",
        "data": {"current_price": 4300.0, "options": [option, {"option": "junk"}]},
    }
    chain = read_chain(write(tmp_path, json.dumps(page), "spx.json"))
    assert chain.as_of == UTC_1740
    assert np.isnan(chain.legs["iv"][0])
    assert np.isnan(chain.legs["gamma"][0])
    assert chain.defects.unreadable_rows == 1
    with pytest.raises(FormatError, match="no delayed-quotes page"):
        read_chain(write(tmp_path, json.dumps(page)[:-30], "cut.json"))


@pytest.mark.safety
@pytest.mark.parametrize("text", [b"x", b"a,b\n1,2\n", b'{"data": {"options": []}}', b"\xff\xfe\x00"])
def test_what_is_no_chain_is_refused_with_the_file(tmp_path: Path, text: bytes) -> None:
    with pytest.raises((FormatError, DataError), match="quotedata"):
        read_chain(write(tmp_path, text))


def test_a_stored_chain_comes_back_and_is_stored_once(tmp_path: Path) -> None:
    rows = "".join(row(strike=strike) for strike in range(4200, 4400, 5))
    chain = read_chain(write(tmp_path, HEAD + DATE + NAMES + rows))
    shelf = ChainHistory(tmp_path / "options")
    stored, is_new = shelf.add(chain)
    assert is_new
    assert shelf.add(chain) == (stored, False)
    back = shelf.read(stored)
    assert back.as_of == chain.as_of
    assert back.roots == chain.roots
    for name in chain.legs.dtype.names or ():
        assert np.array_equal(back.legs[name], chain.legs[name], equal_nan=chain.legs[name].dtype.kind == "f")
    table = shelf.levels().to_pylist()
    assert len(table) == 1
    assert table[0]["definition_version"] == "1.0"
    assert table[0]["spot"] == 4300.01


@pytest.mark.safety
def test_a_damaged_stored_chain_is_named(tmp_path: Path) -> None:
    shelf = ChainHistory(tmp_path / "options")
    rows = "".join(row(strike=strike) for strike in range(4200, 4400, 5))
    stored, _ = shelf.add(read_chain(write(tmp_path, HEAD + DATE + NAMES + rows)))
    stored.path.write_bytes(stored.path.read_bytes()[:200])
    with pytest.raises(CorruptError, match="not a stored chain"):
        shelf.read(stored)
