"""Take fills apart: what the delay, the spread and our own size cost, and where the price went afterwards.

How it moves: for every fill the market's mid is read at the order, at the fill and 1, 10 and 60 seconds after it.
Slippage against the decision's mid is then delay (the mid moved before we were filled), half the spread, and the
rest, which is impact. All in ticks, positive is worse for us. What could not be seen is None: a source of
five-minute bars knows nothing about ten seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.bootstrap import mean_interval
from mia_kernel.core.events import BAR, BOOK, PRIMARY, QUOTE, TRADE, EventArray
from mia_kernel.core.orders import OrderReport, Role
from mia_kernel.core.session import session_at
from mia_kernel.state.costs import CostParams

HORIZONS_S = (1, 10, 60)
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill taken apart. Prices and costs in ticks, positive costs are worse; unknown is None.

    `slippage_ticks` = `delay_ticks` + `spread_ticks` + `impact_ticks` where all are known. `adverse_ticks` are
    the moves against the fill 1, 10 and 60 s after it. `modelled_ticks` is what the cost model expects.
    """

    exec_id: str
    bracket_id: str
    role: str
    symbol: str
    side: int
    qty: int
    ts_event: int
    price_ticks: float
    reference_ticks: float | None
    delay_ms: float | None
    slippage_ticks: float | None
    delay_ticks: float | None
    spread_ticks: float | None
    impact_ticks: float | None
    adverse_ticks: tuple[float | None, float | None, float | None]
    modelled_ticks: float
    fee_cents: int
    modelled_fee_cents: int


class Mids:
    """The mid of the traded contract over time: quotes where the source has them, else its last prices.

    Parameters
    ----------
    events : EVENT array
    """

    def __init__(self, events: EventArray) -> None:
        primary = events[events["instrument"] == PRIMARY]
        quoted = primary[
            np.isin(primary["kind"], (QUOTE, BOOK)) & (primary["bid"] > 0) & (primary["ask"] > 0)
        ]
        self.quoted = len(quoted) > 0
        rows = (
            quoted if self.quoted else primary[np.isin(primary["kind"], (TRADE, BAR)) & (primary["sz"] > 0)]
        )
        self._ts: NDArray[np.int64] = (
            np.maximum.accumulate(rows["ts_event"]) if len(rows) else np.zeros(0, np.int64)
        )
        self._mid = (rows["bid"] + rows["ask"]) / 2 if self.quoted else rows["px"].astype(np.float64)
        self._spread = (rows["ask"] - rows["bid"]).astype(np.float64) if self.quoted else None
        bars = rows[rows["kind"] == BAR]
        # A bar says where the price was at its end: what is finer than a bar cannot be known from it.
        self.grain_ns = int(np.median(np.diff(bars["ts_event"]))) if len(bars) > 1 else 0

    def at(self, ts: int) -> float | None:
        """Return the mid after all rows up to `ts`; None before the first row and after the last."""
        i = self._row(ts)
        return None if i is None else float(self._mid[i])

    def spread(self, ts: int) -> float | None:
        """Return bid to ask at `ts`, None without quotes."""
        i = self._row(ts)
        return None if i is None or self._spread is None else float(self._spread[i])

    def _row(self, ts: int) -> int | None:
        i = int(np.searchsorted(self._ts, ts, side="right")) - 1
        return None if i < 0 or ts > self._ts[-1] else i


def autopsy(events: EventArray, reports: Sequence[OrderReport], costs: CostParams) -> list[Fill]:
    """Return every fill among the reports, taken apart along the recorded rows."""
    found = [r for r in reports if r.last_qty > 0 and r.last_ticks is not None]
    if not found:
        return []
    mids = Mids(events)
    return [_fill(mids, report, costs) for report in found]


def _fill(mids: Mids, r: OrderReport, costs: CostParams) -> Fill:
    price = float(r.last_ticks) if r.last_ticks is not None else float("nan")
    sees_inside = mids.grain_ns == 0
    before = mids.at(r.ts_event - 1) if sees_inside else None
    spread = mids.spread(r.ts_event - 1) if sees_inside else None
    reference = r.reference_ticks
    slippage = None if reference is None else r.side * (price - reference)
    delay = None if reference is None or before is None else r.side * (before - reference)
    half = None if spread is None else spread / 2
    impact = None if slippage is None or delay is None or half is None else slippage - delay - half
    start = before if before is not None else price
    adverse = tuple(_adverse(mids, r, start, seconds) for seconds in HORIZONS_S)
    return Fill(
        exec_id=r.exec_id or "",
        bracket_id=r.bracket_id,
        role=r.role.value,
        symbol=r.symbol,
        side=r.side,
        qty=r.last_qty,
        ts_event=r.ts_event,
        price_ticks=price,
        reference_ticks=reference,
        delay_ms=None if r.submitted_ts is None else (r.ts_event - r.submitted_ts) / 1e6,
        slippage_ticks=slippage,
        delay_ticks=delay,
        spread_ticks=half,
        impact_ticks=impact,
        adverse_ticks=adverse,  # type: ignore[arg-type]
        modelled_ticks=modelled_ticks(r, costs),
        fee_cents=r.fee_cents,
        modelled_fee_cents=costs.fee_cents(r.symbol) * r.last_qty if r.symbol in ("ES", "MES") else 0,
    )


def _adverse(mids: Mids, r: OrderReport, start: float, seconds: int) -> float | None:
    if seconds * NS < mids.grain_ns:
        return None
    later = mids.at(r.ts_event + seconds * NS)
    return None if later is None else -r.side * (later - start)


def modelled_ticks(report: OrderReport, costs: CostParams) -> float:
    """Return the slippage the cost model expects: none for a target, one step for stop and market exits.

    An entry is a limit at the touch, so the model expects it to pay no more than that.
    """
    if report.role in (Role.ENTRY, Role.TARGET):
        return 0.0
    row = session_at(report.ts_event)
    rth = row is not None and row["has_rth"] and row["rth_open_ns"] <= report.ts_event < row["rth_close_ns"]
    return float(costs.slippage_rth_ticks if rth else costs.slippage_eth_ticks)


@dataclass(frozen=True, slots=True)
class RoleCosts:
    """Fills of one role together: means in ticks, the cost model beside them.

    The model speaks of slippage beyond the touch, so `excess_ticks` is slippage less half the spread less the model.
    """

    role: str
    n: int
    contracts: int
    delay_ms: float | None
    slippage_ticks: float | None
    slippage_interval: tuple[float, float] | None
    delay_ticks: float | None
    spread_ticks: float | None
    impact_ticks: float | None
    adverse_ticks: tuple[float | None, float | None, float | None]
    modelled_ticks: float
    excess_ticks: float | None
    fee_difference_cents: int


def by_role(fills: Sequence[Fill]) -> list[RoleCosts]:
    """Return the fills of each role together, entry first; empty without fills."""
    order = [role.value for role in Role]
    names = sorted({fill.role for fill in fills}, key=order.index)
    return [_role(name, [fill for fill in fills if fill.role == name]) for name in names]


def _role(name: str, fills: Sequence[Fill]) -> RoleCosts:
    slipped = _known(fill.slippage_ticks for fill in fills)
    modelled = float(np.mean([fill.modelled_ticks for fill in fills]))
    mean, half = _mean(slipped), _known(f.spread_ticks for f in fills if f.slippage_ticks is not None)
    return RoleCosts(
        role=name,
        n=len(fills),
        contracts=sum(fill.qty for fill in fills),
        delay_ms=_mean(_known(fill.delay_ms for fill in fills)),
        slippage_ticks=mean,
        slippage_interval=mean_interval(slipped),
        delay_ticks=_mean(_known(fill.delay_ticks for fill in fills)),
        spread_ticks=_mean(_known(fill.spread_ticks for fill in fills)),
        impact_ticks=_mean(_known(fill.impact_ticks for fill in fills)),
        adverse_ticks=tuple(_mean(_known(fill.adverse_ticks[i] for fill in fills)) for i in range(3)),  # type: ignore[arg-type]
        modelled_ticks=modelled,
        excess_ticks=None if mean is None else mean - (_mean(half) or 0.0) - modelled,
        fee_difference_cents=sum(fill.fee_cents - fill.modelled_fee_cents for fill in fills),
    )


def _known(values: Any) -> NDArray[np.float64]:
    return np.array([value for value in values if value is not None], np.float64)


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
