"""Every setting in one record, with where each value came from.

    arguments  >  MIA_* environment  >  .env  >  profile TOML  >  defaults in code

Rooms own their `Params`; here they are only gathered, one line each. A key nobody owns is an error with its
path, and with file and line where it came from a file. Secrets come from the environment, or a `.env` of 0600, only.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from mia_kernel.adapters.ibkr_params import IbkrParams
from mia_kernel.adapters.machine import refuse_open_secrets
from mia_kernel.adapters.quality import QualityParams
from mia_kernel.analytics.alerts import AlertParams
from mia_kernel.confluence.score import ConfluenceParams
from mia_kernel.core.errors import SettingsError
from mia_kernel.engine import EngineParams
from mia_kernel.execution.params import ExecutionParams
from mia_kernel.ml.params import MlParams
from mia_kernel.risk.params import RiskParams
from mia_kernel.state.costs import CostParams
from mia_kernel.state.market import StateParams
from mia_kernel.state.volatility import VolatilityParams
from mia_kernel.strategy.params import StrategyParams

PROFILES = ("development", "paper", "staging", "production")
DEFAULT_PROFILE = "development"
PROFILE_FOLDER = Path(__file__).resolve().parent / "profiles"
PROJECT = Path(__file__).resolve().parent.parent

JOURNAL_SUFFIXES = (".journal", ".sqlite", ".db")

NOT_FIELDS = ("MIA_VENV", "MIA_BOOTSTRAP", "MIA_LIVE_SAID", "MIA_SHARED_DATA", "MIA_DESK_TOKEN")
"""MIA_* variables that other doors read: bootstrap, launcher, desk server and tests."""


class Secrets(BaseModel):
    """What must never be shown. Only from the environment, for example `MIA_SECRETS__DISCORD_WEBHOOK`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    discord_webhook: SecretStr | None = Field(
        default=None, description="webhook address for notices (secret)"
    )


class Settings(BaseSettings):
    """The effective settings of one process."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="MIA_",
        env_nested_delimiter="__",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
    )

    # of this machine: they cannot change a decision and stay out of `settings_id`
    profile: Literal["development", "paper", "staging", "production"] = Field(
        default=DEFAULT_PROFILE, description="which differences from the defaults apply (name)"
    )
    home: Path = Field(default=PROJECT, description="folder of data, journal, keys and reports (path)")
    lang: Literal["en", "fr"] = Field(default="en", description="language of reports and messages (name)")
    secrets: Secrets = Secrets()
    ibkr: IbkrParams = IbkrParams()
    alerts: AlertParams = AlertParams()

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        # Pages run in another folder than the command that started them: a relative home would be two homes.
        return home.expanduser().absolute()

    # of the rooms: one line each
    quality: QualityParams = QualityParams()
    state: StateParams = StateParams()
    volatility: VolatilityParams = VolatilityParams()
    costs: CostParams = CostParams()
    confluence: ConfluenceParams = ConfluenceParams()
    strategy: StrategyParams = StrategyParams()
    ml: MlParams = MlParams()
    risk: RiskParams = RiskParams()
    execution: ExecutionParams = ExecutionParams()
    engine: EngineParams = EngineParams()

    @property
    def data_folder(self) -> Path:
        """Return where the catalog lies: events by symbol and day, options, models, journal."""
        return self.home / "data"

    @property
    def journal_folder(self) -> Path:
        """Return where the journals of runs and replays lie."""
        return self.home / "data" / "journal"

    def journals(self) -> list[Path]:
        """Return the journals in MIA_HOME, newest first."""
        found = [p for p in self.journal_folder.glob("*") if p.is_file() and p.suffix in JOURNAL_SUFFIXES]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

    @property
    def trials_file(self) -> Path:
        """Return the log of every trial: what-ifs, models, searches."""
        return self.home / "data" / "trials.sqlite"

    @property
    def reports_folder(self) -> Path:
        """Return where generated pages go."""
        return self.home / "reports"


OF_THE_MACHINE = frozenset({"profile", "home", "lang", "alerts", "secrets", "ibkr"})


@dataclass(frozen=True, slots=True)
class Value:
    """One effective setting: dotted path, value as shown, unit, where it came from, what it means."""

    path: str
    value: Any
    unit: str
    origin: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings together with the origin of every value that is not a default."""

    settings: Settings
    origins: Mapping[str, str]

    def values(self) -> list[Value]:
        """Return every effective value in the order of the rooms; secrets are masked."""
        return [
            Value(path, _shown(value), unit_of(path, field), self.origins.get(path, "default"), field)
            for path, value, field in _leaves(self.settings)
        ]


def load(
    profile: str | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    env_file: Path | None = None,
    profile_file: Path | None = None,
) -> Loaded:
    """Gather arguments, environment, `.env`, profile and defaults into checked settings.

    Parameters
    ----------
    profile : str, optional
        One of `PROFILES`; else MIA_PROFILE, else development.
    arguments : mapping, optional
        Dotted path to value, for example ``{"risk.max_position": "1"}``; text is read as TOML where it can be.
    env_file : Path, optional
        Instead of `.env` in the project.
    profile_file : Path, optional
        Instead of the shipped file of that profile.

    Raises
    ------
    SettingsError
        An unknown key, a value outside its rule or a secret in a file; names the path, the origin and the rule.
    """
    env_file = PROJECT / ".env" if env_file is None else env_file
    environment = EnvSettingsSource(Settings)()
    dotenv = DotEnvSettingsSource(Settings, env_file=env_file)() if env_file.is_file() else {}
    refuse_open_secrets(env_file, dotenv)
    given = _nest(arguments or {})
    wanted = (given.get("profile"), profile, environment.get("profile"), dotenv.get("profile"))
    name = next(filter(None, wanted), DEFAULT_PROFILE)
    if name not in PROFILES:
        raise SettingsError(
            "unknown profile",
            field="profile",
            value=name,
            rule="one of " + ", ".join(PROFILES),
            way_out="--profile NAME",
        )
    path = profile_file or PROFILE_FOLDER / f"{name}.toml"
    from_profile = read_profile(path)
    layers = [
        (f"profile {name}", from_profile),
        (".env", dotenv),
        ("environment", environment),
        ("argument", given),
    ]
    _refuse_unknown_variables()
    merged: dict[str, Any] = {"profile": name}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        _lay_over(merged, layer, origins, origin)
    if profile and "profile" not in given:
        merged["profile"], origins["profile"] = profile, "argument"
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, origins, path) from None
    return Loaded(settings, origins)


def changed(settings: Settings, arguments: Mapping[str, Any]) -> Settings:
    """Return settings with some values replaced; everything else stays, whatever it came from.

    Parameters
    ----------
    settings : Settings
    arguments : mapping
        Dotted path to value, as for `load`; a mapping of weights replaces the weights as a whole.

    Raises
    ------
    SettingsError
        An unknown key or a value outside its rule.
    """
    merged = settings.model_dump()
    for dotted, value in arguments.items():
        *tables, last = dotted.split(".")
        table = merged
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = _from_text(value)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, dict.fromkeys(arguments, "argument"), PROFILE_FOLDER) from None


def read_profile(path: Path) -> dict[str, Any]:
    """Return the content of a profile file; secrets in it are refused."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            "no such profile file", path=str(path), way_out="name one of the shipped profiles"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("not a TOML file", path=str(path), rule=str(error)) from None
    if "secrets" in content:
        raise SettingsError(
            "a secret in a file",
            path=str(path),
            line=line_of(path, "secrets"),
            field="secrets",
            rule="secrets come from the environment only",
            way_out="set MIA_SECRETS__NAME in the environment or in .env",
        )
    return content


def settings_id(settings: Settings) -> str:
    """Return the sha256 over every parameter that can change a decision: no paths, no machine, no secrets."""
    deciding = settings.model_dump(mode="json", exclude=set(OF_THE_MACHINE))
    text = json.dumps(deciding, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


_UNITS = {
    "usd": "USD", "ticks": "ticks", "points": "points", "percent": "%", "share": "share", "contracts": "contracts",
    "bars": "bars", "ns": "ns", "us": "µs", "ms": "ms", "s": "s", "min": "min", "minutes": "min", "hours": "h",
    "days": "days", "atr": "ATR", "sd": "SD", "sigma": "SD", "events": "events", "per_s": "/s", "per_min": "/min",
    "per_hour": "/h", "per_day": "/day", "trades": "trades",
}  # fmt: skip


def unit_of(path: str, meaning: str = "") -> str:
    """Return the unit of a setting: the suffix of its name, else the end of its description (`…, s` or `… (s)`)."""
    name = path.rsplit(".", 1)[-1]
    for length in (2, 1):
        suffix = "_".join(name.split("_")[-length:])
        if suffix != name and suffix in _UNITS:
            return _UNITS[suffix]
    text = meaning.rstrip(". ")
    end = text[:-1].rsplit("(", 1)[-1] if text.endswith(")") else text.rsplit(", ", 1)[-1]
    return end if end != text and len(end) <= 14 else ""


def line_of(path: Path, dotted: str) -> int | None:
    """Return the line in a TOML file that sets `dotted`, or None where it cannot be told."""
    table = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.split("#", 1)[0].strip()
        if text.startswith("["):
            table = text.strip("[] ") + "."
            if table[:-1] == dotted:
                return number
        elif "=" in text and table + text.split("=", 1)[0].strip().strip('"') == dotted:
            return number
    return None


def _leaves(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value, field.description or ""


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "********"
    return str(value) if isinstance(value, Path) else value


def _nest(arguments: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for dotted, value in arguments.items():
        *tables, last = dotted.split(".")
        table = nested
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = _from_text(value)
    return nested


def _from_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value  # a bare word, as people type it: weights=mia11


def _lay_over(
    base: dict[str, Any], layer: Mapping[str, Any], origins: dict[str, str], origin: str, at: str = ""
) -> None:
    for key, value in layer.items():
        path = f"{at}{key}"
        if isinstance(value, Mapping) and isinstance(base.get(key, {}), dict):
            _lay_over(base.setdefault(key, {}), value, origins, origin, f"{path}.")
        else:
            base[key] = value
            origins[path] = origin
        if isinstance(value, Mapping):
            origins.setdefault(path, origin)


def _refuse_unknown_variables() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if not variable.upper().startswith("MIA_") or variable.upper() in NOT_FIELDS:
            continue
        if variable.upper()[4:].split("__", 1)[0] not in fields:
            raise SettingsError(
                "unknown environment variable",
                field=variable,  # not its value: a secret under a mistyped name would be shown
                rule="MIA_<setting> or MIA_<room>__<setting>; known: "
                + ", ".join(sorted(f.lower() for f in fields)),
                way_out="unset it or correct its name (`mia config show` lists all)",
            )


def _explained(error: ValidationError, origins: Mapping[str, str], profile: Path) -> SettingsError:
    first = error.errors(include_url=False)[0]
    dotted = ".".join(str(part) for part in first["loc"])
    origin = origins.get(dotted, "default")
    in_file = origin.startswith("profile")
    unknown = first["type"] == "extra_forbidden"
    return SettingsError(
        "unknown setting" if unknown else "a setting breaks its rule",
        path=str(profile) if in_file else None,
        line=line_of(profile, dotted) if in_file else None,
        field=dotted,
        value=None if unknown or dotted.startswith("secrets") else first["input"],  # it may be a secret
        rule=_known_beside(dotted) if unknown else f"{first['msg']} (from {origin})",
        way_out=f"correct it in: {origin}",
    )


def _known_beside(dotted: str) -> str:
    model: type[BaseModel] = Settings
    for name in dotted.split(".")[:-1]:
        field = model.model_fields.get(name)
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            break
        model = field.annotation
    return "known here: " + ", ".join(model.model_fields)
