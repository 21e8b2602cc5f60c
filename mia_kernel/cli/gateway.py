"""`mia gateway`: the simulated IB Gateway, and `ctl`, which makes it misbehave."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

import click
import numpy as np

from mia_kernel.adapters.chains import read_chain
from mia_kernel.adapters.sources import open_recording
from mia_kernel.cli.output import json_option, print_table, stop, write_json
from mia_kernel.cli.replay import instant
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.core.events import WARM_UP, Recording
from mia_kernel.gateway.control import Control
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.server import Gateway
from mia_kernel.settings import load

_DEFAULTS = GatewayParams()
_ANSWER_S = 10.0
_VIEW_S = 0.5


@click.group(invoke_without_command=True)
@click.option(
    "--port", default=_DEFAULTS.port, show_default=True, type=click.IntRange(0, 65535), help="0: any free one"
)
@click.option(
    "--control-port", default=_DEFAULTS.control_port, show_default=True, type=click.IntRange(0, 65535)
)
@click.option("--source", default="synthetic:", show_default=True, metavar="URI", help="whose market it is")
@click.option("--with", "extra", multiple=True, metavar="URI", help="a further source, merged by time")
@click.option(
    "--chain", "chain_path", metavar="PATH", help="an SPX option chain; a synthetic source has its own"
)
@click.option("--infer-quotes", is_flag=True, help="a source of prints alone: a one-tick market around them")
@click.option("--symbol", metavar="S", help="which contract or product, where a source holds several")
@click.option("--tz", metavar="ZONE", help="zone of naive times, where the source does not say it")
@click.option("--from", "start", metavar="T", help="ISO time the clock starts at; earlier rows are history")
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0.01, 10_000.0), help="event s per s"
)
@click.option(
    "--equity", default=_DEFAULTS.equity_usd, show_default=True, type=click.IntRange(1), help="cash in USD"
)
@click.option("--master", type=click.IntRange(0), help="client id that sees everybody's orders")
@click.option(
    "--shuffle", type=click.IntRange(0), metavar="SEED", help="messages of a fill in a shuffled order"
)
@click.pass_context
def gateway(
    ctx: click.Context,
    port: int,
    control_port: int,
    source: str,
    extra: tuple[str, ...],
    chain_path: str | None,
    infer_quotes: bool,
    symbol: str | None,
    tz: str | None,
    start: str | None,
    speed: float,
    equity: int,
    master: int | None,
    shuffle: int | None,
) -> None:
    """Simulate an IB Gateway on loopback: real clients connect, trade and reconcile; nothing is sent anywhere.

    The market is that of the source, the clock too. Runs until Ctrl-C.
    """
    if ctx.invoked_subcommand is not None:
        return
    wanted = instant(start)  # before a source is read, which may take a while
    recording = open_recording(source, extra, symbol=symbol, tz=tz, home=load().settings.home)
    params = replace(_DEFAULTS, port=port, control_port=control_port, speed=speed, equity_usd=equity,
                     infer_quotes=infer_quotes,
                     master_client_id=master, shuffle_seed=shuffle)  # fmt: skip
    chain = None if chain_path is None else read_chain(chain_path)
    asyncio.run(_serve(Gateway(recording, _start(recording, wanted), params, chain)))


def _start(recording: Recording, wanted: int | None) -> int:
    """Return the event time the clock starts at: the one asked for, else the first row that is no warm-up."""
    rows = recording.events
    first, last = int(rows["ts_recv"][0]), int(rows["ts_recv"][-1])
    if wanted is None:
        own = np.flatnonzero(rows["flags"] & WARM_UP == 0)
        return int(rows["ts_recv"][own[0]]) if len(own) else first
    if not first <= wanted <= last:
        raise InputError("the source has nothing at this time", field="--from", value=_iso(wanted),
                         rule=f"between {_iso(first)} and {_iso(last)}")  # fmt: skip
    return wanted


def _iso(ts_ns: int) -> str:
    return f"{np.datetime64(ts_ns, 'ns').astype('M8[s]')}Z"


async def _serve(venue: Gateway) -> None:
    params, recording = venue.params, venue.recording
    control = Control(venue)
    await venue.open()
    await control.open(params.control_port)
    tag = recording.source.tag.upper()
    click.echo(
        f"simulated IB Gateway: 127.0.0.1:{venue.port}, control {control.port}, account {params.account}"
    )
    click.echo(
        f"market: {recording.source.name} [{tag}], clock {control.status()['now']} at speed {params.speed:g}"
    )
    carries = recording.source.carries
    if venue.inferred:
        click.echo(f"quotes of {', '.join(venue.inferred)} are inferred from prints, one tick wide")
    elif not (carries.quotes or carries.book):
        click.echo(
            "this source has no quotes: clients see none, orders meet prints or bars (see --infer-quotes)"
        )
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, task.cancel)
    view = loop.create_task(_view(control)) if sys.stdout.isatty() else None
    try:
        await venue.run()
    except asyncio.CancelledError:
        click.echo("stopped")
    finally:
        if view is not None:
            view.cancel()
        await control.close()
        await venue.close()


async def _view(control: Control) -> None:
    """Keep the state of the gateway on screen, twice a second."""
    from rich.live import Live  # late: only a terminal needs it
    from rich.table import Table

    with Live(refresh_per_second=4) as live:
        while True:
            table = Table(box=None, show_header=False, pad_edge=False)
            for name, value in _lines(control.status()):
                table.add_row(name, value)
            live.update(table)
            await asyncio.sleep(_VIEW_S)


# -- ctl -------------------------------------------------------------------------------------------


@gateway.group()
@click.option(
    "--control-port", default=_DEFAULTS.control_port, show_default=True, type=click.IntRange(1, 65535)
)
@click.pass_context
def ctl(ctx: click.Context, control_port: int) -> None:
    """Make the running gateway misbehave, or ask how it is."""
    ctx.obj = control_port


def ask(port: int, verb: str, **arguments: Any) -> dict[str, Any]:
    """Send one verb to the control port of a running gateway and return its answer.

    Raises
    ------
    OutsideError
        If no gateway answers there.
    InputError
        If the gateway refuses the verb.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), _ANSWER_S) as link:
            link.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
            line = link.makefile("rb").readline()
    except OSError as error:
        raise OutsideError(
            f"no gateway answers on control port {port}: {error}; start one: mia gateway"
        ) from None
    if not line:
        raise OutsideError(f"the gateway on control port {port} closed without an answer")
    answer: dict[str, Any] = json.loads(line)
    if not answer.pop("ok"):
        raise InputError(answer["error"], field=verb)
    return answer


def _say(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer))


@ctl.command("drop-link")
@click.option("--data-lost", is_flag=True, help="restore says 1101: every stream is gone")
@click.pass_obj
def drop_link(port: int, data_lost: bool) -> None:
    """Lose the link to IB (1100)."""
    _say(ask(port, "drop-link", data_lost=data_lost))


@ctl.command("flap-farm")
@click.option("--down-s", default=2.0, show_default=True, type=click.FloatRange(0))
@click.pass_obj
def flap_farm(port: int, down_s: float) -> None:
    """Break the data farms for a while (2103, 2105)."""
    _say(ask(port, "flap-farm", down_s=down_s))


@ctl.command()
@click.option("--down-s", default=1.0, show_default=True, type=click.FloatRange(0), help="seconds away")
@click.option("--id-rollback", is_flag=True, help="the next order ids fall back")
@click.option(
    "--stale-326-s", default=0.0, show_default=True, type=click.FloatRange(0), help="old ids stay in use"
)
@click.pass_obj
def restart(port: int, down_s: float, id_rollback: bool, stale_326_s: float) -> None:
    """Reset every connection, be away, come back."""
    _say(ask(port, "restart", down_s=down_s, id_rollback=id_rollback, stale_326_s=stale_326_s))


@ctl.command()
@click.argument("ms", type=click.FloatRange(0))
@click.pass_obj
def delay(port: int, ms: float) -> None:
    """Hold every message of the gateway back by MS milliseconds; 0 ends it."""
    _say(ask(port, "delay", ms=ms))


@ctl.command("reject-next")
@click.argument("code", type=click.IntRange(100, 99_999))
@click.pass_obj
def reject_next(port: int, code: int) -> None:
    """Refuse the next order with error CODE."""
    _say(ask(port, "reject-next", code=code))


@ctl.command()
@click.argument("price", type=float)
@click.pass_obj
def correct(port: int, price: float) -> None:
    """Correct the last fill to PRICE."""
    _say(ask(port, "correct", price=price))


@ctl.command()
@click.argument("action", type=click.Choice(["BUY", "SELL"], case_sensitive=False))
@click.argument("quantity", type=click.IntRange(1))
@click.option("--symbol", default="ES", show_default=True)
@click.option("--limit", type=float, help="without it a market order")
@click.pass_obj
def manual(port: int, action: str, quantity: int, symbol: str, limit: float | None) -> None:
    """Place an order by hand, as somebody at the TWS screen would."""
    _say(ask(port, "manual", action=action, quantity=quantity, symbol=symbol, limit=limit))


def _plain(verb: str, help_: str) -> None:
    @ctl.command(verb, help=help_)
    @click.pass_obj
    def do(port: int) -> None:
        _say(ask(port, verb))


for _verb, _help in (
    ("restore", "Bring the link back (1102, or 1101 after drop-link --data-lost)."),
    ("half-open", "Go silent on every open connection without closing it."),
    ("halt", "Halt trading."),
    ("resume", "End the halt."),
    ("reset-depth", "Reset every depth subscription (317)."),
):
    _plain(_verb, _help)


@ctl.command()
@json_option
@click.pass_obj
def status(port: int, json_path: str | None) -> None:
    """Tell clock, clients, orders, position and what is wrong; exit code 1 while something is."""
    answer = ask(port, "status")
    if json_path:
        write_json(json_path, answer)
    if json_path != "-":
        print_table(("", ""), _lines(answer))
    if any(answer["faults"].values()):
        stop(1)


def _lines(s: dict[str, Any]) -> list[tuple[str, str]]:
    clock, source, orders = s["clock"], s["source"], s["orders"]
    wrong = [f"{name} {value}" for name, value in s["faults"].items() if value]
    clients = [f"{c['client_id']} (v{c['version']}, {c['streams']} streams{', silent' if c['silent'] else ''})"
               for c in s["clients"]]  # fmt: skip
    return [
        ("clock", f"{s['now']} ({clock['offset_s']:+,.3f} s to this machine, speed {clock['speed']:g})"),
        ("market", f"{source['name']} [{source['tag'].upper()}], {source['rows_told']:,} of {source['rows']:,} rows"
                   + (", ended" if source["ended"] else "")),
        ("clients", ", ".join(clients) or "none"),
        ("orders", f"{orders['living']} living, {orders['done']} done, {orders['executions']} executions"),
        ("position", ", ".join(f"{k} {v:+}" for k, v in s["positions"].items()) or "flat"),
        ("account", f"{s['account']} {s['equity_usd']:,.2f} USD, realized {s['realized_usd']:+,.2f}"),
        ("wrong", ", ".join(wrong) or "nothing"),
    ]  # fmt: skip
