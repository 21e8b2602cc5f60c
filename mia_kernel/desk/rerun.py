"""What-if: the same rows with something changed, told as trades and money, and counted as a trial.

How it moves: a `Rerun` holds the run it was asked of and the changed one. Trades are the same where they were
entered at the same instant on the same side; of those that are the same, what differs is told. The what-if is
written to the trial log before its verdict can be read, and the verdict is deflated by all that stands there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mia_kernel.adapters.trials import TrialLog
from mia_kernel.analytics.deflated import deflated_sharpe
from mia_kernel.settings import settings_id

if TYPE_CHECKING:
    from mia_kernel.desk.days import Run

SAME_ENTRY = ["symbol", "side", "entry_ts"]
"""Round trips that agree in these are the same trade."""

TOLD = ["qty", "entry", "exit_ts", "exit", "exit_reason", "net_usd"]
"""What may differ in one."""

MIN_TRIPS = 30
KIND = "what-if"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much a what-if proves after all that was tried on the same data.

    `sharpe` is per round trip; `deflated` is the probability that the true Sharpe ratio exceeds what the best of
    `trials` worthless tries would show by luck, None under 30 round trips or where it is not defined.
    """

    trials: int
    n: int
    sharpe: float | None
    deflated: float | None

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        tried = f"{self.trials} different what-if{'s' if self.trials != 1 else ''} on this data"
        if self.n < MIN_TRIPS:
            return f"Not shown: {self.n} round trips are too few (30 asked); {tried}."
        if self.sharpe is None or self.deflated is None:
            return f"Not shown: the results do not vary, or their spread is unknown; {tried}."
        said = "supported" if self.deflated >= 0.95 else "not shown"
        return (
            f"{said.capitalize()}: Sharpe {self.sharpe:+.3f} per trade over {self.n}, "
            f"probability of skill {self.deflated:.0%} after {tried} (95 % asked)."
        )


class Rerun:
    """A what-if beside the run it was asked of; what it has beyond that is what a `Run` has.

    `trial` is its number in the trial log: the more were tried, the less the best one proves.
    """

    def __init__(self, base: Run, run: Run) -> None:
        self.base = base
        self.run = run
        self.logged = log_of(base).append(
            KIND, _what(run), _sharpe(run), len(run.round_trips), scope=_scope(base)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)

    @property
    def trial(self) -> int:
        """Its number in the trial log."""
        return self.logged.seq

    @cached_property
    def appeared(self) -> pd.DataFrame:
        """Round trips that the base run did not enter."""
        return _missing_from(self.base.round_trips, self.run.round_trips)

    @cached_property
    def disappeared(self) -> pd.DataFrame:
        """Round trips of the base run that are no longer entered."""
        return _missing_from(self.run.round_trips, self.base.round_trips)

    @cached_property
    def changed(self) -> pd.DataFrame:
        """Round trips entered by both that differ: each value before and after, and the money difference."""
        before, after = self.base.round_trips, self.run.round_trips
        if not len(before) or not len(after):
            return pd.DataFrame(columns=[*SAME_ENTRY, "difference_usd"])
        both = before.merge(after, on=SAME_ENTRY, suffixes=("_before", "_after"))
        differs = np.zeros(len(both), bool)
        for name in TOLD:
            differs |= (both[f"{name}_before"] != both[f"{name}_after"]).to_numpy()
        columns = [f"{name}_{when}" for name in TOLD for when in ("before", "after")]
        found = both.loc[differs, [*SAME_ENTRY, *columns]].copy()
        found["difference_usd"] = found["net_usd_after"] - found["net_usd_before"]
        return found.reset_index(drop=True)

    @property
    def difference_usd(self) -> float:
        """Net result of the what-if less that of the base run."""
        return (_net_cents(self.run) - _net_cents(self.base)) / 100

    @property
    def difference(self) -> pd.DataFrame:
        """Where the money difference comes from: trades that appear, disappear and change, which add up to it."""
        appeared: Any = self.appeared
        disappeared: Any = self.disappeared
        changed: Any = self.changed
        rows = [
            ("appeared", len(appeared), _sum(appeared, "net_usd")),
            ("disappeared", len(disappeared), -_sum(disappeared, "net_usd")),
            ("changed", len(changed), _sum(changed, "difference_usd")),
        ]
        rows.append(("together", sum(row[1] for row in rows), sum(row[2] for row in rows)))
        return pd.DataFrame(rows, columns=["what", "trades", "usd"]).set_index("what")

    @cached_property
    def verdict(self) -> Verdict:
        """How much this result proves, deflated by every different what-if on the same data."""
        trials = log_of(self.base).distinct(KIND, scope=_scope(self.base))
        returns = _returns(self.run)
        sharpe = _sharpe(self.run)
        deflated = None
        if len(returns) >= MIN_TRIPS and sharpe is not None:
            known = [trial.sharpe for trial in trials if trial.sharpe is not None]
            # A try whose Sharpe ratio is unknown was still a try; without two known ones luck has no measured spread.
            if len(known) > 1 or len(trials) == 1:
                deflated = deflated_sharpe(returns, known, independent=len(trials))
        return Verdict(len(trials), len(returns), sharpe, deflated)


def log_of(run: Run) -> TrialLog:
    """Return the trial log of the home a run belongs to."""
    return TrialLog(run.settings.trials_file)


def _sum(trips: Any, column: str) -> float:
    # In whole cents: a sum of dollars as floats would not add up to the last one.
    return round(100 * float(trips[column].sum())) / 100 if len(trips) else 0.0


def _returns(run: Run) -> Any:
    """Return each round trip's net result over the capital of the run."""
    capital = float(run.settings.risk.equity_usd)
    return np.array([trip.net_cents / 100 / capital for trip in run.trips], np.float64)


def _sharpe(run: Run) -> float | None:
    returns = _returns(run)
    if len(returns) < 2 or returns.std(ddof=1) == 0.0:
        return None
    return float(returns.mean() / returns.std(ddof=1))


def _net_cents(run: Run) -> int:
    return sum(trip.net_cents for trip in run.trips)


def _what(run: Run) -> str:
    return json.dumps({"settings": settings_id(run.settings), "changed": sorted(run.changed)})


def _scope(run: Run) -> str:
    """Return what names the rows of a run: the data's own hash where it has one, and the window."""
    source = run.source
    name = source.content_sha256 or f"{source.name} {source.contract or source.symbol}"
    return hashlib.sha256(json.dumps([name, *map(str, run.window)]).encode()).hexdigest()[:32]


def _missing_from(known: pd.DataFrame, trips: pd.DataFrame) -> pd.DataFrame:
    if not len(known) or not len(trips):
        return trips
    seen = pd.MultiIndex.from_frame(known.loc[:, SAME_ENTRY])
    return trips.loc[~pd.MultiIndex.from_frame(trips.loc[:, SAME_ENTRY]).isin(seen)]
