"""R7-R11, R18, S8: wrong clocks, full disks, flipped bytes, bad limits, runaway wishes: refused, nothing sent."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.limits_file import CAPS, parse, read, write_default
from mia_kernel.adapters.messages import Accepted, Arm, Hello, Refused, Submit
from mia_kernel.core.errors import CorruptError, InputError, MiaError, OutsideError, SettingsError
from mia_kernel.core.orders import PlaceBracket
from mia_kernel.core.venue import CLOCK, Place, Trouble, WireType
from mia_kernel.guardian.book import Book
from mia_kernel.guardian.start import make
from tests.fakes.guarded import ACCOUNT, ASK, BID, BUILD, Guarded, bracket, law_text

pytestmark = [pytest.mark.unit, pytest.mark.safety]


# -- limits ------------------------------------------------------------------------------------------


def test_the_written_default_is_valid_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "risk.toml"
    write_default(path, ACCOUNT, dt.date(2023, 11, 1))
    assert read(path).law.limits.daily_loss_usd == 500.0
    with pytest.raises(InputError, match="exist already"):
        write_default(path, ACCOUNT, dt.date(2023, 11, 1))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.replace("max_position = 2.0", "max_positon = 2.0"), "max_position"),
        (lambda t: t + "max_positon = 1.0\n", "unknown key"),
        (lambda t: t.replace("daily_loss_usd = 500.0", 'daily_loss_usd = "500 EUR"'), "daily_loss_usd"),
        (lambda t: t.replace("daily_loss_usd = 500.0", "daily_loss_usd = -500.0"), "daily_loss_usd"),
        (lambda t: t.replace("max_position = 2.0", "max_position = 3.0"), "beyond what this build allows"),
        (
            lambda t: t.replace("hard_daily_loss_usd = 1000.0", "hard_daily_loss_usd = 100.0"),
            "inside the daily loss",
        ),
        (lambda t: t.split("[limits]")[0], "no limits"),
        (lambda t: t.replace('account = "DU1234567"', ""), "account"),
        (lambda t: t.replace("reviewed = 2023-11-01", "reviewed = 1"), "reviewed"),
        (lambda t: t.replace("=", ":", 1), "not a TOML file"),
        (lambda t: "", "no limits"),
    ],
)
def test_bad_limits_are_refused_with_their_place(change, match: str) -> None:
    text = change(law_text())
    assert text != law_text()
    with pytest.raises(SettingsError, match=match):
        parse(text)


def test_a_bad_value_names_its_line() -> None:
    text = law_text(max_position="9.0")
    with pytest.raises(SettingsError) as caught:
        parse(text)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if row.startswith("max_position"))
    assert caught.value.line == line


@given(
    st.dictionaries(
        st.sampled_from(sorted(CAPS)), st.one_of(st.integers(-10, 10**6), st.floats(-1e9, 1e9)), min_size=1
    )
)
def test_no_valid_file_exceeds_the_caps(values: dict[str, float]) -> None:
    try:
        file = parse(law_text(**values))
    except SettingsError:
        return
    for name, cap in CAPS.items():
        assert getattr(file.law.limits, name) <= cap


@given(st.binary(max_size=300))
def test_random_bytes_as_limits_are_refused_cleanly(data: bytes) -> None:
    text = data.decode("latin-1")
    with pytest.raises(SettingsError):
        parse(text)


def test_a_guardian_without_limits_or_venue_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write-limits"):
        make(tmp_path, "paper", "gateway:127.0.0.1:4002")
    (tmp_path / "risk.toml").write_text(law_text())
    with pytest.raises(InputError, match="no venue"):
        make(tmp_path, "paper", None)
    with pytest.raises(InputError, match="not a venue"):
        make(tmp_path, "paper", "somewhere")
    with pytest.raises(SettingsError, match="real money"):
        make(tmp_path, "paper", "ibkr:127.0.0.1:7496")


# -- builds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        (Hello("old+0", 1, "s", "paper", "r"), "build"),
        (Hello(BUILD, 0, "s", "paper", "r"), "protocol"),
        (Hello(BUILD, 1, "s", "production", "r"), "mode"),
    ],
)
def test_mixed_versions_and_modes_are_refused(tmp_path: Path, hello: Hello, code: str) -> None:
    guarded = Guarded(tmp_path / "home")
    (answer,) = guarded.intake.answer(hello, guarded.now)
    assert isinstance(answer, Refused)
    assert answer.code == code
    refused = guarded.submit(bracket(guarded.venue.now))
    assert isinstance(refused, Refused)
    assert refused.code == "no_hello"


def test_a_new_engine_of_another_build_disarms_the_old(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    before = len(guarded.venue.received)
    (answer,) = guarded.hello(build="new+2")
    assert isinstance(answer, Refused)
    assert "restart" in answer.reason
    assert not guarded.g.armed
    guarded.run(0.2)
    assert len(guarded.venue.received) == before
    # A person who looks sees which two builds met, also where nothing was armed.
    (note,) = [n for n in guarded.status().alerts if n.code == "build"]
    assert "new+2" in note.text
    assert BUILD in note.text


# -- wishes ------------------------------------------------------------------------------------------


def test_a_payload_that_is_no_command_is_refused(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    rng = random.Random(1)
    for _ in range(300):
        payload = rng.randbytes(rng.randint(0, 60))
        (answer,) = guarded.intake.answer(Submit("x", payload), guarded.now)
        assert isinstance(answer, Refused)
    assert guarded.venue.received == []


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"qty": 100}, "order_size"),
        ({"entry": ASK + 900}, "entry_distance"),
        ({"stop": -8}, "reward_risk"),
        ({"stop": 400}, "reward_risk"),
        ({"stop": 40, "target": 100, "qty": 2}, "risk_per_trade"),
        ({"stop": 30, "target": 80}, "share_of_remaining_daily_loss"),
    ],
)
def test_a_wild_wish_is_denied_with_its_numbers(tmp_path: Path, wish: dict[str, Any], code: str) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    answer = guarded.submit(bracket(guarded.venue.now, **wish))
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert any(c.isdigit() for c in answer.reason)
    assert guarded.venue.received == []


def test_children_never_exceed_their_parent(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    good = bracket(guarded.venue.now)
    bad = replace(good, stop=replace(good.stop, qty=2))
    answer = guarded.submit(bad)
    assert isinstance(answer, Refused)
    assert answer.code == "children"


def test_a_runaway_strategy_gets_five_orders_a_second_and_loses_its_arming(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home", max_concurrent=4)
    guarded.arm()
    accepted: list[int] = []
    for _ in range(1000):  # a thousand wishes in a second, flipping sides
        command = _wild(guarded)
        if isinstance(guarded.submit(command), Accepted):
            accepted.append(guarded.venue.now)
        guarded.step(0.001)
    orders = sum(len(i.orders) for _, i in guarded.venue.received if isinstance(i, Place))
    assert orders <= 5
    assert not guarded.g.armed


def _wild(guarded: Guarded) -> PlaceBracket:
    ts = guarded.venue.now
    side = 1 if ts // 1_000_000 % 2 else -1
    return bracket(ts, side, 1, (BID - 3) if side > 0 else (ASK + 3), symbol="MES")


# -- the journal -------------------------------------------------------------------------------------


def _traded(home: Path) -> Path:
    guarded = Guarded(home)
    guarded.arm()
    guarded.enter()
    guarded.run(0.3)
    guarded.g.book.close()
    (path,) = (home / "journal").glob("*.sqlite")
    return path


@pytest.mark.parametrize("flips", [150, pytest.param(1000, marks=pytest.mark.long)])
def test_any_flipped_byte_of_the_journal_is_found_or_was_in_no_record(
    tmp_path: Path, flips: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _traded(tmp_path / "home")
    whole = path.read_bytes()
    before = Book(path.parent).past()
    rng = random.Random(5)
    found = harmless = 0
    for _ in range(flips):
        at = rng.randrange(len(whole))
        bent = bytearray(whole)
        bent[at] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(bent))
        try:
            past = Book(path.parent).past()
        except MiaError:
            found += 1
            continue
        assert past == before, f"byte {at} changed what is remembered, silently"
        harmless += 1
    with capsys.disabled():
        print(f"\nR9: {flips} flips in the guardian's journal: {found} refused, {harmless} in no record")
    assert found > flips // 2


def test_a_broken_journal_ends_the_start_with_the_way_out(tmp_path: Path) -> None:
    path = _traded(tmp_path / "home")
    bent = bytearray(path.read_bytes())
    at = bytes(bent).index(b"instructions")
    bent[at] ^= 1
    path.write_bytes(bytes(bent))
    with pytest.raises(CorruptError, match="way out"):
        Guarded(tmp_path / "home")


def _no_room(*_: object, **__: object) -> None:
    raise OutsideError("disk full; way out: make room")


def test_on_a_full_disk_nothing_enters_and_a_flatten_still_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(1.2)
    with monkeypatch.context() as patched:
        patched.setattr("mia_kernel.guardian.book.JournalWriter.append_record", _no_room)
        before = len(guarded.venue.received)
        answer = guarded.submit(bracket(guarded.venue.now, entry=BID - 3))
        assert isinstance(answer, Refused)
        assert answer.code == "disk"
        assert len(guarded.venue.received) == before
        assert not guarded.g.armed
        assert guarded.venue.stops() == 1
        assert guarded.ask(Arm("ARM PAPER", ACCOUNT)).code == "disk"
        guarded.g.halt("test", guarded.now)
        sent = [i for _, i in guarded.venue.received[before:]]
        assert any(isinstance(i, Place) and i.orders[0].type is WireType.MARKET for i in sent)
        guarded.g.book.close()
    guarded.start()  # space has returned; what left meanwhile is remembered
    guarded.run(1.0)
    guarded.agrees()
    assert guarded.venue.positions["ES"] == 0
    assert max(guarded.venue.refs_seen.values()) == 1


def test_a_disk_that_recovers_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    with monkeypatch.context() as patched:
        patched.setattr("mia_kernel.guardian.book.JournalWriter.append_record", _no_room)
        guarded.submit(bracket(guarded.venue.now))
        guarded.run(1.0)
        assert guarded.g.disk_failed
    monkeypatch.setattr("mia_kernel.guardian.book.AGAIN_S", 0.0)
    guarded.run(2.5)
    assert not guarded.g.disk_failed


# -- clocks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_s", [1, -1, 3600, -3600])
def test_a_jumping_clock_sends_nothing_and_keeps_the_protection(tmp_path: Path, jump_s: int) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(0.5)
    before = len(guarded.venue.received)
    guarded.venue.advance(jump_s)
    guarded.run(0.5)
    assert len(guarded.venue.received) == before
    assert guarded.venue.stops() == 1
    guarded.agrees()


@pytest.mark.parametrize(("seconds", "armed"), [(0.4, True), (-0.4, True), (1.2, False), (-3.0, False)])
def test_a_clock_that_is_off_alarms_and_then_disarms(tmp_path: Path, seconds: float, armed: bool) -> None:
    guarded = Guarded(tmp_path / "home")
    guarded.arm()
    guarded.venue.events.append(Trouble(CLOCK, f"clock off by {seconds} s", value=seconds))
    guarded.step()
    assert guarded.g.armed is armed
    assert guarded.status().alerts[-1].code == "clock"


@settings(max_examples=30)
@given(st.lists(st.sampled_from((None, BID, BID - 40, BID + 40, 0, 2**30)), min_size=2, max_size=2))
def test_a_broken_quote_never_lets_an_order_out(
    tmp_path_factory: pytest.TempPathFactory, quote: list
) -> None:
    guarded = Guarded(tmp_path_factory.mktemp("q") / "home")
    guarded.arm()
    guarded.venue.frozen = True
    guarded.venue.quote(*quote)
    answer = guarded.submit(bracket(guarded.venue.now, entry=ASK))
    crossed = None in quote or not 0 < quote[1] - quote[0] <= 3
    if crossed:
        assert isinstance(answer, Refused)
    guarded.g.book.close()
