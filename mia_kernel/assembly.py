"""Furnish: from settings, and from what a source carries, the rooms of one engine and the venue of a replay.

Nothing here moves: `runtime.Run` takes what is built here and drives it.
"""

from __future__ import annotations

import numpy as np

from mia_kernel.adapters.seat import seat_of
from mia_kernel.confluence.score import Scorer
from mia_kernel.core import events as ev
from mia_kernel.core.events import OptionView, Recording
from mia_kernel.core.phases import PHASE_NAMES
from mia_kernel.core.ports import Model
from mia_kernel.engine import Engine, Rooms
from mia_kernel.execution.oms import Oms
from mia_kernel.execution.simulate import SimulatedVenue
from mia_kernel.features.spec import Given
from mia_kernel.features.vector import FeatureSet
from mia_kernel.measures.shelf import Shelf
from mia_kernel.risk.gate import GateSource, RiskGate
from mia_kernel.settings import Settings
from mia_kernel.state.account import Account
from mia_kernel.state.memory import MarketState
from mia_kernel.strategy.spec import make as make_strategy


def given_of(recording: Recording) -> Given:
    """Return what a recording can give; a live session says it before its first row (`declared`)."""
    declared = recording.declared
    if declared is not None:
        second, vix, options = ("second" in declared, "vix" in declared, "options" in declared)
    else:
        instruments = np.flatnonzero(np.bincount(recording.events["instrument"], minlength=ev.SECOND + 1))
        second, vix = ev.SECOND in instruments, ev.VIX in instruments
        options = any(isinstance(event, OptionView) for event in recording.objects)
    return Given(
        recording.source.carries,
        second=second,
        vix=vix,
        options=options,
        calendar=recording.calendar is not None,
    )


def build(
    settings: Settings, recording: Recording, *, simulated: bool = True, model: Model | None = None
) -> Engine:
    """Furnish the rooms for a source and return the engine that walks through them.

    Without a `model` signals are judged by the champion of MIA_HOME, in a session by whom its events name.
    """
    carries = recording.source.carries
    calendar = recording.calendar
    has_vix = recording.source.adapter != "gateway" or "vix" in (recording.declared or ())
    market = MarketState(
        settings.state, carries, equity_cents=round(settings.risk.equity_usd * 100), calendar=calendar
    )
    given = given_of(recording)
    features = FeatureSet(given, Shelf(given).named)
    source = GateSource(carries, simulated, calendar is not None, has_vix)
    gate = RiskGate(settings.risk, settings.costs, settings.volatility, source)
    rooms = Rooms(
        market=market,
        account=Account(market.array["account"], PHASE_NAMES),
        features=features,
        scorer=Scorer(settings.confluence, features.names),
        strategy=make_strategy(settings.strategy, settings.volatility),
        gate=gate,
        oms=Oms(settings.execution),
        model=model or seat_of(settings.home, settings.ml, settings.risk.gates.ml_mode, given, recording),
    )
    return Engine(settings.engine, rooms)


def simulated_venue(settings: Settings, recording: Recording) -> SimulatedVenue:
    """Return the venue of dry-run and replay; it knows the calendar's high-impact releases."""
    venue = SimulatedVenue(settings.execution.simulator, settings.costs)
    if recording.calendar is not None:
        high = recording.calendar[recording.calendar["impact"] == len(ev.IMPACTS) - 1]
        venue.set_news(high["ts"].tolist())
    return venue
