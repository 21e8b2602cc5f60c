"""`mia options`: what an option chain says, as a table or as JSON."""

from __future__ import annotations

from pathlib import Path

import click

from mia_kernel.adapters.cboe_csv import Asked
from mia_kernel.adapters.chain_download import fetch_chain
from mia_kernel.adapters.chain_history import FOLDER, ChainHistory
from mia_kernel.adapters.chains import instant_of, read_chain
from mia_kernel.cli.output import json_option, print_table, write_json
from mia_kernel.gamma.summary import GammaLevels, levels_of
from mia_kernel.settings import load


@click.group()
def options() -> None:
    """Read option chains: dealer gamma, walls, flip, surface."""


@options.command()
@click.argument("chain", type=click.Path(path_type=Path))
@click.option(
    "--es", type=float, metavar="PRICE", help="front ES at that instant; default the chain's forward"
)
@click.option(
    "--at", metavar="T", help="ISO time with offset at which clocks are read; default the chain's own"
)
@click.option("--spot", type=float, metavar="PRICE", help="price of the underlying, where the file is silent")
@json_option
def levels(chain: Path, es: float | None, at: str | None, spot: float | None, json_path: str | None) -> None:
    """Print the gamma levels of one chain file: walls, zero gamma, pin, surface, and their place on ES.

    Modelled dealer gamma: dealers long calls, short puts; open interest of the clearing before.
    """
    when = instant_of(at)
    found = levels_of(read_chain(chain, Asked(when, spot)), at=when, es=es)
    if json_path:
        write_json(json_path, found.to_dict())
    if json_path != "-":
        show(found)


@options.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def store(files: tuple[Path, ...], json_path: str | None) -> None:
    """Keep chains and their levels in data/options of MIA_HOME; the same content is stored once."""
    shelf = ChainHistory(load().settings.home / "data" / FOLDER)
    rows = [(file, *shelf.add(read_chain(file))) for file in files]
    if json_path:
        write_json(json_path, {"stored": [{"file": f, "path": s.path, "new": new} for f, s, new in rows]})
    if json_path != "-":
        print_table(("file", "stored", "new"), [(f, s.path, "yes" if new else "no") for f, s, new in rows])


@options.command()
@click.argument("symbol", default="SPX")
def fetch(symbol: str) -> None:
    """Fetch the public delayed quotes of SYMBOL once and store them; at most one request a minute.

    The quotes are 15 minutes old. The page is Cboe's, for personal use under its terms.
    """
    home = load().settings.home
    fetched = fetch_chain(symbol, home / "data" / FOLDER / "pages")
    ChainHistory(home / "data" / FOLDER).add(read_chain(fetched.path))
    click.echo(f"{fetched.path}  {'new' if fetched.is_new else 'not newer than what is stored'}")


def show(found: GammaLevels) -> None:
    """Print what a trader reads first, with its causes for doubt."""
    told = found.to_dict()
    es = told["es"] or {}
    bands = found.bands

    def row(name: str, key: str, band: str | None = None) -> tuple[str, str | None, str | None, str | None]:
        low, high = (bands[band].low, bands[band].high) if band else (None, None)
        between = None if low is None or high is None else f"{low:,.0f} to {high:,.0f}"
        return name, _points(told[key]), _points(es.get(key)), between

    click.echo(f"{told['underlying']} {told['spot']:,.2f}  {told['chain_as_of']}  {told['source']}")
    click.echo(f"net {told['net_gex'] / 1e9:+,.2f} bn USD per 1% ({told['dealer_position']}), gross "
               f"{told['gross_gex'] / 1e9:,.1f} bn; {told['sign_model']}")  # fmt: skip
    print_table(
        ("level", told["underlying"], es.get("contract", "ES"), "under other assumptions"),
        [
            row("call wall", "call_wall", "call_wall"),
            row("put wall", "put_wall", "put_wall"),
            row("zero gamma", "zero_gamma", "zero_gamma"),
            row("vol trigger (proxy)", "vol_trigger_proxy"),
            row("absolute gamma strike", "absolute_gamma_strike"),
            row("HVL", "hvl"),
            row("max pain, next expiry", "max_pain"),
        ],
    )
    if told["es_reason"]:
        click.echo(f"not on the future: {told['es_reason']}")
    if told["zero_gamma_reason"]:
        click.echo(f"no zero gamma: {told['zero_gamma_reason']}")
    click.echo(
        f"confidence {found.confidence.score:.2f}" + "".join(f"\n  - {c}" for c in found.confidence.causes)
    )


def _points(value: float | None) -> str | None:
    return None if value is None else f"{value:,.2f}"
