import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.core.errors import InputError
from mia_kernel.ml.splits import Lives, combinatorial, grouped, paths, walk_forward

pytestmark = pytest.mark.unit


def lives(seed: int, n: int = 300, sessions: int = 40) -> Lives:
    rng = np.random.default_rng(seed)
    session = np.sort(rng.integers(0, sessions, n))
    start = session * 1_000 + np.sort(rng.integers(0, 700, n))
    start = np.sort(start)
    return Lives(start, start + rng.integers(1, 400, n), start // 1_000)


def test_fifteen_splits_and_five_whole_paths():
    splits = combinatorial(lives(1), 6, 2)
    ways = paths(splits, 6, 2)
    assert (len(splits), len(ways)) == (15, 5)
    for way in ways:
        assert all(g in splits[i].groups for g, i in enumerate(way))
    used = [(g, i) for way in ways for g, i in enumerate(way)]
    assert len(set(used)) == 30  # every tested group of every split is used exactly once


@given(seed=st.integers(0, 10_000), k=st.integers(1, 3), embargo=st.integers(0, 3))
def test_no_training_label_lives_in_a_tested_span_or_its_embargo(seed, k, embargo):
    data = lives(seed)
    groups = grouped(data.session, 6)
    for split in combinatorial(data, 6, k, embargo_sessions=embargo):
        assert sorted(np.unique(groups[split.test]).tolist()) == list(split.groups)
        for g in split.groups:
            rows = groups == g
            low, high = data.start[rows].min(), data.end[rows].max()
            touching = (data.start[split.train] <= high) & (data.end[split.train] >= low)
            assert not touching.any()
            behind = np.unique(data.session)
            last = np.searchsorted(behind, data.session[rows].max())
            banned = behind[last + 1 : last + 1 + embargo]
            assert not np.isin(data.session[split.train], banned).any()


@given(seed=st.integers(0, 10_000))
def test_walk_forward_trains_on_the_past_alone(seed):
    data = lives(seed)
    steps = walk_forward(data, 6)
    assert len(steps) == 5
    for step in steps:
        assert len(step.train) == 0 or data.end[step.train].max() < data.start[step.test].min()


def test_a_session_is_never_split():
    data = lives(4)
    groups = grouped(data.session, 6)
    assert all(len(np.unique(groups[data.session == s])) == 1 for s in np.unique(data.session))
    with pytest.raises(InputError, match="too few sessions"):
        grouped(np.array([1, 1, 2]), 6)
