"""Ask purgedcv, skfolio, empyrical, quantstats, vectorbt and arch what we have computed; run by their interpreter.

Reads `asked.npz` of the folder given as argument, prints one JSON object.
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def purged(a):
    """Return train rows of each split by time, and of purged K-fold, as purgedcv has them."""
    from purgedcv import CombinatorialPurgedCV

    out = []
    for case in range(int(a["cases"])):
        start, end = a[f"start_{case}"], a[f"end_{case}"]
        n, k = (int(x) for x in a[f"shape_{case}"])
        # Lives are closed on our side and half-open on theirs.
        cv = CombinatorialPurgedCV(
            n, k, prediction_times=pd.Series(pd.to_datetime(start)), evaluation_times=pd.Series(pd.to_datetime(end + 1))
        )  # fmt: skip
        splits = cv.split(np.zeros((len(start), 1)))
        out.append(
            [(train.tolist(), np.sort(np.concatenate([test]).ravel()).tolist()) for train, test in splits]
        )
    return out


def counted(a):
    """Return test groups of each split and the number of paths, as skfolio has them."""
    from skfolio.model_selection import CombinatorialPurgedCV

    out = []
    for n, k in a["shapes"].tolist():
        cv = CombinatorialPurgedCV(n_folds=n, n_test_folds=k, purged_size=0, embargo_size=0)
        tests = [sorted(int(i) for part in test for i in part) for _, test in cv.split(np.zeros((4 * n, 1)))]
        out.append({"tests": tests, "paths": int(cv.n_test_paths)})
    return out


def sharpes(a):
    """Return PSR, DSR, MinTRL, MinBTL and PBO as purgedcv has them."""
    import purgedcv as p

    r = a["returns"]
    skew, kurtosis = (float(x) for x in a["moments"])
    return {
        "psr": p.probabilistic_sharpe_ratio(r, 0.0),
        "dsr": p.deflated_sharpe_ratio(r, int(a["trials"]), float(a["variance"])),
        "min_trl": [
            p.min_track_record_length(0.1, 0.0, 0.05, 0.0, 3.0),
            p.min_track_record_length(0.1, 0.0, 0.05, skew, kurtosis),
        ],
        "min_btl": p.minimum_backtest_length(45, 1.0),
        "pbo": [float(p.probability_of_backtest_overfitting(m.T, n_splits=8).pbo) for m in a["matrices"]],
    }


def figures(a):
    """Return ratios and drawdown as both have them, win rate and profit factor as quantstats has.

    Sharpe and Sortino over a fixed capital, drawdown and Calmar over what it has grown to.
    """
    import empyrical as e
    import quantstats.stats as q

    out, capital = [], float(a["capital"])
    for cents in a["cents"]:
        days = pd.bdate_range("2024-01-01", periods=len(cents))
        fixed = pd.Series(cents / capital, index=days)
        wealth = capital + np.cumsum(cents)
        grown = pd.Series(cents / (wealth - cents), index=days)
        out.append(
            {
                "sharpe_daily": [float(e.sharpe_ratio(fixed)), float(q.sharpe(fixed))],
                "sortino_daily": [float(e.sortino_ratio(fixed)), float(q.sortino(fixed))],
                "drawdown": [float(e.max_drawdown(grown)), float(q.max_drawdown(grown))],
                "calmar": [float(e.calmar_ratio(grown)), float(q.calmar(grown))],
                "profit_factor": float(q.profit_factor(fixed)),
                "win_rate": float(q.win_rate(fixed)),
            }
        )
    return out


def paper(a):
    """Return the paper's deflated Sharpe ratio from its moments, as vectorbt has it."""
    from vectorbt.returns.metrics import deflated_sharpe_ratio

    asked = {
        "est_sharpe": 2.5 / np.sqrt(250),
        "var_sharpe": 0.5 / 250,
        "nb_trials": 100,
        "backtest_horizon": 1250,
    }
    return float(deflated_sharpe_ratio(**asked, skew=-3.0, kurtosis=10.0))


def interval(a):
    """Return the 95 % percentile interval of a mean under arch's stationary bootstrap."""
    from arch.bootstrap import StationaryBootstrap

    x = a["series"]
    found = StationaryBootstrap(len(x) ** (1 / 3), x, seed=1).conf_int(np.mean, 10_000, method="percentile")
    return found.ravel().tolist()


def main():
    """Answer what can be answered here; what cannot names its reason."""
    a = np.load(Path(sys.argv[1]) / "asked.npz")
    told = {"versions": {}}
    for package in ("purgedcv", "skfolio", "empyrical-reloaded", "quantstats", "vectorbt", "arch"):
        try:
            told["versions"][package] = version(package)
        except ImportError:
            told["versions"][package] = None
    for ask in (purged, counted, sharpes, figures, paper, interval):
        try:
            told[ask.__name__] = ask(a)
        except ImportError as error:
            told[ask.__name__] = f"not here: {error}"
    print(json.dumps(told))


main()
