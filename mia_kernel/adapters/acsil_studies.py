"""Values of Sierra's studies, each field held to a rule: a field that breaks it is absent, never mended by guess.

Sub-graph numbers are easily wired to the wrong field: an upper band below its VWAP, a value area upside down,
a share a hundred times too small. The rules are the definitions of the fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.sierra_config import Study

FloatArray = NDArray[np.float64]
Columns = dict[str, FloatArray]
Rule = tuple[tuple[str, ...], str, Callable[[Columns], NDArray[np.bool_]]]

_WRONG_SHARE = 0.01
_HOUSEKEEPING = {"t", "sym", "type", "chart", "i", "study", "sg", "src"}


def _bands(middle: str) -> list[Rule]:
    rules: list[Rule] = []
    for k in (1, 2, 3):
        rules.append(((f"up{k}",), f"up{k} above {middle}", lambda c, k=k: c[f"up{k}"] >= c[middle]))
        rules.append(((f"dn{k}",), f"dn{k} below {middle}", lambda c, k=k: c[f"dn{k}"] <= c[middle]))
    return rules


RULES: dict[str, list[Rule]] = {
    "vwap": _bands("v"),
    "pvwap": _bands("pvwap"),
    "vva": [
        (("vah", "val", "vpoc"), "val <= vpoc <= vah", lambda c: (c["val"] <= c["vpoc"]) & (c["vpoc"] <= c["vah"])),
        (("pvah", "pval", "ppoc"), "pval <= ppoc <= pvah",
         lambda c: (c["pval"] <= c["ppoc"]) & (c["ppoc"] <= c["pvah"])),
    ],
    "atr": [(("atr",), "above 0", lambda c: c["atr"] > 0)],
    "correlation": [(("cc",), "between -1 and 1", lambda c: np.abs(c["cc"]) <= 1)],
    "nbcv": [
        (("delta",), "ask_volume - bid_volume", lambda c: c["delta"] == c["ask_volume"] - c["bid_volume"]),
        (("total_volume",), "ask_volume + bid_volume",
         lambda c: c["total_volume"] == c["ask_volume"] + c["bid_volume"]),
        (("delta_ratio",), "delta / total_volume", lambda c: _near(c["delta_ratio"], c["delta"], c["total_volume"])),
        (("ask_percent",), "ask_volume / total_volume",
         lambda c: _near(c["ask_percent"], c["ask_volume"], c["total_volume"])),
        (("bid_percent",), "bid_volume / total_volume",
         lambda c: _near(c["bid_percent"], c["bid_volume"], c["total_volume"])),
    ],
}  # fmt: skip
"""Fields, their rule in words, and the test, by `type` of the line."""


def _near(value: FloatArray, part: FloatArray, whole: FloatArray) -> NDArray[np.bool_]:
    share = part / np.where(whole == 0, 1, whole)
    return np.abs(np.abs(value) - np.abs(share)) < 2e-3


def checked_studies(
    name: str,
    rows: list[dict[str, Any]],
    ts: Any,
    study: Study | None,
    inventory: list[dict[str, Any]],
    findings: Findings,
) -> pa.Table:
    """Return the study's values as a table; a field that breaks its rule, or its declared sub-graph, is null.

    Parameters
    ----------
    name : str
        `type` of the lines.
    rows : list of dict
        The lines.
    ts : ndarray
        Their stamps, ns UTC.
    study : Study or None
        What `sierra.toml` says of it.
    inventory : list of dict
        The chart's list of studies (`study_id`, `name`), where it was exported.
    findings : Findings
        Takes the absent fields.
    """
    numeric = {key for key, value in rows[0].items() if isinstance(value, float | int)} - _HOUSEKEEPING
    columns: Columns = {key: np.array([_number(row.get(key)) for row in rows]) for key in sorted(numeric)}
    absent: dict[str, str] = {}
    for fields, text, test in RULES.get(name, []):
        if not set(fields) <= set(columns):
            continue
        try:
            wrong = float((~test(columns)).mean())
        except KeyError:
            continue  # the field that the rule compares with is not in the file
        if wrong > _WRONG_SHARE:
            absent.update(dict.fromkeys(fields, text))
    if name == "correlation" and not any("sym2" in row or "symbol2" in row for row in rows):
        absent["cc"] = "the second symbol is not told"
    absent.update(_miswired(name, rows, study, inventory, set(columns)))
    for field in sorted(set(study.subgraphs) - set(columns)) if study is not None else ():
        findings.note(f"unknown_{name}_{field}", 1, f"sierra.toml names {name}.{field}, which no line of it carries; "
                                                    f"there are {', '.join(sorted(columns))}")  # fmt: skip
    for field, rule in absent.items():
        findings.note(f"absent_{name}_{field}", len(rows), f"{name}.{field} breaks its rule ({rule}): absent")
    content: dict[str, Any] = {"ts_event": pa.array(ts)}
    for key, values in columns.items():
        content[key] = pa.nulls(len(rows), pa.float64()) if key in absent else pa.array(values)
    return pa.table(content)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, float | int) else np.nan


def _miswired(
    name: str,
    rows: list[dict[str, Any]],
    study: Study | None,
    inventory: list[dict[str, Any]],
    fields: set[str],
) -> dict[str, str]:
    """Return the fields whose study or sub-graph is another than `sierra.toml` names."""
    if study is None:
        return {}
    told = {row["study"] for row in rows if "study" in row}
    if told and told != {study.study}:
        return dict.fromkeys(fields, f"study {sorted(told)} in the file, {study.study} in sierra.toml")
    known = {int(entry["study_id"]) for entry in inventory if "study_id" in entry}
    if known and study.study not in known:
        return dict.fromkeys(fields, f"the chart has no study {study.study}")
    graphs = {row["sg"] for row in rows if "sg" in row}
    wrong = {field: f"sub-graph {sorted(graphs)} in the file, {graph} in sierra.toml"
             for field, graph in study.subgraphs.items() if graphs and graphs != {graph}}  # fmt: skip
    return {field: text for field, text in wrong.items() if field in fields}
