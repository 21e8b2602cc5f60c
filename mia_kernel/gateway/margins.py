"""Ask whether the account can carry an order, and what it would do to the margins."""

from __future__ import annotations

from mia_kernel.gateway.account import Account
from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.rules import Refusal


def margin_refusal(account: Account, listing: Listing, signed: int) -> Refusal | None:
    """Return 201 where the position with `signed` more contracts needs more than the account has.

    What makes the margin smaller is always taken.
    """
    now, _ = account.margins_cents()
    then, _ = account.margins_cents({listing.con_id: (listing, signed)})
    equity = account.equity_cents
    if then <= now or equity >= then:
        return None
    text = (
        "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY "
        f"WITH LOAN VALUE [{equity / 100:.2f} USD] MUST EXCEED THE INITIAL MARGIN [{then / 100:.2f} USD]"
    )
    return Refusal(201, text)


def what_if(account: Account, listing: Listing, side: int, quantity: int) -> tuple[object, ...]:
    """Return the fourteen figures of an order that is not sent.

    Initial margin, maintenance margin and equity before, their change, and after; commission with unset
    bounds, its currency, and a warning where the order would be refused.
    """
    before = account.margins_cents()
    after = account.margins_cents({listing.con_id: (listing, side * quantity)})
    equity, fee = account.equity_cents, account.commission_cents(listing, quantity)
    rows = (
        (before[0], before[1], equity),
        (after[0] - before[0], after[1] - before[1], -fee),
        (after[0], after[1], equity - fee),
    )
    refusal = margin_refusal(account, listing, side * quantity)
    money = tuple(f"{cents / 100:.2f}" for row in rows for cents in row)
    return (*money, fee / 100, "", "", "USD", "" if refusal is None else refusal.text)
