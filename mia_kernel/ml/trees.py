"""Vote with a forest in microseconds: every tree a full heap, eight walked side by side, no branch.

How it moves: `heaped` lays trees of any library out as heaps of one depth (`HEAP` arrays); a node sends a
row left where x ≤ threshold. Short branches are filled with nodes that always go left. Walking eight trees at
once keeps the processor busy while it waits for memory: one call costs what one cache miss per level does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.kernel import kernel

LANES = 8
DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree as its library tells it: children by node (−1 at a leaf), `x ≤ threshold` goes left."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    value: NDArray[np.float64]


NODE_DTYPE = np.dtype([("threshold", np.float32), ("feature", np.int32)])


@dataclass(frozen=True, slots=True)
class Heaps:
    """Trees as heaps: (trees, 2^depth − 1) features and thresholds, (trees, 2^depth) leaf values.

    `nodes` is the first two side by side: what a step reads lies in one line of the processor's cache.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    leaf: NDArray[np.float32]
    depth: int
    count: int  # real trees; the rest fill the last lane and vote 0
    nodes: NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Lay the nodes out for walking."""
        object.__setattr__(self, "nodes", _side_by_side(self.feature, self.threshold))


def _side_by_side(feature: NDArray[np.int32], threshold: NDArray[np.float32]) -> NDArray[Any]:
    nodes = np.empty(feature.shape, NODE_DTYPE)
    nodes["feature"], nodes["threshold"] = feature, threshold
    return nodes


def heaped(trees: Sequence[Tree]) -> Heaps:
    """Return trees as heaps of the deepest one's depth.

    Raises
    ------
    InvariantError
        If a tree is deeper than DEEPEST: a heap would not fit.
    """
    depth = max((_depth(tree) for tree in trees), default=1)
    depth = max(depth, 1)
    if depth > DEEPEST:
        raise InvariantError(f"a tree of depth {depth}; heaps hold {DEEPEST} at most")
    rows = -(-max(len(trees), 1) // LANES) * LANES
    feature = np.zeros((rows, (1 << depth) - 1), np.int32)
    threshold = np.full((rows, (1 << depth) - 1), np.inf, np.float32)
    leaf = np.zeros((rows, 1 << depth), np.float32)
    for i, tree in enumerate(trees):
        _lay(tree, feature[i], threshold[i], leaf[i])
    return Heaps(feature, threshold, leaf, depth, len(trees))


def _depth(tree: Tree) -> int:
    deepest, stack = 0, [(0, 0)]
    while stack:
        node, level = stack.pop()
        deepest = max(deepest, level)
        if tree.left[node] >= 0:
            stack += [(int(tree.left[node]), level + 1), (int(tree.right[node]), level + 1)]
    return deepest


def _lay(tree: Tree, feature: NDArray[Any], threshold: NDArray[Any], leaf: NDArray[Any]) -> None:
    inner = len(feature)
    stack = [(0, 0)]
    while stack:
        node, at = stack.pop()
        if tree.left[node] < 0:
            while at < inner:
                at = 2 * at + 1
            leaf[at - inner] = tree.value[node]
        else:
            feature[at] = tree.feature[node]
            threshold[at] = tree.threshold[node]
            stack += [(int(tree.left[node]), 2 * at + 1), (int(tree.right[node]), 2 * at + 2)]


def below(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 not above each threshold: for a float32 x, x ≤ t says the same of both."""
    near = threshold.astype(np.float32)
    return np.where(near.astype(np.float64) > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def strictly_below(threshold: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the next float32 under each threshold: for a float32 x, x < t is x ≤ that."""
    return np.nextafter(threshold.astype(np.float32), np.float32(-np.inf)).astype(np.float32)


@kernel
def _right(x: Any, node: Any) -> int:
    """Return 1 where a row goes right at a node, 0 where it goes left."""
    return 1 if x[node["feature"]] > node["threshold"] else 0


@kernel
def votes(x: Any, nodes: Any, leaf: Any, depth: int) -> float:
    """Return the sum of the leaves a row reaches.

    Parameters
    ----------
    x : ndarray of float32
    nodes, leaf : the arrays of `Heaps`
    """
    total = 0.0
    inner = (1 << depth) - 1
    for t in range(0, nodes.shape[0], 8):
        a = b = c = d = e = f = g = h = 0
        for _ in range(depth):
            a = 2 * a + 1 + _right(x, nodes[t, a])
            b = 2 * b + 1 + _right(x, nodes[t + 1, b])
            c = 2 * c + 1 + _right(x, nodes[t + 2, c])
            d = 2 * d + 1 + _right(x, nodes[t + 3, d])
            e = 2 * e + 1 + _right(x, nodes[t + 4, e])
            f = 2 * f + 1 + _right(x, nodes[t + 5, f])
            g = 2 * g + 1 + _right(x, nodes[t + 6, g])
            h = 2 * h + 1 + _right(x, nodes[t + 7, h])
        total += (
            leaf[t, a - inner]
            + leaf[t + 1, b - inner]
            + leaf[t + 2, c - inner]
            + leaf[t + 3, d - inner]
            + leaf[t + 4, e - inner]
            + leaf[t + 5, f - inner]
            + leaf[t + 6, g - inner]
            + leaf[t + 7, h - inner]
        )
    return total
