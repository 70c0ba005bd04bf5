"""Frames of a video: how many a family makes, and how many pictures it starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError
from ..models.families import Family
from ..text import Template
from .hints import input_kind, modifiers

_HEARS_NOTHING = Template(
    "model_hears_nothing",
    "{name} does not listen to sound: leave the audio features out.",
)
_THE_MODEL = Template("the_model", "The model")
_SOUND_NEEDS_IMAGE = Template("sound_needs_image", "{name} with sound needs an image, and no mask.")
_AUDIO_FEATURES = Template(
    "audio_features_length",
    "{name} with {frames} frames needs audio features of {first} and {second} values, not {given}.",
)


if TYPE_CHECKING:
    from .resolved import Resolved

_FIRST_FEATURES = 32_000  # values of the first array (docs/protocol.md 4.4, audio)
_FEATURES_PER_LATENT_FRAME = 51_200


def count(resolved: Resolved) -> int:
    """How many frames the server makes of the request; 1 for a still picture."""
    family = resolved.family
    if family is None or family.frames_rule is None:
        return 1
    return family.frames_rule.nearest_below(int(resolved.settings["num_frames"]))


def pictures(resolved: Resolved) -> int:
    """How many pictures should come back, as far as one can know."""
    return count(resolved) * int(resolved.settings["batch_size"])


def most_pictures(resolved: Resolved) -> int:
    """How many pictures may come back: what the request asks for, also of a model that we take
    for another than it is."""
    asked = int(resolved.settings["num_frames"])
    family = resolved.family
    named = "num_frames" in resolved.request.settings.explicit
    of_one = max(count(resolved), asked if named or family is None else 1)
    return of_one * int(resolved.settings["batch_size"])


def per_second(resolved: Resolved) -> float | None:
    """Frames per second of what the model makes; None for still pictures."""
    if resolved.family is None or not resolved.family.is_video:
        return None
    described = resolved.model.frames_per_second if resolved.model else None
    return described or resolved.family.fps


def leading(resolved: Resolved, pictures: int) -> int:
    """How many of so many pictures a video can start from; never more than it has frames."""
    family = resolved.family
    if family is None or family.frames_rule is None or pictures <= 1:
        return min(pictures, 1)
    if not _looks_at_frames(resolved, family):
        return 1
    frames = min(pictures, count(resolved))
    if family.leading_frames == "latent":
        return min(frames, latent(family, count(resolved)))
    if family.leading_frames == "grid":
        return family.frames_rule.nearest_below(frames)
    return frames if family.leading_frames == "all" else 1


def _looks_at_frames(resolved: Resolved, family: Family) -> bool:
    """Models made for a picture, VACE, and video to video below strength 1."""
    kinds = {
        input_kind(control, resolved.catalog) for control in resolved.controls if control.weight > 0
    }
    if "canny" in kinds:  # takes one picture only (docs/protocol.md 11.1)
        return False
    conditioned = any(modifiers(resolved)) or family.needs_image or bool(resolved.controls)
    return conditioned or resolved.settings["strength"] < 1


def latent(family: Family, frames: int) -> int:
    """How many latent frames so many frames are; at least one frame."""
    return (frames - 1) // family.temporal_scale + 1


def check_audio_features(resolved: Resolved, features: tuple[NDArray[np.float32], ...]) -> None:
    """Refuse arrays of another length than the video needs.

    Raises RequestError.
    """
    family = resolved.family
    if family is None or family.audio != "input":
        name = family.name if family else _THE_MODEL()
        raise RequestError(_HEARS_NOTHING(name=name))
    if resolved.request.image is None or resolved.request.mask is not None:
        raise RequestError(_SOUND_NEEDS_IMAGE(name=family.name))
    wanted = [
        _FIRST_FEATURES,
        (latent(family, count(resolved)) - 1) * _FEATURES_PER_LATENT_FRAME,
    ]
    given = [array.size for array in features]
    if given != wanted:
        raise RequestError(
            _AUDIO_FEATURES(
                name=family.name,
                frames=count(resolved),
                first=wanted[0],
                second=wanted[1],
                given=" and ".join(map(str, given)),
            )
        )
