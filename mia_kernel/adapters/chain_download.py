"""Fetch the public delayed-quotes page, politely: asked for by hand, at most once a minute, kept on disk.

How it moves: a note in the folder says when the page was last asked for and when it may be again; within that time
the stored page is given back without a request. A refusal (403, 429, 5xx) doubles the wait. What arrives must be a
chain before it is stored, under its own time; a page that has not changed is not stored again. The page's owner has
terms of use: personal use, no redistribution.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from mia_kernel.adapters.cboe_csv import Asked
from mia_kernel.adapters.cboe_json import read_delayed_quotes
from mia_kernel.core.errors import CorruptError, InputError, OutsideError

PUBLIC = "https://cdn.cboe.com/api/global/delayed_quotes/options"
INDICES = frozenset({"SPX", "XSP", "NDX", "RUT", "VIX"})
"""Symbols that carry an underscore in the address."""
EVERY_S, LONGEST_WAIT_S = 60.0, 3600.0
MOST_BYTES = 64 << 20
AGENT = "Mozilla/5.0 (personal research; one request a minute at most)"
_NOTE = "fetched.json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A stored page and whether it came just now."""

    path: Path
    is_new: bool


def fetch_chain(
    symbol: str,
    folder: Path,
    *,
    base: str = PUBLIC,
    now: Callable[[], float] = time.time,
    timeout_s: float = 30.0,
) -> Fetched:
    """Return the newest delayed-quotes page of a symbol, fetched unless one was asked for within a minute.

    Raises
    ------
    InputError
        If the symbol is no plain word.
    OutsideError
        If the page cannot be had now; the message says when to try again.
    """
    if not symbol.isalnum() or len(symbol) > 6:
        raise InputError("not a symbol", field="symbol", value=symbol, rule="letters, for example SPX or SPY")
    symbol = symbol.upper()
    folder.mkdir(parents=True, exist_ok=True)
    note = _read_note(folder / _NOTE)
    at = now()
    mine = note.get(symbol, {})
    if at < mine.get("next_at", 0.0):
        stored = _newest(folder, symbol)
        if stored is not None:
            return Fetched(stored, is_new=False)
        raise OutsideError(f"{symbol}: asked for a moment ago; again in {mine['next_at'] - at:.0f} s")
    wait = float(mine.get("wait_s", EVERY_S))
    # Noted before asking: a crash in between must not turn into a burst of requests.
    _write_note(folder / _NOTE, note | {symbol: {"next_at": at + wait, "wait_s": wait}})
    name = f"_{symbol}" if symbol in INDICES else symbol
    data = _get(f"{base}/{name}.json", timeout_s, lambda: _back_off(folder, note, symbol, at, wait))
    chain = read_delayed_quotes(data, f"{symbol}.json", Asked())
    _write_note(folder / _NOTE, note | {symbol: {"next_at": at + EVERY_S, "wait_s": EVERY_S}})
    path = folder / f"{symbol}_{chain.as_of // 1_000_000_000}.json"
    if path.exists():
        return Fetched(path, is_new=False)
    _publish(path, data)
    return Fetched(path, is_new=True)


def _get(url: str, timeout_s: float, refused: Callable[[], float]) -> bytes:
    try:
        with httpx.stream("GET", url, headers={"User-Agent": AGENT}, timeout=timeout_s) as answer:
            if answer.status_code != 200:
                raise OutsideError(
                    f"{url}: answered {answer.status_code}; again in {refused():.0f} s at the earliest"
                )
            parts: list[bytes] = []
            size = 0
            for part in answer.iter_bytes():
                size += len(part)
                if size > MOST_BYTES:
                    raise OutsideError(f"{url}: more than {MOST_BYTES >> 20} MB, not a page of quotes")
                parts.append(part)
    except httpx.HTTPError as error:
        raise OutsideError(
            f"{url}: {error or type(error).__name__}; again in {refused():.0f} s at the earliest"
        ) from None
    return b"".join(parts)


def _back_off(folder: Path, note: dict[str, dict[str, float]], symbol: str, at: float, wait: float) -> float:
    longer = min(2 * wait, LONGEST_WAIT_S)
    _write_note(folder / _NOTE, note | {symbol: {"next_at": at + longer, "wait_s": longer}})
    return longer


def _newest(folder: Path, symbol: str) -> Path | None:
    return max(folder.glob(f"{symbol}_*.json"), key=lambda path: int(path.stem.split("_")[1]), default=None)


def _read_note(path: Path) -> dict[str, dict[str, float]]:
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError:
        raise CorruptError(f"{path}: not readable; delete it to fetch again") from None


def _write_note(path: Path, note: dict[str, dict[str, float]]) -> None:
    _publish(path, json.dumps(note).encode())


def _publish(path: Path, data: bytes) -> None:
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be written: {error.strerror}") from None
