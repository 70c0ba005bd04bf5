"""Canvas work around inpainting: enlarge a picture, cut a part out, put it back.

Pictures stay float32, and what is outside the seam stays as it was, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError
from ..settings.table import UNIT_PX
from ..text import Template
from . import pixels
from .masks import check_count
from .values import FloatArray, Mask, Picture, Size

_NO_NEW_AREA = Template(
    "no_new_area",
    "There is no new area: set left, top, right or bottom to more than 0.",
)
_ODD_CROP_SIZE = Template(
    "odd_crop_size",
    "The crop cannot become {target} px: both sides must be multiples of {unit_px} px.",
)
_MASK_MARKS_NOTHING = Template(
    "mask_marks_nothing",
    "The mask marks nothing: paint what to redo, or leave the crop out.",
)
_PICTURES_AND_CROPS = Template(
    "pictures_and_crops",
    "There are {results} pictures for {parts} crops: give one for each, as the sampler makes "
    "them with batch size and batch count 1.",
)
_NEGATIVE_BORDER = Template(
    "negative_border",
    "A border cannot be negative: add 0 px or more at each side.",
)


__all__ = [
    "Border",
    "Crop",
    "aligned",
    "crop",
    "crop_all",
    "outpaint",
    "padded",
    "stitch",
    "stitch_all",
]


@dataclass(frozen=True, slots=True)
class Border:
    """Px to add at each side of a picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __post_init__(self) -> None:
        if min(self.left, self.top, self.right, self.bottom) < 0:
            raise RequestError(_NEGATIVE_BORDER())


def aligned(side: int) -> int:
    """The next multiple of 64 px."""
    return -(-side // UNIT_PX) * UNIT_PX


def padded(picture: Picture, border: Border) -> Picture:
    """The picture with its edges drawn out over a border."""
    return Picture(np.pad(picture.pixels, _widths(border), mode="edge"))


def outpaint(picture: Picture, border: Border, feather: int = 0) -> tuple[Picture, Mask]:
    """The picture on a larger canvas, and the mask that lets its new area be made.

    Both sides of the result are multiples of 64 px: what lacks is added at the right and
    bottom, or where a border was asked for only at the left or top, there. The new area
    comes from noise. `feather` px inside the old picture the mask fades out.

    Raises RequestError if there is nothing to add.
    """
    size = picture.size
    border = _rounded(border, size)
    if border == Border():
        raise RequestError(_NO_NEW_AREA())
    coverage = _border_ramp(border, size, feather)
    fill = (coverage >= 1).astype(np.float32)
    keep = (coverage <= 0).astype(np.float32)
    return padded(picture, border), Mask(coverage, fill, keep, soft=feather > 0)


def _border_ramp(border: Border, size: Size, feather: int) -> FloatArray:
    """1 on the border, falling to 0 over `feather` px inside the picture."""
    across = _inward(border.left, size.width, border.right)
    down = _inward(border.top, size.height, border.bottom)
    depth = np.minimum(across[None, :], down[:, None])  # px from the border; 0 on it
    ramp: FloatArray = np.clip(1 - depth / np.float32(feather + 1), 0, 1)
    return ramp


def _inward(before: int, length: int, after: int) -> FloatArray:
    """For each px of a line how far inside it lies, 0 on the border; inf without a border."""
    place = np.arange(-before, length + after, dtype=np.float32)
    from_start = place + 1 if before else np.full_like(place, math.inf)
    to_end = length - place if after else np.full_like(place, math.inf)
    return np.maximum(np.minimum(from_start, to_end), 0)


def _rounded(border: Border, size: Size) -> Border:
    width = border.left + size.width + border.right
    height = border.top + size.height + border.bottom
    across, down = aligned(width) - width, aligned(height) - height
    to_left = border.left > 0 and border.right == 0
    to_top = border.top > 0 and border.bottom == 0
    return Border(
        border.left + (across if to_left else 0),
        border.top + (down if to_top else 0),
        border.right + (0 if to_left else across),
        border.bottom + (0 if to_top else down),
    )


def _widths(border: Border) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    return (border.top, border.bottom), (border.left, border.right), (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A part of `original`: `width` x `height` px from `left`, `top`, which may be negative.

    `picture` is that part at the model's size, `mask` what to repaint of it. `seam` is
    how much of the result goes into each px of the part, 0 to 1.
    """

    original: Picture
    left: int
    top: int
    width: int
    height: int
    picture: Picture
    mask: Mask
    seam: FloatArray


def crop(
    picture: Picture,
    mask: Mask,
    target: Size,
    *,
    context: int = 32,
    context_share: float = 0.2,
    feather: int = 16,
) -> Crop:
    """Cut the masked part out, with surroundings, and scale it to `target`.

    `context` is in px, `context_share` a share of the part's longer side: the larger one
    counts. The cut grows to the shape of `target`; where the picture is too small for it,
    its edges are drawn out. The area to repaint grows by `feather` px, the seam.

    Raises RequestError if the mask marks nothing or `target` is off the grid of 64 px.
    """
    if target.width % UNIT_PX or target.height % UNIT_PX or min(target.width, target.height) <= 0:
        raise RequestError(_ODD_CROP_SIZE(target=str(target), unit_px=UNIT_PX))
    size = picture.size
    coverage = pixels.resize(mask.coverage[:, :, None], size.width, size.height)[:, :, 0]
    marked = coverage >= 0.5
    if not marked.any():
        raise RequestError(_MASK_MARKS_NOTHING())
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    around = max(context, round(context_share * max(right - left, bottom - top)), feather)
    width, height = right - left + 2 * around, bottom - top + 2 * around
    shape = target.width / target.height
    width, height = max(width, round(height * shape)), max(height, round(width / shape))
    left = _inside((left + right - width) // 2, width, size.width)
    top = _inside((top + bottom - height) // 2, height, size.height)
    part = _cut(picture.pixels, left, top, width, height, "edge")
    seam = _ramp(_cut(marked, left, top, width, height, "constant"), feather)
    seam = np.maximum(seam, _cut(coverage, left, top, width, height, "constant"))
    repaint = pixels.resize((seam > 0).astype(np.float32)[:, :, None], target.width, target.height)
    seam.flags.writeable = False
    return Crop(
        original=picture,
        left=left,
        top=top,
        width=width,
        height=height,
        picture=Picture(pixels.resize(part, target.width, target.height)),
        mask=Mask(repaint[:, :, 0]),
        seam=seam,
    )


def stitch(part: Crop, result: Picture) -> Picture:
    """The original with `result`, of any size, in place of the part.

    Where the seam is 0 every px is the original's, bit for bit.
    """
    size = part.original.size
    scaled = pixels.resize(result.pixels, part.width, part.height)
    x0, y0 = max(part.left, 0), max(part.top, 0)
    x1, y1 = min(part.left + part.width, size.width), min(part.top + part.height, size.height)
    there = (slice(y0, y1), slice(x0, x1))
    here = (slice(y0 - part.top, y1 - part.top), slice(x0 - part.left, x1 - part.left))
    share = part.seam[here][:, :, None]
    old, new = part.original.pixels[there], scaled[here]
    blended = np.where(share >= 1, new, old + (new - old) * share)
    whole = part.original.pixels.copy()
    whole[there] = np.where(share > 0, blended, old)
    return Picture(whole)


def crop_all(
    pictures: Sequence[Picture],
    masks: Sequence[Mask],
    target: Size,
    *,
    context: int,
    context_share: float,
    feather: int,
) -> tuple[Crop, ...]:
    """`crop` for every picture, with one mask for all or one each.

    Raises RequestError as `crop` does, and for another number of masks.
    """
    check_count(masks, pictures)
    return tuple(
        crop(
            picture,
            masks[index % len(masks)],
            target,
            context=context,
            context_share=context_share,
            feather=feather,
        )
        for index, picture in enumerate(pictures)
    )


def stitch_all(parts: Sequence[Crop], results: Sequence[Picture]) -> tuple[Picture, ...]:
    """`stitch` for every result: one for each part, or any number for a single one.

    Raises RequestError for another number of results.
    """
    if len(parts) not in {1, len(results)}:
        raise RequestError(_PICTURES_AND_CROPS(results=len(results), parts=len(parts)))
    return tuple(stitch(parts[index % len(parts)], result) for index, result in enumerate(results))


def _inside(start: int, length: int, available: int) -> int:
    """Shift a span into the picture; one that is too long is centred on it."""
    if length > available:
        return (available - length) // 2
    return min(max(start, 0), available - length)


def _cut(
    array: NDArray[Any],
    left: int,
    top: int,
    width: int,
    height: int,
    mode: Literal["edge", "constant"],
) -> NDArray[Any]:
    """A box that may reach beyond the array; `mode` is numpy.pad's for what is not there."""
    have_height, have_width = array.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, have_width), min(top + height, have_height)
    missing = ((y0 - top, top + height - y1), (x0 - left, left + width - x1))
    rest = ((0, 0),) * (array.ndim - 2)
    whole: NDArray[Any] = np.pad(array[y0:y1, x0:x1], (*missing, *rest), mode=mode)
    return whole


def _ramp(marked: NDArray[np.bool_], feather: int) -> FloatArray:
    """1 where marked, falling to 0 over `feather` px around it."""
    result: FloatArray = marked.astype(np.float32)
    if feather <= 0:
        return result
    nearest = _distance(marked, feather)
    result = np.where(nearest <= feather, 1 - nearest / np.float32(feather + 1), 0)
    return result.astype(np.float32)


def _distance(marked: NDArray[np.bool_], limit: int) -> FloatArray:
    """Distance in px to the nearest marked one; `limit` + 1 where it is farther away."""
    height, width = marked.shape
    far = limit + 1
    down = np.full((height, width), far, np.float32)
    for rows in (range(height), range(height - 1, -1, -1)):
        last = np.full(width, far, np.float32)
        for row in rows:
            last = np.where(marked[row], 0, np.minimum(last + 1, far)).astype(np.float32)
            np.minimum(down[row], last, out=down[row])
    squares = np.where(down >= far, np.float32(math.inf), down * down)
    best = squares.copy()
    for shift in range(1, min(limit, width - 1) + 1):
        aside = np.float32(shift * shift)
        np.minimum(best[:, shift:], squares[:, :-shift] + aside, out=best[:, shift:])
        np.minimum(best[:, :-shift], squares[:, shift:] + aside, out=best[:, :-shift])
    result: FloatArray = np.minimum(np.sqrt(best), np.float32(far))
    return result
