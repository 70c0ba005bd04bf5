"""Text on pictures: fonts that come with Pillow or with the system, wrapping, cutting."""

from __future__ import annotations

import functools
from typing import Any

from PIL import ImageFont

# Tried in this order for text beyond Latin; PIL looks in the system's font folders.
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "YuGothM.ttc",
    "DejaVuSans.ttf",
    "arial.ttf",
)
_LATIN_END = 0x250
# Of a text: more than any card has room for. Fonts refuse a million letters, and are slow before.
_MOST_LETTERS = 4_000
_MOST_SPACED = 100_000  # before runs of spaces become one


@functools.lru_cache(maxsize=64)
def _latin(size: int) -> Any:
    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow 10.0 has one size only
        return ImageFont.load_default()


@functools.lru_cache(maxsize=64)
def _wide(size: int) -> Any:
    fonts = (_installed(name, size) for name in _WIDE_FONTS)
    return next((font for font in fonts if font is not None), None)


def _installed(name: str, size: int) -> Any:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def clean(text: str) -> str:
    """One line that fonts can draw: control characters become spaces, marks from the higher
    planes (emoji) a box each, and of a text without end the beginning is left."""
    printable = (letter if letter.isprintable() else " " for letter in text[:_MOST_SPACED])
    line = " ".join("".join("\u25a1" if ord(c) > 0xFFFF else c for c in printable).split())
    return line[:_MOST_LETTERS]


@functools.lru_cache(maxsize=512)
def font_for(text: str, size: int) -> Any:
    plain = all(ord(letter) < _LATIN_END or letter in "–—‘’“”…·" for letter in text)
    return _latin(size) if plain else (_wide(size) or _latin(size))


def drawable(text: str, size: int) -> str:
    """`text` as the font can draw it: a font of one alphabet gets question marks."""
    font = font_for(text, size)
    try:
        font.getlength(text)
    except UnicodeError:
        return text.encode("latin-1", "replace").decode("latin-1")
    return text


def width(text: str, size: int) -> float:
    return float(font_for(text, size).getlength(drawable(text, size))) if text else 0.0


def cut(text: str, size: int, room: float) -> str:
    """As much of `text` as fits into `room` px, with an ellipsis if something is missing."""
    text = text[:_MOST_LETTERS]
    if width(text, size) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + "...", size) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "..."


def wrap(text: str, size: int, room: float, lines: int) -> list[str]:
    """`text` in at most `lines` lines of `room` px."""
    rest, result = text[:_MOST_LETTERS], list[str]()
    while rest and len(result) < lines:
        if width(rest, size) <= room:
            return [*result, rest]
        if len(result) == lines - 1:
            return [*result, cut(rest, size, room)]
        line = _line(rest, size, room)
        result.append(line.rstrip())
        rest = rest[len(line) :].lstrip()
    return result


def _line(text: str, size: int, room: float) -> str:
    end, start = 0, 0
    while start < len(text):
        space = text.find(" ", start)
        stop = len(text) if space < 0 else space
        if width(text[:stop], size) > room:
            break
        end, start = stop, stop + 1
    if end:
        return text[:end]
    count = 1  # one word that is longer than the line, or a script without spaces
    while count < len(text) and width(text[: count + 1], size) <= room:
        count += 1
    return text[:count]
