"""The first data-quality verdict of a file: what was found, mended, set aside, and why.

A reader opens one `Findings` per file and contract, reports every trap it meets, and closes it into a
`Verdict`. A row that is set aside (quarantined) never becomes an event and nothing is filled in its
place. A file that is mostly wrong is refused, naming its first offender.

Score = 1 - clip(0.30 gap + 0.20 crossed + 0.15 disorder + 0.20 stale + 0.05 zero_volume + 0.10 off_grid),
each term the bad share of the file; a term the source cannot carry is left out and named (`domain` §4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.adapters.stamps import NS
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError

WEIGHTS = {
    "gap": 0.30,
    "crossed": 0.20,
    "disorder": 0.15,
    "stale": 0.20,
    "zero_volume": 0.05,
    "off_grid": 0.10,
}
"""Weight of each term of the score."""

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


class QualityParams(BaseModel):
    """Limits of the file verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_seconds: float = Field(
        default=60.0, gt=0, description="silence inside a session that counts as a gap, seconds"
    )
    stale_seconds: float = Field(
        default=5.0, gt=0, description="book silence inside a session that is stale, seconds"
    )
    late_seconds: float = Field(
        default=2.0, ge=0, description="how late an event may be and still be applied, seconds"
    )
    jump_share: float = Field(
        default=0.01, gt=0, description="price change between neighbours that counts as a jump, share"
    )
    refuse_share: float = Field(
        default=0.05, gt=0, le=1, description="quarantined share that refuses the file"
    )
    side_agreement: float = Field(
        default=0.90, ge=0, le=1, description="least share of sides that agree with the quote"
    )
    constant_side_rows: int = Field(
        default=200, ge=1, description="rows of one single side that make it untrusted, count"
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks of one file said.

    Attributes
    ----------
    score : float or None
        In [0, 1]; None where nothing could be scored. ≥ 0.95 good, ≥ 0.80 degraded, below: no entries.
    causes : tuple of str
        One sentence per finding, worst first by order of the checks.
    counts, repaired, quarantined : dict
        Rows per finding: all seen, those mended by a stated rule, those set aside.
    refused : str or None
        Why nothing of the file may be used, else None.
    not_applicable : tuple of str
        Terms of the score that this source cannot carry.
    """

    score: float | None
    causes: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    repaired: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    refused: str | None = None
    not_applicable: tuple[str, ...] = ()

    @property
    def grade(self) -> str:
        """Return good, degraded, bad, refused or unknown."""
        if self.refused is not None:
            return "refused"
        if self.score is None:
            return "unknown"
        return "good" if self.score >= 0.95 else "degraded" if self.score >= 0.80 else "bad"

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON values."""
        return {
            "score": None if self.score is None else round(self.score, 6),
            "grade": self.grade,
            "causes": list(self.causes),
            "counts": dict(self.counts),
            "repaired": dict(self.repaired),
            "quarantined": dict(self.quarantined),
            "refused": self.refused,
            "not_applicable": list(self.not_applicable),
        }


class Findings:
    """Collects what the checks of one file and contract find; `keep` marks the rows that may be used."""

    def __init__(self, path: str, rows: int, params: QualityParams | None = None) -> None:
        self.path = path
        self.params = params or QualityParams()
        self.keep: BoolArray = np.ones(rows, np.bool_)
        self.rows = rows
        self.counts: dict[str, int] = {"rows": rows}
        self.repaired: dict[str, int] = {}
        self.quarantined: dict[str, int] = {}
        self.causes: list[str] = []
        self.terms: dict[str, float] = {}
        self._aside = 0
        self._first: tuple[str, str] | None = None

    def note(self, code: str, count: int, text: str) -> None:
        """Count a finding that changes nothing."""
        if count:
            self.counts[code] = self.counts.get(code, 0) + count
            self.causes.append(f"{code}: {text}")

    def repair(self, code: str, count: int, text: str) -> None:
        """Count rows mended by a stated rule."""
        if count:
            self.repaired[code] = self.repaired.get(code, 0) + count
            self.note(code, count, text)

    def quarantine(
        self, code: str, bad: BoolArray, describe: Callable[[int], str], *, refusing: bool = True
    ) -> None:
        """Set rows aside. `describe(i)` tells the first one; `refusing` rows count towards refusing the file."""
        fresh = bad & self.keep
        if fresh.any():
            first = describe(int(np.flatnonzero(fresh)[0]))
            self.keep &= ~fresh
            self.set_aside(code, int(fresh.sum()), first, refusing=refusing)

    def set_aside(self, code: str, count: int, first: str, *, refusing: bool = True) -> None:
        """Count rows that were set aside, and tell the first of them."""
        if count == 0:
            return
        self._aside += count if refusing else 0
        self.quarantined[code] = self.quarantined.get(code, 0) + count
        self.note(code, count, f"{count} of {self.rows} rows set aside, first: {first}")
        if self._first is None and refusing:
            self._first = (code, first)

    def drop(self, code: str, extra: BoolArray, text: str) -> None:
        """Leave out rows that say nothing new (a duplicate): a repair, not a loss."""
        fresh = extra & self.keep
        self.keep &= ~fresh
        self.repair(code, int(fresh.sum()), text)

    def aside(self, code: str, count: int, text: str) -> None:
        """Count records that a kernel has set aside by itself."""
        if count:
            self.quarantined[code] = self.quarantined.get(code, 0) + count
            self.note(code, count, text)

    def term(self, name: str, bad_share: float) -> None:
        """Give one term of the score its bad share."""
        self.terms[name] = float(min(max(bad_share, 0.0), 1.0))

    def verdict(self) -> Verdict:
        """Close the findings.

        Raises
        ------
        DataError
            If more rows were set aside than `refuse_share` allows: the file is refused.
        """
        aside = self._aside
        if self.rows and aside > self.params.refuse_share * self.rows and self._first is not None:
            code, first = self._first
            raise DataError(
                f"{aside} of {self.rows} rows are unusable ({code}); first: {first}",
                path=self.path,
                rule=f"at most {self.params.refuse_share:.0%} of a file may be set aside",
                way_out="check --symbol and --tz, or fetch the file again; nothing was stored",
            )
        loss = sum(WEIGHTS[name] * share for name, share in self.terms.items())
        score = 1.0 - min(max(loss, 0.0), 1.0) if self.rows else None
        missing = tuple(name for name in WEIGHTS if name not in self.terms)
        return Verdict(score, tuple(self.causes), self.counts, self.repaired, self.quarantined, None, missing)


def bad_prints(price: IntArray, ts: IntArray, params: QualityParams) -> tuple[BoolArray, int]:
    """Return the lone prints that jump away and straight back, and the count of all jumps within a gap's time.

    A move that stays is a market, however fast; a print whose neighbours agree with each other within the
    limit and not with it is an error. A change over a silence longer than the gap limit is no jump.
    """
    bad = np.zeros(len(price), np.bool_)
    if len(price) < 3:
        return bad, 0
    jump = jumping(price, ts, params)
    around = np.abs(price[2:] - price[:-2]) <= params.jump_share * np.abs(price[:-2])
    bad[1:-1] = jump[:-1] & jump[1:] & around
    return bad, int(jump.sum())


def jumping(price: IntArray, ts: IntArray, params: QualityParams) -> BoolArray:
    """Return which steps between neighbours are jumps, shape (n - 1,)."""
    step = np.abs(np.diff(price)) > params.jump_share * np.abs(price[:-1])
    return np.asarray(step & (np.diff(ts) <= params.gap_seconds * NS), np.bool_)


def side_agreement(side: NDArray[Any], price: IntArray, bid: IntArray, ask: IntArray) -> tuple[int, int]:
    """Return (agreeing, decidable) trades of the quote rule: at or above ask buys, at or below bid sells."""
    quoted = (bid > 0) & (ask > bid) & (side != 0)
    rule = np.where(price >= ask, 1, 0) - np.where(price <= bid, 1, 0)
    decidable = quoted & (rule != 0)
    return int((decidable & (rule == side)).sum()), int(decidable.sum())


def prevailing(rows: Any) -> tuple[IntArray, IntArray]:
    """Return bid and ask in force at each row (ticks; 0 before the first quote), from its QUOTE and BOOK rows."""
    quoting = (rows["kind"] == ev.QUOTE) | (rows["kind"] == ev.BOOK)
    at = (
        np.maximum.accumulate(np.where(quoting, np.arange(len(rows)), -1))
        if len(rows)
        else np.zeros(0, np.int64)
    )
    known = at >= 0
    bid = np.where(known, rows["bid"][at], 0) if len(rows) else at
    ask = np.where(known, rows["ask"][at], 0) if len(rows) else at
    return bid.astype(np.int64), ask.astype(np.int64)


def judge_sides(rows: Any, bid: IntArray | None, ask: IntArray | None, findings: Findings) -> ev.Aggressor:
    """Say whether the feed's aggressor sides of the trade rows can be believed; clear them where not.

    Sides are untrusted if one alone stands on all of many trades, or if they agree with the prevailing
    quote less often than `side_agreement`. Untrusted sides are cleared: such a source yields no delta.
    """
    trades = np.flatnonzero(rows["kind"] == ev.TRADE)
    side = rows["side"][trades]
    buys, sells = int((side > 0).sum()), int((side < 0).sum())
    told = None
    if bid is not None and ask is not None:
        told = side_agreement(side, rows["px"][trades].astype(np.int64), bid[trades], ask[trades])
    answer = judge_tally(len(trades), buys, sells, told, findings)
    if answer != "feed":
        clear_sides(rows)
    return answer


def clear_sides(rows: Any) -> None:
    """Take the feed's sides off the trade rows: a source that cannot be believed yields no delta."""
    trades = np.flatnonzero(rows["kind"] == ev.TRADE)
    rows["side"][trades] = 0
    rows["flags"][trades] &= np.uint8(255 - ev.SIDE_FEED)


def judge_tally(
    trades: int, buys: int, sells: int, told: tuple[int, int] | None, findings: Findings
) -> ev.Aggressor:
    """Say the same from counts: all trades, those of each side, and (agreeing, decidable) where quotes are known."""
    sided = buys + sells
    if trades == 0:
        return "none"
    findings.note("no_side", trades - sided, f"{trades - sided} trades without aggressor")
    trusted = sided > 0
    if sided >= findings.params.constant_side_rows and (buys == 0 or sells == 0):
        findings.note("constant_side", sided, "every trade has the same side: not trusted, no delta")
        trusted = False
    if told is not None:
        agree, decidable = told
        findings.counts["side_decidable"] = decidable
        findings.counts["side_agree"] = agree
        if decidable and agree < findings.params.side_agreement * decidable:
            findings.note("untrusted_side", decidable - agree,
                          f"only {agree} of {decidable} sides agree with the quote: not trusted, no delta")  # fmt: skip
            trusted = False
    if not trusted:
        return "untrusted" if sided else "none"
    return "feed"
