"""What a request is put together from: models, LoRAs, controls and references, as frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..connection.profile import ServerProfile
from ..errors import SettingsError
from ..pictures.values import Picture
from ..settings.choices import ControlInputType, ControlMode, LoraMode
from ..settings.configuration import ControlSettings
from ..settings.table import CONTROL_SETTINGS
from ..text import Template, Text

_PICTURE = Template("picture_number", "Picture {number}: {name}")
_SAMPLERS_IMAGE = Template("samplers_image", "the sampler's image")
_REFERENCE = Template("reference_and_size", "{label}, {size} px")
_NO_PRESET = Template("target_blocks_one_of", "target_blocks is one of: {presets}.")
_UNNAMED = Template("a_reference", "a reference")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, by file name or display name, on a server."""

    server: ServerProfile
    model: str


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA of the server: file name, weight (any float; negative too), where it acts.

    Weight None is the one that the LoRA's own description recommends.
    """

    file: str
    weight: float | None = 1.0
    mode: LoraMode = LoraMode.ALL


class BlockPreset(Enum):
    """Which blocks of the model an image-prompt adapter acts on; depends on the model."""

    ALL = "All"
    STYLE = "Style"
    STYLE_AND_LAYOUT = "Style and Layout"

    @classmethod
    def of(cls, word: object) -> BlockPreset:
        """The preset of that word. Raises SettingsError with all words where it is none."""
        found = next((preset for preset in cls if preset.value == word), None)
        if found is None:
            raise SettingsError(_NO_PRESET(presets=[preset.value for preset in cls]))
        return found

    def blocks(self, version: str) -> tuple[str, ...]:
        """Their names in models of that version; empty means all."""
        return _BLOCKS.get((version, self), ())


_BLOCKS = {
    ("v1", BlockPreset.STYLE): ("up_blocks.1",),
    ("v1", BlockPreset.STYLE_AND_LAYOUT): ("down_blocks.2", "mid_block", "up_blocks.1"),
    ("sdxl_base_v0.9", BlockPreset.STYLE): ("up_blocks.0.attentions.1",),
    ("sdxl_base_v0.9", BlockPreset.STYLE_AND_LAYOUT): (
        "down_blocks.2.attentions.1",
        "up_blocks.0.attentions.1",
    ),
}


@dataclass(frozen=True, slots=True)
class Control:
    """A ControlNet or adapter of the server, with the picture that drives it.

    `start` and `end` are shares of the steps, 0 to 1. `input_type` matters to union
    models, which have no input type of their own. Without `picture` the server works
    from the init image where it can (docs/protocol.md 4.4). Only image prompts look at
    `more_pictures`. `invert` sends negatives of the pictures. Without a `file` the picture
    alone is sent, for models that take one themselves (FLUX.1 Depth and Canny).
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
    target_blocks: tuple[str, ...] | BlockPreset = ()
    more_pictures: tuple[Picture, ...] = ()
    invert: bool = False

    @classmethod
    def of(cls, row: ControlSettings, picture: Picture | None = None) -> Control:
        """The same from a configuration, which has no picture."""
        return cls(
            picture=picture, **{ours: getattr(row, theirs) for theirs, ours in _SHARED.items()}
        )

    def settings(self, version: str) -> ControlSettings:
        """What a configuration holds of it, for a model of that version."""
        values = {theirs: getattr(self, ours) for theirs, ours in _SHARED.items()}
        return ControlSettings(**{**values, "target_blocks": self.blocks(version)})

    def blocks(self, version: str) -> tuple[str, ...]:
        """The names of the target blocks in a model of that version."""
        chosen = self.target_blocks
        return chosen.blocks(version) if isinstance(chosen, BlockPreset) else chosen


# The rows of CONTROL_SETTINGS that a control has, and what they are called there.
_RENAMED = {
    "guidance_start": "start",
    "guidance_end": "end",
    "control_mode": "mode",
    "input_override": "input_type",
}
_UNREAD = {"no_prompt"}  # by the server
_SHARED = {
    row.name: _RENAMED.get(row.name, row.name)
    for row in CONTROL_SETTINGS
    if row.name not in _UNREAD
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture that an edit model looks at; any size. Weight 0 leaves it out.

    `label` says to people where it comes from.
    """

    picture: Picture
    weight: float = 1.0
    label: str = ""


def numbered(references: Sequence[Reference], *, after_image: bool) -> tuple[Text, ...]:
    """A line for each picture that an edit model gets, by the number the server gives it.

    `after_image` says that the request has an image too: that one is Picture 1.
    """
    names = [_SAMPLERS_IMAGE()] if after_image else []
    names.extend(
        _REFERENCE(label=reference.label or _UNNAMED(), size=str(reference.picture.size))
        for reference in references
        if reference.weight > 0
    )
    return tuple(_PICTURE(number=number, name=name) for number, name in enumerate(names, 1))
