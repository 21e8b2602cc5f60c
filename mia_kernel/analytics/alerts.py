"""Decide what is worth a person's attention, once, and what follows when nobody looks.

How it moves: facts (plain numbers and words about the running system) are held against rules; a rule that fires
becomes an alert by its key. The same key within a minute only counts up, a rule rests after it has spoken, and a
critical alert that nobody acknowledges is repeated after 30 s and disarms after 60 s, even if its cause is gone:
nobody was there to see it. Time comes in with every call; nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["info", "warning", "critical", "emergency"]
LEVELS: tuple[Level, ...] = ("info", "warning", "critical", "emergency")
NS = 1_000_000_000

Facts = Mapping[str, float | str | bool | None]
"""What is known now; a fact that is missing or None is unknown, and no rule fires on it but those about silence."""


class AlertParams(BaseModel):
    """When to speak, and what follows silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    total_gamma_usd: float = Field(
        default=75e9, gt=0, description="total gamma per 1 % that is announced (USD)"
    )
    day_net_usd: float = Field(default=-400.0, lt=0, description="result of the day that is announced (USD)")
    limit_used_share: float = Field(
        default=0.9, gt=0, le=1, description="use of a limit that is announced (share)"
    )
    data_quality: float = Field(
        default=0.8, ge=0, le=1, description="data quality under it is announced (share)"
    )
    feed_silent_s: float = Field(default=15.0, gt=0, description="silence of the feed that is announced, s")
    heartbeat_s: float = Field(default=5.0, gt=0, description="silence of the engine that is announced, s")
    duplicate_s: float = Field(default=60.0, ge=0, description="the same alert within this only counts up, s")
    cooldown_s: float = Field(default=300.0, ge=0, description="rest of a rule after it has spoken, s")
    repeat_s: float = Field(
        default=30.0, gt=0, description="a critical alert nobody saw is repeated after, s"
    )
    disarm_s: float = Field(default=60.0, gt=0, description="and entries are disarmed after, s")


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule that holds now: what it is about, how grave, and the sentence with its numbers."""

    key: str
    level: Level
    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: first and last time its rule held, how often, and what became of it."""

    key: str
    level: Level
    source: str
    title: str
    text: str
    first_ns: int
    last_ns: int
    count: int = 1
    spoken_ns: int | None = None
    repeated: bool = False
    disarmed: bool = False
    acknowledged_by: str | None = None

    @property
    def waits(self) -> bool:
        """Whether a person still has to look at it."""
        return self.acknowledged_by is None and LEVELS.index(self.level) >= LEVELS.index("critical")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do now: notices to send (with why they are sent), and the reason to disarm, None for none."""

    notices: tuple[tuple[Alert, str], ...]
    disarm: str | None


class AlertBook:
    """The alerts of one watch.

    Parameters
    ----------
    params : AlertParams
    """

    def __init__(self, params: AlertParams) -> None:
        self.params = params
        self._alerts: dict[str, Alert] = {}

    @property
    def alerts(self) -> list[Alert]:
        """Every alert so far, the gravest and newest first."""
        return sorted(self._alerts.values(), key=lambda a: (not a.waits, -LEVELS.index(a.level), -a.last_ns))

    def observe(self, firings: Iterable[Firing], now_ns: int) -> Outcome:
        """Take what fires now and return what follows from it and from the silence since.

        Parameters
        ----------
        firings : iterable of Firing
        now_ns : int
            Never before the last call's.
        """
        notices: list[tuple[Alert, str]] = []
        for firing in firings:
            said = self._take(firing, now_ns)
            if said is not None:
                notices.append(said)
        disarm: list[str] = []
        for key, alert in self._alerts.items():
            if not alert.waits or alert.spoken_ns is None:
                continue
            silent_s = (now_ns - alert.spoken_ns) / NS
            if silent_s >= self.params.disarm_s and not alert.disarmed:
                self._alerts[key] = replace(alert, disarmed=True, repeated=True)
                reason = f"nobody acknowledged within {self.params.disarm_s:.0f} s: {alert.title}"
                disarm.append(reason)
                notices.append((self._alerts[key], "disarmed"))
            elif silent_s >= self.params.repeat_s and not alert.repeated:
                self._alerts[key] = replace(alert, repeated=True)
                notices.append((self._alerts[key], "repeated"))
        return Outcome(tuple(notices), disarm[0] if disarm else None)

    def acknowledge(self, key: str, who: str) -> bool:
        """Note that a person has seen an alert; `all` means every one. False where there was none to see."""
        keys = [k for k, a in self._alerts.items() if a.waits or k == key] if key == "all" else [key]
        found = [k for k in keys if k in self._alerts]
        for k in found:
            self._alerts[k] = replace(self._alerts[k], acknowledged_by=who)
        return bool(found)

    def _take(self, firing: Firing, now_ns: int) -> tuple[Alert, str] | None:
        known = self._alerts.get(firing.key)
        if known is None:
            alert = Alert(firing.key, firing.level, firing.source, firing.title, firing.text, now_ns, now_ns,
                          spoken_ns=now_ns)  # fmt: skip
            self._alerts[firing.key] = alert
            return alert, "new"
        graver = LEVELS.index(firing.level) > LEVELS.index(known.level)
        gap_s = (now_ns - known.last_ns) / NS
        alert = replace(known, level=firing.level if graver else known.level, text=firing.text, last_ns=now_ns,
                        count=known.count + 1)  # fmt: skip
        rested = known.spoken_ns is None or (now_ns - known.spoken_ns) / NS >= self.params.cooldown_s
        again = gap_s > self.params.duplicate_s and rested
        if graver or again:
            alert = replace(alert, first_ns=now_ns if again else alert.first_ns, spoken_ns=now_ns, repeated=False,
                            disarmed=False, acknowledged_by=None)  # fmt: skip
        self._alerts[firing.key] = alert
        return (alert, "graver" if graver else "again") if graver or again else None


def firings(facts: Facts, params: AlertParams) -> list[Firing]:
    """Return every rule that holds for the facts, gravest first.

    Facts
    -----
    total_gamma_usd, day_net_usd, data_quality, feed_age_s, trading_state, armed, protective_stop,
    protective_stop_note, position, guardian (`absent`, `present`), engine (`absent`, `present`),
    engine_heartbeat_age_s, disk_free_share, journal,
    `limit.<name>` (share used), ml_why (why the filter has no opinion), ml_drift (what has moved, in words).
    """
    found = [rule for check in RULES for rule in check(facts, params)]
    return sorted(found, key=lambda firing: -LEVELS.index(firing.level))


def _number(facts: Facts, name: str) -> float | None:
    value = facts.get(name)
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and value == value
        else None
    )


def _gamma(facts: Facts, p: AlertParams) -> list[Firing]:
    total = _number(facts, "total_gamma_usd")
    if total is None or abs(total) < p.total_gamma_usd:
        return []
    side = "long" if total > 0 else "short"
    bound = p.total_gamma_usd / 1e9
    text = f"Total gamma is {total / 1e9:+.1f} bn USD per 1 %, beyond {bound:.0f} bn: dealers are {side}."
    return [Firing("gamma.total", "info", "options", "Total gamma", text)]


def _money(facts: Facts, p: AlertParams) -> list[Firing]:
    found = []
    net = _number(facts, "day_net_usd")
    if net is not None and net <= p.day_net_usd:
        text = f"The day stands at {net:+,.2f} USD; {p.day_net_usd:+,.0f} USD is announced."
        found.append(Firing("risk.day", "warning", "risk", "Result of the day", text))
    for name in facts:
        used = _number(facts, name) if name.startswith("limit.") else None
        if used is not None and used >= p.limit_used_share:
            what = name.removeprefix("limit.").replace("_", " ")
            level: Level = "critical" if used >= 1 else "warning"
            found.append(
                Firing(f"risk.{name}", level, "risk", f"Limit {what}", f"{what} is used to {used:.0%}.")
            )
    return found


def _data(facts: Facts, p: AlertParams) -> list[Firing]:
    found = []
    quality, age = _number(facts, "data_quality"), _number(facts, "feed_age_s")
    if quality is not None and quality < p.data_quality:
        text = f"Data quality {quality:.2f} is under {p.data_quality:.2f}: no entries."
        found.append(Firing("data.quality", "warning", "feed", "Data quality", text))
    if age is not None and age > p.feed_silent_s:
        text = f"The feed has been silent for {age:.0f} s while the market is open."
        found.append(Firing("data.silent", "critical", "feed", "Feed silent", text))
    return found


def _guard(facts: Facts, p: AlertParams) -> list[Firing]:
    found = []
    position = _number(facts, "position")
    if position and facts.get("protective_stop") in ("absent", "unknown"):
        text = f"Position {position:+.0f} has no protective stop that is known to work."
        found.append(Firing("guard.stop", "emergency", "guardian", "No protective stop", text))
    if position and facts.get("protective_stop") == "unconfirmed":
        text = f"Position {position:+.0f}: {facts.get('protective_stop_note') or 'the stop is unconfirmed'}."
        found.append(Firing("guard.stop_seen", "warning", "guardian", "Protective stop unconfirmed", text))
    if facts.get("trading_state") == "halted":
        text = f"Trading is halted: {facts.get('last_reason') or 'no reason given'}."
        found.append(Firing("guard.halted", "critical", "guardian", "Halted", text))
    heartbeat = _number(facts, "engine_heartbeat_age_s")
    if facts.get("armed") is True and heartbeat is not None and heartbeat > p.heartbeat_s:
        text = f"Armed, and the engine has not been heard for {heartbeat:.0f} s."
        found.append(Firing("guard.engine", "critical", "guardian", "Engine silent", text))
    trades = facts.get("mode") not in (None, "dry-run", "replay")
    if trades and facts.get("guardian") == "absent" and facts.get("engine") == "present":
        text = "An engine runs and no guardian answers."
        found.append(Firing("guard.absent", "emergency", "guardian", "No guardian", text))
    return found


def _machine(facts: Facts, _: AlertParams) -> list[Firing]:
    free = _number(facts, "disk_free_share")
    found = []
    if free is not None and free < 0.10:
        level: Level = "critical" if free < 0.05 else "warning"
        found.append(Firing("machine.disk", level, "machine", "Disk", f"{free:.0%} of the disk is free."))
    if facts.get("journal") == "damaged":
        found.append(
            Firing("machine.journal", "critical", "machine", "Journal", "The journal does not verify.")
        )
    return found


def _model(facts: Facts, _: AlertParams) -> list[Firing]:
    found = []
    if facts.get("ml_why") == "too_slow":
        text = "The filter took longer than 200 ms for an answer and was switched off."
        found.append(Firing("model.slow", "warning", "model", "Filter off", text))
    if facts.get("ml_drift"):
        found.append(Firing("model.drift", "warning", "model", "The filter drifts", f"{facts['ml_drift']}."))
    return found


RULES = (_gamma, _money, _data, _guard, _machine, _model)


def as_record(alert: Alert) -> dict[str, Any]:
    """Return an alert as plain JSON values."""
    return {name: getattr(alert, name) for name in Alert.__dataclass_fields__}
