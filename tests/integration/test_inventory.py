"""Every real file imports with the row counts its README states, or is refused for the reason it names.

Rows are those read from the file (`verdict.counts`), so what a check sets aside is in the count and told.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import ImportResult, import_sources, worst_exit_code
from tests.shared_data import SHARED, needs_shared_data, shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]


def _import(tmp_path: Path, name: str, **asked: str) -> dict[str, ImportResult]:
    results = import_sources([shared_file(name)], Catalog(tmp_path / "data"), **asked)  # type: ignore[arg-type]
    return {Path(result.path).name: result for result in results}


def _count(result: ImportResult, key: str = "rows") -> int:
    assert result.status == "stored", result.error
    return sum(part.verdict.counts.get(key, 0) for part in result.parts)


ROWS: dict[str, tuple[dict[str, str], dict[str, int]]] = {
    "sierra/ES_1min_bidask_2022-05-01_2022-05-20.txt": ({}, {"ES_1min_bidask_2022-05-01_2022-05-20.txt": 20_700}),
    "sierra/ESM23_10records.scid": ({}, {"ESM23_10records.scid": 10}),
    "sierra/ES_intraday_export_1sec_20110102.csv": ({"tz": "UTC"}, {"ES_intraday_export_1sec_20110102.csv": 999}),
    "es_ticks_sierra_dom": ({"tz": "UTC"}, {"ES_trades_dom40_20220124_133000-133100utc.txt": 2_026}),
    "nq_ticks": (
        {"tz": "Europe/Madrid"},
        {
            "time_and_sales_nq_20251127.csv": 43_719,
            "time_and_sales_nq_20251209_00h-06h.csv": 19_794,
            "time_and_sales_nq_20251009_30min.csv": 19_794,
            "nq_trades_with_dom30_20251020_2min.csv.gz": 1_058,
        },
    ),
    "es_nq_1min_2026": (
        {"tz": "America/Chicago"},
        {"ES_1min_2026-06-15_2026-06-22.csv": 5_688, "NQ_1min_2026-06-15_2026-06-22.csv": 5_688},
    ),
    "es_nq_5min_tradingview": (
        {"tz": "UTC"},
        {
            "ES1_5m_20241202_20251205.parquet": 69_606,
            "NQ1_5m_20241202_20251205.parquet": 71_175,
            "ES_1m_novolume_20250727_20251203.parquet": 105_825,
        },
    ),
    "es_1min_other": (
        {},
        {
            "ES_1min_firstrate_sample_20250420_20250505.csv": 15_310,
            "NQ_1min_firstrate_sample_20231119_20231204.csv": 14_714,
        },
    ),
    "vix/VIX_daily.csv": ({}, {"VIX_daily.csv": 8_629}),
}  # fmt: skip


@needs_shared_data
@pytest.mark.parametrize(("name", "told"), ROWS.items())
def test_text_bars_and_ticks_have_the_rows_they_should(
    tmp_path: Path, name: str, told: tuple[dict[str, str], dict[str, int]]
) -> None:
    asked, rows = told
    results = _import(tmp_path, name, **asked)
    assert {file: _count(result) for file, result in results.items()} == rows


@needs_shared_data
def test_the_session_of_ticks_has_all_its_trades(tmp_path: Path) -> None:
    (result,) = _import(tmp_path, "es_ticks_cme_timesales").values()
    parts = {part.contract: (part.rows, part.volume) for part in result.parts}
    assert parts["ESU19"] == (325_253, 1_962_653)
    assert {contract: rows for contract, (rows, _) in parts.items()} == {
        "ESU19": 325_253,
        "ESZ19": 1_628,
        "ESH20": 81,
    }


@needs_shared_data
def test_the_order_book_hour_has_its_records(tmp_path: Path) -> None:
    (result,) = _import(tmp_path, "dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst").values()
    assert (_count(result, "records"), _count(result)) == (68_792, 2_973)
    (eve,) = _import(tmp_path, "dbn/esh4-glbx-mdp3-20231224.mbo.dbn.zst").values()
    assert _count(eve, "records") == 8_725


FIXTURES: dict[str, Callable[[ImportResult], bool]] = {
    "dbn/fixtures_glbx_esh1": lambda r: r.status in ("stored", "known"),
    "dbn/fixtures_versions": lambda r: (
        r.status in ("stored", "known") or "instrument MIA does not know" in str(r.error)
    ),
}


@needs_shared_data
@pytest.mark.parametrize("folder", FIXTURES)
def test_every_schema_and_version_is_read(tmp_path: Path, folder: str) -> None:
    results = _import(tmp_path, folder)
    assert len(results) in (14, 28)
    assert not [name for name, result in results.items() if not FIXTURES[folder](result)]
    refused = {name.split(".")[1] for name, result in results.items() if result.status == "refused"}
    # Definitions there are of MSFT; the statistics name no symbol at all.
    assert refused == ({"definition", "statistics"} if folder.endswith("versions") else set())


@needs_shared_data
def test_definitions_are_tables(tmp_path: Path) -> None:
    (result,) = _import(tmp_path, "dbn/definition-glbx-es-fut.dbn.zst").values()
    assert [(part.contract, part.rows) for part in result.parts] == [("ESM23", 2)]
    (options,) = _import(tmp_path, "dbn/definition-glbx-es-opt.dbn.zst").values()
    assert (options.status, options.exit_code) == ("options", 2)
    assert "ESM4 C4250" in str(options.error)


@needs_shared_data
def test_lobster_imports_as_a_pair_and_a_book_alone_has_no_time(tmp_path: Path) -> None:
    results = _import(tmp_path, "lobster")
    pair = next(result for name, result in results.items() if name.startswith("AAPL"))
    assert _count(pair) == 999
    assert [Path(path).name for path in pair.together_with] == [
        "AAPL_2012-06-21_34200000_57600000_orderbook_10.first998.csv"
    ]
    book = next(result for name, result in results.items() if name.startswith("AMZN"))
    assert "without its messages has no time" in str(book.error)


@needs_shared_data
def test_lean_files_hold_all_expiries(tmp_path: Path) -> None:
    results = _import(tmp_path, "lean_es_minute_quotes")
    assert {name: (r.status, len(r.parts)) for name, r in results.items()} == {
        "20200105_trade.zip": ("stored", 3), "20200106_trade.zip": ("stored", 3),
        "20200105_quote.zip": ("stored", 5), "20200106_quote.zip": ("stored", 5),
        "20200105_openinterest.zip": ("stored", 5), "20200106_openinterest.zip": ("stored", 5),
    }  # fmt: skip
    front = next(part for part in results["20200106_trade.zip"].parts if part.contract == "ESH20")
    assert front.rows == 1_365


@needs_shared_data
def test_the_cleaned_study_day_is_one_book_with_its_quotes(tmp_path: Path) -> None:
    results = _import(tmp_path, "sierra_acsil/20250905_clean", symbol="ES")
    book = results["es_dom19_20250905.csv.gz"]
    assert (_count(book, "quotes"), _count(book, "dom")) == (9_855, 6_415)
    assert _count(results["es_bar_updates_20250905.csv"]) == 12_019
    assert _count(results["vix_20250905.csv"]) == 109


TELLING = ("ESH16-CME.part", "ESH17-CME", "ESM18-CME.part", "ESZ18-CME", "ESZ24-CME")
"""Contracts that differ from the others: parts of a file, a bar whose sides do not add up, a day that is missing."""


def _contracts(results: dict[str, ImportResult]) -> None:
    assert {result.status for result in results.values()} == {"stored"}
    assert {result.parts[0].zone for result in results.values()} == {"America/Chicago"}
    assert {result.parts[0].adjustment for result in results.values()} == {"contract"}
    mismatched = {n: r.parts[0].verdict.counts.get("side_mismatch", 0) for n, r in results.items()}
    told = {"ESH17-CME.txt.gz", "ESU17-CME.txt.gz", "ESZ18-CME.txt.gz"} & set(results)
    assert {name for name, count in mismatched.items() if count} == told
    assert max(mismatched.values()) == 1


@needs_shared_data
def test_per_contract_bars_are_whole(tmp_path: Path) -> None:
    files = [shared_file(f"sierra_es_5min_contracts/{name}.txt.gz") for name in TELLING]
    results = import_sources(files, Catalog(tmp_path / "data"))
    _contracts({Path(result.path).name: result for result in results})


@pytest.mark.long
@needs_shared_data
def test_all_per_contract_bars_are_whole(tmp_path: Path) -> None:
    results = _import(tmp_path, "sierra_es_5min_contracts")
    assert len(results) == 28
    _contracts(results)


@needs_shared_data
def test_files_of_options_are_named_and_stop_nothing(tmp_path: Path) -> None:
    """Copies beside one file of futures: the folder ends well, every chain is told where it belongs."""
    own = tmp_path / "own"
    own.mkdir()
    for name in ("options/spx_20230914_1631ET_eod.csv", "options/occ_oi_SPX_20260810_20260818.json",
                 "spx_chains/cboe_delayed_quotes_RUT_20230921.json", "dbn/definition-glbx-es-opt.dbn.zst",
                 "lean_es_futureoptions_202001/202003_20200106_trade_american.zip",
                 "lean_spx_options_202101/index_spx_minute_20210104_trade.zip", "options/reference_values.json",
                 "vix/VIX_daily.csv"):  # fmt: skip
        (own / Path(name).name).symlink_to(shared_file(name))
    results = import_sources([own], Catalog(tmp_path / "data"))
    assert worst_exit_code(results) == 0
    told = {Path(result.path).name: result for result in results}
    assert told.pop("VIX_daily.csv").status == "stored"
    assert {result.status for result in told.values()} == {"options"}
    assert "mia options store" in str(told["spx_20230914_1631ET_eod.csv"].error)


@pytest.mark.long
@needs_shared_data
def test_all_years_of_minutes(tmp_path: Path) -> None:
    results = _import(tmp_path, "es_1min_firstrate")
    assert {result.status for result in results.values()} == {"stored"}
    assert {part.adjustment for result in results.values() for part in result.parts} == {"back_adjusted"}


@needs_shared_data
def test_a_year_of_minutes(tmp_path: Path) -> None:
    (result,) = _import(tmp_path, "es_1min_firstrate/ES_1min_2022-01-02_2022-05-20.tar.xz").values()
    (part,) = result.parts
    assert (part.adjustment, part.zone) == ("back_adjusted", "America/New_York")
    assert part.rows == part.verdict.counts["rows"]


APART = ("options", "spx_chains", "lean_spx_options_202101", "lean_es_futureoptions_202001")
ELSEWHERE = ("es_ticks_cme_timesales", "dbn", "lobster", "lean_es_minute_quotes", "sierra_acsil/20250905_clean",
             "sierra_es_5min_contracts", "es_1min_firstrate")  # fmt: skip
"""Folders that a test above imports whole; the raw ACSIL lines are read by `test_traps`, with the clocks they need."""


@needs_shared_data
def test_no_real_file_is_left_out() -> None:
    assert SHARED is not None
    files = {file.relative_to(SHARED).as_posix() for file in SHARED.rglob("*") if file.is_file()} - {
        "README.md"
    }
    covered = (*ROWS, *ELSEWHERE, *APART, "sierra_acsil/20250916_raw")
    assert not [name for name in files if not any(name == c or name.startswith(f"{c}/") for c in covered)]
