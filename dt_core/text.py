"""Texts of others, as they may stand in a sentence of ours, in a log or on a terminal."""

from __future__ import annotations

import re

SAID_LIMIT = 300  # characters of what a server says in its own words

# Control characters can change a terminal, and marks of direction the order of letters.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]+"
)


def visible(text: str) -> str:
    """The text on one line, without what cannot be seen."""
    return text if text.isprintable() else _INVISIBLE.sub(" ", text)


def said(text: str | None) -> str:
    """What a server says in its own words: that too, and not too much of it."""
    text = visible(text or "").strip()
    return text if len(text) <= SAID_LIMIT else text[: SAID_LIMIT - 1] + "…"
