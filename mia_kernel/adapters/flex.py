"""Read a broker's own statement (IBKR Flex query, XML or CSV) and hold our fills against it, to the cent.

How it moves: the trades of the statement become fills with exact money; each is paired with one of ours by its
execution id, or, where the statement has none of ours, by side, quantity and price in order of time. What differs
or stands on one side only is named. Nothing is corrected: the broker's statement is right until proven otherwise.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from mia_kernel.core.errors import DataError, FormatError, OutsideError
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import OrderReport

COLUMNS = {
    "symbol": ("symbol",),
    "side": ("buySell", "Buy/Sell"),
    "quantity": ("quantity",),
    "price": ("tradePrice", "T. Price", "price"),
    "commission": ("ibCommission", "commission", "Comm/Fee"),
    "exec_id": ("ibExecID", "execID"),
    "when": ("dateTime", "Date/Time", "tradeTime"),
}
"""How the fields are called in XML attributes and CSV heads; letters' case and spaces do not matter."""

NEEDED = ("symbol", "side", "quantity", "price", "commission")
ROOTS = ("MES", "ES")
MOST_BYTES = 64_000_000
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class StatementFill:
    """One trade of a statement: money in cents (a cost is positive), price in points, time as it stands there."""

    symbol: str
    side: int
    qty: int
    price: Decimal
    fee_cents: Decimal
    exec_id: str
    when: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Our fills beside the broker's: how many agree to the cent, and what does not."""

    agreed: int
    differing: tuple[str, ...]
    only_ours: tuple[str, ...]
    only_theirs: tuple[str, ...]
    fee_difference_cents: Decimal

    @property
    def holds(self) -> bool:
        """Whether every fill agrees to the cent."""
        return not (self.differing or self.only_ours or self.only_theirs)

    @property
    def named(self) -> str:
        """The first fills that do not agree."""
        found = [*self.differing, *self.only_ours, *self.only_theirs]
        more = f" (+ {len(found) - MOST_NAMED})" if len(found) > MOST_NAMED else ""
        return "; ".join(found[:MOST_NAMED]) + more


def read_statement(path: Path) -> list[StatementFill]:
    """Return the futures trades of a Flex statement in the order they stand.

    Raises
    ------
    FormatError
        If it is neither a Flex XML nor a CSV with the needed columns.
    DataError
        If a value is not what its column says; line and field are named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutsideError(
            f"{path}: {error.strerror or error}; way out: name a readable statement"
        ) from error
    if len(data) > MOST_BYTES:
        raise FormatError(
            "too large for a statement", path=str(path), value=len(data), rule=f"at most {MOST_BYTES} bytes"
        )
    rows = _xml_rows(path, data) if data.lstrip()[:1] == b"<" else _csv_rows(path, data)
    return [_fill(path, line, row) for line, row in rows if _root(row.get("symbol", "")) is not None]


def compare(theirs: Sequence[StatementFill], reports: Sequence[OrderReport]) -> Comparison:
    """Return how a statement's fills and ours agree."""
    ours = [r for r in reports if r.last_qty > 0 and r.last_ticks is not None]
    by_id = {r.exec_id: r for r in ours if r.exec_id}
    pairs: list[tuple[OrderReport, StatementFill]] = []
    left = list(theirs)
    for fill in theirs:
        report = by_id.pop(fill.exec_id, None) if fill.exec_id else None
        if report is not None:
            pairs.append((report, fill))
            left.remove(fill)
    taken = {id(report) for report, _ in pairs}
    alone: list[OrderReport] = []
    for report in (r for r in ours if id(r) not in taken):
        match = next((fill for fill in left if _alike(report, fill)), None)
        if match is None:
            alone.append(report)
        else:
            left.remove(match)
            pairs.append((report, match))
    differing = tuple(text for report, fill in pairs if (text := _difference(report, fill)))
    fees = sum((fill.fee_cents for fill in theirs), Decimal(0)) - sum(r.fee_cents for r in ours)
    return Comparison(
        agreed=len(pairs) - len(differing),
        differing=differing,
        only_ours=tuple(f"only here: {_ours(report)}" for report in alone),
        only_theirs=tuple(f"only there: {_theirs(fill)}" for fill in left),
        fee_difference_cents=fees,
    )


def _alike(report: OrderReport, fill: StatementFill) -> bool:
    return (report.side, report.last_qty, _price(report)) == (
        fill.side,
        fill.qty,
        fill.price,
    ) and report.symbol == _root(fill.symbol)


def _difference(report: OrderReport, fill: StatementFill) -> str:
    found = []
    for name, here, there in (
        ("side", report.side, fill.side),
        ("quantity", report.last_qty, fill.qty),
        ("price", _price(report), fill.price),
        ("fee", Decimal(report.fee_cents) / 100, fill.fee_cents / 100),
    ):
        if here != there:
            found.append(f"{name} {here} here, {there} there")
    return f"{report.exec_id or _ours(report)}: {', '.join(found)}" if found else ""


def _price(report: OrderReport) -> Decimal:
    assert report.last_ticks is not None
    return Decimal(str(report.last_ticks * TICK_POINTS))


def _ours(report: OrderReport) -> str:
    side = "buy" if report.side > 0 else "sell"
    return f"{report.exec_id} {side} {report.last_qty} {report.symbol} at {_price(report)}"


def _theirs(fill: StatementFill) -> str:
    return f"{fill.exec_id} {'buy' if fill.side > 0 else 'sell'} {fill.qty} {fill.symbol} at {fill.price} ({fill.when})"


def _root(symbol: str) -> str | None:
    return next((root for root in ROOTS if symbol.strip().upper().startswith(root)), None)


def _xml_rows(path: Path, data: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    # No entities, no network: a statement is data from outside.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise FormatError("not a whole XML statement", path=str(path), line=error.lineno, value=str(error.msg)[:120],
                          way_out="run the Flex query again") from error  # fmt: skip
    if root.tag != "FlexQueryResponse":
        raise FormatError("not a Flex statement", path=str(path), field="root", value=str(root.tag)[:60],
                          rule="FlexQueryResponse")  # fmt: skip
    for trade in root.iter("Trade"):
        if trade.get("levelOfDetail", "EXECUTION") == "EXECUTION":
            yield trade.sourceline or 0, _named({str(key): str(value) for key, value in trade.attrib.items()})


def _csv_rows(path: Path, data: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("not a text statement", path=str(path), offset=error.start, rule="UTF-8") from error
    reader = csv.DictReader(io.StringIO(text))
    heads = _named(dict.fromkeys(reader.fieldnames or (), ""))
    missing = [name for name in NEEDED if name not in heads]
    if missing:
        raise FormatError("not a Flex trade table", path=str(path), line=1, field=", ".join(missing),
                          rule="columns " + ", ".join(COLUMNS[name][0] for name in NEEDED))  # fmt: skip
    for row in reader:
        named = _named({key: value or "" for key, value in row.items() if key is not None})
        if named["quantity"].strip():
            yield reader.line_num, named


def _named(row: Mapping[str, str]) -> dict[str, str]:
    plain = {_bare(key): value for key, value in row.items()}
    out: dict[str, str] = {}
    for name, known in COLUMNS.items():
        for word in known:
            if _bare(word) in plain:
                out.setdefault(name, plain[_bare(word)])
    return out


def _bare(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def _fill(path: Path, line: int, row: Mapping[str, str]) -> StatementFill:
    missing = [name for name in NEEDED if name not in row]
    if missing:
        raise DataError("a trade without a field", path=str(path), line=line, field=", ".join(missing),
                        way_out="include it in the Flex query")  # fmt: skip
    side = row["side"].strip().upper()
    if not side.startswith(("BUY", "SELL")):
        raise DataError(
            "not a side", path=str(path), line=line, field="buySell", value=side[:20], rule="BUY or SELL"
        )
    qty = abs(_number(path, line, "quantity", row["quantity"]))
    if qty != int(qty):
        raise DataError("not whole contracts", path=str(path), line=line, field="quantity", value=str(qty))
    return StatementFill(
        symbol=row["symbol"].strip(),
        side=1 if side.startswith("BUY") else -1,
        qty=int(qty),
        price=_number(path, line, "tradePrice", row["price"]).normalize(),
        fee_cents=-_number(path, line, "ibCommission", row["commission"]) * 100,
        exec_id=row.get("exec_id", "").strip(),
        when=row.get("when", "").strip(),
    )


def _number(path: Path, line: int, field: str, text: str) -> Decimal:
    try:
        value = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise DataError("not a number", path=str(path), line=line, field=field, value=text[:40])
    return value
