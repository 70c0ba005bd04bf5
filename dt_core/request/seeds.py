"""Seeds: the server takes each as it is, so "random" and "the next one" are ours to say."""

from __future__ import annotations

import secrets

from ..settings.fitting import RANDOM_SEED, SEEDS

RANDOM = RANDOM_SEED


def chosen(seed: int) -> int:
    """The seed itself, or one drawn at random for -1."""
    return secrets.randbelow(SEEDS) if seed == RANDOM else seed


def following(seed: int, steps: int) -> int:
    """The seed that many requests later; after the last comes 0."""
    return (seed + steps) % SEEDS
