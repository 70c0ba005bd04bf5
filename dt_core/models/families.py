"""The model families: what each is, and what it does with each setting.

Reads families.json once. A new family is one row there; nothing here or elsewhere
compares family names. `supports` answers for the family as a whole: a given model
also depends on its own description (`catalog.Model`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

from ..pictures.previews import PreviewRecipe


@dataclass(frozen=True, slots=True)
class FramesRule:
    """Which frame counts a video family can make: `multiple` * n + `offset`."""

    multiple: int
    offset: int
    minimum: int
    typical: tuple[int, ...]

    def nearest_below(self, frames: int) -> int:
        """The frame count that the server makes of a wish for `frames` frames."""
        if frames <= self.minimum:
            return self.minimum
        return (frames - self.offset) // self.multiple * self.multiple + self.offset


@dataclass(frozen=True, slots=True)
class Preset:
    """A recommended starting point for one model; only what the preset sets.

    `settings` uses the names of the settings table, sizes in px.
    """

    name: str
    model: str
    settings: Mapping[str, Any]
    lora_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One row of families.json, named by the server's version string."""

    version: str
    name: str
    kind: Literal["image", "video", "upscaler"]
    audio: Literal["output", "input"] | None
    latent_channels: int
    latent_scale: int | None  # px per latent cell; None: Stable Cascade, see its note
    temporal_scale: int  # frames per latent frame
    frames_rule: FramesRule | None
    leading_frames: Literal["one", "latent", "grid", "all"]  # pictures used of an image tensor
    fps: int | None
    audio_sample_rate: int | None  # Hz
    objective: str
    default_scale: int | None  # recommended side in units of 64 px
    hires_fix_scale: int | None  # side from which hires fix helps, in units of 64 px
    modifiers_seen: tuple[str, ...]
    refiner_versions: tuple[str, ...]
    files: tuple[str, ...]  # official models without a preset, without weights and ending
    presets: tuple[Preset, ...]
    preview: PreviewRecipe
    features: frozenset[str]

    def supports(self, feature: str) -> bool:
        """Whether some model of the family can use `feature` (a key of "supports")."""
        return feature in self.features

    @property
    def is_video(self) -> bool:
        return self.kind == "video"

    @property
    def is_flow(self) -> bool:
        """Flow matching: only the Trailing and AYS samplers make sense."""
        return self.objective.startswith("flow")

    @property
    def needs_image(self) -> bool:
        return self.supports("init_image_required")


# Preset keys whose name in the settings table differs.
_PRESET_NAMES = {"sampler_index": "sampler", "width": "start_width", "height": "start_height"}
_PRESET_OTHER = {"name", "model", "source", "loras", "sampler"}


def _preset(row: Mapping[str, Any]) -> Preset:
    settings = {
        _PRESET_NAMES.get(key, key): value
        for key, value in row.items()
        if value is not None and key not in _PRESET_OTHER
    }
    return Preset(
        row["name"], row["model"], MappingProxyType(settings), tuple(row.get("loras", ()))
    )


def _family(version: str, row: Mapping[str, Any]) -> Family:
    rule = row["frames_rule"]
    return Family(
        version=version,
        name=row["name"],
        kind=row["kind"],
        audio=row["audio"],
        latent_channels=row["latent_channels"],
        latent_scale=row["latent_scale"],
        temporal_scale=row["temporal_scale"],
        frames_rule=None
        if rule is None
        else FramesRule(
            multiple=rule.get("multiple", 1),
            offset=rule.get("offset", 0),
            minimum=rule.get("min", 1),
            typical=tuple(rule.get("typical", ())),
        ),
        leading_frames=row.get("leading_frames", "one"),
        fps=row["fps"],
        audio_sample_rate=row["audio_sample_rate"],
        objective=row["objective"],
        default_scale=row["default_scale"],
        hires_fix_scale=row["hires_fix_scale"],
        modifiers_seen=tuple(row["modifiers_seen"]),
        refiner_versions=tuple(row["refiner_versions"]),
        files=tuple(row.get("files", ())),
        presets=tuple(_preset(preset) for preset in row["presets"]),
        preview=PreviewRecipe.from_json(row["preview"]),
        features=frozenset(name for name, on in row["supports"].items() if on),
    )


def _load() -> Mapping[str, Family]:
    data = json.loads(resources.files(__package__).joinpath("families.json").read_bytes())
    return MappingProxyType({v: _family(v, row) for v, row in data["versions"].items()})


FAMILIES: Mapping[str, Family] = _load()


def family(version: str) -> Family | None:
    """The family of a version string; None for one newer than our table."""
    return FAMILIES.get(version)
