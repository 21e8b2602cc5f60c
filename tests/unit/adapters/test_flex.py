"""A broker's statement beside our fills: to the cent, by id or by what was done, and hostile files refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mia_kernel.adapters.flex import compare, read_statement
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.orders import OrderReport, OrderStatus, Role

pytestmark = pytest.mark.unit


def fill(
    exec_id: str = "e1", side: int = 1, ticks: float = 11_725, fee: int = 225, qty: int = 1
) -> OrderReport:
    return OrderReport(
        ts_event=1, ts_recv=1, seq=0, order_id="o", bracket_id="b", role=Role.ENTRY, symbol="ES", side=side,
        status=OrderStatus.FILLED, qty=qty, filled_qty=qty, last_qty=qty, last_ticks=ticks, fee_cents=fee,
        exec_id=exec_id,
    )  # fmt: skip


def xml(tmp_path: Path, trades: str, head: str = "") -> Path:
    path = tmp_path / "statement.xml"
    path.write_text(
        f'<?xml version="1.0"?>{head}<FlexQueryResponse queryName="MIA" type="AF"><FlexStatements count="1">'
        f'<FlexStatement accountId="DU1"><Trades>{trades}</Trades></FlexStatement></FlexStatements></FlexQueryResponse>'
    )
    return path


def trade(
    exec_id: str = "e1", side: str = "BUY", qty: str = "1", price: str = "2931.25", fee: str = "-2.25"
) -> str:
    return (
        f'<Trade assetCategory="FUT" symbol="ESU9" dateTime="20190809;094515" buySell="{side}" quantity="{qty}" '
        f'tradePrice="{price}" ibCommission="{fee}" ibExecID="{exec_id}" levelOfDetail="EXECUTION"/>'
    )


def test_fills_that_agree_to_the_cent_are_proven(tmp_path: Path) -> None:
    path = xml(tmp_path, trade() + trade("e2", "SELL", "-1", "2933.5"))
    found = compare(read_statement(path), [fill(), fill("e2", -1, 11_734)])
    assert found.holds
    assert (found.agreed, found.fee_difference_cents) == (2, 0)


def test_a_cent_of_fee_and_a_tick_of_price_are_named(tmp_path: Path) -> None:
    path = xml(tmp_path, trade(fee="-2.26") + trade("e2", "SELL", "-1", "2933.25"))
    found = compare(read_statement(path), [fill(), fill("e2", -1, 11_734)])
    assert not found.holds
    assert "fee 2.25 here, 2.26 there" in found.differing[0]
    assert "price 2933.5 here, 2933.25 there" in found.differing[1]
    assert found.fee_difference_cents == Decimal(1)


def test_fills_of_one_side_only_are_named(tmp_path: Path) -> None:
    found = compare(read_statement(xml(tmp_path, trade("theirs", price="2940"))), [fill("ours")])
    assert (found.agreed, len(found.only_ours), len(found.only_theirs)) == (0, 1, 1)
    assert found.named.startswith("only here: ")
    assert "only there: " in found.named


def test_without_a_shared_id_side_quantity_and_price_pair_them(tmp_path: Path) -> None:
    assert compare(read_statement(xml(tmp_path, trade("0000e1a7.5d4d"))), [fill("b1-x0")]).holds


def test_a_table_with_the_same_columns_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "statement.csv"
    path.write_text(
        '"Symbol","Date/Time","Buy/Sell","Quantity","TradePrice","IBCommission","IBExecID"\n'
        '"ESU9","20190809;094515","BUY","1","2,931.25","-2.25","e1"\n"AAPL","x","BUY","1","200","-1","e9"\n'
    )
    assert compare(read_statement(path), [fill()]).holds


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<html></html>", FormatError),
        ("<FlexQueryResponse><Trades>", FormatError),
        ("a,b\n1,2\n", FormatError),
        ("Symbol,Buy/Sell,Quantity,TradePrice,IBCommission\nESU9,HOLD,1,1,1\n", DataError),
        ("Symbol,Buy/Sell,Quantity,TradePrice,IBCommission\nESU9,BUY,one,1,1\n", DataError),
        ("Symbol,Buy/Sell,Quantity,TradePrice,IBCommission\nESU9,BUY,1,nan,1\n", DataError),
        ("Symbol,Buy/Sell,Quantity,TradePrice,IBCommission\nESU9,BUY,0.5,1,1\n", DataError),
    ],
)
def test_what_is_no_statement_is_refused_with_line_and_field(
    tmp_path: Path, text: str, error: type[Exception]
) -> None:
    path = tmp_path / "s.txt"
    path.write_text(text)
    with pytest.raises(error):
        read_statement(path)


def test_entities_of_a_statement_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary")
    head = f'<!DOCTYPE r [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    path = xml(tmp_path, trade().replace('symbol="ESU9"', 'symbol="ESU9"') + "&x;", head)
    assert all("canary" not in repr(row) for row in read_statement(path))
