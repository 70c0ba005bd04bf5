"""Seeds: the server takes each as it is, so "random" and "the next one" are ours to say."""

from __future__ import annotations

import secrets
from typing import Any

from ..settings.fitting import SEEDS, fitted
from ..text import Text

RANDOM = -1


def chosen(seed: int) -> int:
    """The seed itself, or one drawn at random for -1."""
    return secrets.randbelow(SEEDS) if seed == RANDOM else seed


def given(seed: Any, called: str = "") -> tuple[int, Text | None]:
    """The seed of a script or command: drawn for None and -1, else as `fitted` makes it, with its
    note. Raises SettingsError."""
    if seed in (None, RANDOM):
        return chosen(RANDOM), None
    return fitted("seed", seed, called)


def following(seed: int, steps: int) -> int:
    """The seed that many requests later; after the last comes 0."""
    return (seed + steps) % SEEDS
