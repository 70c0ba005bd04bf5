"""Torch tensors of ComfyUI to values of dt_core and back; torch is used nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...dt_core.errors import RequestError
from ...dt_core.pictures import pixels
from ...dt_core.pictures.pixels import WirePicture
from ...dt_core.pictures.stack import joined
from ...dt_core.pictures.values import Audio, Mask, Picture
from ...dt_core.text import Template

_NO_IMAGE = Template(
    "image_of_odd_shape",
    "An IMAGE needs the shape [batch, height, width, channels] with at least one picture, not "
    "{shape}: look at the node that made it.",
)
_NO_MASK = Template(
    "mask_of_odd_shape",
    "A MASK needs the shape [batch, height, width] with at least one mask, not {shape}: look at "
    "the node that made it.",
)
_NO_TENSOR = Template(
    "no_tensor", "A tensor is expected where a value of the kind {given} came: check the link."
)


def image_to_pictures(image: Any) -> tuple[Picture, ...]:
    """Every picture of an IMAGE, [B, H, W, C] with values 0 to 1; shares its memory.

    As other packs have them: without the batch axis, NumPy arrays, bytes (0 to 255), bool and
    half floats too. Raises RequestError for other shapes and for none at all.
    """
    return tuple(Picture(picture.numpy()) for picture in _pictures(image))


def mask_to_masks(mask: Any) -> tuple[Mask, ...]:
    """Every mask of a MASK, [B, H, W] or [H, W], 1 = repaint; axes of 1 in between are dropped.

    Other forms as in `image_to_pictures`. Raises RequestError.
    """
    batch = _floats(mask)
    if batch.ndim > 3 and batch.shape[-1] == 1 and batch.shape[-3] != 1:
        batch = batch[..., 0]
    if batch.ndim < 2 or 0 in batch.shape:
        raise RequestError(_NO_MASK(shape=_shape(batch)))
    return tuple(Mask(row.numpy()) for row in batch.reshape(-1, *batch.shape[-2:]))


def _pictures(image: Any) -> torch.Tensor:
    """An IMAGE of any form as float32 [B, H, W, C]."""
    batch = _floats(image)
    while batch.ndim > 4 and batch.shape[0] == 1:
        batch = batch[0]
    if batch.ndim == 3:
        batch = batch[None]
    if batch.ndim != 4 or 0 in batch.shape or batch.shape[3] > 4:
        raise RequestError(_NO_IMAGE(shape=_shape(batch)))
    return batch


def _floats(values: Any) -> torch.Tensor:
    """Numbers of any type as float32 on the CPU, whole ones of 8 bits from 0 to 1."""
    if isinstance(values, np.ndarray):
        values = torch.from_numpy(np.ascontiguousarray(values))
    if not isinstance(values, torch.Tensor):
        raise RequestError(_NO_TENSOR(given=type(values).__name__))
    made = values.detach().to(device="cpu", dtype=torch.float32)
    return made / 255 if values.dtype == torch.uint8 else made


def _shape(batch: torch.Tensor) -> str:
    return str([*batch.shape])


def values_to_image(pictures: Sequence[Picture]) -> torch.Tensor:
    """One IMAGE, float32 [B, H, W, 3]; all take the size of the first."""
    return _stacked([picture.pixels for picture in pictures])


def image_to_bytes(image: Any) -> list[NDArray[np.uint8]]:
    """Every picture of an IMAGE as uint8 [H, W, C]; cut off like ComfyUI's Save Image.

    Raises RequestError as `image_to_pictures` does.
    """
    return [
        (picture * 255).nan_to_num().clamp(0, 255).to(torch.uint8).numpy()
        for picture in _pictures(image)
    ]


def grey_image() -> torch.Tensor:
    """A small IMAGE that stands for one that is not there yet."""
    return torch.full((1, 64, 64, 3), 0.5)


def white_mask() -> torch.Tensor:
    """A small MASK that stands for one that is not there yet."""
    return torch.ones((1, 64, 64))


def masks_to_mask(masks: Sequence[Mask]) -> torch.Tensor:
    """One MASK, float32 [B, H, W]: what is repainted or filled; all of one size."""
    layers = [mask.coverage for mask in masks]
    result = torch.empty((len(layers), *layers[0].shape), dtype=torch.float32)
    for row, layer in zip(result, layers, strict=True):
        _copy(row, layer)
    return result


def _copy(row: torch.Tensor, array: Any) -> None:
    # torch warns of arrays that it could write to and must not.
    row.copy_(torch.from_numpy(array if array.flags.writeable else array.copy()))


def pictures_to_image(pictures: Sequence[WirePicture]) -> torch.Tensor:
    """One IMAGE, float32 [B, H, W, 3], of pictures; all take the size of the first."""
    return _stacked([picture.rgb for picture in pictures])


def _stacked(arrays: Sequence[Any]) -> torch.Tensor:
    together = joined(arrays)
    if together is not None and together.flags.writeable:
        return torch.from_numpy(together)
    height, width, channels = arrays[0].shape
    image = torch.empty((len(arrays), height, width, channels), dtype=torch.float32)
    for row, array in zip(image, arrays, strict=True):
        _copy(row, pixels.resize(array, width, height))
    return image


def pictures_to_mask(pictures: Sequence[WirePicture]) -> torch.Tensor:
    """The MASK of the transparent areas, float32 [B, H, W], 1 = transparent."""
    height, width = pictures[0].rgb.shape[:2]
    # NumPy's zeros take no memory until somebody writes to them; torch's do.
    mask = torch.from_numpy(np.zeros((len(pictures), height, width), np.float32))
    for row, picture in zip(mask, pictures, strict=True):
        if picture.alpha is not None:
            alpha = pixels.resize(picture.alpha[:, :, None], width, height)[:, :, 0]
            row.copy_(1 - torch.from_numpy(alpha))
    return mask


def pictures_to_rgba(pictures: Sequence[WirePicture]) -> torch.Tensor | None:
    """One IMAGE with alpha last, float32 [B, H, W, 4]; None where nothing is transparent."""
    if all(picture.alpha is None for picture in pictures):
        return None
    opacity = 1 - pictures_to_mask(pictures)
    return torch.cat([pictures_to_image(pictures), opacity[:, :, :, None]], dim=3)


def audio_to_sound(audio: Audio) -> dict[str, Any]:
    """ComfyUI's AUDIO: waveform float32 [1, channels, samples], -1 to 1."""
    waveform = torch.empty((1, *audio.samples.shape), dtype=torch.float32)
    _copy(waveform[0], audio.samples)
    return {"waveform": waveform.clamp_(-1, 1), "sample_rate": audio.sample_rate}
