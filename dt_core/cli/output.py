"""What is printed: tables, JSON, and progress bars where somebody looks at a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Protocol


class Bar(Protocol):
    """A progress bar."""

    def show(self, done: float, total: float, words: str) -> None: ...
    def close(self) -> None: ...


def line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """For people, beside the output."""
    sys.stderr.write(f"{text}\n")


def as_json(value: Any, *, pretty: bool = True) -> None:
    line(json.dumps(value, ensure_ascii=False, indent=2 if pretty else None))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns side by side; the last may be as long as it likes."""
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line("  ".join(cells).rstrip())


def bar(*, quiet: bool = False, unit_bytes: bool = False) -> Bar:
    """A bar on stderr; nothing where that is no terminal, or tqdm is not installed."""
    if quiet or not sys.stderr.isatty():
        return _NoBar()
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar()
    return _TqdmBar(tqdm(total=1, leave=False, unit_scale=unit_bytes, file=sys.stderr))


class _NoBar:
    def show(self, done: float, total: float, words: str) -> None:
        """Nobody looks."""

    def close(self) -> None:
        """Nothing is open."""


class _TqdmBar:
    def __init__(self, drawn: Any) -> None:
        self._drawn = drawn

    def show(self, done: float, total: float, words: str) -> None:
        self._drawn.total = total
        self._drawn.set_description_str(words, refresh=False)
        self._drawn.n = done
        self._drawn.refresh()

    def close(self) -> None:
        self._drawn.close()
