"""A journal becomes pages: verified, held against others, hostile text inert, ten thousand trades in time."""

from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mia_kernel.adapters import journal_record
from mia_kernel.adapters.archive import write_index
from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.adapters.papermill_report import renumbered
from mia_kernel.analytics.lookback_record import LookBack, stored
from mia_kernel.core.errors import CorruptError, InputError
from mia_kernel.desk.review import material_of, post_mortem, review, week
from mia_kernel.settings import load
from tests.fakes import journals
from widgets.day import DayView

pytestmark = pytest.mark.unit

HOSTILE = "<script>alert(1)</script>\u202e=cmd|'/c calc'!A1 javascript:alert(1) <img src=x onerror=alert(1)>\x1b[31m"


def written(
    home: Path, name: str = "a.sqlite", *, count: int = 400, header: dict | None = None, hostile: bool = False
) -> Path:
    """Write an invented run into a journal of the home and return its path."""
    path = home / "data" / "journal" / name
    found = journals.decisions(count)
    trips, reports = journals.round_trips(found)
    if hostile:
        trips = [replace(t, exit_reason=HOSTILE, phase=HOSTILE) for t in trips]
        reports = [replace(r, reason=HOSTILE, tags=(HOSTILE,), exec_id=HOSTILE) for r in reports]
    with JournalWriter(path, live=False) as journal:
        journal.open_run(header or journals.header())
        journal.append(found)
        journal.append_reports(reports)
        journal.append_round_trips(trips)
        journal.close({"digest": "0" * 64})
    return path


def parts(page: object) -> dict[str, str]:
    return {name: value for name, value in vars(page).items() if isinstance(value, str)}


def test_a_page_says_what_was_verified_and_what_was_not(mia_home: Path) -> None:
    page = review(written(mia_home), settings=load().settings)
    assert page.card["checks"]["journal"] == "proven"
    assert page.card["checks"]["decisions"] == "differs"
    assert page.card["checks"]["replay"] == "not checked"
    assert "rows verified" in page.integrity


def test_a_damaged_journal_makes_no_page(mia_home: Path) -> None:
    path = written(mia_home)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"round_trip")
    data[at + 40] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CorruptError, match="way out"):
        review(path, settings=load().settings)


def test_a_journal_of_another_version_makes_no_page(mia_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_record, "FORMAT", "mia-journal-9")
    path = written(mia_home)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"another version.*mia-journal-9.*MIA that wrote it"):
        review(path, settings=load(arguments={"home": str(mia_home)}).settings)


def test_a_run_that_did_not_close_says_so_first(mia_home: Path) -> None:
    path = mia_home / "data" / "journal" / "open.sqlite"
    with JournalWriter(path, live=True) as journal:
        journal.open_run(journals.header())
        journal.append(journals.decisions(200))
        journal.commit()
        page = review(path, settings=load().settings)
    assert "The run did not close" in page.verdict
    assert page.card["checks"]["decisions"] == "not checked"


def test_no_journal_is_said_with_a_way_out(mia_home: Path) -> None:
    for ask in (review, post_mortem):
        with pytest.raises(InputError, match="mia replay"):
            ask(settings=load().settings)
    with pytest.raises(InputError, match="week"):
        week(settings=load().settings)


def test_hostile_text_is_inert_on_every_page(mia_home: Path) -> None:
    source = {"name": HOSTILE, "tag": "replay", "notes": [HOSTILE], "carries": {}}
    head = journals.header(source=source, code_version=HOSTILE, weights_name=HOSTILE)
    path = written(mia_home, header=head, hostile=True)
    settings = load().settings
    for page in (
        review(path, settings=settings),
        week(journals=[path], settings=settings),
        post_mortem(path, settings=settings),
        post_mortem(path, "day", settings=settings),
    ):
        for name, text in parts(page).items():
            if name in ("title", "source_tag"):
                continue
            assert "<script" not in text, name
            assert not re.search(r"<[^>]*\bon\w+=", text), name
            assert not re.search(r"(href|src)\s*=\s*['\"]?javascript", text), name


def test_an_index_lists_pages_and_is_inert(tmp_path: Path) -> None:
    folder = tmp_path / "daily"
    folder.mkdir()
    (folder / "x.html").write_text("page")
    (folder / "x.json").write_text(
        json.dumps({"title": HOSTILE, "net_usd": -12.5, "n": 3, "end_ts": 10**18, "sentences": [HOSTILE]})
    )
    (folder / "broken.html").write_text("page")
    (folder / "broken.json").write_text("{")
    text = write_index(tmp_path).read_text("utf-8")
    assert "<script>alert" not in text
    assert "−12.50" in text
    assert "daily/broken.html" in text


def test_an_index_over_nothing_says_what_makes_a_page(tmp_path: Path) -> None:
    assert "mia report daily" in write_index(tmp_path / "not" / "there").read_text("utf-8")


def test_two_pages_at_once_leave_one_whole_index(tmp_path: Path) -> None:
    (tmp_path / "daily").mkdir()
    for i in range(20):
        (tmp_path / "daily" / f"{i}.html").write_text("page")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write_index(tmp_path), range(40)))
    assert (tmp_path / "index.html").read_text("utf-8").endswith("</html>\n")
    assert [path.name for path in tmp_path.glob("*.partial")] == []


def test_every_report_prints_what_was_verified(mia_home: Path) -> None:
    path = written(mia_home)
    settings = load().settings
    pages = (
        review(path, settings=settings),
        week(journals=[path], settings=settings),
        post_mortem(path, settings=settings),
        post_mortem(path, "day", settings=settings),
    )
    for page in pages:
        assert page.integrity.count("proven") >= 1, type(page).__name__
        assert "not checked" in page.integrity
        assert page.card["checks"]["journal"] == "proven"
        assert page.card["checks"]["decisions"] == "differs"


def test_newest_names_the_newest_journal(mia_home: Path) -> None:
    written(mia_home, "old.sqlite", count=200)
    os.utime(mia_home / "data" / "journal" / "old.sqlite", (1, 1))
    written(mia_home, "new.sqlite", count=400)
    settings = load().settings
    assert review("newest", settings=settings).figures["n"] == review("", settings=settings).figures["n"] == 8


def test_figures_are_counted_so_that_the_same_journal_gives_the_same_page() -> None:
    one, two = "6f1c0a52-1111-4222-8333-444455556666", "00000000-aaaa-4bbb-8ccc-ddddeeee0000"
    assert renumbered(f"{one} {two} {one}") == "figure-1 figure-2 figure-1"


def test_what_a_run_kept_looking_back_comes_back_as_it_was(mia_home: Path) -> None:
    material = material_of(written(mia_home), load().settings)
    assert material.look is not None
    records: dict[str, list] = {}
    for kind, _, payload in material.look.records():
        records.setdefault(kind, []).append(json.loads(json.dumps(payload)))
    back = stored(records)
    assert isinstance(back, LookBack)
    assert back.ghosts == material.look.ghosts
    assert [row.pnl_net for row in back.lessons] == [row.pnl_net for row in material.look.lessons]


@pytest.mark.performance
def test_ten_thousand_trades_are_a_page_within_thirty_seconds(mia_home: Path) -> None:
    path = mia_home / "data" / "journal" / "many.sqlite"
    found = journals.decisions(6_000)  # one every 15 s: a day
    trips, _ = journals.round_trips(found)
    few = len(trips)
    many = [replace(t, id=i + 1) for i in range(10_000) for t in (trips[i % few],)]
    many.sort(key=lambda t: t.exit_ts)
    with JournalWriter(path, live=False) as journal:
        journal.open_run(journals.header())
        journal.append(found)
        journal.append_round_trips(many)
        journal.close({"digest": "0" * 64})
    began = time.process_time()
    page = review(path, settings=load().settings)
    picture = DayView(page.frame).static()
    drawn = len(picture.to_json())
    took = time.process_time() - began
    assert page.figures["n"] == 10_000
    assert page.trades.count("<details>") <= 200 + 1, "the trades told, and the folded refusals"
    assert len(picture.data) < 30, "a trace per outcome, not per trade"
    assert drawn > 100_000
    assert took <= 30.0
