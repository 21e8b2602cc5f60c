"""Collect a session: what the engine takes goes to the recorder, what it knew and did into the five tables."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mia_kernel.adapters.journal_record import to_json
from mia_kernel.adapters.recorder import SEAL_S, SessionRecorder
from mia_kernel.core.decisions import CONTEXT_NAMES, GRADE_NAMES, STATUS_NAMES, Decision
from mia_kernel.core.digest import DecisionDigest
from mia_kernel.core.events import OPTION_FIELDS, EventArray, OptionView
from mia_kernel.core.orders import Command
from mia_kernel.measures.shelf import NAMES, Shelf
from mia_kernel.runtime import Run
from mia_kernel.state.memory import MarketState

STATUS_S = 1.0


class EachDigest(DecisionDigest):
    """The decision digest that also keeps the hash of every decision, to tell which one differs."""

    def __init__(self, names: Sequence[str], gate_codes: Sequence[str]) -> None:
        super().__init__(names, gate_codes)
        self.each: list[bytes] = []

    def update(self, decision: Decision) -> None:
        """Add one decision."""
        data = self.canonical(decision)
        self._hash.update(data)
        self._hash.update(b"\n")
        self.each.append(hashlib.sha256(data).digest())
        self.count += 1


class Collector:
    """Feed the recorder from a run.

    `KINDS` are the tables whose rows a resumed session has to count.

    Parameters
    ----------
    run : Run
        Not yet started; its digest is replaced by one that keeps every decision's hash.
    recorder : SessionRecorder
    status : callable, optional
        What loop and feed say about themselves, once a second, for the `session` table.
    """

    KINDS = ("standard", "bars", "microstructure", "post_trade")

    def __init__(
        self, run: Run, recorder: SessionRecorder, status: Callable[[], Mapping[str, float]] | None = None
    ) -> None:
        self.run = run
        self.recorder = recorder
        self.status = status
        rooms = run.engine.rooms
        self.digest = EachDigest(rooms.features.names, rooms.gate.codes)
        run.digest = self.digest
        self._shelf = Shelf(run.given)
        self._others = run.engine.observer
        self._measured: list[tuple[int, Any]] = []
        self._decisions = self._reports = self._trips = self._bars = 0
        self._sealed = self._said = time.monotonic()
        self._status_rows: list[dict[str, float]] = []
        run.watch(self._observe)

    def before(self, rows: EventArray, objects: Sequence[Any]) -> None:
        """Record what the engine is about to take."""
        self.recorder.append(rows, objects)
        views = [event for event in objects if isinstance(event, OptionView)]
        if views:
            self.recorder.add_table("options", _option_columns(views))

    def continue_after(self, sealed: Mapping[str, Sequence[Any]]) -> None:
        """Leave out what the sealed tables of a resumed session hold already (rows by table)."""
        self._decisions = len(sealed["standard"])
        self._bars = len(sealed["bars"])
        del self._measured[: len(sealed["microstructure"])]
        self._reports = sum(what == "report" for what in sealed["post_trade"])
        self._trips = len(sealed["post_trade"]) - self._reports

    def sent(self, commands: Sequence[Command]) -> None:
        """Put the record on the disk before commands leave: a restart must decide them again, not anew."""
        self.recorder.sync()

    def after(self) -> None:
        """Add what has come about since the last call; seal about once a minute."""
        now = time.monotonic()
        if self.status is not None and now - self._said >= STATUS_S:
            self._said = now
            self._status_rows.append(
                {"ts_event": self.run.last.ts_event if self.run.last else 0, **self.status()}
            )
        if now - self._sealed >= SEAL_S:
            self._sealed = now
            self.flush()
            self.recorder.seal()

    def flush(self) -> None:
        """Hand every row of the tables to the recorder."""
        for kind, columns in (
            ("standard", self._standard()),
            ("bars", self._closed_bars()),
            ("microstructure", self._microstructure()),
            ("session", _columns(self._status_rows)),
            ("post_trade", self._post_trade()),
        ):
            if columns:
                self.recorder.add_table(kind, columns)
        self._status_rows = []

    def close(self, closing: Mapping[str, Any]) -> None:
        """Write the rest and end the session's record."""
        self.flush()
        self.recorder.close(closing)

    # -- the tables ------------------------------------------------------------------------------------

    def _observe(self, market: MarketState, ts: int) -> None:
        self._measured.append((ts, self._shelf.read(market, ts).values))
        if self._others is not None:
            self._others(market, ts)

    def _standard(self) -> dict[str, Any]:
        table, start = self.run.table, self._decisions
        self._decisions = len(table)
        if start == self._decisions:
            return {}
        part = {
            name: table.column(name)[start:] for name in ("sequence", "event_sequence", "ts_event", "side")
        }
        heads = table.column("heads")[start:]
        part |= {
            "price_ticks": table.column("price_ticks")[start:],
            "score": heads[:, 0],
            "percent": heads[:, 1],
            "coverage": heads[:, 2],
            "grade": [GRADE_NAMES[int(grade)] for grade in table.column("grade")[start:]],
            "sha256": [digest.hex() for digest in self.digest.each[start : self._decisions]],
        }
        for name, columns in (("value", "values"), ("quality", "quality"), ("contribution", "contributions")):
            values = table.column(columns)[start:]
            part |= {f"{name}_{c}": values[:, i] for i, c in enumerate(table.names)}
        status = table.column("status")[start:]
        part |= {
            f"status_{c}": [STATUS_NAMES[int(code)] for code in status[:, i]]
            for i, c in enumerate(table.names)
        }
        context = table.column("context")[start:]
        return part | {name: context[:, i] for i, name in enumerate(CONTEXT_NAMES)}

    def _closed_bars(self) -> dict[str, Any]:
        bars, self._bars = self.run.bars[self._bars :], len(self.run.bars)
        if not bars:
            return {}
        rows = np.array(bars)
        return {name: rows[name] for name in rows.dtype.names or () if rows[name].ndim == 1}

    def _microstructure(self) -> dict[str, Any]:
        measured, self._measured = self._measured, []
        if not measured:
            return {}
        values = np.array([row for _, row in measured])
        columns = {name: values[:, i] for i, name in enumerate(NAMES)}
        return {"ts_event": np.array([ts for ts, _ in measured], np.int64), **columns}

    def _post_trade(self) -> dict[str, Any]:
        reports, self._reports = self.run.reports[self._reports :], len(self.run.reports)
        trips, self._trips = self.run.round_trips[self._trips :], len(self.run.round_trips)
        rows = [
            ("report", r.ts_event, r.bracket_id, r.side, r.last_qty, r.last_ticks, -r.fee_cents, to_json(r))
            for r in reports
        ]
        rows += [
            ("round_trip", t.exit_ts, t.bracket_id, t.side, t.qty, t.exit_ticks, t.net_cents, to_json(t))
            for t in trips
        ]
        names = ("what", "ts_event", "bracket_id", "side", "qty", "ticks", "money_cents", "all")
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    return {name: [float(row[name]) for row in rows] for name in rows[0]} if rows else {}


def _option_columns(views: Sequence[OptionView]) -> dict[str, Any]:
    plain = ("ts_event", "ts_recv", "as_of", "valid_until", "zero_dte", "quality", "source")
    columns: dict[str, Any] = {name: [asdict(view)[name] for view in views] for name in plain}
    for name in OPTION_FIELDS:
        columns[name] = [np.nan if (x := view.figures.get(name)) is None else float(x) for view in views]
    return columns
