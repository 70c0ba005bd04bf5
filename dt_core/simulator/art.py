"""The picture behind the card: bands of colour that only the seed decides."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]
Colour = tuple[int, int, int]

_MAX_SIDE = 768  # px; larger pictures are enlarged from this
_BANDS = 9


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one seed: `deep` for panels, `chip` for labels on them, `accent` for marks."""

    deep: Colour
    chip: Colour
    accent: Colour
    bands: tuple[Colour, ...]


def palette(seed: int) -> Palette:
    """Two hues a golden angle apart for neighbouring seeds, so that they look different."""
    hue = (seed * 0.618034 + 0.55) % 1.0
    turn = (0.08, 0.14, 0.42, 0.5)[(seed // 7) % 4]
    bands = []
    for index in range(_BANDS):
        share = index / (_BANDS - 1)
        bands.append(_colour(hue + turn * share, 0.74 - 0.30 * share, 0.24 + 0.68 * share))
    return Palette(
        _colour(hue, 0.45, 0.10),
        _colour(hue, 0.50, 0.36),
        _colour(hue + turn, 0.55, 0.98),
        tuple(bands),
    )


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def bands(seed: int, width: int, height: int) -> FloatArray:
    """RGB 0..1 [height, width, 3]: a landscape of waves, cut into bands of colour."""
    shrink = min(1.0, _MAX_SIDE / max(width, height))
    small_w, small_h = max(1, round(width * shrink)), max(1, round(height * shrink))
    random = np.random.Generator(np.random.PCG64(seed))
    long = max(small_w, small_h)
    x = (np.arange(small_w, dtype=np.float32) / np.float32(long) - np.float32(0.5))[None, :]
    y = (np.arange(small_h, dtype=np.float32) / np.float32(long) - np.float32(0.5))[:, None]
    warp_x, warp_y = (_waves(random, x, y, 2, 2.4) for _ in range(2))
    warp = np.float32(0.16)
    field = _waves(random, x + warp * warp_x, y + warp * warp_y, 4, 3.6)
    level = np.clip((field + 1.6) / 3.2, 0, 0.9999) * _BANDS
    index = level.astype(np.int32)
    colours = np.array(palette(seed).bands, np.float32) / 255
    shade = 0.90 + 0.16 * (level - index)
    rgb = np.clip(colours[index] * shade[..., None], 0, 1)
    if shrink < 1:
        picture = Image.fromarray((rgb * 255 + 0.5).astype(np.uint8))
        rgb = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)) / 255
    result: FloatArray = rgb.astype(np.float32)
    return result


def _waves(
    random: np.random.Generator, x: FloatArray, y: FloatArray, count: int, fastest: float
) -> FloatArray:
    total: FloatArray = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    for _ in range(count):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        pace = random.uniform(1.5, fastest) * 2
        along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
        total += np.sin(np.float32(pace) * along * np.float32(np.pi) + np.float32(phase))
    total /= np.float32(np.sqrt(count))
    return total


def noise(seed: int, shape: tuple[int, ...]) -> FloatArray:
    """The noise that a preview emerges from, 0..1."""
    random = np.random.Generator(np.random.PCG64(seed))
    return random.random(shape, np.float32)
