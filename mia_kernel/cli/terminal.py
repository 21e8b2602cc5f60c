"""The terminal view of a running loop: one glance for state, market, decision, trades and health.

How it moves: the loop calls the view between slices; at most four times a second the view takes a frame (a
plain mapping, made by `frame_of` from what the run already holds) and draws it. It looks, it never decides.
Where the output is no terminal it prints one line now and then instead.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mia_kernel.analytics.explain import RunFacts, refusals, waterfall, why_not
from mia_kernel.cli.sparkline import braille
from mia_kernel.core.decisions import CONTEXT_NAMES, GRADE_NAMES, Decision
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.phases import PHASE_NAMES
from mia_kernel.state.regime import MARKET_NAMES, VOLATILITY_NAMES

if TYPE_CHECKING:
    from mia_kernel.runtime import Run

BUY, SELL, MUTED, CAUTION, ALARM = "#2fbf8f", "#e5604d", "#8b93a1", "#e8b84a", "#ff3b5c"
REFRESH_S = 0.25
LINE_S = 5.0
STARTING = " Starting. On first use the kernels are compiled, which takes a minute or two."
POINTS = 480
"""Decisions drawn in the price line: two hours of the 15 s grid."""

NEW_YORK = ZoneInfo("America/New_York")

Frame = Mapping[str, Any]


class Spark:
    """A line chart as wide as its panel."""

    def __init__(self, values: Sequence[float], height: int) -> None:
        self.values = values
        self.height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield Text(braille(self.values, width=options.max_width, height=self.height), no_wrap=True)


class TerminalView:
    """Watch a loop: `with TerminalView() as view: run.drive(view)`."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._live: Live | None = None
        self._drawn = 0.0
        self._began = time.monotonic()
        self._facts: RunFacts | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(Text(STARTING, MUTED), console=self.console, auto_refresh=False, screen=True)
            self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, run: Run, stop: int) -> None:
        """Draw the run as it stands after row `stop`, if the last picture is old enough."""
        now = time.monotonic()
        if now - self._drawn < (REFRESH_S if self._live else LINE_S):
            return
        self._drawn = now
        if self._facts is None:
            self._facts = RunFacts.from_header(run.header())
        frame = frame_of(run, stop, self._facts, seconds=now - self._began)
        if self._live is not None:
            self._live.update(render(frame), refresh=True)
        else:
            self.console.print(line(frame), highlight=False)


def frame_of(run: Run, stop: int, facts: RunFacts, *, seconds: float) -> dict[str, Any]:
    """Return what the view shows, in the person's units; unknown is None."""
    source, table, last = run.recording.source, run.table, run.last
    total = len(run.recording.events)
    frame: dict[str, Any] = {
        "mode": "DRY-RUN",
        "tag": source.tag,
        "source": source.name,
        "symbol": source.contract or source.symbol,
        "trading_state": run.engine.rooms.gate.state.value,
        "progress": stop / total if total else 1.0,
        "rows_per_second": stop / seconds if seconds > 0 else None,
        "decisions": len(table),
        "signals": [_signal(d) for _, d in table.signals[-6:]],
        "signal_count": len(table.signals),
        "denied": table.denied,
        "trips": [_trip(t) for t in run.round_trips[-6:]],
        "trip_count": len(run.round_trips),
        "net_usd": sum(t.net_cents for t in run.round_trips) / 100,
        "prices": (table.column("price_ticks")[-POINTS:] * facts.tick_points).tolist(),
        "cvd": table.column("context")[-POINTS:, CONTEXT_NAMES.index("cumulative_delta")].tolist(),
    }
    if last is None:
        return {**frame, "ts": None, "context": {}}
    context = {} if last.context is None else dict(zip(CONTEXT_NAMES, last.context.tolist(), strict=True))
    return {
        **frame,
        "ts": last.ts_event,
        "price": last.price_ticks * facts.tick_points,
        "tick_points": facts.tick_points,
        "context": {k: None if v != v else v for k, v in context.items()},
        "percent": last.score.percent,
        "score": last.score.total,
        "side": last.score.side,
        "grade": GRADE_NAMES[last.score.grade],
        "coverage": last.score.coverage,
        "coverage_floor": facts.coverage_floor,
        "weights": facts.weights_name,
        "lines": [(w.name, w.contribution, w.status) for w in waterfall(last, facts)],
        "refusals": [r.sentence for r in refusals(last, facts)],
        "why_not": why_not(last, facts, form="brief"),
    }


def _signal(decision: Decision) -> tuple[int, int, str, bool, str]:
    verdict = decision.verdict
    side = decision.signal.side if decision.signal else 0
    grade = GRADE_NAMES[decision.score.grade]
    if verdict is None:
        return decision.ts_event, side, grade, False, "not asked"
    said = f"{verdict.qty} {verdict.symbol}" if verdict.allowed else verdict.code
    return decision.ts_event, side, grade, verdict.allowed, said


def _trip(trip: RoundTrip) -> tuple[int, int, int, str, float]:
    return trip.exit_ts, trip.side, trip.qty, trip.exit_reason.replace("_", " "), trip.net_cents / 100


def line(frame: Frame) -> str:
    """Return a frame as one line of plain text, for logs and pipes."""
    price = f"{frame['price']:.2f}" if frame.get("ts") else "—"
    return (
        f"{clock(frame.get('ts'))} {frame['symbol']} {price} [{frame['tag'].upper()}] "
        f"{frame['progress']:.0%} · {frame['decisions']} decisions · {frame['signal_count']} signals · "
        f"{frame['trip_count']} round trips · {frame['net_usd']:+.2f} USD"
    )


def render(frame: Frame) -> RenderableType:
    """Return a frame as the whole screen."""
    screen = Layout()
    screen.split_column(Layout(strip(frame), size=3), Layout(name="body"), Layout(foot(frame), size=1))
    screen["body"].split_row(Layout(name="left", ratio=3), Layout(name="right", ratio=2))
    screen["left"].split_column(
        Layout(market(frame), ratio=3), Layout(flow(frame), ratio=2), Layout(trades(frame), ratio=2)
    )
    screen["right"].split_column(Layout(decision(frame), ratio=3), Layout(signals(frame), ratio=2))
    return screen


def strip(frame: Frame) -> RenderableType:
    """Return the line that must be readable from two metres: mode, state, price, position, money."""
    context = frame["context"]
    position = context.get("position")
    held = "FLAT" if not position else f"{'LONG' if position > 0 else 'SHORT'} {abs(position):.0f}"
    state = frame["trading_state"]
    words = [
        Text(f" {frame['mode']} · {frame['tag'].upper()} ", f"bold black on {CAUTION}"),
        Text(f" {state.upper()} · SIMULATED ", "bold" if state == "active" else f"bold {ALARM}"),
        Text(
            f" {frame['symbol']} {frame['price']:.2f} " if frame["ts"] else f" {frame['symbol']} — ", "bold"
        ),
        Text(f" {held} ", f"bold {_colour(position)}"),
        Text(" day "),
        _money(context.get("day_net_usd")),
        Text("  open "),
        _money(context.get("open_usd")),
    ]
    return Panel(Text("").join(words), border_style=MUTED, padding=(0, 0))


def market(frame: Frame) -> RenderableType:
    """Return the price line with what stands around it."""
    context, point = frame["context"], frame.get("tick_points", 1.0)
    head = Text()
    for name, key in (
        ("VWAP", "vwap_ticks"),
        ("POC", "poc_ticks"),
        ("VAH", "vah_ticks"),
        ("VAL", "val_ticks"),
    ):
        value = context.get(key)
        head.append(f"{name} ", MUTED).append("—  " if value is None else f"{value * point:.2f}  ")
    regime = " · ".join(
        (
            _word(context.get("market_regime"), MARKET_NAMES),
            _word(context.get("volatility_regime"), VOLATILITY_NAMES),
        )
    )
    head.append(f"\n{_word(context.get('phase'), PHASE_NAMES)} · {regime}", MUTED)
    head.append(f" · VIX {_plain(context.get('vix'), '.2f')}", MUTED)
    prices = frame["prices"]
    scale = (
        f"{min(prices):.2f} to {max(prices):.2f}, last {len(prices)} decisions"
        if prices
        else "no decision yet"
    )
    return Panel(
        Group(head, Spark(prices, 9), Text(scale, MUTED)),
        title="market",
        title_align="left",
        border_style=MUTED,
    )


def flow(frame: Frame) -> RenderableType:
    """Return delta and order-book imbalance; without sides or book it says so."""
    context = frame["context"]
    known = [x for x in frame["cvd"] if x == x]
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text("delta of the session", MUTED), _signed(context.get("cumulative_delta"), ",.0f"))
    grid.add_row(Text("order-book imbalance", MUTED), _signed(context.get("obi_signal"), "+.2f"))
    grid.add_row(Text("spread (ticks)", MUTED), Text(_plain(context.get("spread_ticks"), ".0f")))
    grid.add_row(Text("ATR 5 min (ticks)", MUTED), Text(_plain(context.get("atr_5m_ticks"), ".1f")))
    picture = Spark(known, 3) if known else Text("no delta: the source says no aggressor side", MUTED)
    return Panel(
        Group(grid, picture),
        title="flow",
        title_align="left",
        border_style=MUTED,
    )


def decision(frame: Frame) -> RenderableType:
    """Return the last decision: score, waterfall, why not."""
    if frame["ts"] is None:
        return Panel(Text("no decision yet", MUTED), title="decision", title_align="left", border_style=MUTED)
    side = {1: "LONG", -1: "SHORT"}.get(frame["side"], "")
    head = Text(f"{frame['percent']:.2f} % {frame['grade']} {side}", f"bold {_colour(frame['side'])}")
    low = frame["coverage"] < frame["coverage_floor"]
    head.append(f"\ncoverage {frame['coverage']:.2f} ({frame['weights']})", CAUTION if low else MUTED)
    grid = Table.grid(padding=(0, 1))
    for name, contribution, status in frame["lines"][:11]:
        if status == "ok":
            bar = "▇" * min(14, math.ceil(abs(contribution) * 70))
            grid.add_row(Text(name), Text(f"{contribution:+.4f}"), Text(bar, _colour(contribution)))
        else:
            grid.add_row(Text(name, MUTED), Text("—", MUTED), Text(status.replace("_", " "), MUTED))
    why = Text(f"\n{frame['why_not']}", MUTED)
    return Panel(
        Group(head, grid, why), title=f"decision {clock(frame['ts'])}", title_align="left", border_style=MUTED
    )


def signals(frame: Frame) -> RenderableType:
    """Return the last signals and what the gate said."""
    grid = Table.grid(padding=(0, 2))
    for ts, side, grade, allowed, said in reversed(frame["signals"]):
        mark = "▲" if side > 0 else "▼"
        word = Text(said.replace("_", " "), "" if allowed else MUTED)
        grid.add_row(Text(clock(ts), MUTED), Text(mark, _colour(side)), Text(grade), word)
    title = f"signals {frame['signal_count']}, refused {frame['denied']}"
    body = grid if frame["signals"] else Text("none yet", MUTED)
    return Panel(body, title=title, title_align="left", border_style=MUTED)


def trades(frame: Frame) -> RenderableType:
    """Return the last round trips."""
    grid = Table.grid(padding=(0, 2))
    for ts, side, qty, reason, net in reversed(frame["trips"]):
        word = f"{'long' if side > 0 else 'short'} {qty}"
        grid.add_row(Text(clock(ts), MUTED), Text(word, _colour(side)), Text(reason), _money(net))
    title = f"round trips {frame['trip_count']}, net {frame['net_usd']:+.2f} USD"
    body = grid if frame["trips"] else Text("none yet", MUTED)
    return Panel(body, title=title, title_align="left", border_style=MUTED)


def foot(frame: Frame) -> RenderableType:
    """Return health: data quality, progress, speed."""
    quality = frame["context"].get("data_quality")
    rate = frame["rows_per_second"]
    text = Text(" data ")
    text.append(_plain(quality, ".2f"), "" if quality is None or quality >= 0.8 else CAUTION)
    text.append(f" · {frame['source']} {frame['progress']:.0%}")
    text.append(f" · {frame['decisions']} decisions")
    text.append(f" · {rate:,.0f} rows/s" if rate else "")
    text.append(" · Ctrl-C ends", MUTED)
    return text


def clock(ns: int | None) -> str:
    """Return a time as New York wall time."""
    if ns is None:
        return "—"
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone(NEW_YORK):%H:%M:%S}"


def _colour(value: float | None) -> str:
    return MUTED if not value else BUY if value > 0 else SELL


def _money(value: float | None) -> Text:
    return Text("—", MUTED) if value is None else Text(f"{value:+,.2f} USD", _colour(value))


def _signed(value: float | None, form: str) -> Text:
    return Text("—", MUTED) if value is None else Text(format(value, form), _colour(value))


def _plain(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)


def _word(code: float | None, names: Sequence[str]) -> str:
    return "—" if code is None or not 0 <= int(code) < len(names) else names[int(code)].replace("_", " ")
