"""Enlarge or restore finished pictures, with nothing generated (docs/protocol.md 4.2).

At strength 0 the server returns the image itself after face restoration and upscaler. A
restoring model (SeedVR2) works at the size that it is given, so the picture is enlarged
here first. The server wants multiples of 64 px: the rest is drawn out, and cut off after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import RequestError
from ..pictures import crops, pixels
from ..pictures.pixels import WirePicture
from ..pictures.values import Picture, Size
from ..settings.choices import Sampler
from ..settings.configuration import Configuration
from ..text import Template, Text
from .batches import Plan
from .resolved import GenerationRequest, Resolved

_NOTHING_CHOSEN = Template(
    "nothing_to_enlarge_with",
    "Nothing is chosen to enlarge or restore with: pick an upscaler or a face restoration, or a "
    "SeedVR2 model.",
)
_BY_ITSELF = Template(
    "enlarges_by_itself", "The model enlarges by itself: the upscaler is not used."
)

NATIVE = 0
_RETURN: dict[str, Any] = {"strength": 0.0}
_RESTORE: dict[str, Any] = {  # SeedVR2 needs one step
    "strength": 1.0,
    "steps": 1,
    "guidance_scale": 1.0,
    "sampler": Sampler.DDIM_TRAILING,
}


@dataclass(frozen=True, slots=True)
class Upscaling:
    """What to do with pictures. `factor` is 2, 4, or NATIVE for the upscaler's own.

    A restoring model takes NATIVE for 1. `settings` names the model.
    """

    settings: Configuration
    upscaler: str = ""
    factor: int = NATIVE
    face_restoration: str = ""


def first(pictures: Sequence[Picture], wish: Upscaling) -> GenerationRequest:
    """A request by which the server's catalogue can be asked what the model is."""
    return GenerationRequest(wish.settings, image=pictures[0])


def plan(pictures: Sequence[Picture], wish: Upscaling, resolved: Resolved) -> Plan:
    """One request for each picture.

    Raises RequestError if there is nothing to do with them.
    """
    restores = resolved.family is not None and resolved.family.kind == "upscaler"
    if not (restores or wish.upscaler or wish.face_restoration):
        raise RequestError(_NOTHING_CHOSEN())
    settings = wish.settings.replace(batch_size=1, **(_RESTORE if restores else _RETURN))
    settings = settings.replace(face_restoration=wish.face_restoration)
    notes: tuple[Text, ...] = ()
    if not restores:
        settings = settings.replace(upscaler=wish.upscaler, upscaler_scale_factor=wish.factor)
    elif wish.upscaler:
        notes = (_BY_ITSELF(),)
        settings = settings.without("upscaler", "upscaler_scale_factor")
    shown = [_wanted(picture, wish.factor if restores else NATIVE) for picture in pictures]
    return Plan(
        tuple(_request(picture, settings) for picture in shown),
        notes,
        tuple(picture.size for picture in shown),
    )


def finished(
    results: Sequence[WirePicture], numbers: Sequence[int], made: Plan
) -> list[WirePicture]:
    """The results without what was drawn out; `numbers` says which request made each."""
    return [
        _shown(result, made.requests[number].size, made.shown[number])
        for result, number in zip(results, numbers, strict=True)
    ]


def _shown(result: WirePicture, sent: Size, size: Size) -> WirePicture:
    scale = result.rgb.shape[1] / sent.width
    part = np.s_[: round(size.height * scale), : round(size.width * scale)]
    alpha = None if result.alpha is None else result.alpha[part]
    return replace(result, rgb=result.rgb[part], alpha=alpha)


def _wanted(picture: Picture, factor: int) -> Picture:
    size = picture.size
    factor = max(factor, 1)
    return Picture(pixels.resize(picture.pixels, size.width * factor, size.height * factor))


def _request(picture: Picture, settings: Configuration) -> GenerationRequest:
    size = picture.size
    border = crops.Border(
        right=crops.aligned(size.width) - size.width,
        bottom=crops.aligned(size.height) - size.height,
    )
    whole = crops.padded(picture, border)
    width, height = whole.size.width, whole.size.height
    return GenerationRequest(settings.replace(start_width=width, start_height=height), image=whole)
