"""Bring the prices of raw ACSIL lines to points with the multiplier of `sierra.toml`, and refuse those no product had.

Which fields are prices is known by the stream. A stream not listed here is left out where a multiplier is set: its
values would be of two scales, and nothing says which of them are prices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.sierra_config import check_scale

_BANDS = ("up1", "up2", "up3", "dn1", "dn2", "dn3")
PRICES: dict[str, tuple[str, ...]] = {
    "quote": ("bid", "ask"),
    "trade": ("px",),
    "depth": ("price",),
    "basedata": ("o", "h", "l", "c"),
    "vwap": ("v", *_BANDS),
    "pvwap": ("pvwap", *_BANDS),
    "vva": ("vah", "val", "vpoc", "pvah", "pval", "ppoc"),
    "atr": ("atr",),
    "correlation": (),
    "nbcv": (),
    "cumulative_delta": (),
    "trade_summary": (),
}
"""Fields in points by `type` of the line; the others of these streams are contracts, counts and shares."""
_TRADED = ("trade", "quote", "depth", "basedata")


def scale_prices(
    streams: dict[str, list[dict[str, Any]]], root: str, path: str, scale: float, findings: Findings
) -> None:
    """Multiply the prices of all streams in place, and check those of the first that is traded at.

    Raises
    ------
    DataError
        If the product never had such prices, with the multiplier that fits where one does.
    """
    if scale != 1:
        for name in [name for name in streams if name not in PRICES]:
            findings.note("unknown_scale", len(streams[name]), (
                f"which fields of the {name} lines are prices is not known: left out for the multiplier"))  # fmt: skip
            del streams[name]
        for name, rows in streams.items():
            for row in rows:
                row.update({f: row[f] * scale for f in PRICES[name] if isinstance(row.get(f), float | int)})
    for name in _TRADED:
        field = PRICES[name][-1]
        shown = [row[field] for row in streams.get(name, ()) if isinstance(row.get(field), float | int)]
        if shown:
            check_scale(np.array(shown, np.float64), root, path, scale)
            return
