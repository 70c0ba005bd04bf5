"""The simulated results: pictures and frames of a run, drawn from its request alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from . import art
from .card import Box, Card, draw_card, pill, text_size
from .card_text import make_card, to_pixels
from .intake import Asked
from .mask_codes import MaskReading
from .plan import Plan

FloatArray = NDArray[np.float32]

_OWN_SHARE_OF_EDITS = 0.45  # how much of an edited picture is new


class Drawing:
    """The pictures of one run. Values 0..1, RGB, or alpha first and then RGB."""

    def __init__(self, asked: Asked, plan: Plan) -> None:
        self._asked, self._plan = asked, plan
        self._card: Card = make_card(asked, plan)
        self._seed = int(asked.configuration["seed"])
        self._bases: dict[int, tuple[Image.Image, tuple[Box, Box]]] = {}

    @property
    def count(self) -> int:
        return self._plan.frames or self._plan.batch

    def picture(self, index: int) -> FloatArray:
        """Picture `index` of the batch, or frame `index`: the card stays, a ball moves."""
        entry = 0 if self._plan.frames else index
        if entry not in self._bases:
            self._bases[entry] = self._base(entry)
        canvas, covered = self._bases[entry]
        canvas = canvas.copy()
        if self._plan.frames:
            self._move(canvas, covered[0], index)
        else:
            several = self.count > 1
            label = f"{index + 1} of {self.count}" if several else self._size_label()
            self._corner(canvas, label)
        return self._finish(canvas, covered, entry)

    def _size_label(self) -> str:
        return f"{self._plan.width}x{self._plan.height}"

    def _base(self, index: int) -> tuple[Image.Image, tuple[Box, Box]]:
        plan = self._plan
        new = art.bands(self._seed + index, plan.width, plan.height)
        init = self._init()
        if init is not None and plan.path == "text":
            new = _OWN_SHARE_OF_EDITS * new + (1 - _OWN_SHARE_OF_EDITS) * init
        elif init is not None:
            strength = np.float32(min(1.0, max(0.0, plan.strength)))
            blended = strength * new + (1 - strength) * init
            if plan.path == "mask" and plan.mask is not None:
                blended = np.where(plan.mask.empty[..., None], new, blended)
            new = blended
        canvas = _to_image(new)
        return canvas, draw_card(canvas, self._card, art.palette(self._seed), self._box())

    def _init(self) -> FloatArray | None:
        """The init image at the size of the result, where the run looks at it."""
        image, plan = self._asked.image, self._plan
        if image is None or image.ndim != 4:
            return None
        first_frame = plan.chosen.family.supports("first_frame_image")
        if plan.path == "text" and not (plan.chosen.shows_image or first_frame):
            return None
        pixels = to_pixels(image)
        if pixels.shape[:2] != (plan.height, plan.width):
            resized = _to_image(pixels).resize((plan.width, plan.height), Image.Resampling.BILINEAR)
            pixels = np.asarray(resized, np.float32) / 255
        return pixels.astype(np.float32)

    def _box(self) -> Box:
        """Where the card goes: the whole picture, or what a mask leaves to paint."""
        plan = self._plan
        if plan.path == "mask" and plan.mask is not None and plan.mask.repaint.any():
            return _inner_box(plan.mask.repaint)
        return 0, 0, plan.width, plan.height

    def _corner(self, canvas: Image.Image, label: str) -> None:
        box = self._box()
        size = text_size(box)
        if box[2] - box[0] > 14 * size:
            margin = round(size * 0.9)
            deep = art.palette(self._seed).deep
            pill(canvas, label, (margin - box[2], box[1] + margin), max(8, round(size * 0.8)), deep)

    def _move(self, frame: Image.Image, panel: Box, index: int) -> None:
        total = max(1, self._plan.frames)
        share = index / total
        self._corner(frame, f"frame {index + 1} / {total}")
        left, top, right, bottom = self._box()
        landscape = panel[2] < right - (right - left) // 4 and panel[2] > panel[0]
        area = (panel[2], top, right, bottom) if landscape else (left, top, right, panel[1])
        if area[3] - area[1] < 12:
            area = (left, top, right, bottom)
        radius = max(3, round(0.05 * min(right - left, bottom - top)))
        x = (area[0] + area[2]) / 2 + 0.36 * (area[2] - area[0]) * math.cos(2 * math.pi * share)
        y = (area[1] + area[3]) / 2 + 0.26 * (area[3] - area[1]) * math.sin(4 * math.pi * share)
        draw = ImageDraw.Draw(frame)
        ball = (x - radius, y - radius, x + radius, y + radius)
        accent = art.palette(self._seed).accent
        draw.ellipse(ball, fill=(255, 255, 255))
        draw.ellipse((ball[0] + 2, ball[1] + 2, ball[2] - 2, ball[3] - 2), fill=accent)
        bar = max(2, (bottom - top) // 160)
        end = left + round((right - left) * (index + 1) / total)
        draw.rectangle((left, bottom - bar, end, bottom), fill=accent)

    def _finish(self, canvas: Image.Image, covered: tuple[Box, Box], index: int) -> FloatArray:
        plan, init = self._plan, self._init()
        if plan.path == "mask" and plan.mask is not None and init is not None:
            _outline(canvas, plan.mask, art.palette(self._seed).accent)
            drawn = np.asarray(canvas, np.float32) / 255
            share = _repainted_share(self._asked, plan.mask)[..., None]
            result = np.where(share >= 1, drawn, np.where(share <= 0, init, 0))
            soft = (share > 0) & (share < 1)
            result = np.where(soft, share * drawn + (1 - share) * init, result)
        else:
            result = np.asarray(canvas, np.float32) / 255
        if plan.chosen.transparent:
            alpha = _alpha(plan, covered, index)
            result = np.concatenate([alpha[..., None], result], axis=2)
        final: FloatArray = result.astype(np.float32)
        return final


def _inner_box(area: NDArray[np.bool_]) -> Box:
    """A box that lies almost wholly in `area`: its bounds, drawn in as far as needed."""
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    bounds = (int(left), int(top), int(right), int(bottom))
    for percent in range(0, 30, 2):
        x, y = (right - left) * percent // 100, (bottom - top) * percent // 100
        if area[top + y : bottom - y, left + x : right - x].mean() > 0.985:
            return bounds[0] + int(x), bounds[1] + int(y), bounds[2] - int(x), bounds[3] - int(y)
    return bounds


def _to_image(pixels: FloatArray) -> Image.Image:
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


def _outline(canvas: Image.Image, mask: MaskReading, colour: art.Colour) -> None:
    inside = Image.fromarray(mask.repaint.astype(np.uint8) * 255)
    width = 3 if min(canvas.size) < 512 else 5
    edge = np.asarray(inside) > np.asarray(inside.filter(ImageFilter.MinFilter(width)))
    canvas.paste(colour, (0, 0), Image.fromarray(edge.astype(np.uint8) * 255))


def _repainted_share(asked: Asked, mask: MaskReading) -> FloatArray:
    """1 where the new picture shows, 0 where the original is pasted back."""
    configuration = asked.configuration
    blur, outset = configuration["mask_blur"], configuration["mask_blur_outset"]
    area = Image.fromarray(mask.repaint.astype(np.uint8) * 255)
    if outset > 0:
        area = area.filter(ImageFilter.MaxFilter(2 * min(outset, 64) + 1))
    elif outset < 0 and blur > 0:
        area = area.filter(ImageFilter.MinFilter(2 * min(-outset, 64) + 1))
    if blur > 0 and configuration["preserve_original_after_inpaint"]:
        area = area.filter(ImageFilter.GaussianBlur(blur))
    share: FloatArray = np.asarray(area).astype(np.float32) / np.float32(255)
    return share


def _alpha(plan: Plan, covered: tuple[Box, Box], index: int) -> FloatArray:
    """What is opaque: the first layer of several, else the card and a soft disc."""
    layered = plan.chosen.modifier == "qwenimage_layered"
    if layered and index == 0:
        return np.ones((plan.height, plan.width), np.float32)
    angle = 2 * math.pi * index / max(1, plan.batch)
    shift = 0.12 if plan.batch > 1 else 0.0
    rows, columns = np.mgrid[: plan.height, : plan.width]
    x = columns / plan.width - 0.5 - shift * math.cos(angle)
    y = rows / plan.height - 0.42 - shift * math.sin(angle)
    alpha: FloatArray = np.clip((0.40 - np.hypot(x, y)) / 0.06, 0, 1).astype(np.float32)
    card = Image.new("L", (plan.width, plan.height), 0)
    for left, top, right, bottom in covered:
        if right <= left or bottom <= top:  # no room for it on a small picture
            continue
        radius = min(text_size((0, 0, plan.width, plan.height)), (bottom - top) // 2)
        ImageDraw.Draw(card).rounded_rectangle((left, top, right - 1, bottom - 1), radius, fill=255)
    return np.maximum(alpha, (np.asarray(card) > 0).astype(np.float32))
