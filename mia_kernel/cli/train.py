"""`mia train` and `mia validate`: a model from years of events, and what it is worth."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mia_kernel.cli.compiling import compile_once
from mia_kernel.cli.output import json_option, print_table, write_json
from mia_kernel.cli.replay import effective

if TYPE_CHECKING:
    from mia_kernel.training.store import Verdict

STORE = "mia_kernel.training.store"
"""Loaded when it runs: it brings the learning libraries along, which no other command must pay for."""


@click.command()
@click.option(
    "--data", "source", default="synthetic:7", show_default=True, metavar="SOURCE", help="what to learn from"
)
@click.option("--with", "extra", multiple=True, metavar="URI", help="a further source, merged by time")
@click.option("--symbol", metavar="S", help="which contract or product, where a source holds several")
@click.option("--tz", metavar="ZONE", help="zone of naive times, where the source does not say it")
@click.option(
    "--weights", metavar="NAME|FILE", default="bars", show_default=True, help="mia14, mia11, bars or a file"
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="one setting, dotted")
@click.option("--groups", metavar="A,B", help="groups of measures beside the eight features; '' for none")
@click.option("--out", metavar="DIR", help="home of the model instead of MIA_HOME")
@click.option("--processes", type=int, help="default one for each core")
@json_option
def train(
    source: str,
    extra: tuple[str, ...],
    symbol: str | None,
    tz: str | None,
    weights: str,
    assignments: tuple[str, ...],
    groups: str | None,
    out: str | None,
    processes: int | None,
    json_path: str | None,
) -> None:
    """Replay SOURCE into labelled signals, train the filter on them, and judge it on what it had not seen.

    The model is stored as a candidate; it serves nobody before a person promotes it.
    """
    store: Any = importlib.import_module(STORE)
    given = assignments if out is None else (*assignments, f'home="{out}"')
    settings = effective(None, weights, given)
    compile_once(settings, source)
    chosen = store.GROUPS if groups is None else tuple(filter(None, groups.split(",")))
    with _bar() as bar:
        task = bar.add_task("reading", total=None)

        def tell(done: int, of: int, what: str) -> None:
            bar.update(task, description=what, completed=done, total=of)

        found = store.train_source(
            settings, source, extra, symbol=symbol, tz=tz, groups=chosen, processes=processes, progress=tell
        )
    _show(found, json_path)


@click.command()
@click.argument("model", default="")
@click.option(
    "--promote", type=click.Choice(("shadow", "champion", "retired")), help="move it on, if the rules allow"
)
@click.option("--open-locked", is_flag=True, help="judge it on the locked last fifth; once, for ever")
@click.option("--reason", default="asked for on the command line", help="why, for the record")
@click.option("--home", metavar="DIR", help="home of the model instead of MIA_HOME")
@json_option
def validate(
    model: str,
    promote: str | None,
    open_locked: bool,
    reason: str,
    home: str | None,
    json_path: str | None,
) -> None:
    """Check MODEL byte by byte and say what it is worth: verdict per target, rules of promotion.

    MODEL is a version or NAME/VERSION; default the newest.
    """
    store: Any = importlib.import_module(STORE)
    settings = effective(None, None, () if home is None else (f'home="{home}"',))
    if open_locked:
        found = store.open_locked(settings, model, reason=reason)
    elif promote:
        found = store.promote(settings, model, promote, reason=reason)
    else:
        found = store.verdict(settings, model)
    _show(found, json_path)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _show(found: Verdict, json_path: str | None) -> None:
    report = found.report
    if json_path:
        write_json(json_path, asdict(found) | {"may_be_champion": found.may_be_champion})
    if json_path == "-":
        return
    click.echo(
        f"{found.model_id} ({found.state}) from {report['source']} [{str(report['source_tag']).upper()}]"
    )
    _tell("out of sample, costs on", report)
    locked = (
        f"the locked last fifth ({report['locked_signals']:,} signals from {report['locked_from_session']})"
    )
    if found.opened is None:
        click.echo(f"{locked} has not been looked at")
    elif "found" not in found.opened:
        click.echo(f"{locked} was opened by {found.opened['version']} and the look was cut off")
    else:
        click.echo(f"{locked}, opened once, by {found.opened['version']} ({found.opened['reason']}):")
        _tell("locked fifth, costs on", found.opened["found"])
    rules = [
        (r["rule"], "–" if r["found"] is None else f"{r['found']:.3f}", "yes" if r["ok"] else "no")
        for r in found.rules
    ]
    print_table(("rule of a champion", "found", "holds"), rules)
    click.echo(f"trials logged on this data: {report['trials']}")


def _tell(title: str, report: dict[str, Any]) -> None:
    rows = [(rule, *_figures(part)) for rule, part in report["sections"].items()]
    print_table((title, "n", "won", "PF", "expectancy", "net", "DSR"), rows)
    click.echo(f"verdict ({report['verdict_of']}):")
    for line in report["verdicts"]:
        click.echo(f"  {line}")


def _figures(part: dict[str, Any]) -> tuple[str, ...]:
    p = part["performance"]
    return (
        f"{p['n']:,}",
        "–" if p["win_rate"] is None else f"{p['win_rate']:.1%}",
        p["profit_factor_text"],
        "–" if p["expectancy_r"] is None else f"{p['expectancy_r']:+.3f} R",
        f"{p['net_usd']:+,.0f} USD",
        "–" if part["dsr"] is None else f"{part['dsr']:.3f}",
    )
