"""The checks between a request and the wire.

An *error* would crash the server or cannot work (docs/protocol.md 11.1): it is never
sent. A *warning* is what the server silently ignores or replaces (11.3): it is sent, and
said. Every check is one small function in `CHECKS`.
"""

from __future__ import annotations

from functools import reduce

from ..errors import RequestError
from ..request.resolved import Resolved
from ..text import Text, in_turn
from . import controls, crashes, ignored, image_inputs, side_files
from .findings import Check, Finding, Level

__all__ = ["CHECKS", "Finding", "Level", "check", "refuse"]

CHECKS: tuple[Check, ...] = (
    *crashes.CHECKS,
    *side_files.CHECKS,
    *image_inputs.CHECKS,
    *controls.CHECKS,
    *ignored.CHECKS,
)


def check(resolved: Resolved) -> tuple[Finding, ...]:
    """All findings, errors first."""
    findings = [
        Finding(level, function.__name__, text)
        for function in CHECKS
        for level, text in function(resolved)
    ]
    return tuple(sorted(findings, key=lambda finding: finding.level is not Level.ERROR))


def refuse(findings: tuple[Finding, ...]) -> tuple[Text, ...]:
    """The warnings' sentences. Raises RequestError with all errors, if there are any."""
    errors = [finding.text for finding in findings if finding.level is Level.ERROR]
    if errors:
        raise RequestError(reduce(in_turn, errors))
    return tuple(finding.text for finding in findings)
