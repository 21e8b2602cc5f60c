"""Take the verbs of `mia gateway ctl`: one JSON object a line in, one out.

How it moves: every verb is a method of `Control`; an unknown verb or a wrong argument is answered with the
reason and changes nothing. The port listens on loopback alone and can only make a simulation misbehave.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mia_kernel.core.errors import OutsideError
from mia_kernel.gateway.clock import NS
from mia_kernel.gateway.faults import DATA_KEPT, DATA_LOST, LINK_LOST, farm_notices
from mia_kernel.gateway.fields import by_hand
from mia_kernel.gateway.options import OptionLine
from mia_kernel.gateway.orders import DONE
from mia_kernel.gateway.rules import Refusal, on_tick
from mia_kernel.gateway.server import Gateway
from mia_kernel.gateway.subscriptions import Depth, LevelOne

MOST_LINE_BYTES = 1 << 16
Answer = dict[str, Any]


class VerbError(ValueError):
    """A verb that is not known, or an argument it cannot take."""


class Control:
    """The faults of one gateway, as verbs."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.verbs: dict[str, Callable[..., Answer]] = {
            "drop-link": self.drop_link, "restore": self.restore, "flap-farm": self.flap_farm, "restart": self.restart,
            "half-open": self.half_open, "delay": self.delay, "halt": self.halt, "resume": self.resume,
            "manual": self.manual, "reject-next": self.reject_next, "reset-depth": self.reset_depth,
            "correct": self.correct, "status": self.status,
        }  # fmt: skip

    async def open(self, port: int) -> None:
        """Listen on loopback.

        Raises
        ------
        OutsideError
            If the port is taken.
        """
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=MOST_LINE_BYTES)
        except OSError as error:
            raise OutsideError(
                f"control port {port} cannot be opened: {error.strerror}; choose another with --control-port"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and forget what was to come."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self.do(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # gone, or a line without end
            pass
        finally:
            writer.close()

    def do(self, line: bytes) -> Answer:
        """Do what one line says; the answer holds `ok` and, where not, `error`."""
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict) or not isinstance(asked.get("verb"), str):
                raise VerbError('an object such as {"verb": "status"} is expected')
            verb = asked.pop("verb")
            if verb not in self.verbs:
                raise VerbError(f"unknown verb {verb!r}; known: {', '.join(self.verbs)}")
            return {"ok": True, **self.verbs[verb](**asked)}
        except (VerbError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            return {"ok": False, "error": str(error)}

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            done = action()
            if asyncio.iscoroutine(done):
                await done

        task = asyncio.get_running_loop().create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the link ----------------------------------------------------------------------------------

    def drop_link(self, data_lost: bool = False) -> Answer:
        """Lose the link to IB: 1100, no data, orders and cancels wait unanswered; the venue trades on."""
        faults = self._gateway.faults
        faults.data_lost = bool(data_lost)
        if not faults.link_down:
            faults.link_down = True
            self._gateway.mute_ticks(True)
            self._notice(*LINK_LOST)
        return {"link": "down", "data_lost": faults.data_lost}

    def restore(self) -> Answer:
        """Bring the link back: 1102 and what happened meanwhile, or 1101, which forgets it and every stream."""
        gateway, faults = self._gateway, self._gateway.faults
        if not faults.link_down:
            return {"link": "up", "code": None}
        faults.link_down = False
        late, gateway.late = gateway.late, []
        parked, gateway.parked = gateway.parked, []
        if faults.data_lost:
            for session in gateway.sessions:
                for watch in session.subscriptions.values():
                    watch.stop()
                session.subscriptions.clear()
            self._notice(*DATA_LOST)
        else:
            gateway.mute_ticks(False)
            self._notice(*DATA_KEPT)
            for client_id, message in late:
                gateway.tell(client_id, message)
            self._repeat_quotes()
            gateway.tell_positions()
        for session, values in parked:
            gateway.handle(session, values)
        return {"link": "up", "code": (DATA_LOST if faults.data_lost else DATA_KEPT)[0], "late_messages": len(late),
                "parked_requests": len(parked)}  # fmt: skip

    def _repeat_quotes(self) -> None:
        for session in self._gateway.sessions:
            for watch in session.subscriptions.values():
                if isinstance(watch, LevelOne | OptionLine):
                    watch.resend()

    def _notice(self, code: int, text: str) -> None:
        for session in self._gateway.sessions:
            if session.ready:
                session.error(-1, code, text)

    def flap_farm(self, down_s: float = 2.0) -> Answer:
        """Break the data farms for some seconds: 2103, 2105, 2157, then 2104, 2106, 2158."""
        seconds = _seconds("down_s", down_s)
        gateway = self._gateway
        gateway.faults.farm_down = True
        gateway.mute_ticks(True)
        for code, text in farm_notices(broken=True):
            self._notice(code, text)
        self._later(seconds, self._farm_back)
        return {"farm": "broken", "down_s": seconds}

    def _farm_back(self) -> None:
        gateway = self._gateway
        gateway.faults.farm_down = False
        if not gateway.faults.link_down:
            gateway.mute_ticks(False)
        for code, text in farm_notices(broken=False):
            self._notice(code, text)

    # -- the process -------------------------------------------------------------------------------

    def restart(self, down_s: float = 1.0, id_rollback: bool = False, stale_326_s: float = 0.0) -> Answer:
        """Reset every connection, be away, come back; orders rest at the venue, untransmitted ones are gone."""
        gateway, faults = self._gateway, self._gateway.faults
        away, stale = _seconds("down_s", down_s), _seconds("stale_326_s", stale_326_s)
        faults.stale_ids = {s.client_id for s in gateway.sessions if s.ready and s.client_id is not None}
        faults.stale_until_s = time.monotonic() + away + stale
        gateway.stop_listening()
        for session in tuple(gateway.sessions):
            session.close(hard=True)
        gateway.parked.clear()
        gateway.late.clear()
        gateway.venue.drop_held()
        if id_rollback:
            gateway.roll_back_ids()
        self._later(away, lambda: gateway.open(gateway.port))
        return {"down_s": away, "id_rollback": bool(id_rollback), "stale_326_s": stale}

    def half_open(self) -> Answer:
        """Go silent on every open connection without closing it; new ones work."""
        sessions = [session for session in self._gateway.sessions if session.ready]
        for session in sessions:
            session.half_open = True
            session.ready = False  # its id is free again: the real gateway has forgotten it
        return {"silent_connections": len(sessions)}

    def delay(self, ms: float) -> Answer:
        """Hold every outgoing message back."""
        self._gateway.faults.delay_ms = _seconds("ms", ms)
        return {"delay_ms": self._gateway.faults.delay_ms}

    # -- the venue ---------------------------------------------------------------------------------

    def halt(self) -> Answer:
        """Halt trading: no prints, no fills, tick 49 says 1; orders stay."""
        self._gateway.faults.halted = True
        return {"halted": True}

    def resume(self) -> Answer:
        """End the halt; the market goes on where the clock is."""
        self._gateway.faults.halted = False
        return {"halted": False}

    def reject_next(self, code: int) -> Answer:
        """Refuse the next order with this code."""
        if not isinstance(code, int) or isinstance(code, bool) or not 100 <= code <= 99_999:
            raise VerbError(f"code must be an error code such as 201, was {code!r}")
        self._gateway.faults.reject_next.append(code)
        return {"reject_next": list(self._gateway.faults.reject_next)}

    def reset_depth(self) -> Answer:
        """Reset every depth subscription (317)."""
        count = 0
        for session in self._gateway.sessions:
            for watch in session.subscriptions.values():
                if isinstance(watch, Depth):
                    watch.reset()
                    count += 1
        return {"reset": count}

    def correct(self, price: float) -> Answer:
        """Correct the price of the last fill: the same execution again, its last part one higher."""
        last = self._gateway.venue.executions[-1:]
        if not last or not on_tick(float(price), last[0].listing.tick):
            raise VerbError(f"there must be a fill, and the price lie on its tick; was {price!r}")
        corrected = self._gateway.venue.correct(last[0], float(price))
        return {"exec_id": corrected.exec_id, "was": last[0].price, "is": corrected.price}

    def manual(self, action: str, quantity: int, symbol: str = "ES", limit: float | None = None) -> Answer:
        """Place an order by hand, as in TWS: the API learns of it like of anybody else's."""
        listing = self._gateway.listings.front.get(str(symbol).upper())
        if listing is None:
            raise VerbError(f"symbol {symbol!r}; one of {', '.join(self._gateway.listings.front)}")
        terms = by_hand(str(action), quantity, limit)
        placed = self._gateway.venue.place_by_hand(listing, terms)
        if isinstance(placed, Refusal):
            raise VerbError(f"{placed.code}: {placed.text}")
        return {"order_id": placed.order_id, "perm_id": placed.perm_id, "status": placed.status()}

    def status(self) -> Answer:
        """Tell clock, clients, orders, position and what is wrong."""
        g = self._gateway
        orders = list(g.venue.orders.values())
        return {
            "clock": {"now_ns": g.clock.now_ns(), "offset_s": g.clock.offset_s(), "speed": g.clock.speed,
                      "start_ns": g.clock.start_ns},
            "source": {"name": g.recording.source.name, "tag": g.recording.source.tag, "ended": g.feed.ended,
                       "inferred_quotes": g.inferred,
                       "options": None if g.options is None else g.options.source,
                       "rows_told": g.feed.at, "rows": len(g.recording), "last_ns": g.feed.last_ns},
            "port": g.port,
            "account": g.account.name,
            "server_version": 176,
            "clients": [{"client_id": s.client_id, "version": s.version, "ready": s.ready, "silent": s.half_open,
                         "received": s.received, "sent": s.sent, "streams": len(s.subscriptions)} for s in g.sessions],
            "orders": {"living": sum(o.state != DONE for o in orders), "done": sum(o.state == DONE for o in orders),
                       "executions": len(g.venue.executions)},
            "positions": {p.listing.local_symbol: p.quantity for p in g.account.positions.values() if p.quantity},
            "equity_usd": round(g.account.equity_cents) / 100,
            "realized_usd": g.account.realized_cents / 100,
            "faults": {"link_down": g.faults.link_down, "farm_down": g.faults.farm_down, "halted": g.faults.halted,
                       "delay_ms": g.faults.delay_ms, "reject_next": list(g.faults.reject_next)},
            "up_s": round(time.monotonic() - g.started_s, 3),
            "now": _iso(g.clock.now_ns()),
        }  # fmt: skip


def _iso(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns / NS, UTC).isoformat(timespec="milliseconds")


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise VerbError(f"{name} must be a number ≥ 0, was {value!r}")
    return float(value)
