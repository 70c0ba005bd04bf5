"""What people should know: Python warnings, and what to do in Python about an error."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CertificateChanged, DrawThingsError, SecretRejected, TlsMismatch

_HERE = Path(__file__).parent
# The messages of the library name places in ComfyUI; these are the same places in a script.
_IN_PYTHON: tuple[tuple[type[DrawThingsError], str], ...] = (
    (TlsMismatch, "In Python: insecure=True for plain text, without it for TLS."),
    (SecretRejected, "In Python: shared_secret=…, or the environment variable DRAWTHINGS_SECRET."),
    (CertificateChanged, "On the command line: drawthings ping --accept {error.presented}"),
)


class DrawThingsWarning(UserWarning):
    """The server will not do quite what was asked; the sentence says what."""


def warn(*sentences: str) -> None:
    """Warn, naming the script's line and not one of ours."""
    for sentence in sentences:
        warnings.warn(sentence, DrawThingsWarning, stacklevel=_depth())


@contextmanager
def in_python() -> Iterator[None]:
    """Errors that leave this block also say what to do in a script, once."""
    try:
        yield
    except DrawThingsError as error:
        words = next((words for kind, words in _IN_PYTHON if isinstance(error, kind)), "")
        added = words.format(error=error)
        if added and not str(error).endswith(added):
            error.args = (f"{error} {added}", *error.args[1:])
        raise


def _depth() -> int:
    frame, depth = inspect.currentframe(), 0
    while frame is not None and Path(frame.f_code.co_filename).parent == _HERE:
        frame, depth = frame.f_back, depth + 1
    return max(depth, 1)
