"""S8: hostile bytes at the gateway's door. A frame is whole or refused; nothing hangs, grows or falls over."""

from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.gateway.fields import FieldError, Fields, contract_query, order_terms
from mia_kernel.gateway.wire import (
    LONGEST_FRAME,
    PREFIX,
    FrameDecoder,
    FrameError,
    fields_of,
    frame,
    message,
    text,
)
from tests.fakes.gateway_market import running

pytestmark = [pytest.mark.safety]

VALUES = st.lists(
    st.one_of(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(), st.booleans()),
    min_size=1, max_size=20,
)  # fmt: skip


@given(messages=st.lists(VALUES, max_size=6), cuts=st.lists(st.integers(0, 4000), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_messages(messages: list[list[object]], cuts: list[int]) -> None:
    data = PREFIX + b"".join(message(values) for values in messages)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = FrameDecoder()
    got = [p for i in range(len(edges) - 1) for p in decoder.feed(data[edges[i] : edges[i + 1]])]
    assert [fields_of(payload) for payload in got] == [[text(v) for v in values] for values in messages]
    assert decoder.pending == 0


@settings(max_examples=300)
@given(data=st.binary(max_size=400))
def test_random_bytes_are_refused_or_wait_and_never_grow(data: bytes) -> None:
    decoder = FrameDecoder(prefix=b"")
    try:
        frames = decoder.feed(data)
    except FrameError:
        return
    assert sum(len(payload) + 4 for payload in frames) + decoder.pending == len(data)


@pytest.mark.parametrize("length", [0, LONGEST_FRAME + 1, 2**32 - 1])
def test_an_announced_length_outside_the_rule_is_refused_at_once(length: int) -> None:
    with pytest.raises(FrameError, match="bytes"):
        FrameDecoder(prefix=b"").feed(struct.pack(">I", length))


@given(values=st.lists(st.text(max_size=12), max_size=140), version=st.sampled_from([157, 163, 170, 176]))
def test_an_order_that_cannot_be_read_says_so(values: list[str], version: int) -> None:
    fields = Fields(values)
    try:
        order_terms(fields, version, contract_query(fields))
    except FieldError as error:
        assert str(error)


_CONTRACT = ["710202503", "ES", "FUT", "", "0", "", "50", "CME", "", "USD", "", ""]
_REST = ["0", "TRADES", "1", "0", "", ""]
_WORDS = st.sampled_from(["", "0", "1", "-1", "1 D", "99999 Y", "9999999999 S", "1 min", "1 day", "TRADES", "BID_ASK",
                          "20250314 12:00:00 US/Eastern", "00010101-00:00:00", "99991231 23:59:59", "nan", "inf",
                          "AllLast", "BidAsk", "BUY", "SELL", "MKT", "LMT", "TRAIL", "GTD"])  # fmt: skip
_GARBAGE = st.one_of(
    st.binary(min_size=1, max_size=200),
    st.lists(st.text(max_size=8), min_size=1, max_size=30).map(lambda v: "\0".join(["3", *v, ""]).encode()),
    st.tuples(st.sampled_from([str(i) for i in range(1, 110)]), st.lists(_WORDS, max_size=20)).map(
        lambda m: "\0".join([m[0], *m[1], ""]).encode()
    ),
    st.tuples(st.sampled_from(["20", "96", "87"]), st.lists(_WORDS, min_size=6, max_size=10)).map(
        lambda m: "\0".join([m[0], "5", *_CONTRACT, "0", *m[1], ""]).encode()
    ),
    st.lists(_WORDS, min_size=5, max_size=5).map(
        lambda m: "\0".join(
            ["20", "6", *_CONTRACT, "", m[0], "1 min", m[1], "0", "TRADES", "1", "0", "", ""]
        ).encode()
    ),
)
"""Payloads: noise, broken orders, every message number with broken fields."""


@pytest.mark.integration
@settings(max_examples=8, deadline=None)
@given(payloads=st.lists(_GARBAGE, min_size=5, max_size=40))
def test_a_hostile_client_is_answered_or_cut_off_and_the_others_live(payloads: list[bytes]) -> None:
    asyncio.run(_hostile(payloads))


@pytest.mark.long
@pytest.mark.integration
@settings(max_examples=1_000, deadline=None)
@given(payloads=st.lists(_GARBAGE, min_size=5, max_size=40))
def test_a_thousand_hostile_clients(payloads: list[bytes]) -> None:
    asyncio.run(_hostile(payloads))


async def _hostile(payloads: list[bytes]) -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    async with running() as (gateway, _):
        good_in, good_out = await asyncio.open_connection("127.0.0.1", gateway.port)
        await _start(good_in, good_out, 1)
        bad_in, bad_out = await asyncio.open_connection("127.0.0.1", gateway.port)
        await _start(bad_in, bad_out, 2)
        for payload in payloads:
            bad_out.write(frame(payload))
        await bad_out.drain()
        good_out.write(message([49, 1]))
        async with asyncio.timeout(5):
            while (await _next(good_in))[0] != "49":
                pass
        bad_out.close()
        good_out.close()
    assert failures == []


async def _start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client_id: int) -> None:
    writer.write(PREFIX + frame(b"v157..176"))
    await _next(reader)
    writer.write(message([71, 2, client_id, ""]))
    async with asyncio.timeout(5):
        while (await _next(reader))[0] != "9":
            pass


async def _next(reader: asyncio.StreamReader) -> list[str]:
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return fields_of(await reader.readexactly(length))
