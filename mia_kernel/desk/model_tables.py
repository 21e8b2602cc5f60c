"""Lay a model's report out as tables a person reads: percent where it is a share, a dash where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mia_kernel.analytics.html import Cell, number, table, text

Row = Mapping[str, Any]


def share(value: float | None) -> Cell:
    """Return a share as percent."""
    return number(None if value is None else 100 * value, ".1f", unit="%")


def between(interval: Sequence[float | None] | None, form: str = ".2f", scale: float = 1.0) -> Cell:
    """Return an interval; an end beyond every number is a dash."""
    if not interval:
        return Cell("—", "num faint")
    low, high = (number(None if x is None else scale * x, form).text for x in interval)
    return Cell(f"{low} to {high}", "num")


def sections(report: Row) -> str:
    """Return every signal, what the filter took and what the gates took, side by side."""
    heads = ("taken", "n", "won", "95 %", "PF", "95 %", "mean", "95 %", "net", "deepest", "DSR")
    rows = [
        (
            text(name), number(p["n"], ",.0f"), share(p["win_rate"]), between(p["win_rate_ci"], ".1f", 100),
            text(p["profit_factor_text"], "num"), between(p["profit_factor_ci"]),
            number(p["expectancy_r"], ".3f", unit="R", signed=True), between(p["expectancy_r_ci"], ".3f"),
            number(p["net_usd"], ",.0f", unit="USD", signed=True), number(p["max_drawdown_percent"], ".1f", unit="%"),
            number(part["dsr"], ".3f"),
        )
        for name, part in report["sections"].items()
        for p in (part["performance"],)
    ]  # fmt: skip
    return table(heads, rows, numeric=range(1, len(heads)))


def doubts(report: Row) -> str:
    """Return what is left of each Sharpe ratio once sample, tails and tries are held against it."""
    heads = ("taken", "Sharpe, year", "95 %", "Sortino", "Calmar", "PSR", "DSR", "tries", "days needed")
    rows = [
        (
            text(name), number(p["sharpe_daily"], ".2f"), between(p["sharpe_daily_ci"]),
            number(p.get("sortino_daily"), ".2f"), number(p.get("calmar"), ".2f"), number(part["psr"], ".3f"),
            number(part["dsr"], ".3f"), number(report["trials"], ",.0f"),
            number(part["min_track_record_days"], ",.0f"),
        )
        for name, part in report["sections"].items()
        for p in (part["performance"],)
    ]  # fmt: skip
    return table(heads, rows, numeric=range(1, len(heads)))


def sizing(report: Row) -> str:
    """Return what sizing makes of the signals taken: Kelly at the point and at the lower bound of the win rate."""
    s = report["sizing"]
    p, lower = (number(None if s[k] is None else 100 * s[k], ".1f", unit="%") for k in ("p", "p_lower"))
    rows = (
        (text("won, lost"), text(f"{s['wins']:,}, {s['losses']:,}", "num")),
        (text("win rate"), p),
        (text("its lower bound"), lower),
        (text("mean win over mean loss"), number(s["payoff"], ".2f")),
        (text("Kelly's share at the point estimate"), share(s["kelly"])),
        (text("the same, shrunk for its error"), share(s["shrunk"])),
        (text("the same at the lower bound"), share(s["kelly_lower"])),
        (text(f"risked a trade ({s['share_name']})"), number(100 * s["share"], ".2f", unit="%")),
    )
    return table(("", ""), rows, numeric=(1,))


def group(rows: Sequence[Row], name: str) -> str:
    """Return n, win rate with interval, mean and net of each group; years in order, else the largest first.

    What proves nothing is grey.
    """
    heads = (name, "n", "won", "95 %", "mean", "net")
    rows = sorted(rows, key=lambda r: r["group"]) if name == "year" else rows
    cells = [
        (
            text(r["group"]),
            number(r["n"], ",.0f"),
            share(r["win_rate"]),
            between(r["win_rate_ci"], ".1f", 100),
            number(r["expectancy_r"], ".3f", unit="R", signed=True),
            number(r["net_usd"], ",.0f", unit="USD", signed=True),
        )
        for r in rows
    ]
    return table(heads, cells, numeric=range(1, 6), faint=[i for i, r in enumerate(rows) if r["too_few"]])


def leakage(report: Row) -> str:
    """Return the leakage tests: what was found, what is allowed, how it ended."""
    ended = {True: "passed", False: "LEAK", None: "nothing to judge"}
    cells = [
        (
            text(r["name"]),
            text(ended[r["ok"]], "down" if r["ok"] is False else ""),
            number(r["found"], ".3f"),
            number(r["bound"], ".3f"),
            text(r["says"]),
        )
        for r in report["leakage"]
    ]
    return table(("test", "", "found", "bound", "what it says"), cells, numeric=(2, 3))


def drift(report: Row) -> str:
    """Return how far each feature moved from the first sixth to the last, and from which line on one acts."""
    rows = [r for r in report["stability"] if "psi" in r]
    word = {0: "still", 1: "look", 2: "act"}
    cells = [
        (text(r["name"]), number(r["psi"], ".3f"), text(word[(r["psi"] >= 0.10) + (r["psi"] >= 0.25)]))
        for r in rows
        if r["psi"] is not None
    ]
    return table(("feature", "stability index", "0.10 look, 0.25 act"), cells, numeric=(1,))


def steps(report: Row) -> str:
    """Return each group of sessions: signals, win rate, and which variant its walk-forward step had chosen."""
    rows = [r for r in report["stability"] if "win_rate" in r]
    chosen = report["chosen_per_step"]
    cells = [
        (
            text(f"{i + 1} of {len(rows)}"),
            number(r["n"], ",.0f"),
            share(r["win_rate"]),
            text(chosen.get(str(i), "trains only")),
        )
        for i, r in enumerate(rows)
    ]
    return table(
        ("part of the sessions", "signals", "won", "variant its own past chose"), cells, numeric=(1, 2)
    )


def rules(found: Sequence[Row]) -> str:
    """Return the rules a champion must meet, and whether they hold."""
    cells = [
        (
            text(r["rule"]),
            number(r["found"], ".3f"),
            text("yes" if r["ok"] else "no", "" if r["ok"] else "down"),
        )
        for r in found
    ]
    return table(("rule of a champion", "found", "holds"), cells, numeric=(1,))


def facts(report: Row) -> str:
    """Return what the figures rest on: data, splits, calibration, costs, tries."""
    c, stop, target = report["calibration"], *(report["exits"][f"{x}_ticks"] for x in ("stop", "target"))
    rows = (
        ("labelled signals before the lock", f"{report['signals']:,}, {report['ghost_share']:.1%} refused by a gate"),
        ("without a market in their session", f"{report['unlabelled']:,}"),
        ("out of sample", f"{report['oos_signals']:,} signals in {report['oos_sessions']:,} sessions"),
        ("won net of costs", f"{report['base_rate']:.1%}"),
        ("stop, target (median)", f"{stop['median']:.0f} and {target['median']:.0f} ticks"),
        ("fees of a round turn", f"{report['cost_ticks']:.2f} ticks, slippage beside"),
        ("variant", f"{report['variant']['variant']}, calibrated by {report['calibration_kind']}"),
        ("Brier", f"{c['brier']:.4f}, by the base rate alone {c['brier_base_rate']:.4f}"),
        ("AUC", "unknown" if c["auc"] is None else f"{c['auc']:.3f} ± {c['auc_se']:.3f}"),
        ("trials logged on this data", f"{report['trials']}"),
        ("locked, not looked at", f"{report['locked_signals']:,} signals from {report['locked_from_session']}"),
        ("data, schema", ", ".join(str(report.get(x) or "—")[:12] for x in ("data_sha256", "schema_sha256"))),
    )  # fmt: skip
    return table(("", ""), [(text(a), text(b)) for a, b in rows])


def splits(report: Row) -> str:
    """Return the splits as rows of letters: trained, tested, purged."""
    n = len([r for r in report["stability"] if "win_rate" in r])
    word = {-1: text("trains"), 0: text("tested", "up"), 1: text("unseen", "faint")}
    cells = [
        (
            text(f"step {g}"),
            *(word[(i > g) - (i < g)] for i in range(n)),
            text("locked", "faint"),
        )
        for g in range(1, n)
    ]
    heads = ("walk-forward", *(f"part {i + 1}" for i in range(n)), "last fifth")
    return table(heads, cells)
