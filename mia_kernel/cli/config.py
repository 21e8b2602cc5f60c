"""`mia config`: what is set, where it came from, whether it is right, how two profiles differ."""

from __future__ import annotations

import click

from mia_kernel import settings as s
from mia_kernel.cli.output import json_option, pairs, print_table, write_json


@click.group(invoke_without_command=True)
@click.pass_context
def config(ctx: click.Context) -> None:
    """Effective settings with origin and unit; secrets are masked."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@config.command()
@click.argument("room", required=False)
@click.option("--profile", type=click.Choice(s.PROFILES))
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="as an argument would set it")
@click.option("--changed", is_flag=True, help="only what is not a default")
@json_option
def show(
    room: str | None, profile: str | None, assignments: tuple[str, ...], changed: bool, json_path: str | None
) -> None:
    """Print every effective value (of one ROOM), with unit and origin."""
    loaded = s.load(profile, arguments=pairs(assignments))
    values = [v for v in loaded.values() if room is None or v.path.split(".")[0] == room]
    if not values:
        rooms = ", ".join(s.Settings.model_fields)
        raise click.UsageError(f"no setting belongs to {room!r}; known: {rooms}")
    if changed:
        values = [v for v in values if v.origin != "default"]
    identity = s.settings_id(loaded.settings)
    if json_path:
        write_json(json_path, {"settings_id": identity, "values": values})
        return
    print_table(
        ("setting", "value", "unit", "origin", "meaning"),
        [(v.path, _short(v.value), v.unit, v.origin, v.meaning) for v in values],
    )
    click.echo(f"settings_id {identity}")


@config.command()
@click.option("--profile", type=click.Choice(s.PROFILES), help="only this one")
def check(profile: str | None) -> None:
    """Load every profile as it would be used; the first mistake is named with its path."""
    for name in (profile,) if profile else s.PROFILES:
        loaded = s.load(arguments={"profile": name})
        click.echo(f"{name}: good, settings_id {s.settings_id(loaded.settings)[:16]}")


@config.command()
@click.argument("first", type=click.Choice(s.PROFILES))
@click.argument("second", type=click.Choice(s.PROFILES))
@json_option
def diff(first: str, second: str, json_path: str | None) -> None:
    """Print what differs between the profiles FIRST and SECOND."""
    a, b = ({v.path: v for v in s.load(arguments={"profile": name}).values()} for name in (first, second))
    rows = [
        {"path": path, first: a[path].value, second: b[path].value, "unit": a[path].unit}
        for path in a
        if path != "profile" and a[path].value != b[path].value
    ]
    if json_path:
        write_json(json_path, {"first": first, "second": second, "differences": rows})
        return
    print_table(("setting", first, second, "unit"), [tuple(row.values()) for row in rows])
    click.echo(f"{len(rows)} differences")


def _short(value: object, most: int = 60) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"
