"""`ImageGenerationConfig`: the settings of a picture under the names that scripts know.

Only names and units differ from the settings table: this translates, `Configuration` checks.
Not frozen, because scripts change one setting between two pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import SettingsError
from ..request import seeds
from ..request.parts import Control, Lora
from ..settings.choices import ControlInputType, ControlMode, LoraMode, Sampler, SeedMode
from ..settings.configuration import DEFAULTS, Configuration, ControlSettings
from ..settings.table import CONTROL_SETTINGS, UNIT_PX, setting
from ..text import Template
from .media import PictureLike, as_picture
from .telling import warn

_NOT_PX = Template("size_not_whole", "{given} must be a whole number of px, not '{value}'.")


# Where the name in the settings table is another one.
_NAMES = {
    "width": "start_width",
    "height": "start_height",
    "cfg_scale": "guidance_scale",
    "scheduler": "sampler",
}
_LISTS = {"loras", "controls"}


@dataclass(slots=True)
class LoRAConfig:
    """A LoRA: file or display name, weight (any, also negative), where it acts.

    `mode` is 0 for all, 1 for the base model only, 2 for the refiner only.
    """

    file: str
    weight: float = 0.6
    mode: int = LoraMode.ALL

    def to_lora(self) -> Lora:
        """The same as the library's value. Raises SettingsError for another mode."""
        return Lora(self.file, float(self.weight), LoraMode.from_label(int(self.mode)))


@dataclass(slots=True)
class ControlNetConfig:
    """A ControlNet or adapter. With an empty `file` only its picture is sent: for models that
    take one themselves (FLUX.1 Depth and Canny). Servers skip controls without a file, and
    inpainting needs none.

    `guidance_start` and `guidance_end` are shares of the steps, 0 to 1. `image` is the
    picture that drives it (a path, bytes of a picture file, a PIL picture, or an array);
    without one it takes the hint of its kind, or the input image.
    """

    file: str
    weight: float = 1.0
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    no_prompt: bool = False
    global_average_pooling: bool = True
    down_sampling_rate: float = 1.0
    control_mode: ControlMode = ControlMode.BALANCED
    target_blocks: list[str] | None = None
    input_override: ControlInputType = ControlInputType.UNSPECIFIED
    image: PictureLike | None = None

    def to_control(self) -> Control:
        """The same as the library's value, with its picture read."""
        if not self.file and self.image is None:
            warn(
                "A control without a file has no effect: servers skip it. Inpainting needs "
                "input_image and mask_image only."
            )
        if self.no_prompt:
            warn(
                f"no_prompt of the control {self.file!r} has no effect: the server does not "
                "read it.",
            )
        values = {row.name: getattr(self, row.name) for row in CONTROL_SETTINGS}
        values["target_blocks"] = tuple(self.target_blocks or ())
        picture = None if self.image is None else as_picture(self.image)
        return Control.of(ControlSettings(**values), picture)


@dataclass(slots=True)
class ImageGenerationConfig:
    """How a picture is made. Only `model` is needed; names and defaults are those of scripts.

    Sizes are px. The first pass of hires fix and the tiles are units of 64 px below 64, as
    scripts write them, and px from 64 on. Sizes between two multiples of 64 px are cut to
    the lower one, with a warning. `scheduler` is a sampler's name in any case ("Euler A
    Trailing"), `seed` None draws one at random. What the model does not read does no harm.
    """

    model: str
    steps: int = 16
    width: int = 512
    height: int = 512
    cfg_scale: float = 5.0
    scheduler: str | Sampler = "UniPC ays"
    seed: int | None = None
    strength: float = 1.0
    batch_count: int = 1
    batch_size: int = 1
    seed_mode: int | str = SeedMode.SCALE_ALIKE
    clip_skip: int = 1
    clip_weight: float = 1.0
    t5_text_encoder: bool = True
    separate_clip_l: bool = False
    clip_l_text: str = ""
    separate_open_clip_g: bool = False
    open_clip_g_text: str = ""
    separate_t5: bool = False
    t5_text: str = ""
    guidance_embed: float = 3.5
    speed_up_with_guidance_embed: bool = True
    resolution_dependent_shift: bool = True
    original_image_width: int | None = None
    original_image_height: int | None = None
    target_image_width: int | None = None
    target_image_height: int | None = None
    crop_top: int = 0
    crop_left: int = 0
    aesthetic_score: float = 6.0
    negative_aesthetic_score: float = 2.5
    upscaler: str = ""
    upscaler_scale_factor: int = 0
    face_restoration: str = ""
    refiner_model: str = ""
    refiner_start: float = 0.7
    hires_fix: bool = False
    hires_fix_start_width: int = 0
    hires_fix_start_height: int = 0
    hires_fix_strength: float = 0.7
    tiled_decoding: bool = False
    decoding_tile_width: int = 10
    decoding_tile_height: int = 10
    decoding_tile_overlap: int = 2
    tiled_diffusion: bool = False
    diffusion_tile_width: int = 16
    diffusion_tile_height: int = 16
    diffusion_tile_overlap: int = 2
    mask_blur: float = 2.5
    mask_blur_outset: int = 0
    sharpness: float = 0.0
    preserve_original_after_inpaint: bool = True
    image_guidance_scale: float = 1.5
    cfg_zero_star: bool = False
    cfg_zero_init_steps: int = 0
    stochastic_sampling_gamma: float = 0.3
    tea_cache: bool = False
    tea_cache_start: int = 5
    tea_cache_end: int = -1
    tea_cache_threshold: float = 0.06
    tea_cache_max_skip_steps: int = 3
    causal_inference_enabled: bool = False
    causal_inference: int = 3
    causal_inference_pad: int = 0
    stage_2_steps: int = 10
    stage_2_cfg: float = 1.0
    stage_2_shift: float = 1.0
    shift: float = 1.0
    fps_id: int = 5
    motion_bucket_id: int = 127
    cond_aug: float = 0.02
    start_frame_cfg: float = 1.0
    num_frames: int = 14
    zero_negative_prompt: bool = False
    negative_prompt_for_image_prior: bool = True
    image_prior_steps: int = 5
    loras: list[LoRAConfig] = field(default_factory=list)
    controls: list[ControlNetConfig] = field(default_factory=list)

    def to_configuration(self) -> Configuration:
        """The same as the library's settings, without LoRAs and controls; a seed is drawn.

        Holds what differs from what the server would do anyway. Raises SettingsError for a
        value that cannot be.
        """
        found = {}
        for row in dataclasses.fields(self):
            value = getattr(self, row.name)
            name = _NAMES.get(row.name, row.name)
            if row.name in _LISTS or (value is None and row.name != "seed"):
                continue
            found[name] = _translated(row.name, name, value)
        settings = Configuration.of(found)
        if settings["speed_up_with_guidance_embed"] and settings["guidance_embed"] not in (
            _DEFAULT_EMBED,
            settings["guidance_scale"],
        ):
            warn(
                f"guidance_embed {self.guidance_embed:g} has no effect while "
                "speed_up_with_guidance_embed is on: a model with an embedded guidance gets "
                f"cfg_scale, {self.cfg_scale:g}.",
            )
        anyway = [
            name
            for name, value in settings.explicit.items()
            if value == DEFAULTS.explicit.get(name, setting(name).default)
            and name not in {"start_width", "start_height", "model", "seed"}
        ]
        return settings.without(*anyway)

    def untouched(self) -> Iterator[str]:
        """The settings, by their names in the table, that still have their default."""
        for row in dataclasses.fields(self):
            if row.default is not dataclasses.MISSING and getattr(self, row.name) == row.default:
                yield _NAMES.get(row.name, row.name)


_DEFAULT_EMBED = 3.5


def _translated(given: str, name: str, value: Any) -> Any:
    if name == "seed":
        seed, note = seeds.given(value)
        if note is not None:
            warn(str(note))
        return seed
    if name == "sampler":
        return Sampler.from_label(value if isinstance(value, str) else int(value))
    if name == "seed_mode":
        return SeedMode.from_label(value if isinstance(value, str) else int(value))
    row = setting(name)
    if row.wire_scale == UNIT_PX:
        return _size(given, name, value)
    if isinstance(value, float) and row.wire_range is not None and value.is_integer():
        return int(value)
    return value


def _size(given: str, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise SettingsError(_NOT_PX(given=given, value=value))
    px = int(value)
    if name not in {"start_width", "start_height"} and 0 < px < UNIT_PX:
        return px * UNIT_PX
    if px % UNIT_PX and px > UNIT_PX:
        warn(
            f"{given} {px} becomes {px - px % UNIT_PX}: sizes are multiples of {UNIT_PX} px.",
        )
        px -= px % UNIT_PX
    return px
