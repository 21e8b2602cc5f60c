"""Let the limits count what the venue said: round trips, losses in a row, slippage, rejections."""

from __future__ import annotations

from mia_kernel.core.orders import OrderReport, OrderStatus, Role
from mia_kernel.core.venue import Commission, Fill, VenueOrder
from mia_kernel.execution.truth import Heard
from mia_kernel.guardian.book import Kept
from mia_kernel.risk.law import Law


def count(law: Law, kept: Kept, heard: Heard, event: VenueOrder | Fill | Commission) -> None:
    """Take what an event changed into the figures of the limits, and keep its reports for the engine."""
    for report in heard.reports:
        kept.reports.append(report)
        law.memory.note_report(report, law.figures.day, law.figures.week)
        if _first_entry_fill(report):
            law.opened(report.ts_event)
    for trip in heard.closed:
        law.closed(trip.net_usd, trip.closed_ts)
    if heard.slippage_ticks is not None and not isinstance(event, Commission):
        law.slipped(heard.slippage_ticks, event.ts_event)


def _first_entry_fill(report: OrderReport) -> bool:
    filled = report.status in (OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED)
    return report.role is Role.ENTRY and filled and 0 < report.last_qty == report.filled_qty
