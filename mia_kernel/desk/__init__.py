"""Speak to a notebook: a recorded day, a run over it, the state at any instant.

    day = mia.day("replay:2019-08-09")
    run = day.replay(weights="mia14")
    run.at("2019-08-09T09:45:15-05:00").why_not()

Replay runs here, in the notebook's own process; a running loop is another process and is never touched by
a kernel that restarts. Names are looked up on first use: who only watches a loop loads no engine and no tables.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mia_kernel.desk.attached import Desk, attach
    from mia_kernel.desk.days import Day, Run, day
    from mia_kernel.desk.moment import Moment
    from mia_kernel.desk.rerun import Rerun
    from mia_kernel.desk.review import post_mortem, week

_ROOM = {
    "Day": "days",
    "Desk": "attached",
    "Moment": "moment",
    "Rerun": "rerun",
    "Run": "days",
    "attach": "attached",
    "day": "days",
    "post_mortem": "review",
    "week": "review",
}

__all__ = ["Day", "Desk", "Moment", "Rerun", "Run", "attach", "day", "post_mortem", "week"]


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
