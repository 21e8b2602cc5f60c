"""One named test per trap of recorded data: what is found, what is mended by a rule, what is refused."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mia_kernel.adapters.acsil import read_acsil
from mia_kernel.adapters.acsil_lines import days_to_ns, read_lines
from mia_kernel.adapters.acsil_prices import PRICES, scale_prices
from mia_kernel.adapters.bookrows import usable
from mia_kernel.adapters.clocks import best_lag, fine_lag
from mia_kernel.adapters.companions import gather
from mia_kernel.adapters.lobster import read_lobster
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.rawtrades import RawTrades, trade_rows
from mia_kernel.adapters.sierra_config import Chart, FileRule, SierraConfig, Study
from mia_kernel.adapters.sierra_dom import fraction_ns, read_sierra_dom
from mia_kernel.adapters.sources import open_source, read_parts
from mia_kernel.adapters.ticks import read_tick_csv
from mia_kernel.adapters.wrappers import Member, members
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.core.session import session_row
from tests.fakes.market_files import bar_csv, session, sierra_text
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow, pytest.mark.safety]

NS = 1_000_000_000
T = 1_757_079_900  # 2025-09-05 13:45 UTC, a Friday in RTH
RAW = "sierra_acsil/20250916_raw/chart_3_trade_20250916.jsonl"
CLEAN = "sierra_acsil/20250905_clean/es_dom19_20250905.csv.gz"
LOCAL = ("depth", "basedata", "vwap", "pvwap", "vva", "nbcv", "atr", "correlation", "cumulative_delta")
PARIS = SierraConfig(
    charts={3: Chart(zones={"quote": "UTC", "trade": "UTC", **dict.fromkeys(LOCAL, "Europe/Paris")})}
)


def _iso(seconds: float) -> str:
    return f"{np.datetime64(round(T * 1000 + seconds * 1000), 'ms')}Z"


def _member(name: str, lines: list[str]) -> Member:
    return Member(name, name, ("\n".join(lines) + "\n").encode())


def _quotes(n: int = 60) -> Member:
    lines = ["ts_utc,bid,ask,bid_size,ask_size"]
    lines += [
        f"{_iso(k)},{6500 + 0.25 * (k % 9)},{6500.25 + 0.25 * (k % 9)},{5 + k},{7 + k}" for k in range(n)
    ]
    return _member("es_l1_quotes_20250905.csv", lines)


def _dom(n: int = 60, *, skip: int = 1, early: float = -0.01) -> Member:
    lines = [
        "ts_utc,"
        + ",".join(f"bid{k}_px,bid{k}_sz" for k in (1, 2))
        + ","
        + ",".join(f"ask{k}_px,ask{k}_sz" for k in (1, 2))
    ]
    for k in range(n):
        bid, ask = 6500 + 0.25 * (k % 9 - skip), 6500.25 + 0.25 * (k % 9 + skip)
        lines.append(f"{_iso(k - early)},{bid},50,{bid - 0.25},60,{ask},55,{ask + 0.25},65")
    return _member("es_dom2_20250905.csv", lines)


def _raw(ask: Ask) -> Part:
    (part,) = read_acsil(gather(shared_file(RAW))[0], ask)
    return part


@needs_shared_data
def test_two_clocks_in_one_file_are_refused_with_the_lag_printed() -> None:
    part = _raw(Ask(tz="UTC"))
    causes = [cause for cause in part.verdict.causes if cause.startswith("two_clocks")]
    assert {cause.split()[1] for cause in causes} == {"basedata", "depth"}
    assert all("+2 h" in cause for cause in causes)
    assert not (part.events["kind"] == ev.BOOK).any()
    assert part.tables == {}


@needs_shared_data
def test_two_clocks_are_separated_where_sierra_toml_names_the_zone_of_each_stream() -> None:
    part = _raw(Ask(sierra=PARIS))
    assert not [cause for cause in part.verdict.causes if cause.startswith("two_clocks")]
    assert (part.events["kind"] == ev.BOOK).any()
    first, last = part.tables["study_basedata"]["ts_event"].to_numpy()[[0, -1]]
    assert str(np.datetime64(int(first), "ns"))[:16] == "2025-09-16T09:26"
    assert last >= first


def test_day_fractions_are_decoded_exactly_and_no_finer_latency_is_claimed() -> None:
    assert days_to_ns(np.array([25569.0, 25569.000001, 45916.389089])).tolist() == [
        0,
        86_400_000,
        1_758_014_417_289_600_000,
    ]


@needs_shared_data
def test_the_raw_stamp_is_86_ms_wide() -> None:
    assert _raw(Ask(tz="UTC")).source.clock_resolution_ns == 86_400_000


def test_dom_off_by_one_takes_level_one_from_the_quote() -> None:
    (part,) = read_acsil([_dom(), _quotes()], Ask())
    counts = part.verdict.counts
    assert counts["dom_one_behind"] == counts["dom_comparable"] > 50
    books = part.events[part.events["kind"] == ev.BOOK]
    assert (books["ask"] - books["bid"] == 1).all()
    assert (books["b"][:, 1] == 50).all()
    assert (books["b"][:, 2] == 60).all()


def test_a_whole_dom_is_left_as_it_is() -> None:
    (part,) = read_acsil([_dom(skip=0), _quotes()], Ask())
    assert "dom_offset" not in part.verdict.counts
    assert part.events[part.events["kind"] == ev.BOOK]["b"][0, 0] == 50


def test_a_dom_with_a_hole_and_without_quotes_is_refused() -> None:
    with pytest.raises(DataError, match="lack its best level"):
        read_acsil([_dom()], Ask())


@needs_shared_data
def test_dom_off_by_one_is_found_in_the_real_day() -> None:
    (part,) = read_acsil(gather(shared_file(CLEAN))[0], Ask())
    counts = part.verdict.counts
    assert counts["dom_one_behind"] == counts["dom_comparable"] == 4_733
    assert any("7.9 s before the quotes" in cause for cause in part.verdict.causes)
    books = part.events[part.events["kind"] == ev.BOOK]
    assert (books["ask"] - books["bid"] <= 2).mean() > 0.99


def test_a_book_that_runs_seconds_early_is_moved_later_never_sooner() -> None:
    ts = np.arange(0, 400 * NS, NS // 2)
    price = 26_000 + np.cumsum(np.random.default_rng(1).integers(-2, 3, len(ts)))
    lag, share, at_zero = fine_lag(ts, price, ts + 7 * NS, price)
    assert (lag, share) == (7 * NS, 1.0)
    assert at_zero < 0.5
    assert fine_lag(ts, price, ts, price)[0] == 0


def test_lags_of_whole_and_half_hours_are_told() -> None:
    ts = T * NS + np.arange(400) * NS
    price = 26_000 + np.cumsum(np.random.default_rng(2).integers(-2, 3, 400))
    lag = best_lag(ts + 9_000 * NS, price, ts, price)
    assert lag.another_clock
    assert "+2.5 h" in str(lag)
    assert not best_lag(ts, price, ts, price).another_clock


@needs_shared_data
def test_duplicates_after_a_chart_reload_are_left_out_by_sequence_number() -> None:
    part = _raw(Ask(tz="UTC"))
    share = part.verdict.repaired["duplicates"] / (
        part.verdict.counts["lines_quote"] + part.verdict.counts["lines_trade"]
    )
    assert 0.43 < share < 0.47
    assert len(part.events) == 10_108 + 1_080 - 5_000 - 1  # one quote is crossed


@needs_shared_data
def test_study_fields_on_wrong_sub_graphs_are_absent() -> None:
    part = _raw(Ask(sierra=PARIS))
    absent = {code for code in part.verdict.counts if code.startswith("absent_")}
    assert {
        "absent_vwap_up1",
        "absent_vwap_dn1",
        "absent_correlation_cc",
        "absent_nbcv_delta_ratio",
    } <= absent
    assert not any(code.startswith(("absent_pvwap", "absent_vva", "absent_atr")) for code in absent)
    vwap = part.tables["study_vwap"]
    assert vwap["up1"].null_count == len(vwap)
    assert vwap["v"].null_count == 0


def test_a_study_number_other_than_declared_is_absent(tmp_path: Path) -> None:
    from mia_kernel.adapters.acsil_studies import checked_studies
    from mia_kernel.adapters.quality import Findings
    from mia_kernel.adapters.sierra_config import Study

    rows = [{"t": 1.0, "type": "atr", "atr": 0.5, "study": 45, "sg": 0}]
    good = checked_studies(
        "atr", rows, np.zeros(1, np.int64), Study(study=45, subgraphs={"atr": 0}), [], Findings("x", 1)
    )
    wrong = checked_studies("atr", rows, np.zeros(1, np.int64), Study(study=44), [], Findings("x", 1))
    graph = checked_studies(
        "atr", rows, np.zeros(1, np.int64), Study(study=45, subgraphs={"atr": 3}), [], Findings("x", 1)
    )
    assert [table["atr"].null_count for table in (good, wrong, graph)] == [0, 1, 1]


def _ticks(side: str, *, rows: int = 300, bid: str = "25000,00", name: str = "NQ_x.csv") -> Member:
    lines = ["timestamp;price;volume;lado;bid;ask"]
    lines += [
        f"2025-09-05 13:{45 + k // 60:02d}:{k % 60:02d}.5; 25000,25 ;1;{side};{bid};25000,25"
        for k in range(rows)
    ]
    return _member(name, lines)


def test_sides_that_are_always_ask_yield_no_delta() -> None:
    (part,) = read_tick_csv([_ticks("ASK")], Ask(tz="UTC"))
    assert part.source.carries.aggressor == "untrusted"
    assert (part.events["side"] == 0).all()
    assert "constant_side" in part.verdict.counts


def test_decimal_commas_and_padded_fields_are_read() -> None:
    (part,) = read_tick_csv([_ticks("BID", rows=3)], Ask(tz="UTC"))
    assert part.events["px"].tolist() == [100_001] * 3


def test_sides_against_the_quote_are_not_trusted() -> None:
    lines = ["timestamp;price;volume;side;bid;ask"]
    lines += [
        f"2025-09-05 13:45:{k % 60:02d}.5;6500,25;1;{'BID' if k % 5 else 'ASK'};6500,00;6500,25"
        for k in range(60)
    ]
    (part,) = read_tick_csv([_member("ES_x.csv", lines)], Ask(tz="UTC"))
    assert part.source.carries.aggressor == "untrusted"


@needs_shared_data
def test_late_quotes_are_told_and_not_given_out() -> None:
    (part,) = read_parts(shared_file("nq_ticks/time_and_sales_nq_20251127.csv"), Ask(tz="Europe/Madrid"))
    assert part.source.carries.aggressor == "feed"
    assert not part.source.carries.quotes
    assert part.verdict.counts["late_quotes"] > 10_000


def test_fractions_without_leading_zeros_are_microseconds() -> None:
    assert [fraction_ns(text) for text in ("5000", "6000", "47000", "955008", "")] == [
        5_000_000, 6_000_000, 47_000_000, 955_008_000, 0,
    ]  # fmt: skip


@needs_shared_data
def test_a_lagging_dom_lies_at_its_own_price() -> None:
    path = shared_file("es_ticks_sierra_dom/ES_trades_dom40_20220124_133000-133100utc.txt")
    (part,) = read_sierra_dom(list(members(path)), Ask(tz="UTC"))
    assert part.verdict.counts["rows"] == part.verdict.counts["side_agree"] == 2_026
    assert 0.7 < part.verdict.counts["dom_lags_quote"] / 2_026 < 0.85
    assert "late" not in part.verdict.counts
    books = part.events[part.events["kind"] == ev.BOOK]
    assert (books["ask"] > books["bid"]).all()


def test_lobster_direction_is_of_the_resting_order() -> None:
    head = "AAPL_2012-06-21_34200000_57600000"
    message = _member(
        f"{head}_message_1.csv",
        ["34200.1,1,11,100,5850000,1", "34200.2,4,11,10,5850000,1", "34200.3,5,0,10,5850050,1"],
    )
    book = _member(
        f"{head}_orderbook_1.csv", ["5860000,9,5850000,100", "5860000,9,5850000,90", "5860000,9,5850000,90"]
    )
    (part,) = read_lobster([message, book], Ask())
    trade = part.events[part.events["kind"] == ev.TRADE]
    assert trade["side"].tolist() == [-1]  # a resting bid was hit: somebody sold
    assert trade["px"].tolist() == [58_500]
    assert part.verdict.quarantined["off_grid"] == 1  # a hidden order at half a cent
    with pytest.raises(DataError, match="not belong together"):
        read_lobster([message, Member(book.path, book.name, book.data.split(b"\n")[0])], Ask())


@needs_shared_data
def test_lobster_executions_hit_the_best_price_of_the_book_before() -> None:
    path = shared_file("lobster/AAPL_2012-06-21_34200000_57600000_message_10.first998.csv")
    (part,) = read_parts(path, Ask())
    visible = int((np.loadtxt(path, delimiter=",")[:, 1] == 4).sum())
    assert part.verdict.counts["at_best_before"] >= visible == 98


def test_a_naive_file_that_proves_no_zone_asks_for_it() -> None:
    with pytest.raises(InputError, match="no time zone"):
        read_tick_csv([_ticks("BID")], Ask())


def test_a_charts_lines_without_a_zone_say_that_there_are_two_clocks() -> None:
    line = (
        '{"t":45295.625%03d,"sym":"ESH24","type":"quote","bid":4800,"ask":4800.25,'
        '"bq":5,"aq":7,"seq":%d,"chart":3}\n'
    )
    quotes = "".join(line % (k, k) for k in range(40))
    depth = '{"t":45295.7,"sym":"ESH24","type":"depth","chart":3}\n'
    member = Member("chart_3.jsonl", "chart_3.jsonl", (quotes + depth).encode())
    with pytest.raises(InputError, match="two clocks") as caught:
        read_lines([member], Ask())
    assert caught.value.rule is not None
    assert "other streams here: depth" in caught.value.rule
    assert "[charts.3]" in str(caught.value)
    assert "sierra.toml" in str(caught.value)


def test_the_wrong_zone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ES_5min.csv"
    path.write_bytes(bar_csv(session(datetime(2022, 8, 9))))
    with pytest.raises(DataError, match="wrong zone"):
        open_source(path, tz="Asia/Tokyo")


def test_a_side_word_nobody_knows_is_named_with_its_line() -> None:
    with pytest.raises(FormatError) as caught:
        read_tick_csv([_ticks("COMPRA", rows=2)], Ask(tz="UTC"))
    assert caught.value.line == 2


def test_sierra_toml_names_the_field_that_is_wrong(tmp_path: Path) -> None:
    from mia_kernel.adapters.sierra_config import load_sierra

    path = tmp_path / "sierra.toml"
    for text, field in (
        ('[charts.3.zones]\ndepth = "Mars/Base"\n', "charts.3.zones"),
        ("price_multiplier = 0\n", "price_multiplier"),
        (
            "[charts.3.studies.vwap]\nstudy = 1\nsubgraphs = {v = 0, up1 = 0}\n",
            "charts.3.studies.vwap.subgraphs",
        ),
        ("colour = 1\n", "colour"),
    ):
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            load_sierra(path)
        assert caught.value.field == field
    path.write_text("[[files]]\nmatch = 'NQ_*'\nsymbol = 'NQ'\nzone = 'Europe/Madrid'\n")
    (tmp_path / "NQ_x.csv").write_bytes(_ticks("BID").data)
    (part,) = read_parts(tmp_path / "NQ_x.csv", Ask())
    assert part.source.zone == "Europe/Madrid"


@needs_shared_data
def test_a_study_wired_wrong_in_sierra_toml_is_told_beside_the_real_export() -> None:
    """The export says study 45 for atr, and sub-graph 3 of study 32 for the cumulative delta."""
    wired = {"atr": Study(study=44), "cumulative_delta": Study(study=32, subgraphs={"close": 0, "clsoe": 3})}
    part = _raw(Ask(sierra=SierraConfig(charts={3: Chart(zones=PARIS.charts[3].zones, studies=wired)})))
    told = " ".join(part.verdict.causes)
    assert "study [45] in the file, 44 in sierra.toml" in told
    assert "sub-graph [3] in the file, 0 in sierra.toml" in told
    assert "names cumulative_delta.clsoe, which no line of it carries" in told
    assert part.tables["study_atr"]["atr"].null_count == len(part.tables["study_atr"])
    right = {
        "atr": Study(study=45, subgraphs={"atr": 0}),
        "cumulative_delta": Study(study=32, subgraphs={"close": 3}),
    }
    part = _raw(Ask(sierra=SierraConfig(charts={3: Chart(zones=PARIS.charts[3].zones, studies=right)})))
    assert part.tables["study_atr"]["atr"].null_count == 0
    assert "sierra.toml names" not in " ".join(part.verdict.causes)


@needs_shared_data
def test_a_stream_misspelt_in_sierra_toml_is_told_beside_the_real_export() -> None:
    zones = {("deepth" if name == "depth" else name): zone for name, zone in PARIS.charts[3].zones.items()}
    part = _raw(Ask(sierra=SierraConfig(charts={3: Chart(zones=zones)})))
    assert "sierra.toml names deepth of chart 3, the file has depth" in " ".join(part.verdict.causes)
    assert "sierra.toml names" not in " ".join(_raw(Ask(sierra=PARIS)).verdict.causes)


@needs_shared_data
def test_a_wrong_price_multiplier_on_lines_of_acsil_is_refused_by_the_price_it_gives() -> None:
    config = SierraConfig(price_multiplier=0.01, charts=PARIS.charts)
    with pytest.raises(DataError, match=r"price_multiplier = 1 in sierra\.toml"):
        _raw(Ask(sierra=config))


@needs_shared_data
def test_lines_of_acsil_that_store_100_times_the_price_are_those_of_the_points(tmp_path: Path) -> None:
    plain = _raw(Ask(sierra=PARIS))
    for file in shared_file(RAW).parent.iterdir():
        data = next(members(file)).data
        lines = [] if file.name.startswith("study") else [json.loads(line) for line in data.splitlines()]
        for row in lines:
            row.update({key: 100 * row[key] for key in PRICES[row["type"]] if key in row})
        text = "\n".join(map(json.dumps, lines)).encode() if lines else data
        (tmp_path / file.name.removesuffix(".gz")).write_bytes(text)
    config = SierraConfig(price_multiplier=0.01, charts=PARIS.charts)
    found = gather(tmp_path / Path(RAW).name)[0]
    (part,) = read_acsil(found, Ask(sierra=config))
    assert np.array_equal(part.events, plain.events)
    assert set(part.tables) == set(plain.tables)
    vwap, raw = part.tables["study_vwap"].to_pandas(), plain.tables["study_vwap"].to_pandas()
    pd.testing.assert_frame_equal(vwap, raw)
    with pytest.raises(DataError, match=r"price_multiplier = 0\.01"):
        read_acsil(found, Ask(sierra=PARIS))


def test_a_stream_of_unknown_fields_is_left_out_beside_a_multiplier() -> None:
    line = {"t": 45916.389089, "sym": "ESZ25", "chart": 3}
    rows = [{**line, "type": "trade", "px": 650_000.0}, {**line, "type": "pivot", "r1": 651_000.0}]
    streams = {row["type"]: [row] for row in rows}
    findings = Findings("chart_3.jsonl", 2)
    scale_prices(streams, "ES", "chart_3.jsonl", 0.01, findings)
    assert set(streams) == {"trade"}
    assert streams["trade"][0]["px"] == 6_500.0
    assert "fields of the pivot lines are prices is not known" in " ".join(findings.verdict().causes)


def test_quotes_and_books_of_acsil_take_the_multiplier(tmp_path: Path) -> None:
    (plain,) = read_acsil([_dom(), _quotes()], Ask())

    def hundredfold(member: Member) -> Member:
        head, *lines = member.data.decode().split()
        priced = [
            k for k, name in enumerate(head.split(",")) if name in ("bid", "ask") or name.endswith("_px")
        ]
        cells = [line.split(",") for line in lines]
        for row in cells:
            for k in priced:
                row[k] = str(100 * float(row[k]))
        return _member(member.name, [head, *(",".join(row) for row in cells)])

    many = [hundredfold(_dom()), hundredfold(_quotes())]
    (part,) = read_acsil(many, Ask(sierra=SierraConfig(price_multiplier=0.01)))
    assert np.array_equal(part.events, plain.events)
    with pytest.raises(DataError, match=r"price_multiplier = 0\.01"):
        read_acsil(many, Ask())


def test_bar_text_of_sierra_takes_the_multiplier() -> None:
    bars = session(datetime(2022, 8, 9))
    many = [(bar[0], *(100 * price for price in bar[1:5]), *bar[5:]) for bar in bars]
    rule = SierraConfig(files=(FileRule(match="ESU22*", price_multiplier=0.01),))
    (plain,) = read_parts(Path("ESU22.txt"), Ask(), data=sierra_text(bars))
    (part,) = read_parts(Path("ESU22.txt"), Ask(sierra=rule), data=sierra_text(many))  # type: ignore[arg-type]
    assert np.array_equal(part.events, plain.events)
    with pytest.raises(DataError, match=r"price_multiplier = 0\.01"):
        read_parts(Path("ESU22.txt"), Ask(), data=sierra_text(many))  # type: ignore[arg-type]


def test_a_rule_above_names_zone_and_symbol_of_files_below_by_their_path(tmp_path: Path) -> None:
    folder = tmp_path / "own" / "ticks"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_bytes(_ticks("BID").data)
    with pytest.raises(InputError) as caught:
        read_parts(folder / "x.csv", Ask())
    assert caught.value.field in ("symbol", "tz")
    rule = "[[files]]\nmatch = 'ticks/*.csv'\nsymbol = 'NQ'\nzone = 'Europe/Madrid'\n"
    (tmp_path / "own" / "sierra.toml").write_text(rule)
    (part,) = read_parts(folder / "x.csv", Ask())
    assert (part.source.symbol, part.source.zone) == ("NQ", "Europe/Madrid")
    (folder / "sierra.toml").write_text("[[files]]\nmatch = 'x.csv'\nsymbol = 'MNQ'\nzone = 'UTC'\n")
    (part,) = read_parts(folder / "x.csv", Ask())
    assert (part.source.symbol, part.source.zone) == ("MNQ", "UTC")  # the nearest counts alone
    (part,) = read_parts(folder / "x.csv", Ask(tz="Europe/Paris"))
    assert part.source.zone == "Europe/Paris"  # what is said for this import counts more


def test_daily_bars_of_dates_lie_in_the_session_of_their_date() -> None:
    rows = "".join(f"2022-08-{day:02d},4000,4020,3990,4010,1000\n" for day in (1, 2, 3, 4, 5, 8))
    (part,) = read_parts(Path("ES_1day.txt"), Ask(), data=rows.encode())
    close = [int(session_row(20220800 + day)["close_ns"]) for day in (1, 2, 3, 4, 5, 8)]  # type: ignore[index]
    assert part.events["ts_event"].tolist() == close
    assert not [cause for cause in part.verdict.causes if "missing" in cause or "closed" in cause]
    weeks = [day for day in range(2, 29) if datetime(2022, 5, day).weekday() < 5]
    rows = "".join(
        f"2022-05-{day:02d},4000,4020,3990,4010,1000\n" for day in (*weeks, 29)
    )  # the last is a Sunday
    (part,) = read_parts(Path("ES_1day.txt"), Ask(), data=rows.encode())
    assert part.verdict.quarantined == {"no_session": 1}


def _raw_trades(seconds: list[float], ticks: int = 26_000) -> tuple[RawTrades, Findings]:
    n = len(seconds)
    ts = (T * NS + (np.array(seconds) * NS)).astype(np.int64)
    raw = RawTrades(
        ts, np.full(n, ticks), np.ones(n, np.bool_), np.ones(n, np.int64), None, lambda i: f"line {i + 1}"
    )
    return raw, Findings("ES.csv", n)


def test_a_time_inversion_is_applied_on_arrival_up_to_two_seconds_and_set_aside_beyond() -> None:
    raw, findings = _raw_trades([float(k) for k in range(100)])
    raw.ts[50] -= 2 * NS  # one behind the newest by a second: late
    raw.ts[80] -= 4 * NS  # by three: too late
    rows = trade_rows(raw, findings, resolution_ns=1_000_000)
    assert (findings.repaired["late"], findings.quarantined["too_late"]) == (1, 1)
    assert len(rows) == 99
    assert rows["ts_recv"][50] == rows["ts_event"][49] > rows["ts_event"][50]
    assert (np.diff(rows["ts_recv"]) >= 0).all()


def test_a_book_that_goes_on_after_the_close_is_not_given_out() -> None:
    rows = ev.empty(40)
    close = 1_757_106_000  # 2025-09-05 21:00 UTC, the close before the weekend
    rows["ts_event"] = rows["ts_recv"] = (close - 20 + np.arange(40)) * NS
    rows["kind"], rows["bid"], rows["ask"] = ev.BOOK, 26_000 + np.arange(40), 26_001 + np.arange(40)
    rows["b"] = rows["a"] = 5
    findings = Findings("ES.csv", 40)
    assert len(usable(rows, findings)) == 20
    assert findings.counts["closed_book_events"] == 20


def test_prices_off_the_grid_sizes_of_zero_and_lone_jumps_are_set_aside_and_never_filled() -> None:
    raw, findings = _raw_trades([float(k) for k in range(100)])
    raw.on_grid[10] = False
    raw.size[20] = 0
    raw.size[21] = -4
    raw.ticks[30] = 2**31 - 5  # an unset number
    raw.ticks[40] = 26_600
    rows = trade_rows(raw, findings, resolution_ns=1_000_000)
    assert findings.quarantined == {"off_grid": 1, "bad_size": 2, "lone_print": 2}
    assert len(rows) == 95


def test_crossed_and_locked_books_in_open_hours_are_set_aside() -> None:
    rows = ev.empty(10)
    rows["ts_event"] = rows["ts_recv"] = (T + np.arange(10)) * NS
    rows["kind"], rows["bid"], rows["ask"] = ev.BOOK, 26_000 + np.arange(10), 26_001 + np.arange(10)
    rows["ask"][3], rows["ask"][4] = rows["bid"][3], rows["bid"][4] - 1
    findings = Findings("ES.csv", 10)
    assert usable(rows, findings).tolist() == [0, 1, 2, 5, 6, 7, 8, 9]
    assert findings.quarantined["crossed"] == 2


@pytest.mark.parametrize(
    ("hour", "told"), [(15, 1), (3, 0)]
)  # UTC: in the day session of New York, and at night
def test_a_book_that_is_written_on_but_stands_still_is_told(hour: int, told: int) -> None:
    rows = ev.empty(300)
    start = (T // 86_400) * 86_400 + hour * 3_600
    rows["ts_event"] = rows["ts_recv"] = (start + np.arange(300)) * NS
    rows["kind"], rows["bid"], rows["ask"] = ev.BOOK, 26_000, 26_001
    rows["b"][:, 0], rows["a"][:, 0] = 5 + np.arange(300) % 7, 9
    rows["b"][100:190, 0] = 33  # a minute and a half of the same, a row a second
    findings = Findings("x", 300)
    usable(rows, findings)
    assert findings.counts.get("frozen_book", 0) == told
    assert findings.terms["stale"] == pytest.approx(89 / 299 * told)
    assert any("the day session while it kept coming, 89 s in all" in c for c in findings.causes) == told
    rows["b"][145, 0] = 34  # one change in the middle: no stretch is over a minute
    findings = Findings("x", 300)
    usable(rows, findings)
    assert "frozen_book" not in findings.counts


def test_a_book_of_one_quote_a_minute_cannot_stand_still() -> None:
    rows = ev.empty(20)
    rows["ts_event"] = rows["ts_recv"] = (T + 3_600 + 60 * np.arange(20)) * NS
    rows["kind"], rows["bid"], rows["ask"] = ev.QUOTE, 26_000, 26_001
    findings = Findings("x", 20)
    usable(rows, findings, sampled=True)
    assert "frozen_book" not in findings.counts
