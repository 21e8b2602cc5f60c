"""The catalogs: complete, current, and with the fields of the sentences they stand for."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from mia_kernel.adapters.speech import LOCALES, languages, speech
from mia_kernel.core.errors import SettingsError

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).resolve().parents[3]
FIELD = re.compile(r"\{\w*\}")


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_catalogs", PROJECT / "scripts" / "make_catalogs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_sentence_is_in_every_catalog_with_its_fields(maker: ModuleType) -> None:
    known = maker.sentences()
    assert len(known) > 60
    for path in LOCALES.glob("*/LC_MESSAGES/mia.po"):
        have = {str(m.id): str(m.string) for m in maker.catalog(path) if m.id}
        assert set(have) == set(known), path
        for text, said in have.items():
            assert sorted(FIELD.findall(text)) == sorted(FIELD.findall(said)), text


def test_the_compiled_catalogs_are_current(maker: ModuleType) -> None:
    for path in LOCALES.glob("*/LC_MESSAGES/mia.po"):
        assert path.with_suffix(".mo").read_bytes() == maker.compiled(path), "python scripts/make_catalogs.py"


def test_english_is_the_language_of_the_code_and_others_are_named() -> None:
    assert languages() == ("en", "fr")
    assert speech("en")("No trade was made.") == "No trade was made."
    assert speech("fr")("No trade was made.") == "Aucun trade."
    with pytest.raises(SettingsError, match="en, fr"):
        speech("xx")
