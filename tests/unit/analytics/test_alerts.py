"""The alert book: said once, counted after, repeated, and a silence that disarms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.analytics.alerts import NS, AlertBook, AlertParams, Firing, firings

pytestmark = [pytest.mark.unit, pytest.mark.safety]

P = AlertParams()
CRITICAL = Firing("data.silent", "critical", "feed", "Feed silent", "The feed has been silent for 20 s.")
INFO = Firing("gamma.total", "info", "options", "Total gamma", "Total gamma is +80.0 bn.")


def at(seconds: float) -> int:
    return 10**18 + round(seconds * NS)


def whys(outcome) -> list[str]:  # type: ignore[no-untyped-def]
    return [why for _, why in outcome.notices]


def test_total_gamma_speaks_beyond_its_bound_on_both_sides() -> None:
    for total, fires in ((74.9e9, False), (75e9, True), (-75e9, True), (-10e9, False), (None, False)):
        found = [f.key for f in firings({"total_gamma_usd": total}, P)]
        assert found == (["gamma.total"] if fires else [])
    text = firings({"total_gamma_usd": -80e9}, P)[0].text
    assert "-80.0 bn USD per 1 %" in text
    assert "short" in text


def test_an_unknown_fact_fires_nothing() -> None:
    assert firings({}, P) == []
    assert (
        firings(
            dict.fromkeys(("total_gamma_usd", "day_net_usd", "data_quality", "feed_age_s", "position"), None),
            P,
        )
        == []
    )
    assert firings({"day_net_usd": float("nan")}, P) == []


def test_a_position_without_a_stop_is_an_emergency() -> None:
    for stop, fires in (
        ("absent", True),
        ("unknown", True),
        ("resting at venue", False),
        ("not needed", False),
    ):
        found = firings({"position": 1.0, "protective_stop": stop}, P)
        assert [f.level for f in found] == (["emergency"] if fires else [])
    note = "not confirmed since 14:03:07 UTC, last known: stops over 1 contracts"
    facts = {"position": 1.0, "protective_stop": "unconfirmed", "protective_stop_note": note}
    assert [(f.level, note in f.text) for f in firings(facts, P)] == [("warning", True)]
    assert firings({"position": 0.0, "protective_stop": "absent"}, P) == []


def test_limits_speak_at_ninety_percent_and_are_critical_when_reached() -> None:
    assert firings({"limit.daily_loss": 0.89}, P) == []
    assert firings({"limit.daily_loss": 0.9}, P)[0].level == "warning"
    assert firings({"limit.daily_loss": 1.0}, P)[0].level == "critical"


def test_the_same_alert_is_said_once_and_counted() -> None:
    book = AlertBook(P)
    assert whys(book.observe([INFO], at(0))) == ["new"]
    for second in range(1, 50):
        assert whys(book.observe([INFO], at(second))) == []
    assert book.alerts[0].count == 50


def test_it_is_said_again_only_after_its_rest() -> None:
    book = AlertBook(P)
    book.observe([INFO], at(0))
    assert whys(book.observe([INFO], at(120))) == []
    assert whys(book.observe([INFO], at(421))) == ["again"]


def test_silence_repeats_at_thirty_and_disarms_at_sixty_seconds_once() -> None:
    book = AlertBook(P)
    assert whys(book.observe([CRITICAL], at(0))) == ["new"]
    assert book.observe([], at(29.9)) == book.observe([], at(29.9))
    assert whys(book.observe([], at(30))) == ["repeated"]
    assert book.observe([], at(59.9)).disarm is None
    last = book.observe([], at(60))
    assert whys(last) == ["disarmed"]
    assert last.disarm is not None
    assert "nobody acknowledged" in last.disarm
    assert book.observe([CRITICAL], at(61)).disarm is None


def test_a_person_stops_the_clock() -> None:
    book = AlertBook(P)
    book.observe([CRITICAL], at(0))
    assert book.acknowledge("data.silent", "ana")
    for second in (30, 60, 600):
        assert book.observe([], at(second)).disarm is None
    assert book.alerts[0].acknowledged_by == "ana"
    assert not book.acknowledge("nothing", "ana")


def test_what_grows_graver_speaks_again_and_must_be_seen_again() -> None:
    book = AlertBook(P)
    mild = Firing("risk.limit.x", "warning", "risk", "Limit", "used to 92%")
    grave = Firing("risk.limit.x", "critical", "risk", "Limit", "used to 100%")
    book.observe([mild], at(0))
    book.acknowledge("risk.limit.x", "ana")
    assert whys(book.observe([grave], at(1))) == ["graver"]
    assert book.observe([grave], at(61)).disarm is not None


def test_infos_and_warnings_never_disarm() -> None:
    book = AlertBook(P)
    book.observe([INFO, Firing("w", "warning", "x", "W", "w")], at(0))
    assert all(book.observe([], at(s)).disarm is None for s in range(1, 600, 7))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=40))
def test_however_it_flickers_an_unseen_critical_alert_disarms_within_its_minute(steps) -> None:
    book, now, first, disarmed = AlertBook(P), 0.0, None, None
    for fires, seconds in steps:
        now += seconds
        outcome = book.observe([CRITICAL] if fires else [], at(now))
        if fires and first is None:
            first = now
        if outcome.disarm and disarmed is None:
            disarmed = now
        if first is not None and now - first >= 60:
            assert disarmed is not None
    if first is None:
        assert disarmed is None
