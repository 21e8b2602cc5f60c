"""Load the sentence catalogs: English is the language of the code, French lies in `locale/fr`.

`MIA_LANG=fr` chooses (setting `lang`). A sentence that a catalog lacks stays English; a test holds every catalog
complete and its fields equal, so that does not happen in a release.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mia_kernel.core.errors import SettingsError

DOMAIN = "mia"
LOCALES = Path(__file__).resolve().parents[1] / "locale"


def languages() -> tuple[str, ...]:
    """Return the languages that can be chosen, English first."""
    return ("en", *sorted(path.parents[1].name for path in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")))


@cache
def speech(language: str) -> Callable[[str], str]:
    """Return what puts a sentence into a language.

    Raises
    ------
    SettingsError
        If there is no catalog of it.
    """
    if language not in languages():
        raise SettingsError(
            "no sentences in that language",
            field="lang",
            value=language,
            rule="one of " + ", ".join(languages()),
        )
    # English has no catalog: its sentences are the keys.
    found = gettext.translation(DOMAIN, LOCALES, languages=[language], fallback=language == "en")
    # The empty text is where a catalog keeps its head.
    return lambda text: found.gettext(text) if text else ""
