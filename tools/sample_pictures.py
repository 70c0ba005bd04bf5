"""Draw the pictures that the example workflows load: `python -m tools.sample_pictures`.

A lake at dusk, a mask over a part of its water, a depth map, and a portrait: drawn here,
so free to use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from .comfyui_setup import ROOT

TARGET = ROOT / "example_workflows" / "input"
LANDSCAPE = (960, 640)
PORTRAIT = (512, 640)
OVERSAMPLING = 3
SHORE = 0.62  # height of the waterline, as a part of the picture
# What the mask leaves to the server to paint: left, top, right, bottom, as parts.
BOAT_PLACE = (0.23, 0.665, 0.75, 0.955)

Colour = tuple[int, int, int]
Floats = npt.NDArray[np.float64]


def gradient(size: tuple[int, int], stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """Colours from top to bottom, between stops at parts of the height."""
    width, height = size
    at = np.linspace(0, 1, height)
    places = [place for place, _ in stops]
    channels = [np.interp(at, places, [colour[c] for _, colour in stops]) for c in range(3)]
    column = np.stack(channels, axis=-1)[:, None, :]
    return Image.fromarray(np.repeat(column, width, axis=1).round().astype(np.uint8))


def ridge(width: int, base: float, height: float, seed: int) -> Floats:
    """A mountain line: waves of falling size, each with its own phase."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 1, width)
    line = np.zeros(width)
    for octave in range(1, 8):
        phase = random.uniform(0, 2 * np.pi)
        line += np.abs(np.sin(2**octave * 0.9 * x + phase)) / 2**octave
    risen: Floats = base - height * (line - line.min()) / (line.max() - line.min())
    return risen


def below(line: Floats, bottom: float) -> list[tuple[float, float]]:
    """The polygon between a line and a bottom edge."""
    points = [(float(x), float(y)) for x, y in enumerate(line)]
    return [*points, (float(len(line)), bottom), (0.0, bottom)]


def pine(draw: ImageDraw.ImageDraw, x: float, foot: float, height: float, colour: Colour) -> None:
    """A fir in five tiers on a short trunk."""
    draw.rectangle((x - height * 0.02, foot - height * 0.1, x + height * 0.02, foot), colour)
    for tier in range(5):
        top = foot - height + tier * height * 0.17
        bottom = top + height * 0.30
        half = height * (0.06 + 0.035 * tier)
        draw.polygon([(x, top), (x + half, bottom), (x - half, bottom)], colour)


def landscape() -> Image.Image:
    width, height = (side * OVERSAMPLING for side in LANDSCAPE)
    shore = int(height * SHORE)
    dusk = (
        (0.0, (38, 52, 92)),
        (0.35, (112, 98, 142)),
        (0.62, (226, 142, 124)),
        (0.85, (250, 200, 146)),
        (1.0, (253, 222, 170)),
    )
    sky = gradient((width, shore), dusk)

    sun = Image.new("L", sky.size, 0)
    x, y, radius = width * 0.735, shore * 0.60, height * 0.052
    ImageDraw.Draw(sun).ellipse(
        (x - 3 * radius, y - 3 * radius, x + 3 * radius, y + 3 * radius), 90
    )
    sun = sun.filter(ImageFilter.GaussianBlur(radius * 1.3))
    ImageDraw.Draw(sun).ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    sky.paste((255, 240, 206), mask=sun)

    draw = ImageDraw.Draw(sky)
    for base, tall, seed, colour in (
        (1.00, 0.52, 11, (152, 118, 148)),
        (1.02, 0.36, 5, (106, 88, 128)),
        (1.04, 0.22, 23, (62, 60, 96)),
    ):
        draw.polygon(below(ridge(width, shore * base, shore * tall, seed), shore), colour)

    mirrored = sky.transpose(Image.Transpose.FLIP_TOP_BOTTOM).crop((0, 0, width, height - shore))
    ripple = np.asarray(mirrored).astype(np.float64)
    rows = np.arange(ripple.shape[0])
    shift = np.sin(rows**0.72 * 0.55) * (2 + rows * 0.018) * OVERSAMPLING
    rippled = np.stack(
        [np.roll(row, round(by), axis=0) for row, by in zip(ripple, shift, strict=True)]
    )
    depth = np.linspace(0.86, 0.55, len(rows))[:, None, None]
    water = Image.fromarray((rippled * depth + (8, 14, 30)).clip(0, 255).astype(np.uint8))

    picture = Image.new("RGB", (width, height))
    picture.paste(sky)
    picture.paste(water, (0, shore))
    draw = ImageDraw.Draw(picture)
    near: Colour = (22, 27, 46)
    bank = ridge(width, height * 1.01, height * 0.10, 3)
    draw.polygon(below(bank, height), near)
    random = np.random.default_rng(8)
    for part in (0.03, 0.075, 0.115, 0.16, 0.215, 0.80, 0.845, 0.885, 0.93, 0.975):
        edge = abs(part - 0.5) * 2
        tall = height * (0.16 + 0.42 * edge**3) * random.uniform(0.85, 1.15)
        pine(draw, width * part, float(bank[int(width * part)]) + height * 0.02, tall, near)
    return picture.resize(LANDSCAPE, Image.Resampling.LANCZOS)


def depth_map() -> Image.Image:
    """Near is light: the mountains of a landscape, and the ground that leads to them."""
    width, height = LANDSCAPE
    shore = int(height * SHORE)
    ground = gradient((width, height - shore), ((0, (90, 90, 90)), (1, (235, 235, 235))))
    picture = Image.new("RGB", LANDSCAPE)
    picture.paste(ground, (0, shore))
    draw = ImageDraw.Draw(picture)
    for base, tall, seed, level in ((1.0, 0.62, 11, 32), (1.02, 0.42, 5, 58), (1.04, 0.24, 23, 84)):
        line = ridge(width, shore * base, shore * tall, seed)
        draw.polygon(below(line, shore), (level, level, level))
    return picture.filter(ImageFilter.GaussianBlur(2))


def boat_mask() -> Image.Image:
    """White where the server is to paint."""
    width, height = (side * OVERSAMPLING for side in LANDSCAPE)
    left, top, right, bottom = BOAT_PLACE
    mask = Image.new("L", (width, height), 0)
    box = (left * width, top * height, right * width, bottom * height)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius=height * 0.08, fill=255)
    return mask.resize(LANDSCAPE, Image.Resampling.LANCZOS).convert("RGB")


def portrait() -> Image.Image:
    """A woman in a green pullover before a warm wall, in flat shapes."""
    width, height = (side * OVERSAMPLING for side in PORTRAIT)
    picture = gradient((width, height), ((0.0, (240, 200, 160)), (1.0, (206, 138, 116))))
    draw = ImageDraw.Draw(picture)

    def ellipse(x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        box = ((x - rx) * width, (y - ry) * height, (x + rx) * width, (y + ry) * height)
        draw.ellipse(box, colour)

    hair, skin, shade = (58, 38, 44), (238, 188, 158), (216, 156, 130)
    wool, wool_shade, ink = (38, 98, 92), (28, 78, 76), (52, 36, 42)

    ellipse(0.70, 0.30, 0.42, 0.336, (246, 214, 176))  # light on the wall
    ellipse(0.5, 0.40, 0.235, 0.225, hair)
    draw.rectangle((0.265 * width, 0.40 * height, 0.735 * width, 0.66 * height), hair)
    ellipse(0.5, 1.02, 0.42, 0.34, wool)
    draw.rectangle((0.435 * width, 0.55 * height, 0.565 * width, 0.71 * height), shade)
    ellipse(0.5, 0.715, 0.125, 0.042, wool_shade)
    ellipse(0.5, 0.702, 0.095, 0.030, shade)
    ellipse(0.5, 0.43, 0.165, 0.175, skin)
    for side in (-1, 1):
        ellipse(0.5 + side * 0.168, 0.455, 0.022, 0.034, skin)
        ellipse(0.5 + side * 0.172, 0.505, 0.012, 0.010, (228, 180, 84))  # ear ring
        ellipse(0.5 + side * 0.068, 0.435, 0.026, 0.0125, (252, 246, 240))
        ellipse(0.5 + side * 0.068, 0.435, 0.0125, 0.0110, ink)
        ellipse(0.5 + side * 0.064, 0.431, 0.004, 0.0035, (255, 255, 255))
        ellipse(0.5 + side * 0.098, 0.492, 0.030, 0.018, (234, 166, 142))
        brow = ((0.5 + side * 0.068 - 0.038), 0.393, (0.5 + side * 0.068 + 0.038), 0.43)
        box = (brow[0] * width, brow[1] * height, brow[2] * width, brow[3] * height)
        draw.arc(box, 205, 335, fill=hair, width=round(0.009 * height))
    # A fringe parted on the left, drawn over the forehead.
    draw.pieslice((0.30 * width, 0.205 * height, 0.72 * width, 0.50 * height), 185, 325, fill=hair)
    draw.chord((0.29 * width, 0.215 * height, 0.60 * width, 0.425 * height), 140, 300, fill=hair)
    nose = [(0.502 * width, 0.445 * height), (0.522 * width, 0.498 * height)]
    draw.line([*nose, (0.495 * width, 0.502 * height)], fill=shade, width=12, joint="curve")
    ellipse(0.5, 0.548, 0.047, 0.0125, (190, 84, 86))
    draw.arc(
        (0.448 * width, 0.520 * height, 0.552 * width, 0.556 * height),
        *(15, 165),
        fill=(150, 58, 66),
        width=10,
    )
    for rib in range(7):  # the pullover's knit
        x = (0.20 + rib * 0.10) * width
        foot = x + (rib - 3) * 0.03 * width
        draw.line([(x, 0.80 * height), (foot, height)], fill=wool_shade, width=9)
    return picture.resize(PORTRAIT, Image.Resampling.LANCZOS)


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    pictures = {
        "dusk_lake.png": landscape(),
        "dusk_lake_mask.png": boat_mask(),
        "mountain_depth.png": depth_map(),
        "portrait.png": portrait(),
    }
    for name, picture in pictures.items():
        picture.save(TARGET / name, optimize=True)
        print(f"{name}: {(TARGET / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
