"""Requests with impossible dates, spans and words are answered with their code, whatever they hold."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mia_kernel.gateway import requests
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.server import Gateway
from tests.fakes.gateway_market import rth_start, small_day

pytestmark = pytest.mark.unit

ES = ["710202503", "ES", "FUT", "", "0", "", "50", "CME", "", "USD", "", ""]
ENDS = ["", "00010101-00:00:00", "99991231 23:59:59", "20250314 12:00:00 Foo/Bar", "20250230-00:00:00", "x"]
SPANS = ["1 D", "99999 Y", "9999999999 S", "999 D", "0 D", "1 X", "2 W"]
SIZES = ["1 min", "1 day", "1 secs", "7 mins"]


class Listener:
    """Stands where a session stands, and keeps what it is told."""

    def __init__(self) -> None:
        self.version, self.client_id = 176, 3
        self.subscriptions: dict[int, Any] = {}
        self.told: list[list[object]] = []

    def send(self, values: list[object]) -> None:
        self.told.append(list(values))

    def error(self, request: int, code: int, text: str) -> None:
        self.told.append([4, 2, request, code, text])


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    return Gateway(small_day(), rth_start(), GatewayParams())


def ask(gateway: Gateway, *values: str) -> list[list[object]]:
    listener = Listener()
    requests.answer(gateway, listener, list(values))  # type: ignore[arg-type]
    return listener.told


@pytest.mark.parametrize(("end", "span", "size"), itertools.product(ENDS, SPANS, SIZES))
def test_history_is_told_or_refused(gateway: Gateway, end: str, span: str, size: str) -> None:
    (answer,) = ask(gateway, "20", "6", *ES, "", end, size, span, "0", "TRADES", "1", "0", "")
    assert answer[0] == 17 or answer[3] in (162, 321)


@pytest.mark.parametrize("end", ["00010101-00:00:00", "99991231-00:00:00", "x", ""])
def test_historical_ticks_are_told_or_refused(gateway: Gateway, end: str) -> None:
    (answer,) = ask(gateway, "96", "6", *ES, "", "", end, "10", "TRADES", "0", "0", "")
    assert answer[0] == 98 or answer[3] == 321


def test_unknown_and_unreadable_messages_have_their_codes(gateway: Gateway) -> None:
    assert ask(gateway, "22", "1")[0][3] == 321
    assert ask(gateway, "9", "8", "5", "x")[0][2:4] == [5, 320]
    assert ask(gateway, "2", "2", "77")[0][2:4] == [77, 300]
    assert ask(gateway, "25", "1", "78")[0][2:4] == [78, 366]


def test_small_bars_are_paced() -> None:
    gateway = Gateway(small_day(), rth_start(), GatewayParams())
    same = ("20", "6", *ES, "", "", "5 secs", "600 S", "0", "TRADES", "1", "0", "")
    assert ask(gateway, *same)[0][0] == 17
    again = ask(gateway, *same)[0]
    assert again[3] == 162
    assert "pacing" in str(again[4])
