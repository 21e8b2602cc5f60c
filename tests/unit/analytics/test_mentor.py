"""Lessons, their groups and the mentor: stated rules over numbers, evidence with every word, silence under thirty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mia_kernel.adapters.speech import speech
from mia_kernel.analytics import effectiveness as eff
from mia_kernel.analytics.adherence import adherence, rules
from mia_kernel.analytics.advice import COOL_DOWN_NS, Day, Kind, choose
from mia_kernel.analytics.lessons import Lesson, lessons
from mia_kernel.analytics.mentor import advise, mood
from mia_kernel.analytics.performance import performance
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import Opinion
from mia_kernel.core.events import OptionView
from mia_kernel.core.orders import ReplaceStop, RoundTrip
from tests.fakes import journals

pytestmark = pytest.mark.unit

MATERIAL = journals.material(400)
LESSONS = lessons(MATERIAL.trips, MATERIAL.table)
END = max(row.exit_ts for row in LESSONS)


def many(n: int, result_r: float, *, spread: float = 0.5, mae_r: float = 0.3) -> list[Lesson]:
    """Return n lessons of one kind whose results lie evenly around a mean."""
    base = LESSONS[0]
    made = []
    for i in range(n):
        value = result_r + spread * (2 * i / max(n - 1, 1) - 1)
        net = value * base.risk_usd
        outcome = "win" if net > 12.5 else "loss" if net < -12.5 else "scratch"
        made.append(replace(base, trade_id=i + 1, result_r=value, pnl_net=net, outcome=outcome, mae_r=mae_r,
                            exit_ts=END - i * 1_000_000))  # fmt: skip
    return made


def day(
    trips: Sequence[RoundTrip] | None = None,
    window: list[Lesson] | None = None,
    earlier: tuple[str, ...] = (),
) -> Day:
    trips = MATERIAL.trips if trips is None else trips
    figures = performance(trips, capital_cents=5_000_000)
    return Day(
        END, figures, lessons(trips, MATERIAL.table), rules(trips, MATERIAL.table), window or [], earlier
    )


def test_a_lesson_carries_the_context_of_its_entry() -> None:
    row, trip = LESSONS[0], MATERIAL.trips[0]
    assert len(LESSONS) == len(MATERIAL.trips)
    assert row.pnl_net == trip.net_cents / 100
    assert row.result_r == pytest.approx(trip.net_cents / trip.risk_cents)
    assert row.mae_r == pytest.approx(trip.mae_ticks * 1250 / trip.risk_cents)
    assert row.signal_type == "confluence_entry"
    assert sum(row.contributions.values()) == pytest.approx(row.confluence_score)
    assert row.risk_reward_ratio == 2.0
    assert row.time_to_profit_min is None
    assert row.entry_timing is None
    assert row.market_context["spread_ticks"] == 1.0


def test_under_thirty_nothing_is_proposed_and_from_thirty_it_is() -> None:
    losing = many(30, -0.8)
    assert eff.proposals(losing[:29], END) == []
    assert all(group.too_few for group in eff.groups(losing[:29], "phase"))
    found = eff.proposals(losing, END)
    assert {p.action for p in found} == {"reduce"}
    assert all(len(p.trade_ids) == p.n == 30 for p in found)
    assert all(p.expires_ts == END + eff.EXPIRES_DAYS * eff.DAY_NS for p in found)


def test_promotion_needs_its_whole_interval_above_zero() -> None:
    sure, unsure = many(40, 0.5, spread=0.6), many(40, 0.3, spread=8.0)
    assert "promote" in {p.action for p in eff.proposals(sure, END)}
    assert "promote" not in {p.action for p in eff.proposals(unsure, END)}


def test_deep_excursions_suggest_a_veto() -> None:
    assert "veto" in {p.action for p in eff.proposals(many(30, 0.1, mae_r=0.7), END)}
    assert "veto" not in {p.action for p in eff.proposals(many(30, 0.1, mae_r=0.5), END)}


def test_a_proposal_expires_when_the_data_no_longer_say_it() -> None:
    key = eff.proposals(many(30, -0.8), END)[0].key
    assert eff.expired([key], eff.proposals(many(30, -0.8), END)) == []
    assert eff.expired([key], eff.proposals(many(30, 0.5), END)) == [key]


def test_every_advice_carries_evidence_and_none_is_statistical_under_thirty() -> None:
    for window in ([], many(29, -0.9), many(60, -0.9), many(60, 0.9)):
        found = advise(day(window=window))
        for advice in found:
            assert advice.evidence.statistic
            assert advice.expires_ts > END
            if advice.kind in (Kind.LESSON_LEARNED, Kind.IMPROVEMENT_SUGGESTION, Kind.CELEBRATION):
                assert advice.evidence.n >= 30
                assert advice.evidence.trade_ids
        if len(window) < 30:
            kinds = {advice.kind for advice in found}
            assert not kinds & {Kind.LESSON_LEARNED, Kind.IMPROVEMENT_SUGGESTION, Kind.CELEBRATION}


def test_the_same_data_give_the_same_words() -> None:
    window = many(60, -0.9)
    assert advise(day(window=window)) == advise(day(window=window))


def test_a_losing_day_with_kept_rules_is_calm_and_a_breach_is_not() -> None:
    lost = [replace(t, gross_cents=-abs(t.gross_cents) - 1250, exit_ts=t.exit_ts) for t in MATERIAL.trips[:3]]
    assert mood(day(lost)) in ("concerned", "neutral")
    stranger = replace(MATERIAL.trips[0], bracket_id="none")
    found = advise(day([stranger]))
    assert mood(day([stranger])) == "critical"
    assert any(a.kind is Kind.HABIT_WARNING and a.level == "critical" for a in found)


def test_a_few_good_trades_are_good_and_only_an_interval_above_zero_is_excellent() -> None:
    base = replace(MATERIAL.trips[0], gross_cents=5_450 + MATERIAL.trips[0].fees_cents)
    made = [
        replace(
            base, id=i + 1, entry_ts=base.entry_ts + i * 3600 * 10**9, exit_ts=base.exit_ts + i * 3600 * 10**9
        )
        for i in range(12)
    ]
    for n, said in ((2, "neutral"), (4, "good"), (12, "excellent")):
        figures = performance(made[:n], capital_cents=5_000_000)
        kept = rules(made[:1], MATERIAL.table)
        assert mood(Day(END, figures, (), kept)) == said


def test_one_trade_is_no_trades() -> None:
    one = advise(day(MATERIAL.trips[:1], many(29, 0.0)))[0].message
    assert one.startswith("1 trade, ")
    assert "; 1 more trade until" in one
    assert advise(day(MATERIAL.trips[:2]))[0].message.startswith("2 trades, ")


def test_a_week_is_called_a_week_and_has_no_limit_of_a_day() -> None:
    lost = [replace(t, gross_cents=-20_000, id=i) for i, t in enumerate(MATERIAL.trips[:5])]
    figures = performance(lost, capital_cents=5_000_000)
    kept = rules(MATERIAL.trips[:1], MATERIAL.table)
    one, five = (Day(END, figures, (), kept, days=days) for days in (1, 5))
    assert [advise(day_)[0].title for day_ in (one, five)] == ["The day", "The week"]
    assert {a.key for a in advise(one)} - {a.key for a in advise(five)} == {"alert:drawdown"}
    assert mood(one) == "critical"
    assert mood(five) == "concerned"


def test_windows_of_a_week_a_month_and_a_quarter_hold_what_was_closed_in_them() -> None:
    rows = [
        replace(row, exit_ts=END - days * eff.DAY_NS)
        for row, days in zip(many(4, 0.5), (1, 8, 40, 95), strict=True)
    ]
    assert [(group.name, group.n) for group in eff.windows(rows, END)] == [("7", 1), ("30", 2), ("90", 3)]


def test_a_lesson_says_where_the_value_area_stood() -> None:
    row = LESSONS[0]
    for over, under, place in (
        (1.0, 9.0, "above_value"),
        (-1.0, 2.0, "in_value"),
        (-9.0, -1.0, "below_value"),
    ):
        context = {**row.market_context, "from_vah_ticks": over, "from_val_ticks": under}
        assert replace(row, market_context=context).volume_profile == place
    assert replace(row, market_context={}).volume_profile is None


def test_conduct_names_who_broke_what() -> None:
    first = MATERIAL.trips[0]
    loser = replace(first, gross_cents=-5_000)
    again = replace(
        first, id=2, entry_ts=first.exit_ts + 10**9, exit_ts=first.exit_ts + 2 * 10**9, phase="post", qty=9
    )
    found = {rule.code: rule.broken_by for rule in rules([loser, again], MATERIAL.table)}
    assert found["revenge"] == (2,)
    assert found["hours"] == (2,)
    assert found["size"] == (2,)
    assert found["permission"] == ()
    assert adherence(rules([loser, again], MATERIAL.table)) == 0.5


def test_a_stop_moved_away_is_found_and_a_tightened_one_is_not() -> None:
    from mia_kernel.analytics.table import DecisionTable

    trip = MATERIAL.trips[0]
    for by, broken in ((1, ()), (-1, (trip.id,))):
        table = DecisionTable(
            MATERIAL.table.names, MATERIAL.table.gate_codes, MATERIAL.table.gate_levels.tolist()
        )
        for decision in journals.decisions(400):
            placed = [c for c in decision.intents if c.bracket_id == trip.bracket_id]
            table.append(decision)
            if placed:
                moved = placed[0].stop.stop_ticks + by * placed[0].entry.side
                table.append(
                    replace(
                        decision,
                        signal=None,
                        intents=(ReplaceStop(decision.ts_event, trip.bracket_id, moved, "x"),),
                    )
                )
        found = {rule.code: rule.broken_by for rule in rules([trip], table)}
        assert found["stop_moved"] == broken


def test_three_a_day_four_hours_apart_and_critical_ones_always() -> None:
    found = advise(day(window=many(60, -0.9)))
    now = END + 1
    chosen = choose(found, {}, now)
    assert len([a for a in chosen if a.level != "critical"]) <= 3
    assert len({a.kind for a in chosen if a.level != "critical"}) == len(
        [a for a in chosen if a.level != "critical"]
    )
    again = choose(found, dict.fromkeys((a.kind for a in found), now), now + COOL_DOWN_NS - 1)
    assert all(a.level == "critical" for a in again)
    assert choose(found, {}, END + 400 * eff.DAY_NS) == []


def test_french_says_the_same_numbers() -> None:
    english = advise(day(window=many(60, -0.9)))
    french = advise(day(window=many(60, -0.9)), speech("fr"))
    assert [a.key for a in english] == [a.key for a in french]
    assert [a.evidence for a in english] == [a.evidence for a in french]
    assert all(a.message != b.message for a, b in zip(english, french, strict=True))
    assert "Prochaine séance" in french[0].message


def test_scattered_results_are_an_alert_from_thirty_trades_on() -> None:
    for n, spread, said in ((60, 9.0, True), (60, 0.1, False), (29, 9.0, False)):
        found = [a for a in advise(day(window=many(n, 0.0, spread=spread))) if a.key == "alert:scatter"]
        assert bool(found) is said, (n, spread)
        if found:
            assert found[0].evidence.value > 300.0
            assert found[0].evidence.n == n


def test_every_twenty_five_trades_the_window_is_summed_up() -> None:
    own = len(LESSONS)
    for n, said in ((50, True), (50 + own, False), (75 + own - 1, True), (29, False)):
        found = [a for a in advise(day(window=many(n, 0.4))) if a.key == "summary"]
        assert bool(found) is said, n
        for advice in found:
            assert advice.evidence.n == n
            assert f"{n} trades in 90 days" in advice.message
            assert "95 % interval" in advice.message


@pytest.mark.parametrize(
    ("reason", "asked"), [("by hand", 1), ("lunch is ready", 1), ("stop", 0), ("coverage", 0)]
)
def test_a_small_profit_taken_by_hand_is_a_habit(reason: str, asked: int) -> None:
    trip = MATERIAL.trips[0]
    small = replace(trip, exit_reason=reason, gross_cents=trip.fees_cents + round(0.2 * trip.risk_cents))
    rule = next(r for r in rules([small], MATERIAL.table) if r.code == "early_exit")
    assert rule.asked == asked
    assert rule.broken_by == ((trip.id,) if asked else ())


def view_at(ts: int, **figures: float | None) -> OptionView:
    return OptionView(ts, ts, 0, ts, 0, False, 1.0, "test", figures)


def test_walls_flip_and_phase_stand_in_a_lesson_where_a_chain_was_in_force() -> None:
    trip = MATERIAL.trips[0]
    decision = next(
        d for _, d in MATERIAL.table.signals if any(c.bracket_id == trip.bracket_id for c in d.intents)
    )
    price, ts = decision.price_ticks, decision.ts_event
    fresh = view_at(
        ts - 60 * 10**9, call_wall_ticks=price + 40.0, put_wall_ticks=price - 60.0, gamma_flip_ticks=None
    )
    row = lessons([trip], MATERIAL.table, views=[fresh])[0]
    assert row.market_context["from_call_wall_ticks"] == -40.0
    assert row.market_context["from_put_wall_ticks"] == 60.0
    assert row.market_context["from_gamma_flip_ticks"] is None
    assert row.gamma_phase == "normal"
    for views in (
        (),
        (view_at(ts - 3_600 * 10**9, call_wall_ticks=price),),
        (view_at(ts + 1, call_wall_ticks=price),),
    ):
        row = lessons([trip], MATERIAL.table, views=views)[0]
        assert row.gamma_phase is None
        assert "from_call_wall_ticks" not in row.market_context


def test_the_models_probability_stands_in_a_lesson_where_a_model_spoke() -> None:
    trip = MATERIAL.trips[0]
    table = DecisionTable(
        MATERIAL.table.names, MATERIAL.table.gate_codes, MATERIAL.table.gate_levels.tolist()
    )
    for decision in journals.decisions(400):
        table.append(
            replace(decision, opinion=Opinion("m", 0.62, 0.6, 0.9, "")) if decision.signal else decision
        )
    assert lessons([trip], table)[0].win_probability_estimated == 0.62
    assert LESSONS[0].win_probability_estimated is None
