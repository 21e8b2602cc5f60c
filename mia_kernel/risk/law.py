"""Law: the same limits as the engine's advice, asked by the process that can act, on its own figures.

How it moves: on every mark and fill `look` fills the room's input record from what the venue said and asks
the compiled gates; a limit that acts by itself is taken as a halt and answered as a `Breach`. `permit` asks
them about one bracket and adds what only a sender can check: stop on the right side, size, risk of the
trade, duplicates, crossing oneself. High-impact news are asked where the user keeps a calendar. What the guardian
cannot see (volatility, VIX, volume) stays the engine's advice. Unknown is never safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.events import Carries
from mia_kernel.core.orders import PlaceBracket
from mia_kernel.core.session import session_at, trading_day_of
from mia_kernel.risk import gates, inputs, sizing
from mia_kernel.risk.gate import Breach
from mia_kernel.risk.limits import SEVERITY_NAMES, LimitCheck
from mia_kernel.risk.memory import HALTS, Memory
from mia_kernel.risk.news import minutes_to_news
from mia_kernel.risk.params import RiskParams
from mia_kernel.risk.record import ANSWER_DTYPE, INPUT_DTYPE, QUESTION_DTYPE
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import ES_EQUIVALENT, SLIPPAGE_RING, SYMBOLS, TICK_CENTS, week_of

NS = 1_000_000_000
HOUR = 3600 * NS
EPSILON = 1e-9
OWN = (
    "trading_state",
    "market_open",
    "phase_size",
    "daily_loss",
    "hard_daily_loss",
    "weekly_loss",
    "drawdown",
    "minimum_balance",
    "open_risk",
    "max_position",
    "concurrent",
    "opposite_position",
    "trades_per_hour",
    "trades_per_day",
    "consecutive_losses",
    "spread_limit",
    "slippage",
    "close_buffer",
    "flat_before_close",
    "stale_book",
    "news",
    "profit_target",
    "duplicate_order",
    "orders_per_second",
    "orders_per_hour",
    "entry_distance",
    "reward_risk",
)
"""Limits the guardian computes itself, in the order they are asked."""
SHOWN = tuple(code for code in OWN if gates.AT[code] >= gates.FIRST_LIMIT)


@dataclass(slots=True)
class Figures:
    """What limits count, over restarts."""

    day: int = 0
    week: int = 0
    day_start_usd: Decimal = Decimal(0)
    week_start_usd: Decimal = Decimal(0)
    peak_usd: Decimal | None = None
    opened: list[int] = field(default_factory=list[int])
    trades_today: int = 0
    consecutive_losses: int = 0
    last_loss_ts: int = 0
    slips: list[float] = field(default_factory=list[float])
    slip_n: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the venue says now. `net_usd` is None where something is open that cannot be marked."""

    ts: int
    net_usd: Decimal | None
    base_usd: Decimal
    es_position: float
    open_risk_usd: float
    brackets: int
    bid_ticks: int | None
    ask_ticks: int | None
    book_age_s: float | None


@dataclass(frozen=True, slots=True)
class Denial:
    """No, with the code and the numbers."""

    code: str
    text: str


class Law:
    """The limits with their memory.

    Parameters
    ----------
    params : RiskParams
    costs : CostParams
    figures : Figures, optional
        As they were before a restart; the memory is restored separately.
    calendar : ndarray of CALENDAR_DTYPE, optional
        The user's economic events; None: no news limit.
    """

    def __init__(
        self,
        params: RiskParams,
        costs: CostParams,
        figures: Figures | None = None,
        calendar: NDArray[Any] | None = None,
    ) -> None:
        self.params = params
        self.calendar = calendar
        self.costs = costs
        self.figures = figures or Figures()
        everything = Carries(book=True, quotes=True, trades=True, aggressor="feed")
        self._p = gates.parameter_record(
            params, costs, everything, simulated=False, news_calendar=calendar is not None
        )
        self.memory = Memory(params, armed=False)
        self._x: NDArray[Any] = np.zeros(1, INPUT_DTYPE)
        self._q: NDArray[Any] = np.zeros(1, QUESTION_DTYPE)
        self._out: NDArray[Any] = np.zeros(1, ANSWER_DTYPE)
        self._calm()

    def _calm(self) -> None:
        for name in INPUT_DTYPE.names or ():
            if INPUT_DTYPE[name] == np.float64:
                self._x[name] = np.nan

    # -- what is ---------------------------------------------------------------------------------

    def look(self, facts: Facts) -> tuple[Breach, ...]:
        """Ask every limit about the present; take and return the halts they order."""
        self._gather(facts)
        self._q["has_signal"] = 0
        gates.ask_all(self._p, self.memory.record, self._x, self._q, self._out)
        found: list[Breach] = []
        for at in gates.ACTING:
            if self._out["severity"][0, at] == 3:
                found += self._breach(at)
        return tuple(found)

    def _breach(self, at: int) -> list[Breach]:
        spec = gates.GATES[at]
        required, actual = float(self._out["required"][0, at]), float(self._out["actual"][0, at])
        if np.isnan(actual):
            return []  # a figure nobody can compute is the guardian's own emergency, with its own patience
        if spec.on_breach in HALTS and not self.memory.halt(
            HALTS[spec.on_breach], spec.code, self.figures.day, self.figures.week
        ):
            return []
        action = "flatten" if spec.on_breach == "flatten" else "halt"
        return [Breach(spec.code, action, required, actual, spec.unit, self._sentence(at))]

    def checks(self) -> tuple[LimitCheck, ...]:
        """Return the limits of `SHOWN` as they were found last."""
        out: list[LimitCheck] = []
        for code in SHOWN:
            at = gates.AT[code]
            limit, actual = float(self._out["required"][0, at]), float(self._out["actual"][0, at])
            severity = int(self._out["severity"][0, at])
            out.append(
                LimitCheck(
                    code=code,
                    limit=None if np.isnan(limit) else limit,
                    actual=None if np.isnan(actual) else actual,
                    unit=gates.GATES[at].unit,
                    level=SEVERITY_NAMES[max(severity, 0)],
                    applies=severity >= 0,
                )
            )
        return tuple(out)

    @property
    def is_open(self) -> bool:
        """Whether the market is open at the last look."""
        return bool(self._x["is_open"][0])

    @property
    def stale_after_s(self) -> float:
        """Age of the book at which it is stale, at the last look."""
        rth = bool(self._x["is_rth"][0])
        return (self.params.stale_book_rth_ms if rth else self.params.stale_book_eth_ms) / 1000

    def figure(self, name: str) -> float | None:
        """Return one number of the last look; None where unknown."""
        value = float(self._x[name][0])
        return None if np.isnan(value) else value

    # -- what may be -----------------------------------------------------------------------------

    def permit(
        self, command: PlaceBracket, facts: Facts, working: int, own_prices: set[int]
    ) -> Denial | None:
        """Answer whether this bracket may be sent now; None is yes, and it is remembered as sent.

        Parameters
        ----------
        working : int
            Signed ES or MES contracts that entries already on their way may still add, in ES equivalents·10.
        own_prices : set of int
            Limit prices of own working orders on the other side: an entry there would cross oneself.
        """
        self._gather(facts)
        e, s, t = command.entry, command.stop, command.target
        q = self._q[0]
        entry = e.limit_ticks
        if entry is None or s.stop_ticks is None or t.limit_ticks is None:
            return Denial("no_price", "an entry has a limit, a stop and a target price")
        q["has_signal"], q["side"] = 1, e.side
        q["entry_ticks"], q["stop_ticks"], q["target_ticks"] = entry, s.stop_ticks, t.limit_ticks
        gates.ask_all(self._p, self.memory.record, self._x, self._q, self._out)
        for code in OWN:
            at = gates.AT[code]
            if self._out["severity"][0, at] == 3:
                if code in ("orders_per_second", "orders_per_hour"):
                    self.memory.note_rate_denial(facts.ts)
                return Denial(code, self._sentence(at))
        denial = self._rate(facts.ts) or self._shape(command) or self._size(command, facts, working)
        if denial is None and entry in own_prices:
            denial = Denial("self_cross", f"an own order rests on the other side at {entry} ticks")
        if denial is None:
            self.memory.note_order(facts.ts, e.side, entry, s.stop_ticks)
        return denial

    def _rate(self, ts: int) -> Denial | None:
        """A bracket is three orders: all three must fit."""
        q = self._q[0]
        for name, limit in (("second", "max_orders_per_second"), ("hour", "max_orders_per_hour")):
            most, sent = getattr(self.params, limit), int(q[f"orders_{name}"])
            if sent + 3 > most:
                self.memory.note_rate_denial(ts)
                return Denial(f"orders_per_{name}", f"{sent} sent, 3 more are above {most} a {name}")
        return None

    def _shape(self, command: PlaceBracket) -> Denial | None:
        e, s, t = command.entry, command.stop, command.target
        if e.symbol not in SYMBOLS:
            return Denial("symbol", f"{e.symbol} is not traded here, only {' and '.join(SYMBOLS)}")
        if e.side not in (1, -1) or s.side != -e.side or t.side != -e.side:
            return Denial("sides", "stop and target are on the other side of the entry")
        if e.qty < 1 or s.qty != e.qty or t.qty != e.qty:
            return Denial("children", f"exits of {s.qty} and {t.qty} do not match an entry of {e.qty}")
        names = {o.order_id for o in (e, s, t)}
        if len(names) != 3 or any(not n.startswith(f"{command.bracket_id}-") for n in names):
            return Denial("ids", "order ids are the bracket id with the role, each once")
        away = e.side * (e.limit_ticks - s.stop_ticks) if e.limit_ticks is not None and s.stop_ticks else 0
        if away <= 0:
            return Denial("stop_side", f"the stop lies {-away} ticks on the wrong side of the entry")
        return None

    def _size(self, command: PlaceBracket, facts: Facts, working: int) -> Denial | None:
        e, s, x = command.entry, command.stop, self._x[0]
        weight = ES_EQUIVALENT[SYMBOLS.index(e.symbol)]
        after = abs(facts.es_position + working / 10) + e.qty * weight
        most = min(self.params.max_position, float(gates_allowed(self._p, self._x)))
        if after > most + EPSILON:
            return Denial("order_size", f"{after:g} ES contracts would be held, {most:g} are allowed")
        stop_ticks = abs((e.limit_ticks or 0) - (s.stop_ticks or 0))
        risk = e.qty * sizing.risk_per_contract_usd(e.symbol, stop_ticks, bool(x["is_rth"]), self.costs)
        p = self.params
        left = p.daily_loss_usd + min(float(x["day_net_usd"]), 0.0)
        bounds = {
            "risk_per_trade": min(float(x["equity_usd"]) * p.max_risk_percent / 100, p.max_risk_usd),
            "share_of_remaining_daily_loss": p.share_of_remaining_daily_loss * left,
            "open_risk": p.open_risk_share * p.daily_loss_usd - facts.open_risk_usd,
        }
        for code, bound in bounds.items():
            if not risk <= bound + EPSILON:
                return Denial(code, f"the trade risks {risk:.2f} USD, {bound:.2f} are allowed")
        return None

    def _sentence(self, at: int) -> str:
        spec = gates.GATES[at]
        required, actual = float(self._out["required"][0, at]), float(self._out["actual"][0, at])
        found = "unknown" if np.isnan(actual) else f"{actual:g}"
        return f"{spec.code}: found {found}, required {required:g} {spec.unit}"

    # -- what was --------------------------------------------------------------------------------

    def opened(self, ts: int) -> None:
        """Count a round trip opened."""
        self.figures.opened = [t for t in self.figures.opened if ts - t < HOUR] + [ts]
        self.figures.trades_today += 1

    def closed(self, net_usd: Decimal, ts: int) -> None:
        """Count a round trip closed."""
        if net_usd < 0:
            self.figures.consecutive_losses += 1
            self.figures.last_loss_ts = ts
        elif net_usd > 0:
            self.figures.consecutive_losses = 0

    def slipped(self, ticks: float, ts: int) -> None:
        """Take the slippage of a fill (positive = worse); bad ones pause entries."""
        f, p = self.figures, self.params
        f.slip_n += 1
        f.slips = [*f.slips, ticks][-SLIPPAGE_RING:]
        mean = sum(f.slips) / SLIPPAGE_RING if len(f.slips) == SLIPPAGE_RING else 0.0
        if ticks > p.max_slippage_ticks or mean > p.max_mean_slippage_ticks:
            self.memory.record["slippage_pause_until"] = ts + round(p.slippage_pause_minutes * 60 * NS)
        self.memory.record["slips_seen"] = f.slip_n

    # -- inside ----------------------------------------------------------------------------------

    def _gather(self, facts: Facts) -> None:
        x, f = self._x[0], self.figures
        x["ts"] = facts.ts
        row = session_at(facts.ts)
        if row is None:
            x["is_open"], x["phase_size"] = 0, 0.0
        else:
            inputs.from_session(row, facts.ts, x)
            self._roll(trading_day_of(facts.ts), facts)
            if self.calendar is not None:
                x["to_news_min"] = minutes_to_news(self.calendar, row, facts.ts)
        x["day"], x["week"] = f.day, f.week
        net = facts.net_usd
        equity = None if net is None else facts.base_usd + net
        if equity is not None and (f.peak_usd is None or equity > f.peak_usd):
            f.peak_usd = equity
        x["equity_usd"] = _number(equity)
        x["day_net_usd"] = _number(None if net is None else net - f.day_start_usd)
        x["week_net_usd"] = _number(None if net is None else net - f.week_start_usd)
        fall = None if equity is None or not f.peak_usd else 100 * (f.peak_usd - equity) / f.peak_usd
        x["drawdown_percent"] = _number(fall)
        x["open_risk_usd"], x["es_position"], x["brackets"] = (
            facts.open_risk_usd,
            facts.es_position,
            facts.brackets,
        )
        x["trades_today"] = f.trades_today
        x["trades_hour"] = sum(facts.ts - t < HOUR for t in f.opened)
        x["consecutive_losses"] = f.consecutive_losses
        x["since_loss_min"] = (facts.ts - f.last_loss_ts) / (60 * NS) if f.last_loss_ts else np.nan
        x["slip_n"] = f.slip_n
        x["slippage_mean"] = sum(f.slips) / SLIPPAGE_RING if len(f.slips) == SLIPPAGE_RING else np.nan
        self._market(facts)

    def _market(self, facts: Facts) -> None:
        x, bid, ask = self._x[0], facts.bid_ticks, facts.ask_ticks
        both = bid is not None and ask is not None
        x["spread_ticks"] = ask - bid if both else np.nan  # type: ignore[operator]
        x["mid_ticks"] = (ask + bid) / 2 if both else np.nan  # type: ignore[operator]
        x["book_age_ms"] = np.nan if facts.book_age_s is None else facts.book_age_s * 1000

    def _roll(self, day: int, facts: Facts) -> None:
        """Begin a new trading day, and week, once their first figure can be computed."""
        f, net = self.figures, facts.net_usd
        if day == f.day or net is None:
            return
        f.day, f.day_start_usd, f.trades_today = day, net, 0
        week = int(week_of(day))
        if week != f.week:
            f.week, f.week_start_usd = week, net


def open_risk_usd(
    symbol: str, qty: int, distance_ticks: int, costs: CostParams, *, is_rth: bool = False
) -> float:
    """Return what `qty` contracts lose from here to a stop `distance_ticks` away, with costs; never negative."""
    if qty <= 0:
        return 0.0
    slip = costs.slippage_rth_ticks if is_rth else costs.slippage_eth_ticks
    tick = TICK_CENTS[SYMBOLS.index(symbol)]
    return max(0.0, qty * ((distance_ticks + slip) * tick + costs.fee_cents(symbol)) / 100)


def gates_allowed(p: NDArray[Any], x: NDArray[Any]) -> float:
    """Return the largest position these records allow, in ES contracts."""
    limit = float(p["max_position"][0])
    vix = float(x["vix"][0])
    return min(limit, 1.0) if vix > float(p["extreme_vix"][0]) else limit


def _number(value: Decimal | None) -> float:
    return float("nan") if value is None else float(value)
