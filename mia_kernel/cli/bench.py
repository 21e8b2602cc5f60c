"""`mia bench`: the figures of docs/performance.md on this machine."""

from __future__ import annotations

import sys

import click

from mia_kernel.cli.figures import PARTS, Bench, Figure, machine
from mia_kernel.cli.output import json_option, print_table, write_json
from mia_kernel.settings import load


@click.command()
@click.option("--only", "names", multiple=True, type=click.Choice(list(PARTS)), help="only this part")
@click.option("--passes", default=5, show_default=True, type=click.IntRange(2), help="whole passes per rate")
@json_option
def bench(names: tuple[str, ...], passes: int, json_path: str | None) -> None:
    """Measure rates, latencies, start-up and memory on the heavy synthetic day.

    Two to three minutes; leave the machine alone meanwhile.
    """
    prepared = Bench(load().settings, passes)
    figures: list[Figure] = []
    for name in names or PARTS:
        print(f"measuring: {name}", file=sys.stderr)
        figures += PARTS[name](prepared)
    if json_path:
        write_json(json_path, {"machine": machine(), "figures": figures})
    if json_path != "-":
        print_table(
            ("figure", "value", "unit", "n", "p50", "p99", "note"),
            [
                (f.name, _short(f.value), f.unit, f.n or None, _short(f.p50), _short(f.p99), f.note)
                for f in figures
            ],
        )


def _short(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
