"""Previews: latents of the model's family that show the picture emerging from noise
(docs/protocol.md 5.3, Appendix A).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..models.families import FAMILIES, Family
from ..pictures.previews import PreviewRecipe, audio_row_count, rgb_to_latent
from . import art
from .plan import CASCADE

FloatArray = NDArray[np.float32]
_STAGE_B = FAMILIES["wurstchen_v3.0_stage_b"]
_STAGE_C_CHANNELS = 3  # the small previewer's picture, 0..1, in place of 16 latents


class Previewer:
    """Latents for one pass: `pictures` are RGB, one for each batch entry or latent frame.

    `size` is the pass's in px; `second` is stage B of Stable Cascade.
    """

    def __init__(
        self,
        family: Family,
        pictures: Iterable[FloatArray],
        size: tuple[int, int],
        seed: int,
        second: bool = False,
    ) -> None:
        self._family = _STAGE_B if family.version == CASCADE and second else family
        width, height = _cells(self._family, size)
        self._clear = np.stack([_shrink(picture, width, height) for picture in pictures])
        self._noise = art.noise(seed, self._clear.shape)

    def at(self, progress: float) -> NDArray[np.float16]:
        """The latents when `progress`, 0..1, of the steps are done."""
        share = np.float32(min(1.0, max(0.0, progress)))
        rgb = share * self._clear + (1 - share) * self._noise
        if self._family.version == CASCADE:
            small: NDArray[np.float16] = rgb.astype(np.float16)
            return small
        recipe: PreviewRecipe = self._family.preview
        latent: NDArray[Any] = rgb_to_latent(rgb, recipe).astype(np.float16)
        if recipe.audio_rows:
            batch, _, width, channels = latent.shape
            rows = audio_row_count(batch, width)
            sound = np.zeros((batch, rows, width, channels), np.float16)
            latent = np.concatenate([latent, sound], axis=1)
        return latent


def _cells(family: Family, size: tuple[int, int]) -> tuple[int, int]:
    if family.latent_scale is None:  # stage C: 24 cells for 1024 px
        return tuple(max(1, math.ceil(side * 3 / 128)) for side in size)  # type: ignore[return-value]
    return max(1, size[0] // family.latent_scale), max(1, size[1] // family.latent_scale)


def _shrink(picture: FloatArray, width: int, height: int) -> FloatArray:
    rgb = picture[..., -3:]  # alpha comes first
    image = Image.fromarray((np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8))
    small = image.resize((width, height), Image.Resampling.BOX)
    result: FloatArray = np.asarray(small).astype(np.float32) / np.float32(255)
    return result
