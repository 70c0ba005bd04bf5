"""What people should know: Python warnings, and what to do in Python about an error."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DrawThingsError
from . import remedies

_HERE = Path(__file__).parent


class DrawThingsWarning(UserWarning):
    """The server will not do quite what was asked; the sentence says what."""


def warn(*sentences: str) -> None:
    """Warn, naming the script's line and not one of ours."""
    for sentence in sentences:
        warnings.warn(sentence, DrawThingsWarning, stacklevel=_depth())


@contextmanager
def in_python() -> Iterator[None]:
    """Errors that leave this block say what to do in a script."""
    try:
        yield
    except DrawThingsError as error:
        error.args = (str(error.told(remedies.WORDS)), *error.args[1:])
        raise


def _depth() -> int:
    frame, depth = inspect.currentframe(), 0
    while frame is not None and Path(frame.f_code.co_filename).parent == _HERE:
        frame, depth = frame.f_back, depth + 1
    return max(depth, 1)
