"""Sentences as our front end takes them: in English, and beside that a text to translate.

Beside a sentence `x` stands `x_text`, beside several, `xs`, stand `x_texts`
(`Text.as_json`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...dt_core.errors import DrawThingsError
from ...dt_core.text import Text
from . import remedies


def told(error: DrawThingsError) -> Text:
    """What happened, and what to do about it here."""
    return error.told(remedies.WORDS)


def one(name: str, text: Text) -> dict[str, Any]:
    return {name: str(text), f"{name}_text": text.as_json()}


def several(name: str, texts: Iterable[Text]) -> dict[str, list[Any]]:
    """`name` is that of one of them: "note"."""
    known = list(texts)
    return {
        f"{name}s": [str(text) for text in known],
        f"{name}_texts": [text.as_json() for text in known],
    }
