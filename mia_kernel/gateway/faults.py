"""Remember how the gateway is told to misbehave; the verbs of `mia gateway ctl` set it."""

from __future__ import annotations

from dataclasses import dataclass, field

_DATA, _HMDS, _DEFINITIONS = "Market data farm", "HMDS data farm", "Sec-def data farm"
FARMS = (
    ("usfuture", 2104, 2103, _DATA),
    ("usopt", 2104, 2103, _DATA),
    ("ushmds", 2106, 2105, _HMDS),
    ("secdefil", 2158, 2157, _DEFINITIONS),
)
LINK_LOST = (1100, "Connectivity between IB and Trader Workstation has been lost.")
DATA_LOST = (1101, "Connectivity between IB and Trader Workstation has been restored- data lost.")
DATA_KEPT = (1102, "Connectivity between IB and Trader Workstation has been restored - data maintained.")


@dataclass(slots=True)
class Faults:
    """What is wrong now; a fresh one is a healthy gateway."""

    link_down: bool = False
    data_lost: bool = False
    farm_down: bool = False
    halted: bool = False
    delay_ms: float = 0.0
    refuse_connections: bool = False
    stale_until_s: float = 0.0
    stale_ids: set[int] = field(default_factory=set)
    reject_next: list[int] = field(default_factory=list)

    @property
    def data_flows(self) -> bool:
        """Whether market data reaches the clients."""
        return not (self.link_down or self.farm_down)

    def is_stale(self, client_id: int, now_s: float) -> bool:
        """Tell whether an id is still held by a connection that is gone (326)."""
        return now_s < self.stale_until_s and client_id in self.stale_ids


def farm_notices(*, broken: bool) -> list[tuple[int, str]]:
    """Return (code, text) for every farm."""
    word = "broken" if broken else "OK"
    return [(bad if broken else ok, f"{kind} connection is {word}:{farm}") for farm, ok, bad, kind in FARMS]
