"""What a check says: `Finding`, and the pairs that check functions yield."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from ..request.resolved import Resolved
from ..text import Text


class Level(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a request; `check` names the function that found it."""

    level: Level
    check: str
    text: Text

    @property
    def sentence(self) -> str:
        """The text in English."""
        return str(self.text)


Sentences = Iterator[tuple[Level, Text]]
Check = Callable[[Resolved], Sentences]


def error(text: Text) -> tuple[Level, Text]:
    return Level.ERROR, text


def warning(text: Text) -> tuple[Level, Text]:
    return Level.WARNING, text
