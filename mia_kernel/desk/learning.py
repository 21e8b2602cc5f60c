"""Study in a notebook what a filter could learn, train it, and read a stored model's verdict.

study = mia.study("years/of/bars", weights="bars")
judged = study.train()
judged.words
"""

from __future__ import annotations

import html
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from mia_kernel.adapters.models import ModelRegistry, models_folder
from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.dataset import MIN_SIGNALS, Dataset
from mia_kernel.analytics.html import number, table, text
from mia_kernel.core.errors import InputError
from mia_kernel.desk import model_tables
from mia_kernel.desk.model_tables import share
from mia_kernel.ml.labels import REASONS
from mia_kernel.settings import Settings, load
from mia_kernel.training.gather import GROUPS, gather
from mia_kernel.training.store import OOS, Verdict, train_gathered, verdict

STAMPS = {"synthetic": "SYNTHETIC"}


class _Bar:
    """A progress bar that starts anew when the work changes."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, done: int, of: int, what: str) -> None:
        if self._bar is None or self._bar.total != of or self._bar.desc != what:
            self.close()
            self._bar = tqdm(total=of, desc=what, file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def study(
    source: str,
    *,
    extra: str | Sequence[str] = (),
    weights: str = "bars",
    home: str = "",
    groups: str | Sequence[str] = GROUPS,
    processes: int | None = None,
) -> Study:
    """Name a source to learn from; nothing is replayed before it is needed.

    Parameters
    ----------
    extra : str or sequence of str
        Further sources beside it, as `--with` of `mia train`: NQ, VIX. A string holds several with commas.
    weights : str
        Preset or file of the confluence score that makes the signals.
    groups : str or sequence of str
        Groups of measures beside the eight features, as `--groups`.
    home : str
        Where model and trial log go; default MIA_HOME.
    """
    arguments = {"confluence.weights": weights} | ({"home": home} if home else {})
    settings = load(None, arguments=arguments).settings
    return Study(source, _several(extra), settings, _several(groups), processes)


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names in a text with commas, or those given one by one."""
    return tuple(filter(None, given.split(","))) if isinstance(given, str) else tuple(given)


@dataclass(frozen=True)
class Study:
    """A source as labelled signals."""

    source: str
    extra: tuple[str, ...]
    settings: Settings
    groups: tuple[str, ...]
    processes: int | None

    @cached_property
    def recording(self) -> Any:
        """The rows of the source."""
        return open_recording(self.source, self.extra, home=self.settings.home)

    @cached_property
    def data(self) -> Dataset:
        """Every signal, labelled; replayed on first use."""
        bar = _Bar()
        data = gather(
            self.settings, self.recording, groups=self.groups, processes=self.processes, progress=bar
        )
        bar.close()
        return data

    @property
    def summary(self) -> str:
        """What there is to learn from, one line a fact."""
        d = self.data
        facts: dict[str, Any] = {
            "source": f"{self.recording.source.name.rsplit('/', 1)[-1]} [{self.recording.source.tag.upper()}]",
            "labelled signals": f"{len(d):,}",
            "without a market in their session": f"{d.unlabelled:,}",
            "refused by a gate (ghosts)": "–" if not len(d) else f"{d.signals['ghost'].mean():.1%}",
            "won net of costs": "–" if not len(d) else f"{d.y.mean():.1%}",
            "mean net result": "–" if not len(d) else f"{d.labels['net_ticks'].mean():+.2f} ticks",
            "columns": f"{len(d.schema.columns)} ({len(d.schema.names)} features and their masks)",
            "data hash": d.hash[:16],
        }
        return table(("", ""), [(text(name), text(value)) for name, value in facts.items()])

    @property
    def frame(self) -> dict[str, Any]:
        """Net ticks and ending of each signal, for a picture."""
        labels = self.data.labels
        return {
            "net_ticks": labels["net_ticks"],
            "ending": np.array(REASONS)[labels["reason"]],
            "stamp": STAMPS.get(self.recording.source.tag),
        }

    @property
    def ghosts(self) -> str:
        """What each gate refused, and what that saved or cost: win rate and mean net ticks of its ghosts."""
        d = self.data
        names, at = np.unique(np.array((*d.gate_codes, "taken"))[d.signals["gate"]], return_inverse=True)
        counts = np.bincount(at, minlength=len(names))
        order = np.argsort(-counts, kind="stable")
        rows = [
            (
                text(names[i]),
                number(int(counts[i]), ",.0f"),
                share(float(d.y[at == i].mean())),
                number(float(d.labels["net_ticks"][at == i].mean()), ".2f", unit="ticks", signed=True),
            )
            for i in order
        ]
        return table(("first gate that refused", "n", "won", "mean net"), rows, numeric=(1, 2, 3))

    def train(self) -> Judged:
        """Train on these signals and store the candidate; too few are said, not worked around."""
        bar = _Bar()
        try:
            found = train_gathered(
                self.settings, self.recording, self.data, processes=self.processes, progress=bar
            )
        except InputError as error:
            if len(self.data) >= MIN_SIGNALS and error.field != "signals":
                raise
            return Judged(self.settings, None, str(error))
        finally:
            bar.close()
        return Judged(self.settings, found, "")


def model(name: str = "", *, home: str = "") -> Judged:
    """Return a stored model under its verdict: `VERSION` or `NAME/VERSION`, default the newest."""
    settings = load(None, arguments={"home": home} if home else {}).settings
    try:
        return Judged(settings, verdict(settings, name), "")
    except InputError as error:
        return Judged(settings, None, str(error))


@dataclass(frozen=True)
class Judged:
    """A model's verdict, or why there is none."""

    settings: Settings
    found: Verdict | None
    why_not: str

    @property
    def report(self) -> dict[str, Any] | None:
        """The stored report, with the stamp of its source; None without a model."""
        if self.found is None:
            return None
        return {**self.found.report, "stamp": STAMPS.get(str(self.found.report.get("source_tag")))}

    @property
    def words(self) -> str:
        """The verdict as HTML: one sentence a target, and what stands against a chance find."""
        if self.found is None:
            return f"<p><b>No model.</b> {html.escape(self.why_not)}</p>"
        report = self.found.report
        head = (
            f"{self.found.model_id} ({self.found.state}), {report['source']} [{report['source_tag'].upper()}]"
        )
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in report["verdicts"])
        tail = f"walk-forward, out of sample, costs on; {report['trials']} trials logged on this data"
        return f"<p><b>{html.escape(head)}</b></p><ul>{lines}</ul><p>{tail}</p>"

    @property
    def frame(self) -> dict[str, Any] | None:
        """The out-of-sample signals as arrays, for a picture."""
        if self.found is None:
            return None
        registry = ModelRegistry(models_folder(self.settings.home) / self.settings.ml.model)
        with np.load(io.BytesIO(registry.read(self.found.version, OOS)), allow_pickle=False) as arrays:
            frame: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        return frame | {"stamp": STAMPS.get(str(self.found.report.get("source_tag")))}

    def _table(self, make: Callable[[dict[str, Any]], str]) -> str:
        return "" if self.found is None else make(self.found.report)

    @property
    def facts(self) -> str:
        """What the figures rest on, as an HTML table."""
        return self._table(model_tables.facts)

    @property
    def splits(self) -> str:
        """What each walk-forward step trained on and tested."""
        return self._table(model_tables.splits)

    @property
    def sections(self) -> str:
        """Figures of every signal, of what the filter and the gates took, side by side."""
        return self._table(model_tables.sections)

    @property
    def doubts(self) -> str:
        """Sharpe, Sortino and Calmar, and what sample, tails and tries leave of the first."""
        return self._table(model_tables.doubts)

    @property
    def sizing(self) -> str:
        """What sizing would make of the signals taken: Kelly from the lower bound."""
        return self._table(model_tables.sizing)

    @property
    def rules(self) -> str:
        """The rules a champion must meet, and whether they hold."""
        return "" if self.found is None else model_tables.rules(self.found.rules)

    @property
    def leakage(self) -> str:
        """The leakage tests."""
        return self._table(model_tables.leakage)

    @property
    def drift(self) -> str:
        """How far the inputs moved from the first to the last sixth."""
        return self._table(model_tables.drift)

    @property
    def steps(self) -> str:
        """Win rate of each sixth and the variant its own past chose."""
        return self._table(model_tables.steps)

    @property
    def importance(self) -> list[dict[str, Any]]:
        """Permutation importance on out-of-fold rows."""
        return [] if self.found is None else self.found.report.get("importance", [])

    def by(self, name: str) -> str:
        """n, win rate with interval, mean by `grade`, `phase`, `market regime`, `pattern`, `year` ..."""
        return self._table(lambda report: model_tables.group(report["groups"][name], name))
