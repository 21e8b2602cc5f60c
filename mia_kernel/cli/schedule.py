"""`mia schedule`: the pages at their times, by the exchange's calendar, made up for after downtime, each once."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from mia_kernel.adapters import logs
from mia_kernel.adapters.channels import Outbox
from mia_kernel.adapters.discord import Message
from mia_kernel.adapters.journal_reader import verify
from mia_kernel.adapters.timetable import Due, Timetable, due, next_due_ns
from mia_kernel.adapters.trials import TrialLog
from mia_kernel.cli.alerts import channels_of
from mia_kernel.cli.output import print_table, stop
from mia_kernel.cli.report import daily_page, journal_of, weekly_page
from mia_kernel.core.errors import InputError, MiaError
from mia_kernel.core.session_table import NEW_YORK, date_of
from mia_kernel.settings import Settings, load

if TYPE_CHECKING:
    from mia_kernel.adapters.papermill_report import Page

AFTER_CLOSE_MIN = 60.0
LOOK_AGAIN_MIN = 15
WEEK_DAYS = 7
log = logging.getLogger("mia.schedule")

Maker = Callable[[Settings, Due], "Page"]


@click.command()
@click.option("--once", is_flag=True, help="do what is due now and end (for cron, systemd, Task Scheduler)")
@click.option("--list", "list_", is_flag=True, help="say what was done and what comes next, do nothing")
@click.option(
    "--after",
    "after_min",
    default=AFTER_CLOSE_MIN,
    show_default=True,
    metavar="MIN",
    help="minutes after a close",
)
def schedule(once: bool, list_: bool, after_min: float) -> None:
    """Make the daily and weekly pages after each session's close, and check the records.

    Early closes and holidays are those of the exchange. What was missed in the last week is made up for; nothing is
    made twice. A failure goes to the alert channels. Exit code 1 with --once where something failed.
    """
    settings = load().settings
    if list_:
        _list(settings, after_min)
        return
    logs.start(settings.home, "schedule", logs.secret_values(settings.secrets))
    outbox = Outbox(channels_of(settings))
    try:
        if once:
            failed = run_due(settings, outbox, time.time_ns(), after_min)
            if failed:
                stop(1)
            return
        _forever(settings, outbox, after_min)
    finally:
        outbox.close()


def run_due(
    settings: Settings,
    outbox: Outbox,
    now_ns: int,
    after_min: float = AFTER_CLOSE_MIN,
    make: Maker | None = None,
) -> int:
    """Do what is due and not done; return how many items failed."""
    timetable = Timetable(settings.data_folder / "schedule.sqlite")
    failed = 0
    for item in due(now_ns, after_close_min=after_min):
        if not timetable.claim(item, now_ns):
            continue
        log.info("making", extra={"job": item.job, "day": item.day})
        try:
            page = (make or _make)(settings, item)
        except InputError as error:
            # No journal of that day: nobody traded, which is no failure.
            timetable.finish(item, "nothing", str(error), time.time_ns())
            continue
        except MiaError as error:
            failed += 1
            timetable.finish(item, "failed", str(error), time.time_ns())
            log.exception("failed", extra={"job": item.job, "day": item.day})
            outbox.send(
                Message("alerts", "critical", f"The {item.job} page failed", str(error), time.time_ns())
            )
            continue
        timetable.finish(item, "done", str(page.html), time.time_ns())
        log.info("made", extra={"job": item.job, "day": item.day, "page": str(page.html)})
        if item.job == "daily":
            speak(outbox, page)
    return failed + _checks(settings, outbox)


def speak(outbox: Outbox, page: Page) -> None:
    """Send what the mentor chose to say of a day: at most three messages, the critical ones beyond.

    Each says of which session it speaks, on whose market, and whether that session's replay was the same.
    """
    card = page.card
    about = {
        "session": card.get("title"),
        "market": _market(card),
        "replay": card.get("checks", {}).get("replay"),
    }
    for said in card.get("messages", ()):
        told = {"evidence": said.get("evidence"), **about}
        fields = {name: str(value) for name, value in told.items() if value}
        message = Message(
            "performance", said["level"], said["title"], said["text"], int(page.card["end_ts"]), fields
        )
        outbox.send(message)


def _market(card: Mapping[str, Any]) -> str:
    source, tag = card.get("source"), str(card.get("tag", "")).upper()
    return f"{source} [{tag}]" if source and tag else str(source or tag)


def _make(settings: Settings, item: Due) -> Page:
    if item.job == "weekly":
        _ask_for_a_journal(settings, date_of(item.day))
        return weekly_page(settings, end=str(date_of(item.day)))
    return daily_page(journal_of(settings, str(date_of(item.day))), settings)


def _ask_for_a_journal(settings: Settings, last: dt.date) -> None:
    """Raise InputError where no day of the week up to `last` has a journal: a week nobody traded has no page."""
    for back in range(WEEK_DAYS):
        try:
            journal_of(settings, str(last - dt.timedelta(days=back)))
            return
        except InputError:
            continue
    raise InputError("no journal in that week", field="week", value=str(last))


def _checks(settings: Settings, outbox: Outbox) -> int:
    """Verify the newest journal and the trial log; damage is told at once."""
    found: list[str] = []
    for path in settings.journals()[:1]:
        answer = verify(path)
        if not answer.ok:
            found.append(f"{path.name}: row {answer.first_bad}: {answer.reason}")
    try:
        TrialLog(settings.trials_file).verify()
    except MiaError as error:
        found.append(str(error))
    for text in found:
        log.error("damaged", extra={"why": text})
        outbox.send(Message("alerts", "critical", "A record is damaged", text, time.time_ns()))
    return len(found)


def _forever(settings: Settings, outbox: Outbox, after_min: float) -> None:
    # Late: only this command waits.
    from apscheduler.events import EVENT_JOB_ERROR
    from apscheduler.schedulers.blocking import BlockingScheduler

    scheduler: Any = BlockingScheduler(timezone=NEW_YORK)

    def turn() -> None:
        run_due(settings, outbox, time.time_ns(), after_min)
        following = next_due_ns(time.time_ns(), after_close_min=after_min)
        if following is None:
            click.echo("the exchange calendar ends here; way out: update MIA", err=True)
            scheduler.shutdown(wait=False)
            return
        when = dt.datetime.fromtimestamp(following / 1e9, NEW_YORK)
        scheduler.add_job(
            turn, "date", run_date=when, id="close", replace_existing=True, misfire_grace_time=None
        )
        click.echo(f"next: {when:%a %Y-%m-%d %H:%M %Z}")

    def broke(event: Any) -> None:
        text = f"{type(event.exception).__name__}: {event.exception}; it is tried again within {LOOK_AGAIN_MIN} minutes"
        log.error("the schedule failed", exc_info=event.exception)
        outbox.send(Message("alerts", "critical", "The schedule failed", text, time.time_ns()))

    scheduler.add_listener(broke, EVENT_JOB_ERROR)
    # The clock may sleep with the machine: what became due meanwhile is looked for again.
    scheduler.add_job(
        lambda: run_due(settings, outbox, time.time_ns(), after_min), "interval", minutes=LOOK_AGAIN_MIN, coalesce=True,
        max_instances=1, misfire_grace_time=None,
    )  # fmt: skip
    scheduler.add_job(turn, "date", run_date=dt.datetime.now(NEW_YORK), misfire_grace_time=None)
    try:
        scheduler.start()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


def _list(settings: Settings, after_min: float) -> None:
    rows = Timetable(settings.data_folder / "schedule.sqlite").rows(20)
    print_table(
        ("job", "day", "state", "tries", "note"),
        [(r.job, date_of(r.day), r.state, r.tries, r.note) for r in rows],
    )
    following = next_due_ns(time.time_ns(), after_close_min=after_min)
    when = (
        "beyond the calendar"
        if following is None
        else f"{dt.datetime.fromtimestamp(following / 1e9, NEW_YORK):%a %Y-%m-%d %H:%M %Z}"
    )
    click.echo(f"next: {when}")
