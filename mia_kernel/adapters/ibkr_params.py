"""Where the broker is and as whom we call: addresses, client ids, times. None of it can change a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.core.errors import InputError, SettingsError

REAL_PORTS = (7496, 4001)
"""TWS and Gateway with real money; paper is 7497 and 4002."""

KINDS = ("ibkr", "gateway")


class IbkrParams(BaseModel):
    """The session with IBKR or the simulated gateway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="where TWS or Gateway listens (address)")
    port: int = Field(default=4002, ge=1, le=65_535, description="paper: 7497 or 4002 (port)")
    data_client_id: int = Field(
        default=998, ge=1, le=999_999, description="client id of the data session (id)"
    )
    spare_ids: int = Field(default=5, ge=0, le=30, description="lower ids tried where one is in use (ids)")
    depth_rows: int = Field(default=10, ge=1, le=10, description="book levels asked for (levels)")
    second: bool = Field(default=True, description="whether NQ is watched beside ES")
    vix: bool = Field(default=True, description="whether VIX is watched beside ES")
    option_lines: int = Field(
        default=80,
        ge=0,
        le=500,
        description="market-data lines for options and what is beside them; 0 = none (lines)",
    )
    accounts: tuple[str, ...] = Field(
        default=(), description="accounts real money may be traded in (allow-list)"
    )


@dataclass(frozen=True, slots=True)
class Address:
    """A gateway: `gateway` is simulated and brings its own time, `ibkr` is real and never shifts ours."""

    kind: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.host}:{self.port}"


def is_broker(uri: str) -> bool:
    """Return whether a source is a session with a broker."""
    return uri.split(":", 1)[0] in KINDS and not uri.startswith("ibkr:/")


def address_of(uri: str, params: IbkrParams) -> Address:
    """Return the address in `ibkr:`, `ibkr:HOST:PORT` or `gateway:HOST:PORT`.

    Raises
    ------
    InputError
        If it is none of these.
    """
    kind, _, place = uri.partition(":")
    if kind == "ibkr" and place == "":
        return Address(kind, params.host, params.port)
    host, _, port = place.rpartition(":")
    if kind not in KINDS or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65_536:
        raise InputError("not the address of a gateway", field="--source", value=uri,
                         rule="ibkr:, ibkr:HOST:PORT or gateway:HOST:PORT",
                         way_out="gateway:127.0.0.1:4002 is where `mia gateway` listens")  # fmt: skip
    return Address(kind, host, int(port))


def permit(address: Address, profile: str, allowed: Sequence[str]) -> None:
    """Refuse a port for real money unless profile and allow-list say that it is meant.

    Arming is asked for by the guardian on top of this; here only the connection is permitted.

    Raises
    ------
    SettingsError
        Naming what is missing.
    """
    if address.port not in REAL_PORTS:
        return
    if profile != "production":
        raise SettingsError("a port for real money", field="port", value=address.port,
                            rule=f"profile {profile} uses 7497 or 4002",
                            way_out="the production profile, an allow-list and arming")  # fmt: skip
    if not allowed:
        raise SettingsError("no account is allowed to trade real money", field="ibkr.accounts", value=list(allowed),
                            rule="the account ids that may", way_out="set ibkr.accounts")  # fmt: skip
