"""Exit codes: what a script that runs the command can tell apart."""

from __future__ import annotations

from ..errors import (
    Cancelled,
    CertificateChanged,
    DrawThingsError,
    FileOnServer,
    Remedy,
    RequestError,
    SecretRejected,
    ServerUnreachable,
    SettingsError,
    TlsMismatch,
    TrustError,
)

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

# The messages of the library name places in ComfyUI; these are the same places here.
_HERE: tuple[tuple[type[DrawThingsError], str], ...] = (
    (TlsMismatch, "On the command line: --tls automatic."),
    (SecretRejected, "On the command line: set DRAWTHINGS_SECRET, or name it with --secret-name."),
    (FileOnServer, "On the command line: --name or --overwrite."),
)
_NOT_TRUSTED = "On the command line: --tls tls, or --ca-file for an authority of your own."


def code_of(error: DrawThingsError) -> int:
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def sentence_of(error: DrawThingsError) -> str:
    """The error in one line, with what to do about it on the command line."""
    text = " ".join(str(error).split())
    if isinstance(error, CertificateChanged):
        return f"{text} On the command line: ping --accept {error.presented}"
    chosen_otherwise = error.remedy is Remedy.CHOOSE_TLS or "DT Server" in text
    if type(error) is TrustError and chosen_otherwise:
        return f"{text} {_NOT_TRUSTED}"
    hint = next((hint for kind, hint in _HERE if isinstance(error, kind)), "")
    return f"{text} {hint}".rstrip()
