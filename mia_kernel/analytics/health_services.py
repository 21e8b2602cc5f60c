"""Judge the running parts: guardian, engine, desk, alerts, schedule, logs, trials, this machine's load.

Part of the judgments of `health`: readings come in, a `Finding` with a remedy goes out. A part that is not running is
green where nothing asks for it, amber where something waits for it, red where it must be there and is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mia_kernel.analytics.health import Finding

HEARTBEAT_AMBER_S, HEARTBEAT_RED_S = 2.0, 5.0
DRILL_AMBER_DAYS = 7
MEMORY_AMBER_SHARE, MEMORY_RED_SHARE = 0.10, 0.04
LOAD_AMBER = 1.5
STATE_OLD_S = 30.0


def guardian(status: Mapping[str, Any] | None, announced: bool, why: str) -> list[Finding]:
    """Judge the guardian: `status` is its own answer, None where it gave none; `why` what the asking said."""
    if status is None and not announced:
        return [Finding("guardian", "green", "not running; nothing can be sent without it", "")]
    if status is None:
        remedy = "restart it (`mia run` starts one); until it answers nothing can be sent"
        return [Finding("guardian", "red", f"announced and gives no answer: {why}", remedy)]
    found = [_state(status), _venue(status), _stop(status), _drill(status)]
    age = status.get("engine_heartbeat_age_s")
    if age is not None:
        level = "red" if age > HEARTBEAT_RED_S else "amber" if age > HEARTBEAT_AMBER_S else "green"
        remedy = "" if level == "green" else "look at the engine's log; the guardian disarms by itself"
        found.append(Finding("engine heartbeat", level, f"{age:.1f} s ago", remedy))
    return found


def _state(status: Mapping[str, Any]) -> Finding:
    text = f"{status['mode']}, {'armed' if status['armed'] else 'disarmed'}, {status['trading_state']}"
    if status["trading_state"] == "halted":
        return Finding(
            "guardian",
            "red",
            f"{text}: {status['last_reason']}",
            "`mia resume --reason TEXT` after its cause is gone",
        )
    return Finding("guardian", "green", text)


def _venue(status: Mapping[str, Any]) -> Finding:
    if not status["connected"]:
        return Finding(
            "venue",
            "amber",
            f"{status['venue'] or 'none'}: not connected",
            "start the gateway, then wait for it",
        )
    if not status["reconciled"]:
        return Finding(
            "venue", "amber", "connected, not yet reconciled", "no entry until it is; see `mia status`"
        )
    return Finding("venue", "green", f"{status['venue']}: connected, reconciled")


def _stop(status: Mapping[str, Any]) -> Finding:
    stop = str(status["protective_stop"])
    if status.get("position") and stop in ("absent", "unknown"):
        return Finding("protective stop", "red", stop, "`mia halt` flattens; look at the venue")
    if status.get("position") and stop == "unconfirmed":
        text = str(status.get("protective_stop_note") or stop)
        return Finding(
            "protective stop", "amber", text, "the link must come back; TWS shows the order itself"
        )
    return Finding("protective stop", "green", stop)


def _drill(status: Mapping[str, Any]) -> Finding:
    at = status.get("drill_ts")
    remedy = "`mia drill` in paper rehearses the kill switch"
    if at is None:
        return Finding("fire drill", "amber", "never", remedy)
    days = (int(status["ts"]) - int(at)) / 86_400e9
    level = "amber" if days > DRILL_AMBER_DAYS else "green"
    return Finding("fire drill", level, f"{days:.1f} days ago", remedy if level == "amber" else "")


def engine(announced: bool, alive: bool, frame_age_s: float | None) -> Finding:
    """Judge the engine: whether it is announced, its process exists and its frames come."""
    if not announced:
        return Finding("engine", "green", "not running")
    if not alive:
        return Finding(
            "engine", "red", "announced, and its process is gone", "start it again (`mia run`); it resumes"
        )
    if frame_age_s is None:
        return Finding("engine", "amber", "running, no frame within a second", "see its log in MIA_HOME/logs")
    return Finding("engine", "green", f"running, frame {frame_age_s:.1f} s old")


def desk(announced: bool, alive: bool, *, needed: bool) -> Finding:
    """Judge the desk server; `needed` while an engine runs: without one no page sees it."""
    if alive:
        return Finding("desk server", "green", "running")
    if announced:
        return Finding(
            "desk server", "red" if needed else "amber", "announced, and its process is gone",
            "open the desk again (`mia lab` or `mia monitor`)",
        )  # fmt: skip
    if needed:
        return Finding(
            "desk server", "amber", "none beside the engine", "`mia lab` or `mia monitor` shows it"
        )
    return Finding("desk server", "green", "not running")


def gateway(address: str, listens: bool, *, needed: bool) -> Finding:
    """Judge whether something listens where TWS or IB Gateway is expected; `needed` in paper and production."""
    if listens:
        return Finding("gateway", "green", f"{address} listens")
    if needed:
        return Finding(
            "gateway", "red", f"nothing listens at {address}", "start TWS or IB Gateway, with its API on"
        )
    return Finding("gateway", "green", f"nothing listens at {address}; a dry-run needs none")


def no_greeting(why: str) -> Finding:
    """Tell that a gateway was not greeted, and why."""
    return Finding("client ids", "amber", f"not tried: {why}", "give the profile the port belongs to")


def client_ids(words: Mapping[int, str], wanted: Sequence[int], *, mine: bool) -> Finding:
    """Judge the client ids that were tried: `wanted` first, the others where one is in use.

    Parameters
    ----------
    words : mapping of id to "free", "in use" or "no answer"
    wanted : sequence of int
        The id of the order socket and that of the data session.
    mine : bool
        Whether guardian or engine run now: then ids in use are theirs.
    """
    told = ", ".join(f"{one} {word}" for one, word in sorted(words.items(), reverse=True))
    answered = [one for one, word in words.items() if word != "no answer"]
    if not answered:
        return Finding("client ids", "red", f"the gateway listens and greets nobody ({told})",
                       "allow API clients and this address in its settings; confirm its dialog")  # fmt: skip
    held = [one for one in wanted if words.get(one) == "in use"]
    if not held or mine:
        return Finding("client ids", "green", told)
    free = sum(word == "free" for word in words.values())
    if free < len(wanted):
        return Finding("client ids", "red", f"too few are free: {told}",
                       "end the other program, or set ibkr.data_client_id and guardian.client_id")  # fmt: skip
    return Finding("client ids", "amber", f"in use by another program: {told}",
                   "a lower id will be taken; orders entered under the old id are seen, not changed")  # fmt: skip


def options(gamma: Mapping[str, Any] | None, now_ns: int | None) -> Finding:
    """Judge the option chain of a running engine by its own word; `now_ns` is its event time, None without one."""
    if now_ns is None:
        return Finding("options", "green", "no engine runs that would read a chain")
    if gamma is None:
        return Finding(
            "options",
            "amber",
            "no chain: gamma levels are absent",
            "add one: `--with CHAIN`, or option lines in ibkr",
        )
    age = (now_ns - int(gamma["as_of"])) / 60e9
    if not gamma["fresh"]:
        return Finding(
            "options", "amber", f"chain {age:.0f} min old: too old to count", "bring a newer chain"
        )
    return Finding("options", "green", f"chain {age:.0f} min old")


def model(name: str, age_days: float | None, trusted_days: float, problem: str) -> Finding:
    """Judge the champion by its age: None where there is none, `problem` where it cannot be read."""
    if problem:
        return Finding(
            "model", "red", problem, "`mia validate` names what is wrong; until then nothing is judged"
        )
    if age_days is None:
        return Finding(
            "model", "green", f"no champion of {name!r}: signals pass on confluence and gates alone"
        )
    text = f"champion trained {age_days:.1f} days ago, trusted for {trusted_days:g}"
    if age_days > trusted_days:
        return Finding("model", "amber", text, "`mia train` on newer days; it has no opinion any more")
    return Finding("model", "green", text)


def watch(
    state_age_s: float | None, waiting: Sequence[str], failing: Sequence[str], *, needed: bool
) -> Finding:
    """Judge the alert watch: alive, nothing waiting to be seen, channels delivering; `needed` while an engine runs."""
    running = state_age_s is not None and state_age_s < STATE_OLD_S
    if not running:
        if needed:
            return Finding("alerts", "amber", "no watch runs beside the engine", "`mia alerts watch`")
        return Finding("alerts", "green", "no watch runs; nothing to watch")
    if waiting:
        return Finding(
            "alerts", "red", "waiting to be seen: " + ", ".join(waiting[:3]), "`mia alerts ack KEY`"
        )
    if failing:
        return Finding(
            "alerts",
            "amber",
            "channel fails: " + ", ".join(failing[:3]),
            "`mia alerts test`, then correct its address",
        )
    return Finding("alerts", "green", "watched, nothing waits")


def discord(configured: bool) -> Finding:
    """Tell whether a Discord webhook is set; without one the other channels stay."""
    if configured:
        return Finding("discord", "green", "a webhook is set")
    return Finding("discord", "green", "no webhook: alerts go to file and terminal")


def schedule(last: Sequence[tuple[str, str, str]]) -> Finding:
    """Judge the schedule by what it did last: (job and day, state, note)."""
    if not last:
        return Finding("schedule", "amber", "never ran", "`mia schedule`, or cron with `mia schedule --once`")
    failed = [f"{what}: {note}" for what, state, note in last if state == "failed"]
    if failed:
        return Finding("schedule", "red", failed[0], "correct it; it is tried again up to three times")
    return Finding("schedule", "green", f"last {last[0][0]}: {last[0][1]}")


def trials(rows: int | None, problem: str) -> Finding:
    """Judge the trial log: (rows verified, None where it is damaged)."""
    if rows is None:
        return Finding(
            "trials", "red", problem, "keep the file as evidence and restore a backup: verdicts need it"
        )
    return Finding("trials", "green", f"{rows} trials, chain verified")


def logs(age_s: float | None, problem: str | None) -> Finding:
    """Judge the logs: whether the folder can be written, and how old the newest line is."""
    if problem is not None:
        return Finding("logs", "red", problem, "give permission on MIA_HOME/logs")
    text = (
        "none yet"
        if age_s is None
        else f"newest line {age_s / 3600:.1f} h ago"
        if age_s > 3600
        else f"newest line {age_s:.0f} s ago"
    )
    return Finding("logs", "green", text)


def memory(free_share: float, free_bytes: int) -> Finding:
    """Judge the memory that is left."""
    text = f"{free_bytes / 1e9:.1f} GB free ({free_share:.0%})"
    level = (
        "red" if free_share < MEMORY_RED_SHARE else "amber" if free_share < MEMORY_AMBER_SHARE else "green"
    )
    return Finding("memory", level, text, "" if level == "green" else "close what is not needed")


def cpu(load_per_core: float | None) -> Finding:
    """Judge the load of the last minute per core; a busy machine decides late."""
    if load_per_core is None:
        return Finding("cpu", "amber", "its load cannot be told here", "look at the system's own monitor")
    text = f"{load_per_core:.2f} per core over a minute"
    if load_per_core > LOAD_AMBER:
        return Finding("cpu", "amber", text, "end what else runs; decisions may come late")
    return Finding("cpu", "green", text)
