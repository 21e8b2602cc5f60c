"""Write down what processes say to each other: one small struct per sentence, with a protocol version.

Control (status, arm, disarm, halt, resume, drill) is answered by the guardian, also while the engine hangs.
The engine greets, beats, submits; reports are pushed back to it. Everything is msgpack; a struct with an
unknown field, a wrong type or another protocol version is refused, never guessed at.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mia_kernel.adapters.journal_record import to_json
from mia_kernel.core.errors import DataError
from mia_kernel.core.orders import (
    CancelEntry,
    ClosePosition,
    Command,
    OrderReport,
    PlaceBracket,
    ReplaceStop,
)

PROTOCOL = 1
MOST_BYTES = 65_536
"""Largest message either side accepts; frames are larger and have a socket of their own."""

MOST_TEXT = 500
Text = Annotated[str, msgspec.Meta(max_length=MOST_TEXT)]


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of everything said on the bus; the tag is the class name."""


# -- control, asked by people ------------------------------------------------------------------------


class Status(Message, frozen=True):
    """Ask how things stand. Answer: `GuardianStatus`."""


class Arm(Message, frozen=True):
    """First step of arming. Answer: `Challenge` or `Refused`. `channel` is terminal, notebook or browser."""

    phrase: Text
    account: Text
    channel: Text = "terminal"


class Confirm(Message, frozen=True):
    """Second step: the one-time code. Answer: `GuardianStatus` or `Refused`."""

    code: Text
    channel: Text = "terminal"


class Reveal(Message, frozen=True):
    """Ask for the code of an arming begun on another channel. Answer: `Challenge` or `Refused`."""

    channel: Text


def _cut(message: Any, reason: str) -> None:
    """Shorten a reason: what closes must not be refused because somebody explained too much."""
    msgspec.structs.force_setattr(message, "reason", reason[:MOST_TEXT])


class Disarm(Message, frozen=True):
    """Allow only what reduces exposure; always allowed. Answer: `GuardianStatus`."""

    reason: Text

    def __post_init__(self) -> None:
        _cut(self, self.reason)


class Halt(Message, frozen=True):
    """Pull the kill switch: cancel, flatten, verify, lock. Answer: `GuardianStatus`."""

    reason: Text

    def __post_init__(self) -> None:
        _cut(self, self.reason)


class Resume(Message, frozen=True):
    """Lift a halt that needs a human; disarmed afterwards. Answer: `GuardianStatus` or `Refused`."""

    reason: Text


class Drill(Message, frozen=True):
    """Rehearse the kill switch, never with real money. Answer: `GuardianStatus` or `Refused`."""


class Acknowledge(Message, frozen=True):
    """Say that an alert was seen; a critical one that nobody sees disarms. Answer: `GuardianStatus`."""

    alert_id: int


class Challenge(Message, frozen=True):
    """The one-time code and what it allows. `code` is empty where it is shown on another channel only."""

    code: str
    expires_s: float
    allows: str


class Refused(Message, frozen=True):
    """No, and why. Nothing was sent."""

    code: str
    reason: str


class LimitUse(msgspec.Struct, frozen=True):
    """One limit and how much of it is used; None = unknown. `level`: normal, warning, danger, emergency."""

    limit: float | None
    used: float | None
    unit: str
    level: str = "normal"


class AlertNote(msgspec.Struct, frozen=True):
    """One alert: `level` is info, warning or critical; a critical one waits to be acknowledged."""

    alert_id: int
    ts: int
    level: str
    code: str
    text: str
    acknowledged: bool


class GuardianStatus(Message, frozen=True):
    """How things stand at the guardian, with their age. Money in USD, times in ns UTC, unknown is None.

    `protective_stop`: "resting at venue", "held by broker" (simulated there until it triggers), "absent",
    "not needed", "unconfirmed" (confirmed before the link to the venue was lost) or "unknown". `position` is signed,
    in ES contracts (MES a tenth).
    """

    mode: str
    account: str
    armed: bool
    armed_until: int | None
    trading_state: str
    position: float | None
    working_orders: int | None
    protective_stop: str
    day_net_usd: float | None
    limits: dict[str, LimitUse]
    engine_heartbeat_age_s: float | None
    stale: bool
    last_reason: str
    build: str
    ts: int
    protocol: int = PROTOCOL
    venue: str = ""
    connected: bool = False
    reconciled: bool = False
    halt_code: str = ""
    open_usd: float | None = None
    week_net_usd: float | None = None
    bid: float | None = None
    ask: float | None = None
    book_age_s: float | None = None
    phrase: str = ""
    drill_ts: int | None = None
    protective_stop_note: str = ""
    external_orders: int = 0
    alerts: tuple[AlertNote, ...] = ()


# -- engine channel ----------------------------------------------------------------------------------


class Hello(Message, frozen=True):
    """The engine's greeting. Answer: `Limits` or `Refused`."""

    build: str
    protocol: int
    settings_id: str
    mode: str
    run_id: str
    reports_seen: int | None = None
    """Number (`OrderReport.seq`) of the last report the engine took; later ones are pushed. None: a fresh run."""


class Limits(Message, frozen=True):
    """What the engine must use: the text of `risk.toml`, the account, the trading state."""

    toml: str
    account: str
    trading_state: str
    brackets: tuple[str, ...] = ()
    """Brackets still open at the guardian: a fresh run that does not know them must not trade beside them."""
    reports: int = 0
    """Number of the last report so far: a fresh run counts from here."""


class Heartbeat(Message, frozen=True):
    """The engine lives; said every 0.25 s, answered by nothing."""

    seq: int
    ts_event_ns: int


class Submit(Message, frozen=True):
    """Commands to carry out (`command_bytes`). Answer: `Accepted` or `Refused`."""

    intent_id: Text
    payload: bytes


class Accepted(Message, frozen=True):
    """The commands are durable in the guardian's journal and on their way; no outcome yet."""

    intent_id: str


class Report(Message, frozen=True):
    """One order report (`report_bytes`), pushed to the engine."""

    payload: bytes


class State(Message, frozen=True):
    """A new trading state, pushed to the engine with its reason."""

    trading_state: str
    armed: bool
    reason: str


Anything = (
    Status | Arm | Confirm | Reveal | Disarm | Halt | Resume | Drill | Acknowledge
    | Challenge | Refused | GuardianStatus
    | Hello | Limits | Heartbeat | Submit | Accepted | Report | State
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Anything)
_orders = msgspec.msgpack.Encoder()
_COMMANDS: dict[str, type[Command]] = {
    c.__name__: c for c in (PlaceBracket, ReplaceStop, CancelEntry, ClosePosition)
}


def pack(message: Message) -> bytes:
    """Return a message as bytes."""
    return _encoder.encode(message)


def unpack(data: bytes) -> Any:
    """Return the message in `data`.

    Raises
    ------
    DataError
        If it is too long, no msgpack, of an unknown kind, or has a field that is unknown or of a wrong type.
    """
    if len(data) > MOST_BYTES:
        raise DataError("a message on the bus is too long", value=len(data), rule=f"≤ {MOST_BYTES} bytes")
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("not a message of this protocol", rule=str(error)) from None


def command_bytes(commands: tuple[Command, ...]) -> bytes:
    """Return commands as the payload of `Submit`."""
    return _orders.encode([[type(c).__name__, c] for c in commands])


def commands_of(payload: bytes) -> tuple[Command, ...]:
    """Return the commands of a `Submit`.

    Raises
    ------
    DataError
        If the payload is not a list of commands, each with exactly the fields and types it must have.
    """
    try:
        pairs = msgspec.msgpack.decode(payload, type=list[tuple[str, Any]])
        return tuple(msgspec.convert(body, _COMMANDS[name]) for name, body in pairs)
    except KeyError as error:
        raise DataError("unknown command", value=error.args[0], rule=", ".join(_COMMANDS)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("not a list of commands", rule=str(error)) from None


def report_bytes(report: OrderReport) -> bytes:
    """Return an order report as the payload of `Report`."""
    return _orders.encode(report)


def report_of(payload: bytes) -> OrderReport:
    """Return the order report of a `Report`; DataError if it is none."""
    try:
        return msgspec.msgpack.decode(payload, type=OrderReport)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("not an order report", rule=str(error)) from None


def as_json(message: Message) -> str:
    """Return a message as JSON, for `--json` and for HTTP."""
    return to_json(msgspec.to_builtins(message))
