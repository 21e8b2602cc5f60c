"""Read the fields of a client's message, typed, in order; say which one is wrong.

How it moves: `Fields` is a cursor over the text fields. `contract_query` and `order_terms` follow the
optional blocks and the version gates of the wire; every value a client may want to see again is kept.
Source: field order of ib_insync 0.9.86 `client.placeOrder` and ibapi 9.81 and 10.46 `EClient.placeOrder`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_UNSET_INTEGER = 2_147_483_647
_UNSET_DOUBLE = 1.7e308


class FieldError(ValueError):
    """A field is missing or is not what it should be (the client sees error 320)."""


class Fields:
    """A cursor over the fields of one message."""

    def __init__(self, values: list[str]) -> None:
        self._values = values
        self._at = 0

    @property
    def left(self) -> int:
        """How many fields are still unread."""
        return len(self._values) - self._at

    def text(self) -> str:
        """Return the next field as text."""
        if self._at >= len(self._values):
            raise FieldError(f"the message ends after {len(self._values)} fields; one more is expected")
        value = self._values[self._at]
        self._at += 1
        return value

    def number(self) -> float | None:
        """Return the next field as a number; None where it is unset."""
        value = self.text()
        if value in ("", "None"):
            return None
        if value in ("Infinite", "Infinity", "inf"):
            return float("inf")
        try:
            number = float(value)
        except ValueError:
            raise FieldError(f"field {self._at} is {value!r}; a number is expected") from None
        return None if abs(number) > _UNSET_DOUBLE or number in (_UNSET_INTEGER, -_UNSET_INTEGER) else number

    def whole(self) -> int:
        """Return the next field as a whole number; 0 where it is unset."""
        number = self.number()
        if number is None:
            return 0
        if number != number or number in (float("inf"), -float("inf")) or number != int(number):
            raise FieldError(f"field {self._at} is {number!r}; a whole number is expected")
        return int(number)

    def truth(self) -> bool:
        """Return the next field as a yes or no; unset is no."""
        value = self.text()
        if value in ("", "0", "False", "false"):
            return False
        if value in ("1", "True", "true"):
            return True
        raise FieldError(f"field {self._at} is {value!r}; 1 or 0 is expected")

    def skip(self, count: int) -> None:
        """Pass over fields this venue does not use."""
        for _ in range(count):
            self.text()


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """What a client says about a contract; empty text and 0 say nothing."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""


def contract_query(fields: Fields) -> ContractQuery:
    """Read the twelve fields of a contract."""
    con_id = fields.whole()
    symbol, sec_type, expiry = fields.text(), fields.text(), fields.text()
    strike = fields.number() or 0.0
    right, multiplier, exchange, primary = fields.text(), fields.text(), fields.text(), fields.text()
    currency, local_symbol, trading_class = fields.text(), fields.text(), fields.text()
    return ContractQuery(con_id, symbol.upper(), sec_type.upper(), expiry, strike, right.upper()[:1], multiplier,
                         exchange.upper(), primary.upper(), currency.upper(), local_symbol, trading_class)  # fmt: skip


@dataclass(slots=True)
class OrderTerms:
    """What a client asks for; prices in points, None where unset."""

    action: str
    quantity: float
    type: str
    limit: float | None
    aux: float | None
    tif: str
    oca_group: str
    account: str
    open_close: str
    origin: int
    order_ref: str
    transmit: bool
    parent_id: int
    display_size: int
    trigger_method: int
    outside_rth: bool
    hidden: bool
    sec_type_bag: bool = False
    good_after: str = ""
    good_till: str = ""
    oca_type: int = 0
    all_or_none: bool = False
    min_quantity: int | None = None
    trail_stop: float | None = None
    trail_percent: float | None = None
    clearing_account: str = ""
    clearing_intent: str = ""
    not_held: bool = False
    algo: str = ""
    what_if: bool = False
    conditions: int = 0
    adjusted_type: str = ""
    limit_offset: float | None = None
    cash_quantity: float | None = None
    auto_cancel_parent: bool = False
    model_code: str = ""
    extra: dict[str, str] = field(default_factory=dict)


def order_terms(fields: Fields, version: int, query: ContractQuery) -> OrderTerms:
    """Read the fields of placeOrder that follow the contract and its identifiers.

    Parameters
    ----------
    fields : Fields
        Stands behind `secIdType, secId`.
    version : int
        Server version agreed on with this client.
    query : ContractQuery
        Of the same message: some blocks depend on it.
    """
    terms = _head(fields)
    if query.sec_type == "BAG":
        terms.sec_type_bag = True
        _skip_combo(fields)
    _middle(fields, terms)
    _tail(fields, terms)
    _gated(fields, terms, version, query)
    return terms


def _head(fields: Fields) -> OrderTerms:
    terms = OrderTerms(
        action=fields.text().upper(),
        quantity=fields.number() or 0.0,
        type=fields.text().upper(),
        limit=fields.number(),
        aux=fields.number(),
        tif=fields.text().upper() or "DAY",
        oca_group=fields.text(),
        account=fields.text(),
        open_close=fields.text(),
        origin=fields.whole(),
        order_ref=fields.text(),
        transmit=fields.truth(),
        parent_id=fields.whole(),
        display_size=0,
        trigger_method=0,
        outside_rth=False,
        hidden=False,
    )
    fields.skip(2)  # blockOrder, sweepToFill
    terms.display_size = fields.whole()
    terms.trigger_method = fields.whole()
    terms.outside_rth = fields.truth()
    terms.hidden = fields.truth()
    return terms


def _skip_combo(fields: Fields) -> None:
    for per_item in (8, 1, 2):  # legs, leg prices, routing parameters
        fields.skip(fields.whole() * per_item)


def _middle(fields: Fields, terms: OrderTerms) -> None:
    fields.skip(2)  # obsolete sharesAllocation, discretionaryAmt
    terms.good_after, terms.good_till = fields.text(), fields.text()
    fields.skip(4)  # faGroup, faMethod, faPercentage, faProfile
    terms.model_code = fields.text()
    fields.skip(3)  # shortSaleSlot, designatedLocation, exemptCode
    terms.oca_type = fields.whole()
    fields.skip(2)  # rule80A, settlingFirm
    terms.all_or_none = fields.truth()
    minimum = fields.number()
    terms.min_quantity = None if minimum is None else int(minimum)
    fields.skip(10)  # percentOffset … stockRangeUpper: pegged and delta orders are not traded here
    fields.skip(3)  # overridePercentageConstraints, volatility, volatilityType
    delta_neutral = fields.text()
    fields.skip(1)  # deltaNeutralAuxPrice
    if delta_neutral:
        fields.skip(8)
    fields.skip(2)  # continuousUpdate, referencePriceType
    terms.trail_stop, terms.trail_percent = fields.number(), fields.number()


def _tail(fields: Fields, terms: OrderTerms) -> None:
    fields.skip(2)  # scaleInitLevelSize, scaleSubsLevelSize
    increment = fields.number()
    if increment is not None and increment > 0:
        fields.skip(7)
    fields.skip(3)  # scaleTable, activeStartTime, activeStopTime
    if fields.text():  # hedgeType
        fields.skip(1)
    fields.skip(1)  # optOutSmartRouting
    terms.clearing_account, terms.clearing_intent = fields.text(), fields.text()
    terms.not_held = fields.truth()
    if fields.truth():  # delta neutral contract
        fields.skip(3)
    terms.algo = fields.text()
    if terms.algo:
        fields.skip(2 * fields.whole())
    fields.skip(1)  # algoId
    terms.what_if = fields.truth()
    fields.skip(4)  # orderMiscOptions, solicited, randomizeSize, randomizePrice
    if terms.type in ("PEG BENCH", "PEGBENCH"):
        fields.skip(5)
    terms.conditions = fields.whole()
    if terms.conditions:
        raise FieldError("conditional orders are not traded by this venue")
    terms.adjusted_type = fields.text()
    fields.skip(1)  # triggerPrice
    terms.limit_offset = fields.number()
    fields.skip(7)  # adjusted*, extOperator, softDollarTier
    terms.cash_quantity = fields.number()
    fields.skip(4)  # mifid2*
    fields.skip(4)  # dontUseAutoPriceForHedge, isOmsContainer, discretionaryUpToLimitPrice, usePriceMgmtAlgo


def _gated(fields: Fields, terms: OrderTerms, version: int, query: ContractQuery) -> None:
    for since in (158, 160):  # duration, postToAts
        if version >= since:
            fields.skip(1)
    if version >= 162:
        terms.auto_cancel_parent = fields.truth()
    for since in (166, 169):  # advancedErrorOverride, manualOrderTime
        if version >= since:
            fields.skip(1)
    if version >= 170 and query.exchange == "IBKRATS":
        fields.skip(1)


def by_hand(action: str, quantity: float, limit: float | None) -> OrderTerms:
    """Return the terms of an order typed into TWS: a limit, or a market order where `limit` is None."""
    kind = "MKT" if limit is None else "LMT"
    return OrderTerms(
        action.upper(), quantity, kind, limit, None, "DAY", "", "", "", 0, "", True, 0, 0, 0, True, False
    )
