"""Pictures, masks and hints to and from the arrays of the wire (docs/protocol.md 3.7).

A picture here is float32 [height, width, 3], 0..1. On the wire it is float16
[1, height, width, 3], -1..1. This module knows ranges, rounding, alpha and resampling,
and not how an array becomes bytes (`tensor`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TensorError
from ..text import Template
from . import half_floats
from .stack import Place

_NO_DEPTH_MAP = Template(
    "depth_map_shape",
    "A depth map needs the shape [height, width], not {shape} of {dtype}.",
)
_NO_MASK = Template(
    "mask_layer_shape",
    "A mask needs the shape [height, width] and floats, not {shape} of {dtype}.",
)
_NO_PICTURE_SENT = Template(
    "no_picture_sent",
    "The server sent an array of shape {shape} and type {dtype} where a picture was expected.",
)
_NO_PICTURE = Template(
    "picture_pixels_shape",
    "A picture needs the shape [height, width, 3] and floats or uint8, not {shape} of {dtype}.",
)


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
    "write_picture",
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


def picture_to_wire(pixels: NDArray[Any]) -> HalfArray:
    """Make a request picture: float16 [1, height, width, 3], -1..1.

    `pixels` is [height, width, 3], float 0..1 (clamped; NaN becomes black) or uint8.

    Raises:
        TensorError: another shape or type.
    """
    return _signed_half(_three_channels(pixels))[None]


def write_picture(pixels: NDArray[Any], out: HalfArray) -> None:
    """The same into an array that is there.

    Raises:
        TensorError: another shape or type.
    """
    _signed_half(_three_channels(pixels), out[0])


def scribble_to_wire(pixels: NDArray[Any]) -> HalfArray:
    """Make a scribble: float16 [1, height, width, 3], 0..1, strokes 1 (docs/protocol.md 4.4).

    `pixels` is [height, width, 3], float 0..1 (clamped; NaN becomes 0) or uint8.

    Raises:
        TensorError: another shape or type.
    """
    pixels = _three_channels(pixels)
    if pixels.dtype == np.uint8:
        pixels = pixels / np.float32(255)
    return half_floats.to_half(pixels.astype(np.float32, copy=False), 1, 0, 0)[None]


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
        raise TensorError(_NO_DEPTH_MAP(shape=str(list(gray.shape)), dtype=str(gray.dtype)))
    return _signed_half(gray)[None]


def mask_to_codes(coverage: NDArray[Any]) -> NDArray[np.uint8]:
    """Make a mask: uint8 [height, width], 2 = repaint, 0 = keep (docs/protocol.md 4.3).

    `coverage` is float [height, width]; from 0.5 on a pixel is repainted.

    Raises:
        TensorError: another shape or type.
    """
    if coverage.ndim != 2 or coverage.dtype.kind != "f":
        raise TensorError(_NO_MASK(shape=str(list(coverage.shape)), dtype=str(coverage.dtype)))
    codes: NDArray[np.uint8] = (coverage >= 0.5).view(np.uint8) * np.uint8(REPAINT)
    return codes


def wire_to_picture(array: NDArray[Any], place: Place | None = None) -> WirePicture:
    """Take apart a picture of the server.

    `array` is float16 or float32, [1, height, width, C] or [height, width, C]. C = 1 is
    gray, 3 is RGB, all -1..1; 4 is **alpha**, 0..1, before RGB. Values outside are clamped.
    `rgb` goes where `place` says.

    Raises:
        TensorError: another shape or type.
    """
    values = array[0] if array.ndim == 4 and array.shape[0] == 1 else array
    if (
        values.ndim != 3
        or values.shape[2] not in {1, 3, 4}
        or values.dtype not in (np.float16, np.float32)
    ):
        raise TensorError(_NO_PICTURE_SENT(shape=str(list(array.shape)), dtype=str(array.dtype)))
    height, width, channels = values.shape
    rgb = place(height, width) if place else np.empty((height, width, 3), np.float32)
    alpha: FloatArray | None = None
    if channels == 1:
        gray = np.empty((height, width, 1), np.float32)
        finite = half_floats.to_unit(values, 0.5, 0.5, gray)
        np.copyto(rgb, gray)
    elif channels == 3:
        finite = half_floats.to_unit(values, 0.5, 0.5, rgb)
    else:
        alpha = np.empty((height, width), np.float32)
        finite = half_floats.to_unit(values[:, :, 1:], 0.5, 0.5, rgb)
        finite = half_floats.to_unit(values[:, :, 0], 1, 0, alpha) and finite
    nonfinite = 0
    if not finite:
        broken = ~np.isfinite(values)
        nonfinite = int(broken.sum())
        rgb[np.broadcast_to(broken[:, :, -3:], rgb.shape)] = 0
        if alpha is not None:
            alpha[broken[:, :, 0]] = 0
    return WirePicture(rgb=rgb, alpha=alpha, nonfinite=nonfinite)


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
        raise TensorError(_NO_PICTURE(shape=str(list(pixels.shape)), dtype=str(pixels.dtype)))
    return pixels


def _signed_half(pixels: NDArray[Any], out: HalfArray | None = None) -> HalfArray:
    """0..1 or 0..255 to -1..1, into `out` or a new array."""
    if pixels.dtype == np.uint8:
        # In single floats, then to half, is what the official command-line tool does.
        table = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)
        looked_up: HalfArray = np.take(table.astype(np.float16), pixels, out=out)
        return looked_up
    return half_floats.to_half(pixels.astype(np.float32, copy=False), 2, -1, -1, out)


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
