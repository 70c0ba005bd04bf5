"""`Size`, `Picture`, `Mask`, `Audio`: frozen values, checked once.

Pictures are NumPy arrays here, never tensors of a framework. Their arrays are
read-only, so a value can be shared without copying.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError
from ..text import Template
from . import half_floats

_NO_MASK = Template("mask_shape", "A mask needs the shape [height, width], not {shape}.")
_MASK_NOT_FINITE = Template(
    "mask_not_finite",
    "A mask holds NaN or infinite values: look at what made it.",
)
_NO_PICTURE = Template(
    "picture_shape",
    "A picture needs the shape [height, width, 3], not {shape}.",
)
_PICTURE_SIZE = Template(
    "picture_size",
    "A picture of {width}x{height} px cannot be sent: each side must be 1 to {max_side_px} px.",
)
_PICTURE_NOT_FINITE = Template(
    "picture_not_finite",
    "A picture holds NaN or infinite values: look at what made it.",
)
_PICTURE_TYPE = Template("picture_type", "A picture must be uint8 or float, not {dtype}.")
_AREAS_DIFFER = Template(
    "mask_areas_differ",
    "The areas of a mask have different sizes, {first} and {second}: make them of the same "
    "picture.",
)


FloatArray = NDArray[np.float32]

MAX_SIDE_PX = 16_384  # far above what any family makes; guards against absurd input


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height in px."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def _frozen(array: NDArray[Any]) -> FloatArray:
    result = np.asarray(array, dtype=np.float32)
    if result is array and result.flags.writeable:
        result = result.view()
    result.flags.writeable = False
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An RGB picture: float32 [H, W, 3], values 0 to 1, all finite.

    uint8 input is divided by 255; one channel becomes grey; a fourth is dropped.

    Raises RequestError for any other shape or dtype and for NaN or infinity.
    """

    pixels: FloatArray

    def __post_init__(self) -> None:
        pixels: NDArray[Any] = np.asarray(self.pixels)
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if pixels.ndim != 3 or pixels.shape[2] not in {1, 3, 4}:
            raise RequestError(_NO_PICTURE(shape=str(list(pixels.shape))))
        if not 1 <= min(pixels.shape[:2]) <= max(pixels.shape[:2]) <= MAX_SIDE_PX:
            raise RequestError(
                _PICTURE_SIZE(
                    width=pixels.shape[1], height=pixels.shape[0], max_side_px=MAX_SIDE_PX
                )
            )
        if pixels.dtype == np.uint8:
            pixels = pixels.astype(np.float32) / 255
        elif pixels.dtype.kind != "f":
            raise RequestError(_PICTURE_TYPE(dtype=str(pixels.dtype)))
        if pixels.shape[2] == 1:
            pixels = np.repeat(pixels, 3, axis=2)
        pixels = pixels[:, :, :3]
        if not half_floats.are_finite(pixels):
            raise RequestError(_PICTURE_NOT_FINITE())
        object.__setattr__(self, "pixels", _frozen(pixels))

    @property
    def size(self) -> Size:
        height, width = self.pixels.shape[:2]
        return Size(width, height)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Where to repaint: float32 [H, W] layers, 0 to 1, all of one size.

    `coverage` 0 keeps, 1 repaints at the given strength; from 0.5 on a pixel counts, or
    with `soft` by degrees. `fill` from 0.5 on is new from noise, whatever the strength.
    `keep` from 0.5 on is kept in any case.

    Raises RequestError for another shape or for NaN.
    """

    coverage: FloatArray
    fill: FloatArray | None = None
    keep: FloatArray | None = None
    soft: bool = False

    def __post_init__(self) -> None:
        coverage = _layer(self.coverage)
        object.__setattr__(self, "coverage", coverage)
        for name in ("fill", "keep"):
            given = getattr(self, name)
            if given is None:
                continue
            layer = _layer(given)
            if layer.shape != coverage.shape:
                raise RequestError(_AREAS_DIFFER(first=_px(coverage), second=_px(layer)))
            object.__setattr__(self, name, layer)

    @property
    def size(self) -> Size:
        height, width = self.coverage.shape
        return Size(width, height)

    @property
    def marks(self) -> bool:
        """Whether anything is repainted or filled."""
        painted = self.coverage > 0.05 if self.soft else self.coverage >= 0.5
        if self.fill is not None:
            painted = painted | (self.fill >= 0.5)
        if self.keep is not None:
            painted = painted & (self.keep < 0.5)
        return bool(painted.any())


def _layer(given: NDArray[Any]) -> FloatArray:
    layer: NDArray[Any] = np.asarray(given)
    if layer.ndim != 2 or 0 in layer.shape or max(layer.shape) > MAX_SIDE_PX:
        raise RequestError(_NO_MASK(shape=str(list(layer.shape))))
    if layer.dtype == np.uint8:
        layer = layer.astype(np.float32) / 255
    if not half_floats.are_finite(layer):
        raise RequestError(_MASK_NOT_FINITE())
    return _frozen(layer)


def _px(layer: FloatArray) -> str:
    return f"{layer.shape[1]}x{layer.shape[0]} px"


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Sound: float32 [channels, samples], about -1 to 1, at `sample_rate` Hz."""

    samples: FloatArray
    sample_rate: int

    @classmethod
    def joined(cls, pieces: Sequence[FloatArray], sample_rate: int) -> Audio:
        """Pieces one after the other; one channel is heard on all sides where others have two.

        `pieces` is at least one array of [channels, samples], with one channel or the same
        number as the others.
        """
        channels = max(len(piece) for piece in pieces)
        alike = [np.broadcast_to(piece, (channels, piece.shape[1])) for piece in pieces]
        return cls(np.concatenate(alike, axis=1), sample_rate)
