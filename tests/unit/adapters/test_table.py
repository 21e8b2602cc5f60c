"""Tables of text name the line of what is wrong with them."""

from __future__ import annotations

import pytest

from mia_kernel.adapters.table import column_name, header_of, read_csv, read_json, read_parquet
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError

pytestmark = pytest.mark.unit


def _csv(text: bytes) -> Member:
    return Member("x.csv", "x.csv", text)


def test_columns_are_found_whatever_their_spelling() -> None:
    assert column_name(" # of Trades ") == "#oftrades"
    assert header_of(b"Date, Time, Bid Volume\n")[0] == ["date", "time", "bidvolume"]
    assert header_of(b"a;b\n") == (["a", "b"], ";")
    assert header_of(b"\xff\xfe\x00")[0] == []


def test_values_keep_their_lines() -> None:
    table = read_csv(_csv(b"\xef\xbb\xbfa, b\r\n1, x\r\n2.5, y\r\n"))
    assert table.numbers("a").tolist() == [1.0, 2.5]
    assert table.text("b").tolist() == ["x", "y"]
    assert not table.unterminated


def test_a_last_line_without_an_end_is_noticed() -> None:
    assert read_csv(_csv(b"a,b\n1,2\n3,4")).unterminated


def test_a_word_among_numbers_is_named() -> None:
    with pytest.raises(FormatError) as caught:
        read_csv(_csv(b"a,b\n1,2\nthree,4\n")).numbers("a")
    assert (caught.value.line, caught.value.field, caught.value.value) == (3, "a", "three")


def test_a_short_line_is_named() -> None:
    with pytest.raises(FormatError) as caught:
        read_csv(_csv(b"a,b,c\n1,2,3\n4,5\n6,7,8\n"))
    assert caught.value.line == 3
    assert caught.value.value == "4,5"


def test_a_header_alone_is_refused() -> None:
    with pytest.raises(FormatError, match="no row"):
        read_csv(_csv(b"a,b\n"))


def test_a_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(FormatError, match="twice"):
        read_csv(_csv(b"a,a\n1,2\n"))


def test_json_that_ends_early_gives_its_offset() -> None:
    data = b'[{"a": 1}, {"a": '
    with pytest.raises(FormatError) as caught:
        read_json(Member("x.json", "x.json", data))
    assert caught.value.offset == len(data)


def test_a_record_without_a_key_is_named() -> None:
    with pytest.raises(FormatError) as caught:
        read_json(Member("x.json", "x.json", b'[{"a": 1, "b": 2}, {"a": 3}]'))
    assert (caught.value.line, caught.value.field) == (2, "b")


def test_json_lines_are_read_too() -> None:
    table = read_json(Member("x.json", "x.json", b'{"a": 1}\n{"a": 2}\n'))
    assert table.numbers("a").tolist() == [1.0, 2.0]


def test_a_cut_parquet_is_refused() -> None:
    with pytest.raises(FormatError, match="Parquet"):
        read_parquet(Member("x.parquet", "x.parquet", b"PAR1" + bytes(100)))
