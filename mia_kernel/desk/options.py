"""Read option chains from a notebook: levels of a file, open interest by day."""

from __future__ import annotations

from pathlib import Path

from mia_kernel.adapters.cboe_csv import Asked
from mia_kernel.adapters.chains import instant_of, read_chain
from mia_kernel.adapters.occ import OpenInterest, read_open_interest
from mia_kernel.adapters.wrappers import read_bytes
from mia_kernel.gamma.chain import Chain
from mia_kernel.gamma.summary import GammaLevels, levels_of

__all__ = ["chain", "levels", "open_interest"]


def chain(path: str | Path, *, at: str | None = None, spot: float | None = None) -> Chain:
    """Return the option chain of a file, with its defect report in `.defects`.

    Parameters
    ----------
    path : str or Path
    at : str, optional
        ISO 8601 with offset: the instant of the snapshot where the file does not say it.
    spot : float, optional
        Price of the underlying where the file does not say it.
    """
    return read_chain(path, Asked(instant_of(at), spot))


def levels(
    source: str | Path | Chain, *, at: str | None = None, es: float | None = None, spot: float | None = None
) -> GammaLevels:
    """Return walls, flip, surface, ratios and their place on the future for a chain or the file of one.

    Parameters
    ----------
    source : str, Path or Chain
    at : str, optional
        ISO 8601 with offset: clocks are read then; default the chain's own instant.
    es : float, optional
        Price of the front ES contract at that instant; default the chain's own forward.
    spot : float, optional
        Price of the underlying where the file does not say it.
    """
    found = source if isinstance(source, Chain) else chain(source, at=at, spot=spot)
    return levels_of(found, at=instant_of(at), es=es)


def open_interest(path: str | Path) -> OpenInterest:
    """Return open interest by series and day of a file built from the OCC's series search."""
    return read_open_interest(read_bytes(Path(path)), str(path))
