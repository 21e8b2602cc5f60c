"""Minutes that the state kernels build from the recorded ticks against minutes that somebody else built.

The FirstRate series of 2019 is shifted at each roll: on that day it lies 7.00 points above the traded price.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core import events as ev
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

SHIFT_TICKS = 28


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[Any], NDArray[Any]]:
    """Kernel bars and FirstRate rows of the same minutes of 9 August 2019, in order."""
    ticks = open_recording(shared_file("es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"))
    theirs = open_recording(shared_file("es_1min_firstrate/ES_1min_2019.tar.xz")).events
    run = Run(load().settings, ticks)
    run.drive()
    ours = np.array(run.bars)
    same = np.isin(theirs["ts_event"], ours["end"])
    assert int(same.sum()) == len(ours) == 1364
    return ours, theirs[same]


def test_high_and_low_are_equal_in_every_minute(pair: tuple[NDArray[Any], NDArray[Any]]) -> None:
    ours, theirs = pair
    assert np.array_equal(ours["high"] + SHIFT_TICKS, theirs["b"][:, ev.BAR_HIGH])
    assert np.array_equal(ours["low"] + SHIFT_TICKS, theirs["b"][:, ev.BAR_LOW])


@pytest.mark.parametrize("name", ["open", "close"])
def test_open_and_close_differ_by_two_ticks_at_most(
    pair: tuple[NDArray[Any], NDArray[Any]], name: str
) -> None:
    ours, theirs = pair
    other = theirs["b"][:, ev.BAR_OPEN] if name == "open" else theirs["px"]
    distance = np.abs(ours[name] + SHIFT_TICKS - other)
    assert distance.max() <= 2
    assert (distance == 0).mean() >= 0.994


def test_volume_is_equal_but_for_a_few_contracts_of_the_neighbour(
    pair: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    ours, theirs = pair
    distance = np.abs(ours["volume"] - theirs["sz"])
    assert (distance == 0).mean() >= 0.992
    assert distance.max() <= 4
