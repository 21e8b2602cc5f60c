"""What a session with a broker declares before its first row: sources, what they carry, orders elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from mia_kernel.adapters.ibkr_params import IbkrParams
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.core.contract import Contract
from mia_kernel.core.events import SECOND, VIX, Carries, Recording, SourceInfo, empty
from mia_kernel.core.session import trading_day_of

NAMES = {SECOND: "NQ", VIX: "VIX"}


def head_of(
    session: IbkrSession,
    params: IbkrParams,
    contract: Contract,
    refused: Mapping[int, str],
    *,
    options: bool = False,
) -> Recording:
    """Return what a session with a broker declares before its first row: sources, and orders elsewhere.

    What the broker refused to give data of (`IbkrFeed.refused`) is not declared, and noted: its limits do not
    apply, as with any source that does not carry it.
    """
    simulated = session.address.kind == "gateway"
    name = f"{session.name_for_people}, as of {trading_day_of(session.clock.now_ns())}"
    carries = Carries(book=True, quotes=True, trades=True, aggressor="tick_rule")
    notes = ("SIMULATED gateway: fills and money are simulated",) if simulated else ()

    def info(symbol: str, code: str | None, carried: Carries) -> SourceInfo:
        return SourceInfo(
            tag="live", adapter=session.address.kind, name=name if symbol == "ES" else f"{name}, {symbol}",
            symbol=symbol, contract=code, zone="UTC", adjustment="contract", carries=carried, notes=notes,
        )  # fmt: skip

    notes += tuple(
        f"{NAMES[place]}: refused by the broker ({said})" for place, said in sorted(refused.items())
    )
    others, declared = [], {"broker"}
    if params.second and SECOND not in refused:
        others.append(info("NQ", None, Carries(trades=True, aggressor="tick_rule")))
        declared.add("second")
    if params.vix and VIX not in refused:
        others.append(info("VIX", None, Carries(trades=True)))
        declared.add("vix")
    if options:
        declared.add("options")
    return Recording(
        events=empty(0),
        source=info("ES", contract.code, carries),
        others=tuple(others),
        declared=frozenset(declared),
    )
