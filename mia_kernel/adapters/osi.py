"""Read OSI option symbols: root, YYMMDD, C or P, strike times 1000 in eight digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mia_kernel.gamma.chain import CALL, PUT

pc: Any = pyarrow.compute
"""Its functions are generated when it is loaded, so no type checker knows them."""

PATTERN = r"^[A-Z.]{1,6} *\d{6}[CP]\d{8}$"
_TAIL = 15


def read_symbols(symbols: Any) -> tuple[dict[str, NDArray[Any]], NDArray[np.str_]]:
    """Return `expiry` (yyyymmdd), `right` and `strike` of symbols that match PATTERN, and their roots.

    Parameters
    ----------
    symbols : pyarrow Array or ChunkedArray of text
    """
    tail = pc.utf8_slice_codeunits(symbols, start=-_TAIL)
    day = _numbers(pc.utf8_slice_codeunits(tail, start=0, stop=6))
    strike = _numbers(pc.utf8_slice_codeunits(tail, start=7)) / 1000.0
    is_call = np.asarray(pc.equal(pc.utf8_slice_codeunits(tail, start=6, stop=7), "C"))
    roots = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(symbols, start=0, stop=-_TAIL))
    named = pa.chunked_array(roots).combine_chunks() if isinstance(roots, pa.ChunkedArray) else roots
    coded = named.dictionary_encode()
    names = np.array(coded.dictionary.to_pylist(), np.str_)
    columns: dict[str, NDArray[Any]] = {
        "expiry": (20_000_000 + day).astype(np.int32),
        "strike": strike,
        "right": np.where(is_call, CALL, PUT).astype(np.int8),
    }
    return columns, names[np.asarray(coded.indices)]


def _numbers(texts: Any) -> NDArray[np.float64]:
    return np.asarray(pc.cast(texts, pa.float64()))
