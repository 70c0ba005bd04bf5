"""Masks as the server reads them: a code and an opacity in every byte (docs/protocol.md 4.3).

Bits 0 to 2 are the code: 0 rest, 1 filled from noise, 2 repainted at the strength, 3 kept.
Bits 3 to 7 say how much of the original shines through; the server blends it back by
their square.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import Remedy, RequestError
from ..text import Template
from . import pixels
from .values import FloatArray, Mask, Picture, Size

_NO_AREA = Template("mask_without_area", "The mask has no area.")
_COUNTS_OF_AREAS = Template(
    "counts_of_areas", "The areas have {counts} masks: give one, or as many for each area."
)
_MASKS_AND_IMAGES = Template(
    "masks_and_images",
    "There are {masks} masks for {pictures} images: give one mask for all, or one for each.",
)


REST, FILL, REPAINT, KEEP = range(4)
ALPHA_STEP = 8  # five bits of alpha, 0 to 248 of 255


def combined(
    repaint: FloatArray | None,
    fill: FloatArray | None,
    keep: FloatArray | None,
    *,
    soft: bool = False,
) -> Mask:
    """One mask of up to three areas; each is stretched to the size of the first.

    Without `repaint`, everything is repainted that is not kept; with `fill` alone, only
    that.

    Raises RequestError if there is no area at all.
    """
    given = [area for area in (repaint, fill, keep) if area is not None]
    if not given:
        raise RequestError(_NO_AREA(), remedy=Remedy.GIVE_AREA)
    height, width = Mask(given[0]).coverage.shape

    def layer(area: FloatArray | None) -> FloatArray | None:
        if area is None:
            return None
        return pixels.resize(Mask(area).coverage[:, :, None], width, height)[:, :, 0]

    coverage = layer(repaint)
    if coverage is None:
        everything = keep is not None and fill is None
        coverage = np.full((height, width), float(everything), np.float32)
    return Mask(coverage, layer(fill), layer(keep), soft)


def batch(
    repaint: Sequence[FloatArray] | None,
    fill: Sequence[FloatArray] | None,
    keep: Sequence[FloatArray] | None,
    *,
    soft: bool = False,
) -> tuple[Mask, ...]:
    """`combined` for whole batches; an area of one mask goes with all of the others.

    Raises RequestError if the batches have different lengths, or there is no area at all.
    """
    areas = [repaint, fill, keep]
    lengths = {len(area) for area in areas if area is not None}
    count = max(lengths, default=1)
    if lengths - {1, count}:
        raise RequestError(_COUNTS_OF_AREAS(counts=" and ".join(map(str, sorted(lengths)))))
    return tuple(
        combined(*(area[index % len(area)] if area else None for area in areas), soft=soft)
        for index in range(count)
    )


def check_count(masks: Sequence[Mask], pictures: Sequence[Picture]) -> None:
    """Refuse masks that are neither one for all pictures nor one each.

    Raises RequestError.
    """
    if len(masks) not in {1, len(pictures)}:
        raise RequestError(_MASKS_AND_IMAGES(masks=len(masks), pictures=len(pictures)))


def to_codes(mask: Mask, picture: Size, target: Size) -> NDArray[np.uint8]:
    """The bytes of a mask, uint8 [height, width] at `target`.

    The mask is stretched onto its `picture`, then cropped and scaled as that is.
    """
    coverage = _fitted(mask.coverage, picture, target)
    codes = _soft(coverage) if mask.soft else pixels.mask_to_codes(coverage)
    if mask.fill is not None:
        # Beside an area of noise the server would repaint the rest: keep it by name.
        codes[(codes & 7) == REST] = KEEP
        codes[_fitted(mask.fill, picture, target) >= 0.5] = FILL
    if mask.keep is not None:
        codes[_fitted(mask.keep, picture, target) >= 0.5] = KEEP
    return codes


def _soft(coverage: FloatArray) -> NDArray[np.uint8]:
    """Repaint by degrees: the share that comes back of the original is alpha squared."""
    alpha = np.sqrt(1 - np.clip(coverage, 0, 1))
    level = np.rint(alpha * (255 / ALPHA_STEP)).astype(np.uint8)  # 32: all of it, so kept
    codes: NDArray[np.uint8] = np.where(level < 32, REPAINT | (level & 31) * ALPHA_STEP, REST)
    return codes.astype(np.uint8)


def _fitted(layer: FloatArray, picture: Size, target: Size) -> FloatArray:
    on_picture = pixels.resize(layer[:, :, None], picture.width, picture.height)
    return pixels.cover(on_picture, target.width, target.height)[:, :, 0]
