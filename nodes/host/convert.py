"""Torch tensors of ComfyUI to values of dt_core and back; torch is used nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...dt_core.pictures import pixels
from ...dt_core.pictures.pixels import WirePicture
from ...dt_core.pictures.stack import joined
from ...dt_core.pictures.values import Audio, Mask, Picture


def image_to_pictures(image: torch.Tensor) -> tuple[Picture, ...]:
    """Every picture of an IMAGE, [B, H, W, C] with values 0 to 1; shares its memory."""
    batch = image.detach().to(device="cpu", dtype=torch.float32)
    return tuple(Picture(picture.numpy()) for picture in batch)


def mask_to_masks(mask: torch.Tensor) -> tuple[Mask, ...]:
    """Every mask of a MASK, [B, H, W] or [H, W], 1 = repaint."""
    batch = mask.detach().to(device="cpu", dtype=torch.float32)
    return tuple(Mask(row.numpy()) for row in (batch if batch.ndim == 3 else batch[None]))


def values_to_image(pictures: Sequence[Picture]) -> torch.Tensor:
    """One IMAGE, float32 [B, H, W, 3]; all take the size of the first."""
    return _stacked([picture.pixels for picture in pictures])


def image_to_bytes(image: torch.Tensor) -> list[NDArray[np.uint8]]:
    """Every picture of an IMAGE as uint8 [H, W, C]; cut off like ComfyUI's Save Image."""
    batch = image.detach().to(device="cpu", dtype=torch.float32)
    return [(picture * 255).nan_to_num().clamp(0, 255).to(torch.uint8).numpy() for picture in batch]


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
