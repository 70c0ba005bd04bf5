"""Sentences for people: templates with holes, what fills them, and texts of others in them.

A sentence is one `Template`, made once at the top of the module that says it. Called with
values it is a `Text`: `str()` gives English, `as_json()` what the page needs to say it in
another language. Code never looks at the words of a text: it asks for its template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

SAID_LIMIT = 300  # characters of what a server says in its own words

# Control characters can change a terminal, and marks of direction the order of letters.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]+"
)
_HOLE = re.compile(r"\{(\w+)\}")


def visible(text: str) -> str:
    """The text on one line, without what cannot be seen."""
    return text if text.isprintable() else _INVISIBLE.sub(" ", text)


def said(text: str | None) -> str:
    """What a server says in its own words: that too, and not too much of it."""
    text = visible(text or "").strip()
    return text if len(text) <= SAID_LIMIT else text[: SAID_LIMIT - 1] + "…"


@dataclass(frozen=True, slots=True)
class Template:
    """One English sentence, or part of one, with {holes}; `key` names it in every language.

    With `capital` it begins with a capital letter, whatever fills its first hole. Raises
    ValueError where another template has the key.
    """

    key: str
    english: str
    capital: bool = False

    def __post_init__(self) -> None:
        if TEMPLATES.setdefault(self.key, self) is not self:
            raise ValueError(f"two templates are called {self.key!r}")

    @property
    def holes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_HOLE.findall(self.english)))

    def __call__(self, **values: Filling) -> Text:
        """The sentence with its values. Raises TypeError unless they are those of its holes."""
        if values.keys() != set(self.holes):
            raise TypeError(f"{self.key} takes {self.holes}, not {tuple(values)}")
        return Text(self, values)


TEMPLATES: dict[str, Template] = {}
"""Every template of the modules that are loaded, by its key."""


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence for people. A value may be a text itself, or several of them, to be listed."""

    template: Template
    values: Mapping[str, Filling] = field(default_factory=dict)

    def __str__(self) -> str:
        said = _HOLE.sub(lambda hole: _english(self.values[hole[1]]), self.template.english)
        return said[:1].upper() + said[1:] if self.template.capital else said

    def __hash__(self) -> int:
        return hash(str(self))

    def as_json(self) -> dict[str, Any]:
        """`{"key", "values", "text"}`: what the page translates, and the English of it."""
        values = {name: _plain(value) for name, value in self.values.items()}
        return {"key": self.template.key, "values": values, "text": str(self)}


# Numbers are written short (0.7, not 0.7000000000000001); a sequence becomes "a, b and c".
Filling: TypeAlias = "str | int | float | Text | Sequence[Filling]"

MORE = Template("more", "{count} more")
"""The end of a list that would be too long."""

_IN_TURN = Template("in_turn", "{first} {then}")
_THEIRS = Template("in_their_own_words", "{words}")


def in_turn(first: Text, then: Text) -> Text:
    """Two sentences, one after the other."""
    return _IN_TURN(first=first, then=then)


def verbatim(words: str) -> Text:
    """Words that nobody translates, such as a program's own."""
    return _THEIRS(words=words)


def as_text(words: Text | str) -> Text:
    return words if isinstance(words, Text) else verbatim(words)


def _english(value: Filling) -> str:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence):
        parts = [_english(part) for part in value]
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return str(value)


def _plain(value: Filling) -> Any:
    if isinstance(value, Text):
        return value.as_json()
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return _english(value)
    if isinstance(value, Sequence):
        return [_plain(part) for part in value]
    return value
