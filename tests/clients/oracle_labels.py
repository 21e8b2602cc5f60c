"""Ask mlfinpy for barriers, concurrency, uniqueness and weights; run by its own interpreter.

Reads `asked.npz` of the folder given as argument, prints one JSON object.
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from mlfinpy.labeling import labeling
from mlfinpy.sample_weights import attribution
from mlfinpy.sampling import concurrent

warnings.filterwarnings("ignore")


def labelled(close, at, side, width, horizon):
    """Return (row of the first touch, 1 for won, average uniqueness, weight) of each event on one path of closes."""
    index = pd.date_range("2024-01-01", periods=len(close), freq="min")
    prices = pd.Series(close, index=index)
    times = index[at]
    target = pd.Series(width / close[at], index=times)
    vertical = pd.Series(index[np.minimum(at + horizon, len(close) - 1)], index=times)
    events = labeling.get_events(
        prices,
        times,
        [1, 1],
        target,
        0.0,
        1,
        vertical,
        pd.Series(side, index=times).astype(float),
        verbose=False,
    )
    bins = labeling.get_bins(events, prices)
    unique = concurrent.get_av_uniqueness_from_triple_barrier(events, prices, 1, verbose=False)
    weight = attribution.get_weights_by_return(events, prices, 1, verbose=False)
    rows = index.get_indexer(pd.DatetimeIndex(events["t1"]))
    return {
        "rows": rows.tolist(),
        "won": bins["bin"].reindex(events.index).astype(int).tolist(),
        "unique": np.asarray(unique).ravel().astype(float).tolist(),
        "weight": np.asarray(weight).ravel().astype(float).tolist(),
    }


def main():
    """Answer every path."""
    a = np.load(Path(sys.argv[1]) / "asked.npz")
    told = [
        labelled(a["closes"][i], a["at"][i], a["side"][i], float(a["width"]), int(a["horizon"]))
        for i in range(len(a["closes"]))
    ]
    print(json.dumps({"version": version("mlfinpy"), "paths": told}))


main()
