"""The templates that a text is made of, and those that a language of the page lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from drawthings.dt_core.text import Filling, Text

LOCALES = Path(__file__).resolve().parents[3] / "locales"
LANGUAGES = ("zh", "ja")


@cache
def translations(language: str) -> dict[str, str]:
    texts = json.loads((LOCALES / language / "main.json").read_text(encoding="utf-8"))
    known: dict[str, str] = texts["drawthingsnodes"]["sentences"]
    return known


def keys(value: Filling) -> Iterator[str]:
    """Those of a text and of all texts in it."""
    if isinstance(value, Text):
        yield value.template.key
        for inner in value.values.values():
            yield from keys(inner)
    elif not isinstance(value, (str, int, float)):
        for inner in value:
            yield from keys(inner)


def untranslated(*texts: Text) -> set[str]:
    """The keys in these texts that some language has no translation for."""
    found = {key for text in texts for key in keys(text)}
    return {key for key in found if any(key not in translations(one) for one in LANGUAGES)}
