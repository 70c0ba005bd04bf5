"""Exit codes: what a script that runs the command can tell apart."""

from __future__ import annotations

from ..errors import (
    Cancelled,
    DrawThingsError,
    FileOnServer,
    RequestError,
    SecretRejected,
    ServerUnreachable,
    SettingsError,
    TrustError,
)
from . import remedies

DONE = 0
FAILED = 1
"""The server failed, sent nonsense, or sent no picture."""
USAGE = 2
"""The command line cannot be understood."""
REFUSED = 3
"""The request cannot be: a setting, a model, a file."""
UNREACHABLE = 4
"""No server answers."""
UNTRUSTED = 5
"""Certificate or shared secret."""
NOT_THERE = 6
"""A file is not on the server, or one of that name is there already."""
INTERRUPTED = 130
"""Ctrl-C."""

_CODES: tuple[tuple[type[DrawThingsError], int], ...] = (
    (FileOnServer, NOT_THERE),
    (RequestError, REFUSED),
    (SettingsError, REFUSED),
    (ServerUnreachable, UNREACHABLE),
    (TrustError, UNTRUSTED),
    (SecretRejected, UNTRUSTED),
    (Cancelled, INTERRUPTED),
)


def code_of(error: DrawThingsError) -> int:
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def sentence_of(error: DrawThingsError) -> str:
    """The error in one line, with what to do about it on the command line."""
    return str(error.told(remedies.WORDS))
