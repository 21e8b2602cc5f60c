"""Everyday controls: ordinary ipywidgets that set a trait of a view. Nothing here can reach an order."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets


def choose(view: Any, trait: str) -> ipywidgets.ToggleButtons:
    """Return buttons for a trait of a view that has a fixed set of values (`timeframe`, `palette`).

    Raises
    ------
    TypeError
        If the trait has no such set.
    """
    kind = view.traits().get(trait)
    if not isinstance(kind, traitlets.Enum):
        raise TypeError(f"{type(view).__name__}.{trait} has no fixed set of values")
    options = [str(value) for value in kind.values or ()]
    control = ipywidgets.ToggleButtons(options=options, value=getattr(view, trait), description=trait)
    ipywidgets.link((control, "value"), (view, trait))
    return control
