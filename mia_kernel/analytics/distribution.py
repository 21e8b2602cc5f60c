"""How each component was spread over a run: what is dead, constant or seldom known shows here.

A component that never changes cannot inform a decision, whatever its weight. These are descriptions of what was
measured, never a judgement of what it is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import OK, STATUS_NAMES
from mia_kernel.core.session import trading_days_of

QUANTILES = (0.05, 0.5, 0.95)
SESSIONS = 2
"""A component that stands still for more than one session is dead. Source: domain reference, data-quality traps."""
MAY_STAND_STILL = frozenset(("data_quality",))
"""It is 1 for as long as nothing is bad."""

Part = tuple[Sequence[str], NDArray[np.int64], NDArray[np.float64], NDArray[np.int8]]
"""Names, instants (n,), values and status (n, names) of the decisions of one run."""


def distributions(table: DecisionTable) -> list[dict[str, Any]]:
    """Return one row per component over all decisions of a run.

    Returns
    -------
    list of dict
        `component`; the share of decisions in each status (`ok`, `not_ready`, `stale`, `absent`); over the
        decisions in which it was ok `mean`, `sd`, `q05`, `q50`, `q95`, `zero` (share exactly 0), `drift`
        (mean of the later half less that of the earlier half, in standard deviations, None where it is constant)
        and `distinct` (values). Unknown is None.
    """
    values, status = table.column("values"), table.column("status")
    return [_row(name, values[:, i], status[:, i]) for i, name in enumerate(table.names)]


def dead(runs: Iterable[Part]) -> tuple[list[str], int]:
    """Return the components known in each of the newest `SESSIONS` sessions that never changed over all of them.

    Parameters
    ----------
    runs : iterable of Part
        In any order. A session (trading day) may stand in several.

    Returns
    -------
    tuple of list of str and int
        Sorted names, and how many sessions were looked at; with fewer than `SESSIONS` nothing can be said.
    """
    seen: dict[int, dict[str, tuple[float, float]]] = {}
    for names, ts, values, status in runs:
        days = trading_days_of(ts)
        for day in np.unique(days):
            known = np.where((status == OK) & (days == day)[:, None], values, np.nan)
            for i, name in enumerate(names):
                if not np.isnan(known[:, i]).all():
                    low, high = float(np.nanmin(known[:, i])), float(np.nanmax(known[:, i]))
                    old = seen.setdefault(int(day), {}).get(name, (low, high))
                    seen[int(day)][name] = min(low, old[0]), max(high, old[1])
    newest = [seen[day] for day in sorted(seen)[-SESSIONS:]]
    if len(newest) < SESSIONS:
        return [], len(newest)
    everywhere = set.intersection(*(set(day) for day in newest)) - MAY_STAND_STILL
    still = [name for name in everywhere if len({value for day in newest for value in day[name]}) == 1]
    return sorted(still), len(newest)


def _row(name: str, values: Any, status: Any) -> dict[str, Any]:
    known = values[status == OK]
    n = len(status)
    shares = {w: float(np.mean(status == code)) if n else None for code, w in enumerate(STATUS_NAMES)}
    row: dict[str, Any] = {"component": name, **shares}
    if len(known) == 0:
        return row | dict.fromkeys(("mean", "sd", "q05", "q50", "q95", "zero", "drift")) | {"distinct": 0}
    low, middle, high = np.quantile(known, QUANTILES)
    sd, half, distinct = float(known.std()), len(known) // 2, len(np.unique(known))
    moves = distinct > 1 and half > 0  # a mean of one value may differ from it in the last bit
    return row | {
        "mean": float(known.mean()),
        "sd": sd,
        "q05": float(low),
        "q50": float(middle),
        "q95": float(high),
        "zero": float(np.mean(known == 0)),
        "drift": float((known[half:].mean() - known[:half].mean()) / sd) if moves else None,
        "distinct": distinct,
    }
