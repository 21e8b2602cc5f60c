"""Read the guardian's law: `risk.toml` in MIA_HOME, every limit written out, nothing assumed.

The file belongs to the person who bears the loss. A missing limit, an unknown key, a wrong unit or a value
beyond the caps compiled in here is refused with file and line; without the file nothing can be armed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mia_kernel.core.errors import InputError, OutsideError, SettingsError
from mia_kernel.risk.params import RiskParams
from mia_kernel.state.costs import CostParams

NAME = "risk.toml"
CAPS = {
    "max_position": 2.0,
    "max_risk_usd": 2_500.0,
    "max_risk_percent": 2.0,
    "daily_loss_usd": 5_000.0,
    "hard_daily_loss_usd": 10_000.0,
    "weekly_loss_usd": 15_000.0,
    "max_drawdown_percent": 20.0,
    "max_orders_per_second": 5,
    "max_orders_per_hour": 60,
    "max_rejections_per_minute": 10,
    "stale_book_rth_ms": 10_000.0,
    "stale_book_eth_ms": 60_000.0,
}
"""No file can allow more than this; more needs another build."""
OPTIONAL = ("profit_target_usd", "gates", "gamma")


class GuardianParams(BaseModel):
    """How the guardian watches; money limits are `RiskParams`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heartbeat_lost_s: float = Field(
        default=1.0, gt=0.0, le=1.5, description="Engine silence after which entries are cancelled, s"
    )
    engine_lost_policy: str = Field(
        default="keep", pattern="^(keep|flatten)$", description="What then happens to a position, mode"
    )
    code_expires_s: float = Field(default=30.0, gt=0.0, le=120.0, description="Life of an arming code, s")
    unprotected_s: float = Field(
        default=1.0, gt=0.0, le=5.0, description="Position without an equal stop before the emergency, s"
    )
    not_flat_s: float = Field(
        default=3.0, gt=0.0, le=30.0, description="Time to be flat before re-pricing, s"
    )
    link_lost_s: float = Field(default=30.0, gt=0.0, le=120.0, description="Broker silence that is noted, s")
    reconcile_s: float = Field(
        default=30.0, gt=0.0, le=300.0, description="Time between reconciliations with the venue, s"
    )
    answer_s: float = Field(
        default=5.0, gt=0.0, le=30.0, description="Wait for an answer before the venue is asked again, s"
    )
    unseen_alert_s: float = Field(
        default=60.0, gt=0.0, le=600.0, description="A critical alert nobody saw disarms after, s"
    )
    review_days: int = Field(
        default=90, ge=1, le=365, description="Age of the review that blocks arming, days"
    )
    client_id: int = Field(default=999, ge=1, description="Client id of the order socket, number")


class Law(BaseModel):
    """One `risk.toml`, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(min_length=1, description="The one account orders may go to, id")
    allow: tuple[str, ...] = Field(default=(), description="Accounts allowed in production, ids")
    reviewed: dt.date = Field(description="When a person last went through this file, date")
    limits: RiskParams
    costs: CostParams = CostParams()
    guardian: GuardianParams = GuardianParams()


class LimitsFile:
    """The law with the text it came from: that text is handed to the engine, its hash bound to the arming."""

    def __init__(self, text: str, law: Law) -> None:
        self.text = text
        self.law = law
        self.digest = hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> LimitsFile:
    """Return the checked law in `path`.

    Raises
    ------
    SettingsError
        A missing limit, an unknown key, a broken rule or a value beyond a cap: with file and line.
    InputError
        If there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            "no limits: nothing can be armed without them",
            path=str(path),
            way_out="python -m mia_kernel.guardian --home MIA_HOME --write-limits ACCOUNT, then go through the file",
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError("not UTF-8", path=str(path), rule=str(error)) from None
    return parse(text, str(path))


def parse(text: str, path: str = NAME) -> LimitsFile:
    """Return the checked law in `text`; raises as `read`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("not a TOML file", path=path, rule=str(error)) from None
    limits = content.get("limits")
    if not isinstance(limits, dict):
        raise SettingsError("no limits", path=path, field="limits", rule="a table [limits]")
    missing = [n for n in RiskParams.model_fields if n not in limits and n not in OPTIONAL]
    if missing:
        raise SettingsError(
            "limits are missing",
            path=path,
            field="limits",
            value=", ".join(missing),
            rule="every limit is stated",
        )
    try:
        law = Law.model_validate(content)
    except ValidationError as error:
        raise _explained(error, text, path) from None
    for name, cap in CAPS.items():
        value = getattr(law.limits, name)
        if value > cap:
            raise SettingsError(
                "beyond what this build allows",
                path=path,
                line=_line(text, name),
                field=f"limits.{name}",
                value=value,
                rule=f"≤ {cap:g}",
            )
    if law.limits.hard_daily_loss_usd < law.limits.daily_loss_usd:
        raise SettingsError(
            "the hard daily loss lies inside the daily loss",
            path=path,
            line=_line(text, "hard_daily_loss_usd"),
            field="limits.hard_daily_loss_usd",
            value=law.limits.hard_daily_loss_usd,
            rule=f"≥ {law.limits.daily_loss_usd:g}",
        )
    return LimitsFile(text, law)


def default_text(account: str, today: dt.date) -> str:
    """Return a `risk.toml` with every limit at its default, one line each with its meaning."""
    lines = [
        "# The guardian's law. Read at its start only; limits never loosen while armed.",
        f'account = "{account}"',
        "allow = []  # accounts that may trade real money",
        f"reviewed = {today.isoformat()}  # raise this date when you have gone through the file",
        "",
        "[limits]",
    ]
    for name, field in RiskParams.model_fields.items():
        if name not in OPTIONAL:
            lines.append(f"{name} = {_toml(field.default)}  # {field.description}")
    return "\n".join((*lines, ""))


def write_default(path: Path, account: str, today: dt.date) -> None:
    """Write a `risk.toml` to go through; one that exists is never touched."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(default_text(account, today))
    except FileExistsError:
        raise InputError("limits exist already", path=str(path), way_out="edit that file") from None
    except OSError as error:
        raise OutsideError(
            f"{path}: {error.strerror or error}; way out: rights or room on that disk"
        ) from error


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _line(text: str, name: str) -> int | None:
    for number, line in enumerate(text.splitlines(), 1):
        if line.split("=", 1)[0].strip() == name:
            return number
    return None


def _explained(error: ValidationError, text: str, path: str) -> SettingsError:
    first = error.errors(include_url=False)[0]
    dotted = ".".join(str(part) for part in first["loc"])
    unknown = first["type"] == "extra_forbidden"
    return SettingsError(
        "unknown key" if unknown else "a value breaks its rule",
        path=path,
        line=_line(text, str(first["loc"][-1])),
        field=dotted,
        value=None if first["type"] == "missing" else first["input"],
        rule="keys are never reused or guessed; remove it" if unknown else first["msg"],
    )
