"""What a check says: `Finding`, and the pairs that check functions yield."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from ..request.resolved import Resolved


class Level(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a request; `check` names the function that found it."""

    level: Level
    check: str
    sentence: str


Sentences = Iterator[tuple[Level, str]]
Check = Callable[[Resolved], Sentences]


def error(sentence: str) -> tuple[Level, str]:
    return Level.ERROR, sentence


def warning(sentence: str) -> tuple[Level, str]:
    return Level.WARNING, sentence
