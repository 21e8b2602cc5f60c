"""Weight sets: which components are weighed and how much.

Presets are kept as the user wrote them; they are normalised to sum 1 when loaded, and the raw sum is shown.
A user's own set is a TOML or JSON file of `component = weight`, or a mapping.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_kernel.core.errors import SettingsError

PRESETS: dict[str, dict[str, float]] = {
    "mia14": {
        "gamma_levels": 15,
        "vwap_trend": 12,
        "es_nq_correlation": 10,
        "level_proximity": 10,
        "session_context": 8,
        "pullback_quality": 8,
        "sierra_patterns": 10,
        "volume_confirmation": 5,
        "options_flow": 5,
        "order_book": 3,
        "tick_momentum": 3,
        "delta_divergence": 3,
        "smart_money": 3,
        "mtf_confluence": 3,
    },
    "mia11": {
        "gamma_levels": 28,
        "vwap_trend": 16,
        "es_nq_correlation": 7,
        "level_proximity": 7,
        "session_context": 2.5,
        "pullback_quality": 1.5,
        "sierra_patterns": 16,
        "volume_confirmation": 20,
        "options_flow": 13,
        "order_book": 15,
        "smart_money": 12.5,
    },
    "bars": {
        "vwap_trend": 12,
        "level_proximity": 10,
        "sierra_patterns": 10,
        "pullback_quality": 8,
        "volume_confirmation": 5,
        "mtf_confluence": 3,
    },
}
"""Verbatim (domain §15). `bars` is for research on sources without book, options or NQ."""


@dataclass(frozen=True, slots=True)
class WeightSet:
    """A loaded set: `static` sums to 1, `raw_sum` is what it summed to before."""

    name: str
    static: Mapping[str, float]
    raw_sum: float

    @property
    def preset_id(self) -> str:
        """Hash of names and normalised weights, for the journal."""
        text = json.dumps(dict(sorted(self.static.items())), separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_weights(given: str | Mapping[str, float], known: Iterable[str]) -> WeightSet:
    """Return a weight set by preset name, file or mapping.

    Parameters
    ----------
    given : str or mapping
        `mia14`, `mia11`, `bars`, the path of a `.toml` or `.json` file, or component → weight.
    known : iterable of str
        Registered components.

    Raises
    ------
    SettingsError
        An unknown preset or component, a weight that is negative or no number, or nothing above zero.
    """
    if isinstance(given, str):
        name, raw, path = (given, PRESETS[given], None) if given in PRESETS else (given, _read(given), given)
    else:
        name, raw, path = "own", dict(given), None
    components = set(known)
    for component, weight in raw.items():
        if component not in components:
            raise SettingsError(
                f"unknown component {component!r}",
                path=path,
                way_out="known: " + ", ".join(sorted(components)),
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingsError("not a weight", path=path, field=component, value=weight, rule="a number ≥ 0")
    total = math.fsum(raw.values())
    if total <= 0:
        raise SettingsError(
            "no weight above zero", path=path, field="weights", value=name, rule="at least one > 0"
        )
    return WeightSet(
        name, {component: weight / total for component, weight in raw.items() if weight > 0}, total
    )


def _read(path: str) -> dict[str, Any]:
    file = Path(path)
    if not file.is_file():
        raise SettingsError(
            "neither a preset nor a file",
            field="weights",
            value=path,
            way_out="presets: " + ", ".join(PRESETS) + "; or a .toml/.json file of component = weight",
        )
    text = file.read_text(encoding="utf-8")
    try:
        content: Any = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError("not a table of weights", path=path, rule=str(error)) from None
    table: Any = content.get("weights", content) if isinstance(content, dict) else content  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(table, dict):
        raise SettingsError("not a table of weights", path=path, rule="component = weight")
    return {str(key): value for key, value in table.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
