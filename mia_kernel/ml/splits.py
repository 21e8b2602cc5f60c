"""Cut labelled signals into training and test without a leak: by session, purged, embargoed.

How it moves: sessions in order are laid into groups of equal length; a split names the groups it tests; from
the rest every label whose life touches a test group's span is dropped (purge), and so are the sessions right
after it (embargo). Walk-forward trains on the past alone; the combinatorial form tests every choice of k groups
and gives C(N−1, k−1) whole paths. Source: López de Prado 2018, ch. 7 and 12.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InputError

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to train on and rows to test on, with the groups that are tested."""

    train: Index
    test: Index
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lives:
    """When labels live (ns UTC, both ends included) and on which trading day they began, in time order."""

    start: Index
    end: Index
    session: Index

    def __len__(self) -> int:
        return len(self.start)


def grouped(sessions: Index, n: int) -> Index:
    """Return the group of each row: `n` runs of whole sessions of equal number.

    Raises
    ------
    InputError
        If there are fewer sessions than groups.
    """
    distinct, at = np.unique(sessions, return_inverse=True)
    if len(distinct) < n:
        raise InputError(
            "too few sessions", field="groups", value=n, rule=f"at most {len(distinct)} sessions"
        )
    return (at.astype(np.int64) * n) // len(distinct)


def purged(
    lives: Lives, test: NDArray[np.bool_], groups: Index, *, embargo_sessions: int
) -> NDArray[np.bool_]:
    """Return which rows may be trained on when `test` rows are tested.

    Parameters
    ----------
    lives : Lives
    test : ndarray of bool
    groups : ndarray
        Group of each row; each run of neighbouring tested groups is one span.
    embargo_sessions : int
        Sessions after each span that may not be trained on.
    """
    keep = ~test
    ranks = np.unique(lives.session, return_inverse=True)[1]
    tested = np.unique(groups[test])
    runs = np.split(tested, np.flatnonzero(np.diff(tested) > 1) + 1)
    for run in runs:
        rows = test & (groups >= run[0]) & (groups <= run[-1])
        first, last = int(lives.start[rows].min()), int(lives.end[rows].max())
        keep &= ~((lives.start <= last) & (lives.end >= first))
        behind = int(ranks[rows].max())
        keep &= ~((ranks > behind) & (ranks <= behind + embargo_sessions))
    return keep


def walk_forward(lives: Lives, n_groups: int, *, embargo_sessions: int = 1) -> list[Split]:
    """Return n_groups − 1 splits: each group is tested once after training on all before it."""
    groups = grouped(lives.session, n_groups)
    splits: list[Split] = []
    for g in range(1, n_groups):
        test = groups == g
        keep = purged(lives, test, groups, embargo_sessions=embargo_sessions) & (groups < g)
        splits.append(Split(np.flatnonzero(keep), np.flatnonzero(test), (g,)))
    return splits


def combinatorial(lives: Lives, n_groups: int, k: int, *, embargo_sessions: int = 1) -> list[Split]:
    """Return the C(n_groups, k) purged splits; k = 1 is purged K-fold."""
    groups = grouped(lives.session, n_groups)
    splits: list[Split] = []
    for chosen in itertools.combinations(range(n_groups), k):
        test = np.isin(groups, chosen)
        keep = purged(lives, test, groups, embargo_sessions=embargo_sessions)
        splits.append(Split(np.flatnonzero(keep), np.flatnonzero(test), chosen))
    return splits


def paths(splits: Sequence[Split], n_groups: int, k: int) -> list[list[int]]:
    """Return for each whole path which split tests each group: C(n_groups − 1, k − 1) lists of n_groups."""
    count = math.comb(n_groups - 1, k - 1)
    holds = [[i for i, split in enumerate(splits) if g in split.groups] for g in range(n_groups)]
    return [[holds[g][j] for g in range(n_groups)] for j in range(count)]
