"""Read a journal and make the content of its page: verified first, looked back on, held against the days before.

How it moves: the chain is verified before a row is believed; the stored decisions must give the digest that closed
the run; where the source can be opened again, the day is replayed and must decide the same. Then the trades of the
same method in the days before come from the other journals of the home, and the last page's proposals are held
against them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mia_kernel.adapters.flex import compare, read_statement
from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.journal_reader import verify as verify_journal
from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.speech import speech
from mia_kernel.adapters.window import with_window
from mia_kernel.analytics.chains_told import OPTIONS
from mia_kernel.analytics.effectiveness import DAY_NS, WINDOWS_DAYS
from mia_kernel.analytics.halts import STATES, rejections
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.lookback_record import FILLS, GHOSTS, LESSONS, LookBack, stored
from mia_kernel.analytics.postmortem import TradeReport, trade_report
from mia_kernel.analytics.postmortem_day import DAY, day_mortem
from mia_kernel.analytics.report import DayReport, Material, day_report
from mia_kernel.analytics.say import Say, plain
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.analytics.weekly import WeekReport, week_report
from mia_kernel.core.digest import DecisionDigest
from mia_kernel.core.errors import CorruptError, InputError, MiaError
from mia_kernel.core.orders import OrderReport, RoundTrip
from mia_kernel.core.session import trading_day_of
from mia_kernel.core.session_table import date_of
from mia_kernel.runtime import Run as Pass
from mia_kernel.settings import Settings, load, settings_id

PROVE_S = 20.0
"""A replay that took longer than this is not repeated for a page."""

WEEK_PROVE_S = 60.0
"""What the replays of a week may take together, as their journals say it; days beyond are proven by their own page."""

NEWEST = "newest"
"""Names the newest journal of the home where a notebook wants a name."""

PROVEN, DIFFERS, NOT_CHECKED = "proven", "differs", "not checked"
Checks = dict[str, tuple[str, str]]


def review(
    journal: str | Path = "",
    *,
    settings: Settings | None = None,
    statement: str | Path | None = None,
    prove: bool = True,
) -> DayReport:
    """Read a journal and return the content of its page.

    Parameters
    ----------
    journal : str or Path, optional
        Default, and `newest`: the newest in MIA_HOME.
    settings : Settings, optional
        Whose home and language count.
    statement : str or Path, optional
        A broker's statement (IBKR Flex, XML or CSV) to compare the fills with.
    prove : bool
        Replay the source where it can be opened, and compare the decisions.

    Raises
    ------
    InputError
        If there is no journal.
    CorruptError
        If a record of it does not match its hash: nothing is reported from a damaged journal.
    """
    settings = settings or load().settings
    say = speech(settings.lang)
    path = _journal(journal, settings)
    return day_report(material_of(path, settings, statement=statement, prove=prove, say=say), say)


def week(
    end: str | None = None,
    *,
    journals: Sequence[str | Path] = (),
    settings: Settings | None = None,
    days: int = 7,
) -> WeekReport:
    """Return the content of the page of a week: every journal of the home whose run lies in it, or those named.

    Parameters
    ----------
    end : str, optional
        The last trading day (YYYY-MM-DD); default that of the newest journal.
    journals : sequence of str or Path
        These instead.
    settings : Settings, optional
    days : int
        Calendar days up to `end`.

    Raises
    ------
    InputError
        If no journal lies in the week.
    """
    settings = settings or load().settings
    chosen = [Path(path) for path in journals] or week_journals(settings, end, days)
    say = speech(settings.lang)
    parts: list[Material] = []
    spent = 0.0
    for path in chosen:
        parts.append(material_of(path, settings, prove=spent < WEEK_PROVE_S, say=say))
        spent += min(float(parts[-1].trailer.get("seconds") or 0.0), PROVE_S)
    if not parts:
        raise InputError(
            "no journal in that week", path=str(settings.journal_folder), field="date", value=end
        )
    parts.sort(key=_end)
    return week_report(parts, say)


def week_journals(settings: Settings, end: str | None, days: int) -> list[Path]:
    """Return the newest journal of each trading day in the week up to `end`, oldest first."""
    by_day: dict[dt.date, Path] = {}
    for path in reversed(settings.journals()):
        try:
            with JournalReader(path) as reader:
                trailer = reader.trailer or {}
        except (InputError, CorruptError):
            continue
        if trailer.get("last_event"):
            last = dt.datetime.fromisoformat(trailer["last_event"])
            by_day[date_of(trading_day_of(int(last.timestamp()) * 1_000_000_000 - 1))] = path
    if not by_day:
        return []
    until = max(by_day) if end is None else dt.date.fromisoformat(end)
    return [by_day[day] for day in sorted(by_day) if until - dt.timedelta(days=days) < day <= until]


def _end(part: Material) -> int:
    ts = part.table.column("ts_event")
    return int(ts[-1]) if len(ts) else 0


def post_mortem(
    journal: str | Path = "", trade: int | str = "worst", *, settings: Settings | None = None
) -> TradeReport:
    """Return the content of the page of one trade, or of all trades of the day.

    Parameters
    ----------
    journal : str or Path, optional
        Default: the newest in MIA_HOME.
    trade : int or str
        Number of the round trip, `worst` or `best`, or `day` for all of the day together.

    Raises
    ------
    InputError
        If there is no journal, or no such trade in it.
    """
    settings = settings or load().settings
    path = _journal(journal, settings)
    say = speech(settings.lang)
    material = material_of(path, settings, say=say)
    with JournalReader(path) as reader:
        reports = reader.reports()
    if trade == DAY:
        return day_mortem(material, reports, say)
    return trade_report(material, reports, trade, say)


def _journal(journal: str | Path, settings: Settings) -> Path:
    found = [Path(journal)] if str(journal) not in ("", NEWEST) else settings.journals()
    if not found:
        raise InputError(
            "no journal there", path=str(settings.journal_folder), way_out="make one with `mia replay`"
        )
    return found[0]


def material_of(
    path: Path,
    settings: Settings,
    *,
    statement: str | Path | None = None,
    prove: bool = True,
    say: Say = plain,
) -> Material:
    """Return what a page of a journal is made of, everything verified that can be."""
    with JournalReader(path) as reader:
        checked = verify_journal(path)
        if not checked.ok:
            raise CorruptError(
                f"{path}: row {checked.first_bad}: {checked.reason}; way out: restore a backup"
            )
        header, trailer = reader.header, reader.trailer or {}
        table = DecisionTable(reader.names, reader.gate_codes, header["gate_levels"])
        digest = DecisionDigest(reader.names, reader.gate_codes)
        for decision in reader.decisions():
            table.append(decision)
            digest.update(decision)
        trips, bars, reports = reader.round_trips(), reader.bars(), reader.reports()
        look = _look(reader, table, trips, bars, settings)
        parity, asked = reader.records("parity"), reader.records("asked")
        chains, states = reader.records(OPTIONS), reader.records(STATES)
    checks: Checks = {
        "journal": (
            PROVEN,
            say("{n} rows verified, head {head}").format(n=f"{checked.rows:,}", head=checked.head.hash[:16]),
        ),
        "decisions": _digest_check(digest.hexdigest(), trailer, len(table), say),
        "replay": _parity_check(parity, say)
        or _replayed(asked, header, trailer, settings, prove=prove, say=say),
    }
    if statement is not None:
        checks["broker statement"] = _statement_check(Path(statement), reports, say)
    ts = table.column("ts_event")
    end = int(ts[-1]) if len(ts) else max((trip.exit_ts for trip in trips), default=0)
    return Material(
        header=header,
        table=table,
        trips=trips,
        trailer=trailer,
        bars=bars,
        chain=checked.head.hash,
        look=look,
        window=window_of(settings, header, end, look.lessons, beside=path),
        earlier=earlier_proposals(settings, end),
        checks=checks,
        chains=chains,
        states=states,
        rejected=rejections(reports),
    )


def _statement_check(path: Path, reports: Sequence[OrderReport], say: Say) -> tuple[str, str]:
    found = compare(read_statement(path), reports)
    if found.holds:
        text = say("{file}: {n} of {n} fills agree to the cent").format(file=path.name, n=found.agreed)
        return PROVEN, text
    text = say(
        "{file}: {agreed} fills agree, {differing} differ, {ours} only here, {theirs} only there; fees differ by "
        "{fees} USD: {named}"
    )
    return DIFFERS, text.format(
        file=path.name,
        agreed=found.agreed,
        differing=len(found.differing),
        ours=len(found.only_ours),
        theirs=len(found.only_theirs),
        fees=f"{found.fee_difference_cents / 100:+.2f}".replace("-", "−"),
        named=found.named,
    )


def _look(
    reader: JournalReader, table: DecisionTable, trips: Sequence[RoundTrip], bars: Any, settings: Settings
) -> LookBack:
    kept = stored({kind: reader.records(kind) for kind in (GHOSTS, FILLS, LESSONS)})
    if kept is not None:
        return kept
    from mia_kernel.analytics.lookback import from_bars  # late: it loads the compiler

    return from_bars(bars, table, trips, settings.costs)


def _digest_check(found: str, trailer: Mapping[str, Any], n: int, say: Say) -> tuple[str, str]:
    closed = trailer.get("digest")
    if closed is None:
        return NOT_CHECKED, say("the run did not close, so it names no digest")
    if closed == found:
        return PROVEN, say("{n} of {n} stored decisions give the digest that closed the run").format(
            n=f"{n:,}"
        )
    text = say("the stored decisions give {found}, the run closed with {closed}")
    return DIFFERS, text.format(found=found[:16], closed=closed[:16])


def _parity_check(records: Sequence[Mapping[str, Any]], say: Say) -> tuple[str, str] | None:
    """Return the session's own proof, None where the journal holds none."""
    if not records:
        return None
    told = records[-1]
    said = say("parity {equal}/{total} with the recorded session")
    said = said.format(equal=f"{told['equal']:,}", total=f"{told['total']:,}")
    if told["equal"] == told["total"]:
        return PROVEN, said
    first = say("decision {n} is the first that differs").format(n=told["first_difference"])
    return DIFFERS, f"{said}: {first}"


def _replayed(
    asked: Sequence[Mapping[str, Any]], header: Mapping[str, Any], trailer: Mapping[str, Any], settings: Settings, *,
    prove: bool, say: Say,
) -> tuple[str, str]:  # fmt: skip
    if not prove:
        return NOT_CHECKED, say("left out here: the page of the day proves it")
    if not asked or trailer.get("digest") is None:
        return NOT_CHECKED, say("the journal does not say how its source was opened, or never closed")
    if float(trailer.get("seconds") or 0.0) > PROVE_S:
        text = say("its replay took {seconds} s; `mia replay` repeats it")
        return NOT_CHECKED, text.format(seconds=f"{trailer['seconds']:.0f}")
    how = asked[-1]
    own = Settings.model_validate({**how["settings"], "home": settings.home, "profile": settings.profile})
    if settings_id(own) != header["settings_id"]:
        return NOT_CHECKED, say("this version reads its settings differently")
    try:
        recording = open_recording(
            how["source"], how["extra"], symbol=how["symbol"], tz=how["tz"], home=settings.home
        )
    except MiaError as error:
        return NOT_CHECKED, say("its source cannot be opened here: {error}").format(
            error=str(error).split("; way out")[0]
        )
    again = Pass(own, with_window(recording, how["start"], how["end"]))
    again.drive()
    total = int(trailer.get("decisions", len(again.table)))
    if total == 0 and len(again.table) == 0:
        return NOT_CHECKED, say("there is no decision to compare")
    if again.digest.hexdigest() == trailer["digest"]:
        return PROVEN, say("parity {equal}/{total}").format(equal=f"{total:,}", total=f"{total:,}")
    text = say("the replay decides otherwise ({found} against {total} decisions)")
    return DIFFERS, text.format(found=f"{len(again.table):,}", total=f"{total:,}")


def window_of(
    settings: Settings,
    header: Mapping[str, Any],
    end: int,
    own: Sequence[Lesson],
    *,
    beside: Path | None = None,
) -> list[Lesson]:
    """Return the lessons of the same method in the 90 days up to `end`, this run's own among them, oldest first.

    The same trade found in two journals (a day replayed twice) counts once.
    """
    known = {_trade(row): row for row in own}
    for path in settings.journals():
        if beside is not None and path.resolve() == beside.resolve():
            continue
        for row in _lessons_in(path, header):
            if end - WINDOWS_DAYS[-1] * DAY_NS < row.exit_ts <= end:
                known.setdefault(_trade(row), row)
    return sorted(known.values(), key=lambda row: row.exit_ts)


def _trade(row: Lesson) -> tuple[Any, ...]:
    return row.symbol, row.direction, row.ts_event, row.exit_ts


def _lessons_in(path: Path, header: Mapping[str, Any]) -> Sequence[Lesson]:
    """Return the lessons of a journal of the same method and kind of source; none where it is another or damaged."""
    try:
        with JournalReader(path) as reader:
            same = reader.header["settings_id"] == header["settings_id"]
            tag = _tag(reader.header) == _tag(header)
            kept = stored({LESSONS: reader.records(LESSONS)}) if same and tag else None
    except (InputError, CorruptError):
        return ()  # the doctor names it; one bad file must not take a month away
    return () if kept is None else kept.lessons


def _tag(header: Mapping[str, Any]) -> Any:
    source = header["source"]
    return source.get("tag") if isinstance(source, Mapping) else header.get("source_tag")


def earlier_proposals(settings: Settings, end: int) -> tuple[str, ...]:
    """Return the keys of what the last page before `end` proposed."""
    cards: list[tuple[int, Sequence[str]]] = []
    for path in (settings.reports_folder / "daily").glob("*.json"):
        try:
            card = json.loads(path.read_text("utf-8"))
            cards.append((int(card["end_ts"]), card["proposals"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not a card of ours
    before = [card for card in cards if card[0] < end]
    return tuple(max(before)[1]) if before else ()
