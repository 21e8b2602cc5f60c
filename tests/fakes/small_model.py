"""A filter of a single tree, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.ml.ensemble import Ensemble
from mia_kernel.ml.inputs import EIGHT, schema_of
from mia_kernel.ml.trees import Tree, heaped


def ensemble() -> Ensemble:
    """Return an ensemble of one split."""

    def a(*values: float, kind: type = np.int64) -> Any:
        return np.array(values, kind)

    tree = Tree(
        a(1, -1, -1), a(2, -1, -1), a(0, 0, 0), a(0.5, 0, 0, kind=np.float32), a(0, 0.2, 0.8, kind=float)
    )
    heaps = heaped([tree])
    line = np.zeros(2 * len(EIGHT))
    return Ensemble(
        "x", schema_of(), heaps, heaps, 0.0, line, 0.0, a(0, 1, kind=float), a(0, 1, kind=float), 0, 0
    )
