"""How each component was spread over a run: what is dead, constant or seldom known shows here.

A component that never changes cannot inform a decision, whatever its weight. These are descriptions of what was
measured, never a judgement of what it is worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import OK, STATUS_NAMES

QUANTILES = (0.05, 0.5, 0.95)


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
