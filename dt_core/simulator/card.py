"""The card on a simulated picture: what was asked, laid out for the room there is.

Blocks claim room in the order of their importance and are drawn in the order of reading,
so a small picture has fewer lines, not smaller ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

from .art import Colour, Palette
from .lettering import clean, cut, drawable, font_for, width, wrap

WHITE: Colour = (255, 255, 255)
_DIM: Colour = (176, 182, 196)
_FAINT: Colour = (138, 145, 160)
_AMBER: Colour = (255, 196, 92)
_ROSE: Colour = (255, 150, 150)

Box = tuple[int, int, int, int]
_Paint = Callable[[ImageDraw.ImageDraw, int, int], None]
_Block = tuple[int, _Paint]


@dataclass(frozen=True, slots=True)
class Card:
    """What to say. `facts` come most important first; `pictures` are labelled thumbnails."""

    prompt: str
    negative: str
    model: str
    family: str
    facts: tuple[tuple[str, str], ...]
    loras: tuple[str, ...]
    controls: tuple[str, ...]
    pictures: tuple[tuple[str, Image.Image], ...]
    settings: tuple[str, ...]
    notes: tuple[str, ...]


def rounded(canvas: Image.Image, box: Box, radius: int, fill: Image.Image | Colour) -> None:
    """Fill a rectangle with smooth round corners."""
    left, top, right, bottom = box
    size = (max(1, right - left), max(1, bottom - top))
    radius = max(1, min(radius, min(size) // 2))
    mask = Image.new("L", size, 255)
    disc = Image.new("L", (radius * 8, radius * 8), 0)
    ImageDraw.Draw(disc).ellipse((0, 0, radius * 8 - 1, radius * 8 - 1), fill=255)
    disc = disc.resize((radius * 2, radius * 2), Image.Resampling.LANCZOS)
    for x, far_x in ((0, 0), (size[0] - radius, radius)):
        for y, far_y in ((0, 0), (size[1] - radius, radius)):
            mask.paste(disc.crop((far_x, far_y, far_x + radius, far_y + radius)), (x, y))
    source = Image.new("RGB", size, fill) if isinstance(fill, tuple) else fill
    canvas.paste(source, (left, top), mask)


def draw_card(canvas: Image.Image, card: Card, colours: Palette, box: Box) -> tuple[Box, Box]:
    """Draw the card into `box` of `canvas`; returns where its panel and its mark are."""
    return _Layout(canvas, card, colours, box).draw()


def pill(canvas: Image.Image, text: str, corner: tuple[int, int], size: int, fill: Colour) -> Box:
    """A small label; `corner` is its upper left one, or its upper right one if x < 0."""
    pad_x, pad_y = round(size * 0.7), round(size * 0.38)
    wide, high = round(width(text, size)) + 2 * pad_x, size + 2 * pad_y
    left = corner[0] if corner[0] >= 0 else -corner[0] - wide
    area = (left, corner[1], left + wide, corner[1] + high)
    rounded(canvas, area, high // 2, fill)
    _text(ImageDraw.Draw(canvas), left + pad_x, corner[1] + pad_y, text, size, WHITE)
    return area


def text_size(box: Box) -> int:
    """Body text for a box, px."""
    wide, high = box[2] - box[0], box[3] - box[1]
    side = 0.6 * min(wide, high) + 0.4 * math.sqrt(wide * high)
    return max(9, round(0.030 * side))


def _text(draw: ImageDraw.ImageDraw, x: int, y: int, text: str, size: int, fill: Colour) -> None:
    text = drawable(text, size)
    draw.text((x, y - round(size * 0.12)), text, font=font_for(text, size), fill=fill)


class _Layout:
    def __init__(self, canvas: Image.Image, card: Card, colours: Palette, box: Box) -> None:
        self.canvas, self.card, self.colours, self.box = canvas, card, colours, box
        self.body = text_size(box)
        self.small = max(8, round(self.body * 0.80))
        self.head = max(10, round(self.body * 1.55))
        self.gap = round(self.body * 0.75)
        wide, high = box[2] - box[0], box[3] - box[1]
        self.margin = max(4, round(self.body * 0.9))
        self.pad = max(5, round(self.body * 1.0))
        self.short = min(wide, high)
        landscape = wide > 1.45 * high and wide > 400
        self.panel_width = (round(wide * 0.62) if landscape else wide) - 2 * self.margin
        self.room = self.panel_width - 2 * self.pad
        top_row = 2 * self.small + 2 * self.margin
        ceiling = high - self.margin - top_row
        self.max_height = ceiling if high < 340 or landscape else min(ceiling, round(high * 0.72))

    def draw(self) -> tuple[Box, Box]:
        left, top, _, bottom = self.box
        blocks = self._blocks()
        corner = (left + self.margin, top + self.margin)
        mark = pill(self.canvas, "SIMULATOR", corner, self.small, self.colours.deep)
        if not blocks:
            return (left, top, left, top), mark
        height = 2 * self.pad + sum(b[0] for b in blocks) + self.gap * (len(blocks) - 1)
        panel = (
            left + self.margin,
            bottom - self.margin - height,
            left + self.margin + self.panel_width,
            bottom - self.margin,
        )
        self._glass(panel)
        draw = ImageDraw.Draw(self.canvas)
        y = panel[1] + self.pad
        for high, paint in blocks:
            paint(draw, panel[0] + self.pad, y)
            y += high + self.gap
        return panel, mark

    def _glass(self, panel: Box) -> None:
        behind = self.canvas.crop(panel).filter(ImageFilter.GaussianBlur(self.body))
        tint = Image.new("RGB", behind.size, self.colours.deep)
        rounded(self.canvas, panel, self.body, Image.blend(behind, tint, 0.84))

    def _blocks(self) -> list[_Block]:
        makers = (  # in the order of reading, with their importance
            (0, self._prompt),
            (5, self._negative),
            (1, self._model),
            (2, self._facts),
            (4, self._chips),
            (3, self._pictures),
            (7, self._settings),
            (6, self._notes),
        )
        left = self.max_height - 2 * self.pad
        made: dict[int, _Block] = {}
        for index, (_, make) in sorted(enumerate(makers), key=lambda item: item[1][0]):
            room = left - (self.gap if made else 0)
            block = make(room) if room >= self.small else None
            if block is not None and block[0] <= room:
                made[index] = block
                left -= block[0] + (self.gap if len(made) > 1 else 0)
        return [made[index] for index in sorted(made)]

    def _lines(self, lines: list[str], size: int, fill: Colour) -> _Block | None:
        if not lines:
            return None
        step = round(size * 1.28)

        def paint(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
            for number, line in enumerate(lines):
                _text(draw, x, y + number * step, line, size, fill)

        return step * (len(lines) - 1) + size, paint

    def _prompt(self, room: int) -> _Block | None:
        text = clean(self.card.prompt)
        if not text:
            return self._lines(["(no prompt)"], self.body, _FAINT)
        size = self.head if self.short >= 200 else self.body
        lines = max(1, min(5 if self.short >= 640 else 3, round(room * 0.42 / (size * 1.28))))
        return self._lines(wrap(text, size, self.room, lines), size, WHITE)

    def _negative(self, room: int) -> _Block | None:
        text = clean(self.card.negative)
        if not text:
            return None
        lines = max(1, min(2, room // round(self.small * 1.28)))
        return self._lines(
            wrap(f"without: {text}", self.small, self.room, lines), self.small, _ROSE
        )

    def _model(self, _: int) -> _Block:
        size, bar = self.body, max(2, self.body // 5)
        name = cut(clean(self.card.model), size, self.room - bar - self.pad // 2)
        used = width(name, size)

        def paint(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
            draw.rectangle((x, y, x + bar - 1, y + size), fill=self.colours.accent)
            start = x + bar + self.pad // 2
            _text(draw, start, y, name, size, self.colours.accent)
            after = start + round(used) + self.pad // 2
            rest = x + self.room - after
            if rest > 6 * self.small:
                _text(draw, after, y + size - self.small, cut(self.card.family, self.small, rest),
                      self.small, _DIM)  # fmt: skip

        return size, paint

    def _facts(self, room: int) -> _Block | None:
        label = max(8, round(self.small * 0.85))
        row = label + round(self.body * 1.65)
        columns = max(1, self.room // max(1, round(self.body * 7.2)))
        rows = min(-(-len(self.card.facts) // columns), (room + self.body * 2 // 5) // row)
        if rows < 1:
            line = "  ".join(f"{name.lower()} {value}" for name, value in self.card.facts)
            return self._lines([cut(line, self.small, self.room)], self.small, _DIM)
        shown = self.card.facts[: rows * columns]
        columns = min(columns, len(shown))
        cell = self.room / columns

        def paint(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
            for number, (name, value) in enumerate(shown):
                left = x + round(number % columns * cell)
                top = y + number // columns * row
                _text(draw, left, top, name.upper(), label, _FAINT)
                text = cut(value, self.body, cell - self.small // 2)
                _text(draw, left, top + round(label * 1.25), text, self.body, WHITE)

        return row * -(-len(shown) // columns) - self.body * 2 // 5, paint

    def _chips(self, room: int) -> _Block | None:
        chips = (*self.card.loras, *self.card.controls)
        high = self.small + round(self.small * 0.76)
        places: list[tuple[int, int, str]] = []
        x = y = 0
        for chip in chips:
            text = cut(clean(chip), self.small, self.room - 2 * self.small)
            wide = round(width(text, self.small)) + round(self.small * 1.4)
            if x and x + wide > self.room:
                x, y = 0, y + high + self.small // 3
            if y + high > room:
                break
            places.append((x, y, text))
            x += wide + self.small // 2
        if not places:
            return None

        def paint(_: ImageDraw.ImageDraw, left: int, top: int) -> None:
            for x, y, text in places:
                pill(self.canvas, text, (left + x, top + y), self.small, self.colours.chip)

        return places[-1][1] + high, paint

    def _pictures(self, room: int) -> _Block | None:
        label = max(8, round(self.small * 0.85))
        side = min(round(self.body * 5.2), room - round(label * 1.5))
        count = min(len(self.card.pictures), (self.room + self.small) // max(1, side + self.small))
        if side < 3 * self.body or not count:
            return None

        def paint(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
            for number, (name, picture) in enumerate(self.card.pictures[:count]):
                left = x + number * (side + self.small)
                rounded(self.canvas, (left, y, left + side, y + side), self.small // 2,
                        _square(picture, side))  # fmt: skip
                text = cut(name, label, side + self.small * 0.7)
                _text(draw, left, y + side + round(label * 0.4), text, label, _DIM)

        return side + round(label * 1.5), paint

    def _settings(self, room: int) -> _Block | None:
        lines = min(4, room // round(self.small * 1.28))
        text = "  ·  ".join(self.card.settings)
        return self._lines(wrap(text, self.small, self.room, lines), self.small, _FAINT)

    def _notes(self, room: int) -> _Block | None:
        left = min(8, room // round(self.small * 1.28))
        lines: list[str] = []
        for note in self.card.notes:
            if len(lines) >= left:
                break
            more = wrap(f"Note: {clean(note)}", self.small, self.room, min(2, left - len(lines)))
            lines += more
        return self._lines(lines, self.small, _AMBER)


def _square(picture: Image.Image, side: int) -> Image.Image:
    scale = side / min(picture.size)
    size = (max(side, round(picture.width * scale)), max(side, round(picture.height * scale)))
    large = picture.resize(size, Image.Resampling.LANCZOS)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return large.crop((left, top, left + side, top + side))
