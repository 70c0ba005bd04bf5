"""Families that no table knows: the server is newer than this pack, and a stand-in does what the
description of its model says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models.families import FAMILIES, Family
from ..pictures.previews import PreviewRecipe

_CHANNELS = 16  # where the description has no latents_mean
_LATENT_SCALE = 8
_AUDIO_RATE_HZ = 32_000  # of the newest families that have sound


def family_of(row: Mapping[str, Any]) -> Family:
    """Of a model's description; a stand-in for a version that is not in the table.

    A film is what has frames per second, its sound what has keys about audio; previews have as
    many channels as latents_mean has numbers, and repeat the picture in them.
    """
    version = row["version"]
    return FAMILIES.get(version) or _stand_in(version, row)


def is_newer(family: Family) -> bool:
    return family.version not in FAMILIES


def _stand_in(version: str, row: Mapping[str, Any]) -> Family:
    film = bool(row.get("frames_per_second"))
    sounds = film and any(key.startswith("audio_") for key in row)
    means = row.get("latents_mean")
    channels = len(means) if isinstance(means, list) and means else _CHANNELS
    objective = row.get("objective")
    flow = not isinstance(objective, dict) or "u" in objective
    return Family(
        version=version,
        name=version,
        kind="video" if film else "image",
        audio="output" if sounds else None,
        latent_channels=channels,
        latent_scale=_LATENT_SCALE,
        temporal_scale=1,
        frames_rule=None,
        leading_frames="one",
        fps=None,
        audio_sample_rate=_AUDIO_RATE_HZ if sounds else None,
        objective="flow" if flow else "epsilon",
        default_scale=row.get("default_scale"),
        hires_fix_scale=None,
        modifiers_seen=(),
        refiner_versions=(version,),
        files=(),
        presets=(),
        preview=PreviewRecipe("none", channels),
        features=frozenset(),
    )
