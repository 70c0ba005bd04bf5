"""What is printed: tables, JSON, and progress bars where somebody looks at a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..text import visible


class Bar(Protocol):
    """A progress bar. `close` takes it off the screen; `show` brings it back."""

    def show(self, done: float, total: float, words: str) -> None: ...
    def close(self) -> None: ...


class _Program:
    """What a program that runs the command waits for: one last object, whatever happens."""

    waits_for = ""  # json, jsonl or nothing
    so_far: Callable[[], dict[str, Any]] = staticmethod(dict)


_program = _Program()


def begin(arguments: Sequence[str]) -> None:
    """A command begins; before anything else of its line is understood."""
    _program.waits_for, _program.so_far = "", dict
    for kind in ("json", "jsonl"):
        if f"--{kind}" in arguments:
            _program.waits_for = kind


def so_far(told: Callable[[], dict[str, Any]]) -> None:
    """What the last object tells besides an error, should there be one."""
    _program.so_far = told


def fail(sentence: str) -> None:
    """Say to a program, if one waits, that and why the command ended early."""
    kind, _program.waits_for = _program.waits_for, ""
    if kind == "jsonl":
        as_json({"event": "error", "sentence": sentence, **_program.so_far()}, pretty=False)
    elif kind == "json":
        as_json({**_program.so_far(), "error": sentence})


def line(text: str) -> None:
    """One line, without what could change the terminal."""
    _write(visible(text))


def lines(text: str) -> None:
    """A text of several lines."""
    for part in text.splitlines():
        line(part)


def note(text: str, end: str = "\n") -> None:
    """A line for people, beside the output."""
    sys.stderr.write(f"{visible(text)}{end}")
    sys.stderr.flush()


def as_json(value: Any, *, pretty: bool = True) -> None:
    _write(json.dumps(value, ensure_ascii=False, indent=2 if pretty else None))


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns side by side; the last may be as long as it likes."""
    rows = [[visible(cell) for cell in row] for row in rows]
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
    counted = "{n_fmt}/{total_fmt}B {rate_fmt}" if unit_bytes else "{percentage:3.0f}%"
    form = "{desc} |{bar}| " + counted + " [{elapsed}<{remaining}]"
    return _TqdmBar(
        lambda: tqdm(
            total=1,
            leave=False,
            bar_format=form,
            unit="B",
            unit_scale=unit_bytes,
            file=sys.stderr,
            delay=1e-9,  # drawn by `show`, not empty at once
        )
    )


class _NoBar:
    def show(self, done: float, total: float, words: str) -> None:
        """Nobody looks."""

    def close(self) -> None:
        """Nothing is open."""


class _TqdmBar:
    def __init__(self, draw: Callable[[], Any]) -> None:
        self._draw = draw
        self._drawn: Any = None
        self._start: float | None = None

    def show(self, done: float, total: float, words: str) -> None:
        if self._drawn is None:
            self._drawn = self._draw()
            self._start = self._start or self._drawn.start_t
            self._drawn.start_t = self._start  # time goes on while a line is printed
        self._drawn.total = total
        self._drawn.set_description_str(visible(words), refresh=False)
        self._drawn.n = done
        self._drawn.refresh()

    def close(self) -> None:
        if self._drawn is not None:
            self._drawn.close()
        self._drawn = None
