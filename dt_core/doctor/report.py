"""A report that people may attach to an issue: no prompt, name, address or secret is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .verdicts import Outcome, Verdict


def report(verdicts: Sequence[Verdict], version: str) -> dict[str, Any]:
    """The checks by their names, what came out and the figures, in plain values for JSON.

    `version` is that of this library.
    """
    return {
        "drawthings_nodes": version,
        "counts": counts(verdicts),
        "checks": [
            {
                "check": verdict.check,
                "outcome": verdict.outcome.value,
                **({"figures": dict(verdict.figures)} if verdict.figures else {}),
            }
            for verdict in verdicts
        ],
    }


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many of each outcome."""
    found = [verdict.outcome for verdict in verdicts]
    return {outcome.value: found.count(outcome) for outcome in Outcome}
