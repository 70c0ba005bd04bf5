"""What one request becomes: path, sizes, steps, counts (docs/protocol.md 4, 5).

Knows which messages will come, in which order and with which totals; draws nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..settings.choices import Sampler
from .choosing import Choice
from .intake import Asked
from .mask_codes import MaskReading, read_mask
from .schedule import KARRAS, resolution_dependent_shift, start_step

Path = Literal["text", "image", "mask", "unchanged"]

CASCADE = "wurstchen_v3.0_stage_c"
NO_CFG_SAMPLERS = frozenset(
    {
        Sampler.LCM,
        Sampler.EULER_A_SUBSTEP,
        Sampler.DPMPP_SDE_SUBSTEP,
        Sampler.TCD,
        Sampler.TCD_TRAILING,
    }
)
DDPM = frozenset(
    {"v1", "v2", "sdxl_base_v0.9", "sdxl_refiner_v0.9", "ssd_1b", "pixart", "kandinsky2.1"}
)


@dataclass(frozen=True, slots=True)
class SecondPass:
    """The second pass of hires fix, or stage B of Stable Cascade."""

    steps: int
    start: int
    listed_decode: bool = True  # whether the plan names the last signpost


@dataclass(slots=True)
class Plan:
    """A run. Sizes in px; `start` is the first step of `steps` that runs."""

    chosen: Choice
    path: Path
    width: int
    height: int
    strength: float
    steps: int
    start: int
    shift: float
    uses_cfg: bool
    batch: int  # still images
    frames: int  # 0 for still images
    latent_frames: int
    mask: MaskReading | None = None
    first_pass: tuple[int, int] | None = None  # px, hires fix
    second: SecondPass | None = None
    empty: str = ""  # why the run ends without a picture

    @property
    def runs(self) -> int:
        return self.steps - self.start

    @property
    def two_phases(self) -> bool:
        return self.mask is not None and self.path == "mask" and bool(self.mask.empty.any())

    @property
    def encodes_image(self) -> bool:
        """Whether text-to-image announces an imageEncoded of its own."""
        return self.chosen.modifier in {"inpainting", "editing", "double"}


def make_plan(asked: Asked, chosen: Choice) -> Plan:
    """Only for a request that `strict` has let through."""
    configuration, family = asked.configuration, chosen.family
    scale = max(1, asked.message.scaleFactor)
    width, height = configuration["start_width"], configuration["start_height"]
    shift, strength = effective_shift(asked, chosen), configuration["strength"]
    steps, sampler = configuration["steps"], configuration["sampler"]
    flow = family.is_flow
    start = start_step(steps, strength, sampler, flow, shift)
    mask = None
    path: Path = "text"
    stays = stays_on_image_path(family.version)
    if asked.image is not None:
        if asked.mask is not None:
            mask = read_mask(asked.mask, chosen.transparent)
        if mask is not None and mask.effect == "part":
            path = "mask"
        elif mask is not None and mask.effect == "everything":
            path = "text"
        elif start >= steps > 0 or strength == 0:
            path = "unchanged"
        elif start > 0 or stays:
            path = "image"
    if path == "text":
        start = 0
    else:
        shape = asked.image.shape if asked.image is not None else (1, height, width, 3)
        height, width = shape[1] // scale, shape[2] // scale
    batch = 1 if family.kind != "image" else configuration["batch_size"]
    frames, latent_frames = _frames(asked, chosen)
    plan = Plan(
        chosen, path, width, height, strength, steps, start, shift,
        uses_cfg(asked, chosen), batch, frames, latent_frames, mask,
    )  # fmt: skip
    _plan_second_pass(asked, plan)
    plan.empty = _why_empty(asked, plan)
    return plan


def stays_on_image_path(version: str) -> bool:
    """Families that use their image as start at any strength."""
    return version == "svd_i2v" or version.startswith("seedvr2")


def effective_shift(asked: Asked, chosen: Choice) -> float:
    configuration = asked.configuration
    applies = (
        configuration["resolution_dependent_shift"]
        and chosen.family.supports("resolution_dependent_shift")
        and not chosen.model.get("is_consistency_model")
    )
    if not applies:
        return float(configuration["shift"])
    width, height = configuration["start_width"], configuration["start_height"]
    if configuration["tiled_diffusion"]:
        width = min(width, configuration["diffusion_tile_width"])
        height = min(height, configuration["diffusion_tile_height"])
    return resolution_dependent_shift(width, height)


def embeds_guidance(asked: Asked, chosen: Choice) -> bool:
    return bool(
        asked.configuration["speed_up_with_guidance_embed"] and chosen.model.get("guidance_embed")
    )


def uses_cfg(asked: Asked, chosen: Choice) -> bool:
    """Whether a negative prompt has any effect."""
    configuration, version = asked.configuration, chosen.family.version
    guidances = [configuration["guidance_scale"]]
    if chosen.modifier == "editing":
        guidances.append(configuration["image_guidance_scale"])
    if version == "svd_i2v":
        guidances.append(configuration["start_frame_cfg"])
    sampler = configuration["sampler"]
    substep = sampler in {Sampler.EULER_A_SUBSTEP, Sampler.DPMPP_SDE_SUBSTEP}
    return (
        any(abs(guidance - 1) > 0.001 for guidance in guidances)
        and not chosen.is_consistency
        and not embeds_guidance(asked, chosen)
        and (sampler not in NO_CFG_SAMPLERS or (substep and version == CASCADE))
        and chosen.family.audio != "input"
    )


def hires_fix_acts(asked: Asked, chosen: Choice) -> bool:
    """Whether hires fix takes place in a run on the text path (docs/protocol.md 2.2, slot 11)."""
    configuration = asked.configuration
    width = configuration["hires_fix_start_width"]
    height = configuration["hires_fix_start_height"]
    return bool(
        configuration["hires_fix"]
        and 0 < width < configuration["start_width"]
        and 0 < height < configuration["start_height"]
        and _hires_start(asked, chosen) > 0
        and chosen.family.version != CASCADE
        and not stays_on_image_path(chosen.family.version)
    )


def _hires_start(asked: Asked, chosen: Choice) -> int:
    configuration = asked.configuration
    strength = configuration["hires_fix_strength"]
    if not math.isfinite(strength):
        return 0
    return start_step(
        configuration["steps"],
        strength,
        configuration["sampler"],
        chosen.family.is_flow,
        effective_shift(asked, chosen),
    )


def _plan_second_pass(asked: Asked, plan: Plan) -> None:
    configuration = asked.configuration
    if plan.chosen.family.version == CASCADE and plan.path != "unchanged":
        steps = configuration["stage_2_steps"]
        with_image = plan.path != "text"
        start = 0
        if with_image:
            start = start_step(
                steps,
                plan.strength,
                configuration["sampler"],
                False,
                configuration["stage_2_shift"],
            )
        plan.second = SecondPass(steps, start, listed_decode=not with_image)
    elif plan.path == "text" and hires_fix_acts(asked, plan.chosen):
        plan.first_pass = (
            configuration["hires_fix_start_width"],
            configuration["hires_fix_start_height"],
        )
        plan.second = SecondPass(configuration["steps"], _hires_start(asked, plan.chosen))


def _frames(asked: Asked, chosen: Choice) -> tuple[int, int]:
    """Frames and latent frames; (0, 1) for still images."""
    family = chosen.family
    if not family.is_video:
        return 0, 1
    wanted = asked.configuration["num_frames"]
    if family.temporal_scale == 1:
        return max(1, wanted), max(1, wanted)
    latent = max(0, wanted - 1) // family.temporal_scale + 1
    return (latent - 1) * family.temporal_scale + 1, latent


def _why_empty(asked: Asked, plan: Plan) -> str:
    """Runs that end with status OK and no picture (docs/protocol.md 5.6)."""
    configuration, family = asked.configuration, plan.chosen.family
    if plan.path == "unchanged":
        return ""
    if family.version == "svd_i2v":
        if plan.path == "text":
            return "Stable Video Diffusion needs an image"
        if plan.frames < 2:
            return "Stable Video Diffusion with fewer than 2 frames ends in NaN"
    if plan.steps == 1 and configuration["sampler"] in KARRAS and family.version in DDPM:
        return "a Karras sampler with 1 step ends in NaN"
    return _why_audio_fails(asked, plan)


def _why_audio_fails(asked: Asked, plan: Plan) -> str:
    sounds = asked.hint("audio")
    if not sounds:
        return ""
    if plan.chosen.family.audio != "input":
        return "an audio hint on a model that takes none"
    if asked.image is None or asked.mask is not None:
        return "an audio hint without an image, or with a mask"
    sizes = [array.size for array, _ in sounds]
    # Whisper features: 32,000 values, then 51,200 for every further latent frame.
    if sizes != [32_000, (plan.latent_frames - 1) * 51_200]:
        return "an audio hint of another length than the video"
    return ""
