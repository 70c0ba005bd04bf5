"""What one check of a server found: passed, differs from what is documented, or does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ..errors import DrawThingsError
from ..text import Text

Figure = str | int | float | bool


class Outcome(Enum):
    PASSED = "passed"
    DIFFERS = "differs"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row: `check` names it for programs, `text` says what was found, for people.

    `figures` hold numbers and fixed words only: they go into reports that people publish, so
    no name, address, prompt or secret may be among them.
    """

    check: str
    title: Text
    outcome: Outcome
    text: Text
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a check function gives; `visit` makes a verdict of it."""

    outcome: Outcome
    text: Text
    figures: Mapping[str, Figure] = field(default_factory=dict)


def passed(text: Text, **figures: Figure) -> Found:
    return Found(Outcome.PASSED, text, figures)


def differs(text: Text, **figures: Figure) -> Found:
    return Found(Outcome.DIFFERS, text, figures)


def not_applicable(text: Text, **figures: Figure) -> Found:
    return Found(Outcome.NOT_APPLICABLE, text, figures)


def judged(good: bool, if_good: Text, if_not: Text, **figures: Figure) -> Found:
    return passed(if_good, **figures) if good else differs(if_not, **figures)


def failed(error: DrawThingsError) -> Found:
    """A check that ended in an error: its kind alone may be published."""
    return differs(error.told(), error=type(error).__name__)
