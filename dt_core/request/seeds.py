"""Seeds: the server takes each as it is, so "random" and "the next one" are ours to say."""

from __future__ import annotations

import secrets

RANDOM = -1
_COUNT = 2**32


def chosen(seed: int) -> int:
    """The seed itself, or one drawn at random for -1."""
    return secrets.randbelow(_COUNT) if seed == RANDOM else seed


def following(seed: int, steps: int) -> int:
    """The seed that many requests later; after the last comes 0."""
    return (seed + steps) % _COUNT
