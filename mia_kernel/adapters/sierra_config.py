"""Read `sierra.toml`: what a Sierra export does not say about itself.

It stands beside the exports or in a folder above them (the nearest counts) and names charts with the zone of each
stream, their studies with study number and sub-graphs, and for files by pattern the symbol, the zone and the price
multiplier (feeds that store 100 × price need 0.01). Symbol and zone hold for files of any vendor, so one file at the
top of a folder lets one import do all of it. Nothing is guessed: without it what needs a zone is refused.

    price_multiplier = 1.0
    [charts.3]
    zones = { depth = "Europe/Paris", basedata = "Europe/Paris" }   # stream to zone; the rest is UTC
    [charts.3.studies.vwap]
    study = 12
    subgraphs = { v = 0, up1 = 1, dn1 = 2 }
    [[files]]
    match = "nq_ticks/*.csv"   # the file's name, or its path below this file
    symbol = "NQ"
    zone = "Europe/Madrid"
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mia_kernel.adapters.stamps import check_zone
from mia_kernel.core.errors import DataError, InputError

if TYPE_CHECKING:
    from mia_kernel.adapters.parts import Ask

FILE_NAME = "sierra.toml"
PLAUSIBLE = {
    "ES": (500.0, 20_000.0),
    "MES": (500.0, 20_000.0),
    "NQ": (800.0, 100_000.0),
    "MNQ": (800.0, 100_000.0),
}
"""Between which prices a product has traded, or may for years: a wrong multiplier lands outside."""


class Study(BaseModel):
    """A study of a chart: its number in Sierra, and which sub-graph holds which field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: int = Field(ge=0)
    subgraphs: dict[str, int] = Field(default_factory=dict)

    @field_validator("subgraphs")
    @classmethod
    def _distinct(cls, value: dict[str, int]) -> dict[str, int]:
        if len(set(value.values())) != len(value) or min(value.values(), default=0) < 0:
            raise ValueError("two fields on one sub-graph, or a negative number")
        return value


class Chart(BaseModel):
    """A chart: zone of each stream it writes, and its studies by the `type` of their rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str | None = None
    zones: dict[str, str] = Field(default_factory=dict)
    studies: dict[str, Study] = Field(default_factory=dict)

    @field_validator("zones")
    @classmethod
    def _zones(cls, value: dict[str, str]) -> dict[str, str]:
        return {stream: _zone(zone) for stream, zone in value.items()}


class FileRule(BaseModel):
    """What holds for the files whose name matches a pattern."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = Field(min_length=1)
    symbol: str | None = None
    zone: str | None = None
    price_multiplier: float | None = Field(default=None, gt=0)

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return None if value is None else _zone(value)


class SierraConfig(BaseModel):
    """The content of a `sierra.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price_multiplier: float = Field(default=1.0, gt=0)
    charts: dict[int, Chart] = Field(default_factory=dict)
    files: tuple[FileRule, ...] = ()

    def rule_for(self, *names: str) -> FileRule | None:
        """Return the first rule whose pattern matches one of a file's names (its own, its path below this file)."""
        return next((rule for rule in self.files if any(fnmatch(name, rule.match) for name in names)), None)

    def zone_of(self, chart: int, stream: str) -> str | None:
        """Return the declared zone of a chart's stream, None where nothing is declared."""
        return self.charts[chart].zones.get(stream) if chart in self.charts else None


def _zone(text: str) -> str:
    try:
        return check_zone(text)
    except InputError as error:
        raise ValueError(f"{text!r} is no IANA zone") from error


def load_sierra(path: Path) -> SierraConfig:
    """Return the settings of a `sierra.toml`.

    Raises
    ------
    InputError
        Naming the field that is wrong.
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return SierraConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError("a wrong setting", path=str(path), field=field, value=first.get("input"),
                         rule=first["msg"], way_out="see docs/data.md for the fields") from error  # fmt: skip
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("not TOML", path=str(path), value=str(error), way_out="fix the file") from error


@lru_cache(maxsize=32)
def _cached(path: Path, _changed_ns: int) -> SierraConfig:
    return load_sierra(path)


def sierra_of(ask: Ask, path: str) -> SierraConfig:
    """Return what the user gave, else the nearest `sierra.toml` beside or above the file, else the defaults."""
    if ask.sierra is not None:
        return ask.sierra
    beside = _nearest(path)
    return SierraConfig() if beside is None else _cached(beside, beside.stat().st_mtime_ns)


def _nearest(path: str) -> Path | None:
    folders = Path(path.split("!")[0]).absolute().parents
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)


def _rule(ask: Ask, path: str) -> FileRule | None:
    file = Path(path.split("!")[0]).absolute()
    beside = _nearest(path) if ask.sierra is None else None
    below = () if beside is None else (file.relative_to(beside.parent).as_posix(),)
    return sierra_of(ask, path).rule_for(file.name, *below)


def multiplier_of(ask: Ask, path: str) -> float:
    """Return the price multiplier of a file."""
    rule = _rule(ask, path)
    given = None if rule is None else rule.price_multiplier
    return sierra_of(ask, path).price_multiplier if given is None else given


def with_rule(ask: Ask, path: str) -> Ask:
    """Return the ask with the symbol and zone that `sierra.toml` gives this file, where the user gave none."""
    rule = _rule(ask, path)
    return ask if rule is None else replace(ask, symbol=ask.symbol or rule.symbol, tz=ask.tz or rule.zone)


def check_scale(points: NDArray[np.float64], root: str, path: str, multiplier: float) -> None:
    """Refuse prices that the product never had: they need a multiplier, or another than the one they were given.

    Raises
    ------
    DataError
        With the median and the multiplier that would fit, where one of 0.01, 0.1, 10 and 100 does.
    """
    if root not in PLAUSIBLE or len(points) == 0:
        return
    low, high = PLAUSIBLE[root]
    finite = points[np.isfinite(points)]
    median = float(np.median(finite)) if len(finite) else 0.0
    if low <= median <= high:
        return
    fits = [factor for factor in (1 / multiplier, 0.01, 100.0, 0.1, 10.0) if low <= median * factor <= high]
    hint = f"set price_multiplier = {fits[0] * multiplier:g} in {FILE_NAME}" if fits else "check --symbol"
    raise DataError(f"no {root} price", path=path, field="price", value=round(median, 6),
                    rule=f"{root} trades between {low:g} and {high:g} points", way_out=hint)  # fmt: skip
