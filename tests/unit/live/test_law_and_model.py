"""What the model may do at a broker: the stricter of the settings and the guardian's law, in every pair."""

from __future__ import annotations

import datetime as dt

import pytest

from mia_kernel.adapters import limits_file
from mia_kernel.adapters.messages import Limits
from mia_kernel.live.broker import ML_MODES, under_limits
from mia_kernel.settings import load

pytestmark = [pytest.mark.unit, pytest.mark.safety]

LAW = limits_file.default_text("DU1", dt.date(2026, 1, 2))


def mode_under(settings: object, law: str) -> str:
    found = under_limits(settings, Limits(law, "DU1", "active", ()))  # type: ignore[arg-type]
    return found.risk.gates.ml_mode


@pytest.mark.parametrize("own", ML_MODES)
@pytest.mark.parametrize("law", ML_MODES)
def test_the_stricter_of_both_decides(tmp_path, own, law):
    settings = load(None, arguments={"home": str(tmp_path), "risk.gates.ml_mode": own}).settings
    text = f'{LAW}\n[limits.gates]\nml_mode = "{law}"\n'
    assert mode_under(settings, text) == max(own, law, key=ML_MODES.index)


def test_a_law_that_is_silent_on_models_does_not_loosen_production(tmp_path):
    settings = load("production", arguments={"home": str(tmp_path)}).settings
    assert "ml_mode" not in LAW
    assert mode_under(settings, LAW) == "require"
    assert mode_under(settings, "") == "require"


def test_every_other_limit_is_the_laws(tmp_path):
    settings = load("production", arguments={"home": str(tmp_path)}).settings
    law = limits_file.parse(LAW).law
    found = under_limits(settings, Limits(LAW, "DU1", "active", ()))
    assert found.risk.model_dump(exclude={"gates": {"ml_mode"}}) == law.limits.model_dump(
        exclude={"gates": {"ml_mode"}}
    )
    assert found.costs == law.costs
