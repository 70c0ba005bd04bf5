"""Pictures, masks and hints to and from the arrays of the wire (docs/protocol.md 3.7).

A picture here is float32 [height, width, 3], 0..1. On the wire it is float16
[1, height, width, 3], -1..1. This module knows ranges, rounding, alpha and resampling,
and not how an array becomes bytes (`tensor`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import TensorError

__all__ = [
    "WirePicture",
    "cover",
    "depth_to_wire",
    "mask_to_codes",
    "picture_to_wire",
    "resize",
    "scribble_to_wire",
    "to_uint8",
    "wire_to_picture",
]

FloatArray = NDArray[np.float32]
HalfArray = NDArray[np.float16]

KEEP = 0
REPAINT = 2


@dataclass(frozen=True, eq=False, slots=True)
class WirePicture:
    """A picture that came from the server.

    `rgb` is float32 [height, width, 3] and `alpha` float32 [height, width] or None where
    the server sent none; both are 0..1. `nonfinite` counts the NaN and infinite values
    among what was sent; they became 0.
    """

    rgb: FloatArray
    alpha: FloatArray | None
    nonfinite: int


def converted(array: NDArray[Any], dtype: type[np.float16] | type[np.float32]) -> NDArray[Any]:
    """Convert between half and single floats, with torch if the program has it loaded.

    NumPy needs 30 to 110 times as long. The result may be `array` itself.
    """
    torch = sys.modules.get("torch")
    if array.dtype == dtype:
        return array
    if torch is None or array.dtype not in (np.float16, np.float32):
        with np.errstate(all="ignore"):
            return array.astype(dtype)
    # torch warns of arrays that it could write to and must not.
    source = np.require(array, requirements=("C", "W"))
    target = torch.float16 if dtype is np.float16 else torch.float32
    result: NDArray[Any] = torch.from_numpy(source).to(target).numpy()
    return result


def picture_to_wire(pixels: NDArray[Any]) -> HalfArray:
    """Make a request picture: float16 [1, height, width, 3], -1..1.

    `pixels` is [height, width, 3], float 0..1 (clamped; NaN becomes black) or uint8.

    Raises:
        TensorError: another shape or type.
    """
    return _signed_half(_three_channels(pixels))[None]


def scribble_to_wire(pixels: NDArray[Any]) -> HalfArray:
    """Make a scribble: float16 [1, height, width, 3], 0..1, strokes 1 (docs/protocol.md 4.4).

    `pixels` is [height, width, 3], float 0..1 (clamped; NaN becomes 0) or uint8.

    Raises:
        TensorError: another shape or type.
    """
    pixels = _three_channels(pixels)
    if pixels.dtype == np.uint8:
        unit = pixels / np.float32(255)
    else:
        unit = np.fmin(np.fmax(pixels, 0), 1).astype(np.float32, copy=False)
    return converted(unit, np.float16)[None]


def depth_to_wire(gray: NDArray[Any]) -> HalfArray:
    """Make a depth hint: float16 [1, height, width, 1], -1..1.

    `gray` is [height, width] or [height, width, 1], float 0..1 (clamped; NaN becomes 0) or
    uint8.

    Raises:
        TensorError: another shape or type.
    """
    if gray.ndim == 2:
        gray = gray[:, :, None]
    if gray.ndim != 3 or gray.shape[2] != 1 or not _is_pixel_type(gray):
        raise TensorError(
            f"A depth map needs the shape [height, width], not {list(gray.shape)} of {gray.dtype}."
        )
    return _signed_half(gray)[None]


def mask_to_codes(coverage: NDArray[Any]) -> NDArray[np.uint8]:
    """Make a mask: uint8 [height, width], 2 = repaint, 0 = keep (docs/protocol.md 4.3).

    `coverage` is float [height, width]; from 0.5 on a pixel is repainted.

    Raises:
        TensorError: another shape or type.
    """
    if coverage.ndim != 2 or coverage.dtype.kind != "f":
        raise TensorError(
            f"A mask needs the shape [height, width] and floats,"
            f" not {list(coverage.shape)} of {coverage.dtype}."
        )
    codes: NDArray[np.uint8] = (coverage >= 0.5).view(np.uint8) * np.uint8(REPAINT)
    return codes


def wire_to_picture(array: NDArray[Any]) -> WirePicture:
    """Take apart a picture of the server.

    `array` is float16 or float32, [1, height, width, C] or [height, width, C]. C = 1 is
    gray, 3 is RGB, all -1..1; 4 is **alpha**, 0..1, before RGB. Values outside are clamped.

    Raises:
        TensorError: another shape or type.
    """
    pixels = array[0] if array.ndim == 4 and array.shape[0] == 1 else array
    if (
        pixels.ndim != 3
        or pixels.shape[2] not in {1, 3, 4}
        or pixels.dtype not in (np.float16, np.float32)
    ):
        raise TensorError(
            f"The server sent an array of shape {list(array.shape)} and type {array.dtype}"
            " where a picture was expected."
        )
    wide: FloatArray = converted(pixels, np.float32)
    nonfinite = 0
    # One pass tells whether there is any: an infinity or NaN spreads to the sum.
    with np.errstate(all="ignore"):
        clean = bool(np.isfinite(wide.sum()))
    broken = None
    if not clean:
        broken = ~np.isfinite(wide)
        nonfinite = int(broken.sum())
    unit = _unit(wide[:, :, -3:], None if broken is None else broken[:, :, -3:])
    alpha: FloatArray | None = None
    if wide.shape[2] == 4:
        alpha = np.clip(wide[:, :, 0], 0, 1)
        if broken is not None:
            alpha[broken[:, :, 0]] = 0
    if unit.shape[2] == 1:
        unit = np.repeat(unit, 3, axis=2)
    return WirePicture(rgb=unit, alpha=alpha, nonfinite=nonfinite)


def to_uint8(rgb: NDArray[Any]) -> NDArray[np.uint8]:
    """Round 0..1 to the nearest of 0..255; any shape."""
    levels = np.multiply(rgb, 255, dtype=np.float32)
    levels += np.float32(0.5)
    np.clip(levels, 0, 255, out=levels)
    rounded: NDArray[np.uint8] = levels.astype(np.uint8)
    return rounded


def resize(pixels: FloatArray, width: int, height: int) -> FloatArray:
    """Resample float32 [H, W, C] to [height, width, C] with Lanczos, clipped to 0..1.

    Returns `pixels` itself if it has that size.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return _resampled(pixels, width, height, (0, 0, pixels.shape[1], pixels.shape[0]))


def cover(pixels: FloatArray, width: int, height: int) -> FloatArray:
    """Cut the centre of the target's aspect out of float32 [H, W, C] and resample that.

    Returns [height, width, C], clipped to 0..1, or `pixels` itself if it has that size.
    """
    have_height, have_width = pixels.shape[:2]
    if (have_height, have_width) == (height, width):
        return pixels
    scale = min(have_width / width, have_height / height)
    left = (have_width - width * scale) / 2
    top = (have_height - height * scale) / 2
    # Whole pixels are cut off, so that they do not ring into the edge; the box does the rest.
    x, y = int(left), int(top)
    kept = pixels[y : have_height - y, x : have_width - x]
    box = (left - x, top - y, have_width - left - x, have_height - top - y)
    return _resampled(kept, width, height, box)


def _is_pixel_type(pixels: NDArray[Any]) -> bool:
    return pixels.dtype == np.uint8 or pixels.dtype.kind == "f"


def _three_channels(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not _is_pixel_type(pixels):
        raise TensorError(
            f"A picture needs the shape [height, width, 3] and floats or uint8,"
            f" not {list(pixels.shape)} of {pixels.dtype}."
        )
    return pixels


def _signed_half(pixels: NDArray[Any]) -> HalfArray:
    """0..1 or 0..255 to -1..1."""
    if pixels.dtype == np.uint8:
        # In single floats, then to half, is what the official command-line tool does.
        table = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)
        looked_up: HalfArray = np.take(table.astype(np.float16), pixels)
        return looked_up
    signed: FloatArray = np.multiply(pixels, 2, dtype=np.float32)
    signed -= np.float32(1)
    # fmax and fmin drop a NaN where clip would keep it.
    np.fmax(signed, -1, out=signed)
    np.fmin(signed, 1, out=signed)
    return converted(signed, np.float16)


def _unit(signed: FloatArray, broken: NDArray[np.bool_] | None) -> FloatArray:
    """-1..1 to 0..1, into a new array; 0 where broken."""
    with np.errstate(invalid="ignore"):  # signalling NaNs complain
        unit: FloatArray = signed + np.float32(1)
    unit *= np.float32(0.5)
    np.clip(unit, 0, 1, out=unit)
    if broken is not None:
        unit[broken] = 0
    return unit


def _resampled(
    pixels: FloatArray, width: int, height: int, box: tuple[float, float, float, float]
) -> FloatArray:
    from PIL import Image

    result = np.empty((height, width, pixels.shape[2]), np.float32)
    for channel in range(pixels.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(pixels[:, :, channel], dtype=np.float32))
        scaled = plane.resize((width, height), Image.Resampling.LANCZOS, box=box)
        result[:, :, channel] = np.asarray(scaled)
    return np.clip(result, 0, 1, out=result)
