"""Preview latents to RGB, and RGB back to latents that preview as it.

What a latent means is the family's `PreviewRecipe`, a row of families.json. One pixel of
a preview is one cell of the latent (docs/protocol.md 5.3, Appendix A).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import half_floats

__all__ = [
    "PreviewRecipe",
    "audio_row_count",
    "can_be_shown",
    "latent_to_rgb",
    "rgb_to_latent",
]

# What programs that show and shrink pictures can take. The largest request has 8192 px, and
# 128 times as much as the other side.
MOST_SIDE_PX = 8192 + 64
MOST_RATIO = 256

Kind = Literal["linear", "oklab", "pixel_patches", "none"]
Triple = tuple[float, ...]

# OKLab to the cube roots of cone responses, and those responses to linear sRGB.
_LAB_TO_ROOTS = np.array(
    [
        [1.0, 1.0, 1.0],
        [0.3963377774, -0.1055613458, -0.0894841775],
        [0.2158037573, -0.0638541728, -1.2914855480],
    ],
    np.float32,
)
_CONES_TO_LINEAR = np.array(
    [
        [4.0767416621, -1.2684380046, -0.0041960863],
        [-3.3077115913, 2.6097574011, -0.7034186147],
        [0.2309699292, -0.3413193965, 1.7076147010],
    ],
    np.float32,
)


@dataclass(frozen=True, slots=True)
class PreviewRecipe:
    """How the latents of a model family become a preview.

    linear: byte = v @ matrix + bias. oklab: L, a, b = v @ matrix + bias. pixel_patches:
    a cell is a square of `patch` x `patch` pixels, -1..1, one colour after the other.
    none: there is no preview. `channels` is the number that a latent must have; for
    others, `alternatives` may have a recipe. `rounded`: to nearest instead of down.
    `audio_rows`: rows of sound hang below the picture.
    """

    kind: Kind
    channels: int
    matrix: tuple[Triple, ...] = ()
    bias: Triple = ()
    alternatives: tuple[PreviewRecipe, ...] = ()
    patch: int = 1
    audio_rows: bool = False
    rounded: bool = False

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> PreviewRecipe:
        """Read the "preview" object of a family, or one of its alternatives."""
        # OKLab's matrix stands apart because the result of it is not RGB.
        linear = row.get("lab") or row
        return cls(
            kind=row.get("kind", "linear"),
            channels=row["channels"],
            matrix=tuple(tuple(weights) for weights in linear.get("W") or ()),
            bias=tuple(linear.get("b") or ()),
            alternatives=tuple(cls.from_json(other) for other in row.get("alternatives", ())),
            patch=row.get("patch", 1),
            audio_rows=row.get("audio_rows", False),
            rounded="round instead of truncate" in row.get("scaling", ""),
        )


def audio_row_count(batch: int, width: int) -> int:
    """How many rows at the bottom of [batch, h, width, C] hold sound instead of picture."""
    # The sound has a row of cells for each frame of the video, 8 for each but the first
    # latent one, folded into the latent's width.
    return -(-((batch - 1) * 8 + 1) // (width * batch))


def can_be_shown(height: int, width: int) -> bool:
    """Whether a picture of that size is one that others can show."""
    small, large = sorted((height, width))
    return small >= 1 and large <= MOST_SIDE_PX and large <= MOST_RATIO * small


def latent_to_rgb(
    latent: NDArray[Any], preview: PreviewRecipe, at_most: int | None = None
) -> NDArray[np.uint8] | None:
    """Make previews: uint8 [N, H, W, 3].

    `latent` is float16 or float32 [N, h, w, C]; H and W are h and w, times the patch size
    for pixel patches, less the audio rows. Of more than `at_most` frames so many are made,
    first and last among them. Values that are not finite become 0. Returns None where
    there is no preview: no recipe, another number of channels or dimensions, or a size that
    nobody can show.
    """
    if latent.ndim != 4 or 0 in latent.shape:
        return None
    recipe = next(
        (r for r in (preview, *preview.alternatives) if r.channels == latent.shape[3]), None
    )
    if recipe is None or recipe.kind == "none":
        return None
    batch, height, width, _ = latent.shape
    if recipe.audio_rows:
        height -= audio_row_count(batch, width)
        if height <= 0:
            return None
        latent = latent[:, :height]
    if not can_be_shown(height * recipe.patch, width * recipe.patch):
        return None
    if at_most is not None and batch > at_most:
        latent = latent[np.linspace(0, batch - 1, at_most).round().astype(int)]
    with np.errstate(all="ignore"):  # NaN, and what BLAS makes of it on some processors
        values = latent.astype(np.float32, copy=False)
        if recipe.kind == "pixel_patches":
            levels = values * np.float32(127.5)
            levels += np.float32(127.5)
            return _unfold(_to_bytes(levels), recipe.patch)
        matrix, bias, _ = _arrays(recipe)
        # Row by row: a product of that size would wake BLAS's threads, which cost more.
        levels = values @ matrix
        levels += bias
        if recipe.kind == "oklab":
            levels = _lab_to_levels(levels)
        if recipe.rounded:
            levels = np.rint(levels)
    return _to_bytes(levels).reshape(-1, height, width, 3)


def rgb_to_latent(rgb: NDArray[Any], recipe: PreviewRecipe) -> NDArray[np.float32]:
    """Make the smallest latents that preview as a picture.

    `rgb` is float [N, h, w, 3], 0..1. Returns float32 [N, h, w, C], without audio rows.
    `latent_to_rgb` gives the picture back where the family's preview can show it; where it
    has none, the channels repeat the picture, -1..1.
    """
    batch, height, width, _ = rgb.shape
    # Previews are cut off at whole levels, so aim at the middle of one.
    levels = np.rint(np.clip(rgb, 0, 1).astype(np.float32) * 255)
    if recipe.kind == "none":
        repeats = -(-recipe.channels // 3)
        return np.tile(levels / np.float32(127.5) - 1, repeats)[..., : recipe.channels]
    if not recipe.rounded:
        levels += np.float32(0.5)
    if recipe.kind == "pixel_patches":
        return np.repeat(levels / np.float32(127.5) - 1, recipe.patch**2, axis=3)
    if recipe.kind == "oklab":
        levels = _levels_to_lab(levels)
    _, bias, inverse = _arrays(recipe)
    with np.errstate(all="ignore"):  # BLAS raises flags on some processors without a reason
        latent: NDArray[np.float32] = (levels.reshape(-1, 3) - bias) @ inverse
    return latent.reshape(batch, height, width, recipe.channels)


@functools.lru_cache(maxsize=64)
def _arrays(recipe: PreviewRecipe) -> tuple[NDArray[np.float32], ...]:
    """Matrix, bias and the matrix's pseudo-inverse."""
    matrix = np.array(recipe.matrix, np.float64)
    return (
        matrix.astype(np.float32),
        np.array(recipe.bias, np.float32),
        np.linalg.pinv(matrix).astype(np.float32),
    )


def _to_bytes(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cut off at whole levels from 0 to 255; changes `levels`."""
    if not half_floats.are_finite(levels):
        levels[~np.isfinite(levels)] = 0
    np.clip(levels, 0, 255, out=levels)
    return levels.astype(np.uint8)


def _unfold(values: NDArray[np.uint8], patch: int) -> NDArray[np.uint8]:
    """[N, h, w, 3 * patch * patch] to [N, h * patch, w * patch, 3]."""
    batch, height, width, _ = values.shape
    cells = values.reshape(batch, height, width, 3, patch, patch)
    pixels: NDArray[np.uint8] = cells.transpose(0, 1, 4, 2, 5, 3)
    return pixels.reshape(batch, height * patch, width * patch, 3)


def _lab_to_levels(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    linear = (lab @ _LAB_TO_ROOTS) ** 3 @ _CONES_TO_LINEAR
    # The app applies the curve that decodes sRGB where one would expect the other one.
    curve = ((linear + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    value: NDArray[np.float32] = np.where(linear >= 0.04045, curve, linear / np.float32(12.92))
    value *= np.float32(255)
    return value


def _levels_to_lab(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    value = levels / np.float32(255)
    curve = value ** np.float32(1 / 2.4) * np.float32(1.055) - np.float32(0.055)
    linear = np.where(value >= 0.04045 / 12.92, curve, value * np.float32(12.92))
    roots = np.cbrt(linear @ np.linalg.inv(_CONES_TO_LINEAR))
    lab: NDArray[np.float32] = roots @ np.linalg.inv(_LAB_TO_ROOTS)
    return lab
