"""Say where an entry stood to what the option chain in force said: distances to walls and flip, and the gamma phase."""

from __future__ import annotations

from collections.abc import Sequence

from mia_kernel.core.events import OptionView
from mia_kernel.core.option_calendar import gamma_cycle
from mia_kernel.state.options import STALE_NS, STALE_ZERO_DTE_NS

LEVELS = ("call_wall", "put_wall", "gamma_flip")


def in_force(views: Sequence[OptionView], ts: int) -> OptionView | None:
    """Return the newest view that had arrived by `ts` and was not stale then, None without one."""
    known = [view for view in views if view.ts_recv <= ts]
    if not known:
        return None
    view = known[-1]
    limit = view.valid_until or view.as_of + (STALE_ZERO_DTE_NS if view.zero_dte else STALE_NS)
    return view if ts <= limit else None


def distances(view: OptionView, price_ticks: float) -> dict[str, float | None]:
    """Return how far the price lies above each level, ticks; None where the chain does not say the level."""
    levels = {name: view.figures.get(f"{name}_ticks") for name in LEVELS}
    return {
        f"from_{name}_ticks": None if level is None else price_ticks - level for name, level in levels.items()
    }


def gamma_phase(ts: int) -> str:
    """Return the phase of the gamma cycle at `ts`."""
    return gamma_cycle(ts).phase.name
