"""`mia options levels FILE` over every chain at hand: right against the reference, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mia_kernel.cli.options import levels
from mia_kernel.core.errors import FormatError
from tests.shared_data import SHARED, needs_shared_data

pytestmark = [needs_shared_data, pytest.mark.options, pytest.mark.integration]

NO_CHAIN = {"README.md", "REFERENCE.md", "reference_values.json", "occ_oi_SPX_20260810_20260818.json"}
PARTIAL = {
    "cboe_json_sample_spx_20260611.json", "cboe_json_sample_spxw_20260611.json",
    "spx_quotedata_20220109_janexp_padded.csv", "spx_quotedata_20230609_2218_nearmoney.csv",
    "spx_quotedata_20231209_decexp_ru_locale.csv", "spx_quotedata_20241111_nearmoney_es_locale.csv",
}  # fmt: skip


def _files() -> list[Path]:
    if SHARED is None:
        return []
    return sorted(
        file for name in ("options", "spx_chains") for file in (SHARED / name).iterdir() if file.is_file()
    )


def _reference() -> dict[str, Any]:
    path = None if SHARED is None else SHARED / "options" / "reference_values.json"
    return json.loads(path.read_text()) if path is not None and path.exists() else {}


REFERENCE = _reference()


ALWAYS = {"spx_20230609_1340ET_intraday.csv", "spy_20230914_1631ET_eod.csv"}


def _asked(file: Path) -> Any:
    """The reference's own files are also held to it in `test_gamma_golden`: all of them here in the long form."""
    repeated = file.name in REFERENCE and file.name not in ALWAYS
    return pytest.param(file, id=file.name, marks=[pytest.mark.long] if repeated else [])


@pytest.mark.parametrize("file", [_asked(file) for file in _files()])
def test_every_file_is_answered_or_refused_with_the_reason(file: Path) -> None:
    answer = CliRunner().invoke(levels, [str(file), "--json", "-"])
    if file.name in NO_CHAIN:
        assert isinstance(answer.exception, FormatError)
        assert answer.exception.exit_code == 2
        assert answer.exception.rule
        return
    assert answer.exit_code == 0, answer.output or answer.exception
    told = json.loads(answer.stdout)
    _holds_together(told)
    assert told["partial"] == (file.name in PARTIAL)
    assert (told["confidence"]["score"] <= 0.5) == told["partial"]
    assert (told["es"] is None) == (told["underlying"] != "SPX")
    assert (told["es_reason"] is None) == (told["es"] is not None)
    if file.name in REFERENCE:
        _agrees(told, REFERENCE[file.name])


def _holds_together(told: dict[str, Any]) -> None:
    gross = told["gross_gex"]
    assert gross > 0
    assert told["net_gex"] == pytest.approx(
        sum(row["net_gex"] for row in told["by_strike"]), abs=1e-9 * gross
    )
    assert told["net_gex"] == pytest.approx(
        sum(row["net_gex"] for row in told["by_expiry"]), abs=1e-9 * gross
    )
    assert gross == pytest.approx(sum(row["gross_gex"] for row in told["by_expiry"]))
    assert (told["zero_gamma"] is None) == (told["zero_gamma_reason"] is not None)
    assert 0.0 < told["confidence"]["score"] <= 1.0
    for name in ("call_wall", "put_wall"):
        assert told[name] is None or any(row["strike"] == told[name] for row in told["by_strike"])


def _agrees(told: dict[str, Any], known: dict[str, Any]) -> None:
    gross = (known["gross_gex_bn"]["call"] - known["gross_gex_bn"]["put"]) * 1e9
    net = known["total_gex_bn_per_1pct"]["black_parity_forward_repaired_iv"] * 1e9
    assert abs(told["net_gex"] - net) < 0.001 * gross
    assert (told["call_wall"], told["put_wall"]) == (
        known["walls"]["call_wall_net"],
        known["walls"]["put_wall_net"],
    )
    assert told["zero_gamma"] == pytest.approx(known["zero_gamma"], abs=0.5)
    assert told["put_call_oi"] == pytest.approx(known["pcr"]["oi"], rel=1e-12)
    assert told["max_pain"] == known["next_expiry"]["max_pain"]
