"""Lean minutes, levels of vendors, and the polite downloader against a server of our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.cboe_csv import Asked
from mia_kernel.adapters.chain_download import EVERY_S, fetch_chain
from mia_kernel.adapters.chains import read_chain
from mia_kernel.adapters.vendor_levels import read_vendor_levels
from mia_kernel.core.errors import DataError, FormatError, InputError, OutsideError
from mia_kernel.core.session import new_york_ns
from mia_kernel.gamma.book import book_of
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.options]


def page(stamp: str = "2023-06-09 17:40:00") -> bytes:
    option = {"option": "SPXW230616C04300000", "bid": 1, "ask": 2, "iv": 0.12, "open_interest": 5}
    return json.dumps({"timestamp": stamp, "data": {"current_price": 4300.0, "options": [option]}}).encode()


class Server(ThreadingHTTPServer):
    answers: list[tuple[int, bytes]]
    asked: list[str]


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.server, Server)
            self.server.asked.append(self.path)
            status, body = self.server.answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    made = Server(("127.0.0.1", 0), Handler)
    made.answers, made.asked = [], []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def base(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_a_page_is_asked_for_once_a_minute_and_kept(server: Server, tmp_path: Path) -> None:
    clock = [1000.0]
    server.answers = [(200, page()), (200, page()), (200, page("2023-06-09 17:42:00"))]
    first = fetch_chain("spx", tmp_path, base=base(server), now=lambda: clock[0])
    assert first.is_new
    assert read_chain(first.path).spot == 4300.0
    again = fetch_chain("SPX", tmp_path, base=base(server), now=lambda: clock[0] + EVERY_S - 1)
    assert (again.path, again.is_new) == (first.path, False)
    assert server.asked == ["/_SPX.json"]
    clock[0] += EVERY_S
    assert not fetch_chain("SPX", tmp_path, base=base(server), now=lambda: clock[0]).is_new
    clock[0] += EVERY_S
    assert fetch_chain("SPX", tmp_path, base=base(server), now=lambda: clock[0]).is_new
    assert len(server.asked) == 3


def test_a_refusal_is_waited_out_twice_as_long(server: Server, tmp_path: Path) -> None:
    server.answers = [(429, b""), (503, b""), (200, page())]
    with pytest.raises(OutsideError, match="answered 429; again in 120 s"):
        fetch_chain("SPX", tmp_path, base=base(server), now=lambda: 1000.0)
    with pytest.raises(OutsideError, match="asked for a moment ago"):
        fetch_chain("SPX", tmp_path, base=base(server), now=lambda: 1100.0)
    with pytest.raises(OutsideError, match="answered 503; again in 240 s"):
        fetch_chain("SPX", tmp_path, base=base(server), now=lambda: 1121.0)
    assert fetch_chain("SPX", tmp_path, base=base(server), now=lambda: 1400.0).is_new
    assert len(server.asked) == 3


@pytest.mark.safety
def test_what_is_no_chain_is_never_stored(server: Server, tmp_path: Path) -> None:
    server.answers = [(200, b"<html>blocked</html>")]
    with pytest.raises(FormatError):
        fetch_chain("SPY", tmp_path, base=base(server), now=lambda: 1000.0)
    assert server.asked == ["/SPY.json"]
    assert list(tmp_path.glob("SPY_*.json")) == []
    with pytest.raises(InputError, match="not a symbol"):
        fetch_chain("../x", tmp_path, base=base(server))


def test_an_unreachable_page_is_the_worlds_fault(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="again in"):
        fetch_chain("SPX", tmp_path, base="http://127.0.0.1:9", now=lambda: 1000.0, timeout_s=2.0)


def test_lean_minutes_become_a_chain_known_when_its_minutes_are_over() -> None:
    folder = shared_file("lean_spx_options_202101")
    at = new_york_ns(20210104, 720)
    chain = read_chain(folder, Asked(at=at))
    assert set(chain.roots) == {"SPX", "SPXW"}
    assert chain.spot == pytest.approx(3680, abs=60)
    assert chain.defects.partial
    earlier = read_chain(folder, Asked(at=at - 60_000_000_000))
    assert not np.array_equal(earlier.legs["bid"], chain.legs["bid"], equal_nan=True)
    # The index is stamped in Chicago, the options in New York: an hour apart, parity would break by points.
    book = book_of(chain)
    pairs = [e for e in book.carry.expiries if e.years < 0.05]
    assert all(abs(e.forward / chain.spot - 1) < 0.004 for e in pairs)
    assert (book.sigma[book.oi > 0] > 0.05).all()
    with pytest.raises(DataError, match="--at"):
        read_chain(folder)


def test_levels_of_vendors_are_read_in_both_shapes() -> None:
    table = b'Symbol,Call Wall,Put Wall,Zero Gamma\nSPX,4300,4000,"4,225.5"\nSPY,430,,\n'
    found = read_vendor_levels(table, "levels.csv")
    assert found == {
        "SPX": {"call_wall": 4300.0, "put_wall": 4000.0, "zero_gamma": 4225.5},
        "SPY": {"call_wall": 430.0},
    }
    text = b"$SPX: Call Resistance, 4300, Put Support, 4000, HVL, 4215, 1D Max, 4330\n"
    assert read_vendor_levels(text, "mq.txt") == {
        "SPX": {"call_wall": 4300.0, "put_wall": 4000.0, "hvl": 4215.0, "1d_max": 4330.0}
    }


@pytest.mark.safety
@pytest.mark.parametrize(
    "text", [b"", b"a,b\n1,2\n", b"Symbol,Call Wall\nSPX,x\n", b"$SPX: HVL, 1, Put", b"\xff\xfe"]
)
def test_a_broken_file_of_levels_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        read_vendor_levels(text, "levels.csv")
