"""Made-up labelled signals and small fitted models, for tests of training, registry and serving. SYNTHETIC."""

from __future__ import annotations

import numpy as np

from mia_kernel.analytics.control import PATH_DTYPE
from mia_kernel.analytics.dataset import SIGNAL_DTYPE, Dataset, joined
from mia_kernel.analytics.learning import Variant
from mia_kernel.core.session import sessions
from mia_kernel.ml.ensemble import Ensemble
from mia_kernel.ml.inputs import EIGHT, laid_out, schema_of
from mia_kernel.ml.labels import HORIZON_NS, LABEL_DTYPE, LATENCY_NS, barriers
from mia_kernel.ml.trees import Tree, heaped

BARS = 78
FIVE_MINUTES = 300_000_000_000
SMALL = tuple(
    Variant(name, {"n_estimators": 8, "max_depth": depth}, {"n_estimators": 8, "max_depth": 2}, 0.1)
    for name, depth in (("shallow", 2), ("deep", 4))
)


def signals(
    seed: int, knows: float, *, days: int = 120, each: int = 4, told: float = 0.0, fee_ticks: float = 0.0,
    steps: np.ndarray | None = None,
) -> Dataset:  # fmt: skip
    """Return signals whose side is right about the next hour with chance `knows` (0.5 knows nothing).

    `told` of the truth shows in the first feature, the others are noise. `steps` are the bars' changes in ticks
    (days · BARS of them), default normal.
    """
    rng = np.random.default_rng(seed)
    table = sessions()
    chosen = table[(table["trading_day"] > 20210101) & (table["has_rth"] == 1)][:days]
    steps = rng.normal(0, 4, days * BARS).round().astype(int) if steps is None else steps
    close = 16_000 + steps.cumsum()
    path = np.zeros(days * BARS, PATH_DTYPE)
    path["ts"] = (chosen["rth_open_ns"][:, None] + FIVE_MINUTES * np.arange(1, BARS + 1)).ravel()
    path["open"], path["close"] = close - steps, close
    path["high"], path["low"] = np.maximum(path["open"], close) + 1, np.minimum(path["open"], close) - 1
    path["last_of_session"][BARS - 1 :: BARS] = 1
    at = np.sort(np.concatenate([d * BARS + rng.choice(BARS - 14, each, replace=False) for d in range(days)]))
    truth = np.where(close[at + 12] > close[at], 1, -1)
    side = np.where(rng.random(len(at)) < knows, truth, -truth)
    made = np.zeros(len(at), SIGNAL_DTYPE)
    made["ts"], made["side"] = path["ts"][at], side
    made["session"] = np.repeat(chosen["trading_day"], each)
    made["stop_ticks"], made["target_ticks"] = 12, 12
    labels = np.zeros(len(at), LABEL_DTYPE)
    stops = np.full(len(at), 12)
    barriers(path, made["ts"], side, stops, stops, HORIZON_NS, LATENCY_NS, fee_ticks, labels)
    values = rng.normal(0, 1, (len(at), len(EIGHT)))
    values[:, 0] += told * np.where(labels["net_ticks"] > 0, 1, -1)
    x = np.array([laid_out(row) for row in values])
    ones = np.ones(len(at))
    return joined([Dataset(schema_of(), x, made, labels, ones, path, path["ts"], (), 0, fee_ticks)])


def stump(
    *,
    valid_from: int = 0,
    trained_at: int = 0,
    model_id: str = "x",
    at: float = 0.5,
    lose: float = 0.2,
    win: float = 0.8,
) -> Ensemble:
    """Return an ensemble of one split: `lose` in each leaf where the first feature is at most `at`, `win` above.

    The boosted member reads its leaf as log odds and the line says one half, so the vote lies nearer the middle.
    """

    def a(*values: float, kind: type = np.int64) -> np.ndarray:
        return np.array(values, kind)

    tree = Tree(
        a(1, -1, -1), a(2, -1, -1), a(0, 0, 0), a(at, 0, 0, kind=np.float32), a(0, lose, win, kind=float)
    )
    heaps, line = heaped([tree]), np.zeros(2 * len(EIGHT))
    return Ensemble(
        model_id, schema_of(), heaps, heaps, 0.0, line, 0.0, a(0, 1, kind=float), a(0, 1, kind=float),
        valid_from, trained_at,
    )  # fmt: skip
