"""`mia import` and `mia data`: files into the catalog with a verdict each; what the catalog holds."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mia_kernel.adapters import catalog_query, recorded
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.catalog_export import export_sierra
from mia_kernel.adapters.importing import import_sources, worst_exit_code
from mia_kernel.adapters.session_export import EVENTS, TABLES, export_session, session_named
from mia_kernel.cli.imported import print_imported
from mia_kernel.cli.output import json_option, print_table, stop, write_json
from mia_kernel.settings import load


def _catalog() -> Catalog:
    return Catalog(load().settings.data_folder)


@click.command("import")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--symbol", metavar="S", help="product or contract, where a file does not say it")
@click.option(
    "--format", "fmt", metavar="F", help="name of the format, where content alone should not decide"
)
@click.option("--tz", metavar="ZONE", help="zone of naive times, where a file does not say it")
@json_option
def import_(
    sources: tuple[Path, ...], symbol: str | None, fmt: str | None, tz: str | None, json_path: str | None
) -> None:
    """Store SOURCES (files or folders) in the catalog, each with a data-quality verdict.

    Nothing is stored twice; a broken file stores nothing and gives exit code 2. Files that need a zone or a symbol are
    told with the command that imports them; a sierra.toml in or above a folder names it for good.
    """
    settings = load().settings
    results = import_sources(
        sources,
        Catalog(settings.data_folder),
        symbol=symbol,
        fmt=fmt,
        tz=tz,
        quality=settings.quality,
        progress=sys.stderr.isatty() and json_path != "-",
    )
    if json_path:
        write_json(json_path, {"files": [result.to_json() for result in results]})
    if json_path != "-":
        print_imported(results)
    if code := worst_exit_code(results):
        stop(code)


@click.group(invoke_without_command=True)
@click.pass_context
def data(ctx: click.Context) -> None:
    """What the catalog holds, whether it is whole, copies of it."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(ls)


@data.command()
@json_option
def ls(json_path: str | None) -> None:
    """List the stored series by trading day."""
    days = catalog_query.list_days(_catalog())
    if json_path:
        write_json(json_path, {"days": catalog_query.to_json(days)})
        return
    if not days:
        click.echo("the catalog is empty; way out: mia import FILE...")
        return
    print_table(
        ("day", "symbol", "series", "kinds", "rows", "volume", "from", "quality"),
        [
            (
                d.day,
                d.symbol,
                d.contract,
                " ".join(d.kinds),
                f"{d.rows:,}",
                f"{d.volume:,}",
                d.adapter,
                _score(d.score),
            )
            for d in days
        ],
    )


@data.command()
@json_option
def health(json_path: str | None) -> None:
    """Tell gaps and quality per series and read every stored file against its hash; exit code 1 if one fails."""
    catalog = _catalog()
    series, checked = catalog_query.health(catalog), catalog_query.verify(catalog)
    if json_path:
        answer = {"series": catalog_query.to_json(series), "files": catalog_query.to_json(checked)}
        write_json(json_path, answer)
    if json_path != "-":
        print_table(
            ("series", "from", "what", "days", "first", "last", "absent sessions", "rows", "worst", "causes"),
            [
                (
                    f"{s.symbol} {s.contract}", s.adapter, _what(s), s.days,
                    *map(catalog_query.day_text, (s.first_day, s.last_day)),
                    len(s.missing_days), f"{s.rows:,}", _score(s.worst_score), "; ".join(s.causes),
                )
                for s in series
            ],
        )  # fmt: skip
        for problem in checked.problems:
            click.echo(problem)
        click.echo(f"{checked.checked} files read against their hash, {len(checked.problems)} problems")
    if not checked.ok:
        stop(1)


@data.command()
@click.argument("day")
@json_option
def show(day: str, json_path: str | None) -> None:
    """Tell what is known of one stored DAY (2019-08-09, or ES:2019-08-09)."""
    answer = catalog_query.show_day(_catalog(), day)
    if json_path:
        write_json(json_path, answer)
        return
    print_table(("", ""), [(name, value) for name, value in answer.items()])


@data.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
def backup(folder: Path | None, json_path: str | None) -> None:
    """Copy catalog and finished sessions to FOLDER and read the copy back against every hash."""
    settings = load().settings
    target, catalog = folder or settings.home / "backup", Catalog(settings.data_folder)
    kept = recorded.session_folders(settings.data_folder)
    copy = catalog_query.backup(catalog, target) if catalog.stored() or not kept else None
    sessions = recorded.backup_sessions(settings.data_folder, target)
    if json_path:
        answer = {} if copy is None else catalog_query.to_json(copy)
        write_json(json_path, {**answer, "sessions": catalog_query.to_json(sessions)})
        return
    if copy is not None:
        click.echo(f"{copy.path}: {copy.files} files, {copy.bytes / 1e6:.1f} MB, verified")
    click.echo(f"{sessions.path}: {sessions.sessions} sessions, {sessions.bytes / 1e6:.1f} MB, verified")


@data.command()
@json_option
def sessions(json_path: str | None) -> None:
    """List the recorded sessions, oldest first."""
    found = recorded.list_sessions(load().settings.data_folder)
    if json_path:
        write_json(json_path, {"sessions": catalog_query.to_json(found)})
        return
    if not found:
        click.echo("no session was recorded; way out: mia run")
        return
    print_table(
        ("session", "mode", "source", "rows", "MB", "decisions", "quality", "causes"),
        [
            (
                s.session_id,
                s.mode,
                s.source,
                f"{s.rows:,}",
                f"{s.bytes / 1e6:.1f}",
                s.decisions,
                _score(s.score),
                "; ".join(s.causes),
            )
            for s in found
        ],
    )


@data.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(("bars", "trades", "quotes", "book")), default="bars", show_default=True
)
@click.option("--symbol", metavar="S", help="product or contract; default all")
@click.option("--day", metavar="DAY", help="for .scid and .depth: 2019-08-09 or ESU19/2019-08-09")
@click.option(
    "--session", "session_id", metavar="ID|last", help="of a recorded session instead of the catalog"
)
@click.option(
    "--table",
    type=click.Choice((EVENTS, *TABLES)),
    default="standard",
    show_default=True,
    help="with --session: its raw events, or one of its tables",
)
@json_option
def export(
    file: Path,
    kind: str,
    symbol: str | None,
    day: str | None,
    session_id: str | None,
    table: str,
    json_path: str | None,
) -> None:
    """Write stored rows of one kind as a flat table (.parquet or .csv), or a DAY as Sierra's .scid or .depth."""
    if session_id is not None:
        written = export_session(session_named(load().settings.data_folder, session_id), file, table)
        if json_path:
            write_json(json_path, {"file": file, "session": session_id, "table": table, "rows": written})
            return
        click.echo(f"{file}: {written:,} rows")
        return
    if day is not None:
        made = export_sierra(_catalog(), file, day)
        if json_path:
            write_json(json_path, {"files": made})
            return
        for name, size in made.items():
            click.echo(f"{file.with_name(name)}: {size:,} bytes")
        return
    rows = catalog_query.export(_catalog(), file, symbol=symbol, kind=kind)
    if json_path:
        write_json(json_path, {"file": file, "kind": kind, "rows": rows})
        return
    click.echo(f"{file}: {rows:,} rows")


@data.command()
@click.argument("query")
@click.option("-n", "--most", default=40, show_default=True, help="rows shown")
def sql(query: str, most: int) -> None:
    """Ask the catalog in SQL (DuckDB) over the views trades, quotes, book and bars."""
    answer = catalog_query.sql(_catalog(), query)
    print_table(list(answer.columns), answer.head(most).itertuples(index=False))
    click.echo(f"{len(answer):,} rows" + (f", {most} shown" if len(answer) > most else ""))


def _what(series: catalog_query.SeriesHealth) -> str:
    """Return the kinds of a series, bars with their length: `1 min bars`, `book trades`."""
    seconds = series.bar_seconds or 0
    length = f"{seconds} s" if seconds % 60 else f"{seconds // 60} min"
    return " ".join(f"{length} bars" if kind == "bars" and seconds else kind for kind in series.kinds)


def _score(score: float | None) -> str | None:
    return None if score is None else f"{score:.3f}"
