"""Explain: a stored decision becomes sentences; nothing here looks at the market again.

How it moves: `why` lists the contributions that add up to the score, `why_not` every gate that failed with
what it asked and what it found, `nearest_change` the smallest single change that would have flipped the
decision. All read one `Decision` and the run's header, so a journal row explains itself years later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mia_kernel.analytics.say import Say, coded, plain
from mia_kernel.analytics.words import FEEDS, FLAG_CHANGES, FLAG_SENTENCES, GATE_WORDS, ONE_OF, UNIT_WORDS
from mia_kernel.core.decisions import (
    BLOCKING,
    FAILED,
    GRADE_NAMES,
    LEVEL_NAMES,
    OK,
    PREMIUM,
    STATUS_NAMES,
    STRONG,
    WEAK,
    Decision,
)

Form = Literal["brief", "full"]
Light = Literal["no trade", "neutral", "go"]

STANDARD_PERCENT = {WEAK: 60.0, STRONG: 70.0, PREMIUM: 85.0}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the decisions of one run have in common, from the run's header.

    `static_weights` are the normalised weights before dynamic multipliers, by component.
    """

    names: tuple[str, ...]
    static_weights: Mapping[str, float]
    weights_name: str
    gate_codes: tuple[str, ...]
    gate_levels: tuple[int, ...]
    gate_units: tuple[str, ...]
    coverage_floor: float
    tick_points: float
    symbol: str
    grade_percent: Mapping[int, float]

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> RunFacts:
        """Return the facts of a journal header; what an older header lacks takes its usual value."""
        names, codes = tuple(header["names"]), tuple(header["gate_codes"])
        weights = header["weights"]
        by_name = dict(weights) if isinstance(weights, Mapping) else dict(zip(names, weights, strict=True))
        return cls(
            names=names,
            static_weights={k: float(v) for k, v in by_name.items()},
            weights_name=str(header.get("weights_name", "custom")),
            gate_codes=codes,
            gate_levels=tuple(header.get("gate_levels") or (BLOCKING,) * len(codes)),
            gate_units=tuple(header.get("gate_units") or ("",) * len(codes)),
            coverage_floor=float(header.get("coverage_floor", 0.60)),
            tick_points=float(header.get("tick_points", 0.25)),
            symbol=str(header["symbol"]),
            grade_percent=_bounds(header.get("grade_percent")),
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One bar of the waterfall. `value` is None where the component was not ok; `status` says why."""

    name: str
    weight: float
    value: float | None
    contribution: float
    status: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One gate that failed: what it asked, what it found; `blocking` says whether it alone forbids."""

    code: str
    level: str
    required: float | None
    actual: float | None
    unit: str
    sentence: str

    @property
    def blocking(self) -> bool:
        return self.level == LEVEL_NAMES[BLOCKING]


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest single change that flips one refusal: which thing, from where to where."""

    what: str
    now: float
    needed: float
    sentence: str


def waterfall(decision: Decision, facts: RunFacts) -> list[Line]:
    """Return the weighed components, largest contribution first; contributions add up to the score."""
    vector, score = decision.vector, decision.score
    lines = [
        Line(
            name=name,
            weight=float(score.weights[i]),
            value=float(vector.values[i]) if vector.status[i] == OK else None,
            contribution=float(score.contributions[i]),
            status=STATUS_NAMES[int(vector.status[i])],
        )
        for i, name in enumerate(vector.names)
        if facts.static_weights.get(name, 0.0) > 0.0
    ]
    return sorted(lines, key=lambda line: (-abs(line.contribution), -line.weight, line.name))


def refusals(decision: Decision, facts: RunFacts, say: Say = plain) -> list[Refusal]:
    """Return every gate that failed, in the order they are asked, blocking ones first."""
    found = [
        _refusal(decision, facts, i, say)
        for i in range(len(facts.gate_codes))
        if decision.gate_outcome[i] == FAILED
    ]
    return sorted(found, key=lambda r: not r.blocking)


def _refusal(decision: Decision, facts: RunFacts, i: int, say: Say) -> Refusal:
    code, unit = facts.gate_codes[i], facts.gate_units[i]
    required, actual = _known(decision.gate_required[i]), _known(decision.gate_actual[i])
    return Refusal(
        code=code,
        level=LEVEL_NAMES[int(facts.gate_levels[i])],
        required=required,
        actual=actual,
        unit=unit,
        sentence=gate_sentence(code, required, actual, unit, say),
    )


def gate_words(code: str, say: Say = plain) -> str:
    """Return how a gate is called in a sentence."""
    return say(GATE_WORDS[code]) if code in GATE_WORDS else coded(code, say)


def gate_sentence(
    code: str, required: float | None, actual: float | None, unit: str, say: Say = plain
) -> str:
    """Return a failed gate as one sentence with both numbers, as far as they are known."""
    if code in FLAG_SENTENCES:
        return say(FLAG_SENTENCES[code])
    words = gate_words(code, say)
    asked, found = amount(required, unit, say), amount(actual, unit, say)
    if actual is None and required is None:
        return say("{gate} is unknown").format(gate=words)
    if actual is None:
        return say("{gate} is unknown (asked: {asked})").format(gate=words, asked=asked)
    if required is None:
        return say("{gate} does not allow it ({found})").format(gate=words, found=found)
    if actual == required:
        return say("{gate} is at its limit of {asked}").format(gate=words, asked=asked)
    text = (
        say("{gate} {found} is under {asked}") if actual < required else say("{gate} {found} is over {asked}")
    )
    return text.format(gate=words, found=found, asked=asked)


def nearest_change(decision: Decision, facts: RunFacts, say: Say = plain) -> Change | None:
    """Return the smallest single change that would have turned the first blocking refusal.

    Returns
    -------
    Change or None
        None where nothing blocked. For the score it is the component whose value has to move least (as a
        share of its range), for coverage the present-making of the lightest component that suffices, for a
        yes-or-no gate the yes, for any other gate its own number.
    """
    blocking = [r for r in refusals(decision, facts) if r.blocking]
    if not blocking:
        return None
    first = blocking[0]
    if first.code == "coverage":
        return _coverage_change(decision, facts, first, say)
    if first.code == "grade" and first.required is not None:
        percent = facts.grade_percent.get(int(first.required))
        return None if percent is None else _score_change(decision, facts, percent, say)
    required, actual = first.required, first.actual
    if first.code in FLAG_CHANGES:
        return Change(first.code, 0.0, 1.0, say(FLAG_CHANGES[first.code]))
    if required is None or actual is None or actual == required:
        return None
    text = say("{gate} at {asked} instead of {found} would pass").format(
        gate=gate_words(first.code, say),
        asked=amount(required, first.unit, say),
        found=amount(actual, first.unit, say),
    )
    return Change(first.code, actual, required, text)


def _coverage_change(decision: Decision, facts: RunFacts, refusal: Refusal, say: Say) -> Change | None:
    floor = refusal.required if refusal.required is not None else facts.coverage_floor
    missing = floor - decision.score.coverage
    vector = decision.vector
    lost = [
        (facts.static_weights[name], name)
        for i, name in enumerate(vector.names)
        if vector.status[i] != OK and facts.static_weights.get(name, 0.0) > 0.0
    ]
    enough = sorted(item for item in lost if item[0] >= missing - 1e-12)
    if not enough:
        total = sum(weight for weight, _ in lost)
        text = say("no single input lifts coverage over {floor}; all {n} missing add {total}").format(
            floor=f"{floor:.2f}", n=len(lost), total=f"{total:.2f}"
        )
        return Change("coverage", decision.score.coverage, floor, text)
    weight, name = enough[0]
    known = say("a known {component}").format(component=name.replace("_", " "))
    feed = say(FEEDS[name]) if name in FEEDS else known
    text = say("{feed} would add {weight} of coverage").format(feed=feed, weight=f"{weight:.2f}")
    return Change(name, decision.score.coverage, floor, text)


def _score_change(decision: Decision, facts: RunFacts, percent: float, say: Say) -> Change | None:
    vector, score = decision.vector, decision.score
    needed = percent / 50.0 - 1.0
    side = score.side or 1
    missing = needed - abs(score.total)
    best: tuple[float, int, float] | None = None
    for i in range(len(vector.names)):
        weight = float(score.weights[i])
        if vector.status[i] != OK or weight <= 0.0:
            continue
        value = float(vector.values[i])
        wanted = value + side * missing / weight
        if abs(wanted) <= 1.0 and (best is None or abs(wanted - value) < best[0]):
            best = (abs(wanted - value), i, wanted)
    if best is None:
        text = say("no single component lifts |S| from {found} to {asked}").format(
            found=f"{abs(score.total):.2f}", asked=f"{needed:.2f}"
        )
        return Change("score", abs(score.total), needed, text)
    _, i, wanted = best
    name, value = vector.names[i], float(vector.values[i])
    text = say("{component} at {asked} instead of {found} would reach {percent} %").format(
        component=name, asked=f"{wanted:+.2f}", found=f"{value:+.2f}", percent=f"{percent:.0f}"
    )
    return Change(name, value, wanted, text)


def light(decision: Decision) -> Light:
    """Return the traffic light: go (permitted), neutral (graded but no permitted signal), no trade."""
    if decision.verdict is not None and decision.verdict.allowed:
        return "go"
    return "neutral" if decision.score.grade > 0 else "no trade"


def why(decision: Decision, facts: RunFacts, *, form: Form = "full", say: Say = plain) -> str:
    """Return why the score is what it is: one line, or the waterfall as text that adds up."""
    score = decision.score
    side = coded({1: "long", -1: "short"}.get(score.side, "no side"), say)
    head = (
        f"{score.percent:.2f} % {GRADE_NAMES[score.grade]} {side}, S {score.total:+.4f}, "
        f"{say('coverage')} {score.coverage:.2f} ({facts.weights_name})"
    )
    if form == "brief":
        return head
    lines = waterfall(decision, facts)
    width = max((len(line.name) for line in lines), default=4)
    rows = [
        f"  {line.name:<{width}}  {line.weight:.4f} × {_value(line.value):>6} = {line.contribution:+.4f}"
        if line.status == "ok"
        else f"  {line.name:<{width}}  {line.weight:.4f} × {'—':>6}   {coded(line.status, say)}"
        for line in lines
    ]
    total = sum(line.contribution for line in lines)
    tail = [f"  {say('sum'):<{width}}  {'':6}   {'':>6}   {total:+.4f}"]
    return "\n".join([head, *rows, *tail, *_permission(decision, say)])


def _permission(decision: Decision, say: Say) -> list[str]:
    verdict = decision.verdict
    if verdict is None:
        return []
    if not verdict.allowed:
        reason = f"{verdict.code} ({verdict.message})" if verdict.message else verdict.code
        return [say("Refused: {reason}").format(reason=reason)]
    text = say("Allowed: {qty} {symbol}, bound by {limit}")
    return [text.format(qty=verdict.qty, symbol=verdict.symbol, limit=coded(verdict.binding, say))]


def why_not(decision: Decision, facts: RunFacts, *, form: Form = "full", say: Say = plain) -> str:
    """Return why there was no trade: every failed gate with its numbers and the nearest change that flips it."""
    found = refusals(decision, facts, say)
    if not found:
        if decision.signal is not None:
            return say("Nothing was in the way.")
        return say("No gate failed; no strategy asked for a trade at this point.")
    change = nearest_change(decision, facts, say)
    nearest = f"; {change.sentence}" if change else ""
    if form == "brief":
        more = say(", and {n} more").format(n=len(found) - 1) if len(found) > 1 else ""
        return say("Refused: {reason}").format(reason=f"{found[0].sentence}{more}{nearest}.")
    width = max(len(r.code) for r in found)
    rows = [f"  {coded(r.level, say):<8}  {r.code:<{width}}  {r.sentence}" for r in found]
    flips = [_flip(decision, facts, change, say)] if change else []
    blocking = sum(r.blocking for r in found)
    count = say("{n} blocking").format(n=blocking)
    if len(found) > blocking:
        count += say(", {n} more").format(n=len(found) - blocking)
    return "\n".join([say("Refused: {reason}").format(reason=f"{count}."), *rows, *flips])


def still_refusing(decision: Decision, facts: RunFacts) -> int:
    """Return how many blocking gates would refuse after the nearest change: 0 where it flips the decision.

    A present component cures coverage, and the grade with it where the score itself reaches; what the new
    component would add to the score is unknown and counted as nothing.
    """
    blocking = [r for r in refusals(decision, facts) if r.blocking]
    cured = {blocking[0].code} if blocking else set[str]()
    if "coverage" in cured:
        for grade in (r for r in blocking if r.code == "grade" and r.required is not None):
            asked = facts.grade_percent.get(int(grade.required or 0))
            if asked is not None and decision.score.percent >= asked:
                cured.add("grade")
    return sum(r.code not in cured for r in blocking)


def _flip(decision: Decision, facts: RunFacts, change: Change, say: Say) -> str:
    left = still_refusing(decision, facts)
    if left == 0:
        return say("Nearest change: {change}.").format(change=change.sentence)
    text = say("Nearest change: {change}; {n} more would still refuse.")
    return text.format(change=change.sentence, n=left)


def reachable_coverage(status: Any, names: Sequence[str], static_weights: Mapping[str, float]) -> float:
    """Return the largest coverage the run's source could ever reach.

    Parameters
    ----------
    status : ndarray of int8, shape (n_decisions, n_names)
        A component counts if it was ok at one decision at least.
    names : sequence of str
    static_weights : mapping
    """
    ever = (np.asarray(status) == OK).any(axis=0) if len(status) else np.zeros(len(names), bool)
    return float(sum(static_weights.get(name, 0.0) for name, ok in zip(names, ever, strict=True) if ok))


def amount(value: float | None, unit: str, say: Say = plain) -> str:
    """Return a gate's number with its unit as a person reads it; unknown is an em dash."""
    if value is None:
        return "—"
    if unit == "grade":
        return GRADE_NAMES[int(value)]
    whole = unit not in ("share", "ratio", "score") and abs(value - round(value)) < 1e-9
    value = round(value, 9) + 0.0  # −0.0 is printed as 0
    text = f"{value:,.0f}" if whole else f"{value:,.2f}"
    return f"{text.replace('-', '−')} {_unit(unit, say, one=abs(value) == 1.0)}".rstrip()


def _unit(unit: str, say: Say, *, one: bool) -> str:
    if unit in UNIT_WORDS:
        return UNIT_WORDS[unit]
    return say(ONE_OF[unit]) if one and unit in ONE_OF else say(unit)


def _bounds(stored: Mapping[str, float] | None) -> Mapping[int, float]:
    return {int(k): float(v) for k, v in stored.items()} if stored else STANDARD_PERCENT


def _value(value: float | None) -> str:
    return "—" if value is None else f"{value:+.3f}"


def _known(value: Any) -> float | None:
    value = float(value)
    return value if value == value else None
