"""Torch tensors of ComfyUI to values of dt_core and back; torch is used nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..dt_core import pixels
from ..dt_core.pixels import WirePicture
from ..dt_core.values import Mask, Picture


def image_to_pictures(image: torch.Tensor) -> tuple[Picture, ...]:
    """Every picture of an IMAGE, [B, H, W, C] with values 0 to 1."""
    batch = image.detach().to(device="cpu", dtype=torch.float32)
    return tuple(Picture(picture.numpy()) for picture in batch)


def mask_to_mask(mask: torch.Tensor) -> Mask:
    """The first mask of a MASK, [B, H, W] or [H, W], 1 = repaint."""
    first = mask[0] if mask.ndim == 3 else mask
    return Mask(first.detach().to(device="cpu", dtype=torch.float32).numpy())


def pictures_to_image(pictures: Sequence[WirePicture]) -> torch.Tensor:
    """One IMAGE, float32 [B, H, W, 3], of pictures; all take the size of the first."""
    height, width = pictures[0].rgb.shape[:2]
    image = torch.empty((len(pictures), height, width, 3), dtype=torch.float32)
    for row, picture in zip(image, pictures, strict=True):
        row.copy_(torch.from_numpy(pixels.resize(picture.rgb, width, height)))
    return image


def pictures_to_mask(pictures: Sequence[WirePicture]) -> torch.Tensor:
    """The MASK of the transparent areas, float32 [B, H, W], 1 = transparent."""
    height, width = pictures[0].rgb.shape[:2]
    mask = torch.zeros((len(pictures), height, width), dtype=torch.float32)
    for row, picture in zip(mask, pictures, strict=True):
        if picture.alpha is not None:
            alpha = pixels.resize(picture.alpha[:, :, None], width, height)[:, :, 0]
            row.copy_(1 - torch.from_numpy(alpha))
    return mask
