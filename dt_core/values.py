"""The values that travel through sockets and requests: frozen, checked once.

Pictures are NumPy arrays here, never tensors of a framework. Their arrays are
read-only, so a value can be shared without copying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .choices import ControlInputType, ControlMode, LoraMode
from .errors import RequestError
from .profile import ServerProfile

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
            raise RequestError(
                f"A picture needs the shape [height, width, 3], not {list(pixels.shape)}."
            )
        if not 1 <= min(pixels.shape[:2]) <= max(pixels.shape[:2]) <= MAX_SIDE_PX:
            raise RequestError(
                f"A picture of {pixels.shape[1]}x{pixels.shape[0]} px cannot be sent: "
                f"each side must be 1 to {MAX_SIDE_PX} px."
            )
        if pixels.dtype == np.uint8:
            pixels = pixels.astype(np.float32) / 255
        elif pixels.dtype.kind != "f":
            raise RequestError(f"A picture must be uint8 or float, not {pixels.dtype}.")
        if pixels.shape[2] == 1:
            pixels = np.repeat(pixels, 3, axis=2)
        pixels = pixels[:, :, :3]
        if not np.isfinite(pixels).all():
            raise RequestError(
                "A picture holds NaN or infinite values: look at the node that made it."
            )
        object.__setattr__(self, "pixels", _frozen(pixels))

    @property
    def size(self) -> Size:
        height, width = self.pixels.shape[:2]
        return Size(width, height)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Where to repaint: float32 [H, W], 0 keeps, 1 repaints.

    Raises RequestError for another shape or for NaN.
    """

    coverage: FloatArray

    def __post_init__(self) -> None:
        coverage: NDArray[Any] = np.asarray(self.coverage)
        if coverage.ndim != 2 or 0 in coverage.shape or max(coverage.shape) > MAX_SIDE_PX:
            raise RequestError(
                f"A mask needs the shape [height, width], not {list(coverage.shape)}."
            )
        if coverage.dtype == np.uint8:
            coverage = coverage.astype(np.float32) / 255
        if not np.isfinite(coverage).all():
            raise RequestError(
                "A mask holds NaN or infinite values: look at the node that made it."
            )
        object.__setattr__(self, "coverage", _frozen(coverage))

    @property
    def size(self) -> Size:
        height, width = self.coverage.shape
        return Size(width, height)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, by file name or display name, on a server."""

    server: ServerProfile
    model: str


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA of the server: file name, weight (any float; negative too), where it acts."""

    file: str
    weight: float = 1.0
    mode: LoraMode = LoraMode.ALL


@dataclass(frozen=True, slots=True)
class Control:
    """A ControlNet or adapter of the server, with the picture that drives it.

    `start` and `end` are shares of the steps, 0 to 1. `input_type` matters to union
    models, which have no input type of their own. Without `picture` the server works
    from the init image where it can (docs/protocol.md 4.4).
    """

    file: str
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mode: ControlMode = ControlMode.BALANCED
    input_type: ControlInputType = ControlInputType.UNSPECIFIED
    picture: Picture | None = None
    down_sampling_rate: float = 1.0
    global_average_pooling: bool = True
    target_blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture that an edit model looks at; any size. Weight 0 leaves it out."""

    picture: Picture
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Sound: float32 [channels, samples], about -1 to 1, at `sample_rate` Hz."""

    samples: FloatArray
    sample_rate: int
