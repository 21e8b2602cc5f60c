"""What a person may ask of the command by mistake ends in a sentence, never in a trace or in a wrong number."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mia_kernel.cli.options import levels
from mia_kernel.core.errors import MiaError

pytestmark = [pytest.mark.unit, pytest.mark.options]

HEAD = "quote_date,root,expiration,strike,option_type,bid,ask,implied_volatility,open_interest,underlying_price\n"
ROW = "2024-06-10,SPXW,2024-06-17,5400,C,20,21,0.12,1000,5390\n"
PUT = ROW.replace(",C,", ",P,")


@pytest.mark.parametrize(
    ("content", "arguments", "rule"),
    [
        (b"", (), "the file is empty"),
        (bytes(range(256)) * 8, (), ""),
        (HEAD.encode(), (), ""),
        ((HEAD + ROW.replace(",C,", ",X,")).encode(), (), "no row names a contract"),
        ((HEAD + ROW.replace("2024-06-10", "2024-99-10")).encode(), (), "not a date"),
        ((HEAD + ROW.replace("2024-06-1", "2034-06-1")).encode(), (), ""),
        (HEAD.encode() + ROW.encode()[:-3] + b"\xff\xfe\n", (), "no text"),
        ((HEAD + ROW + PUT).encode(), ("--es", "0"), "not a price"),
        ((HEAD + ROW + PUT).encode(), ("--es", "nan"), "not a price"),
        ((HEAD + ROW + PUT).encode(), ("--es", "-5"), "not a price"),
        ((HEAD + ROW + PUT).encode(), ("--es", "54000"), "too far from the index"),
        ((HEAD + ROW + PUT).encode(), ("--spot", "0"), "not a price"),
        ((HEAD + ROW + PUT).encode(), ("--spot", "nan"), "not a price"),
        ((HEAD + ROW + PUT).encode(), ("--spot", "1"), "no gamma at this spot"),
        ((HEAD + ROW + PUT).encode(), ("--at", "tomorrow"), "not a time"),
        ((HEAD + (ROW + PUT).replace(",1000,", ",0,")).encode(), (), "open interest"),
    ],
)
def test_a_mistake_is_refused_with_its_reason(
    tmp_path: Path, content: bytes, arguments: tuple[str, ...], rule: str
) -> None:
    path = tmp_path / "chain.csv"
    path.write_bytes(content)
    answer = CliRunner().invoke(levels, [str(path), *arguments])
    assert isinstance(answer.exception, MiaError), (answer.exception, answer.output)
    assert answer.exception.exit_code == 2
    assert rule in str(answer.exception)


def test_the_same_table_without_a_mistake_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "chain.csv"
    path.write_text(HEAD + ROW + PUT)
    answer = CliRunner().invoke(levels, [str(path), "--es", "5410"])
    assert answer.exit_code == 0, answer.exception
    assert "5,390.00" in answer.output
