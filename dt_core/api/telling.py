"""What people should know but no program needs to stop for: Python warnings."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path

_HERE = Path(__file__).parent


class DrawThingsWarning(UserWarning):
    """The server will not do quite what was asked; the sentence says what."""


def warn(*sentences: str) -> None:
    """Warn, naming the script's line and not one of ours."""
    for sentence in sentences:
        warnings.warn(sentence, DrawThingsWarning, stacklevel=_depth())


def _depth() -> int:
    frame, depth = inspect.currentframe(), 0
    while frame is not None and Path(frame.f_code.co_filename).parent == _HERE:
        frame, depth = frame.f_back, depth + 1
    return max(depth, 1)
