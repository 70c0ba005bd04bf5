"""Where each setting is offered: on the sampler, on an options node, or nowhere and why.

Options nodes, their tests and docs/coverage.md are loops over these themes; what a single
setting is stands in `table`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Theme:
    """The settings of one options node, in the order of its widgets: append only."""

    node_id: str
    title: str
    description: str
    settings: tuple[str, ...]


GUIDANCE = Theme(
    "DTGuidanceOptions",
    "DT Guidance Options",
    "How prompt and noise steer: embedded guidance, CFG-Zero*, sharpness, seed mode.",
    (
        "speed_up_with_guidance_embed",
        "guidance_embed",
        "cfg_zero_star",
        "cfg_zero_init_steps",
        "resolution_dependent_shift",
        "sharpness",
        "stochastic_sampling_gamma",
        "seed_mode",
        "zero_negative_prompt",
    ),
)
TEXT_ENCODERS = Theme(
    "DTTextEncoderOptions",
    "DT Text Encoder Options",
    "How the prompt is read: CLIP skip, T5, and texts of their own for single encoders.",
    (
        "clip_skip",
        "t5_text_encoder",
        "separate_clip_l",
        "clip_l_text",
        "separate_open_clip_g",
        "open_clip_g_text",
        "separate_t5",
        "t5_text",
    ),
)
SDXL = Theme(
    "DTSDXLOptions",
    "DT SDXL Options",
    "The sizes, crops and aesthetic scores that SDXL was trained with.",
    (
        "original_image_width",
        "original_image_height",
        "target_image_width",
        "target_image_height",
        "crop_left",
        "crop_top",
        "negative_original_image_width",
        "negative_original_image_height",
        "aesthetic_score",
        "negative_aesthetic_score",
    ),
)
HIRES_FIX = Theme(
    "DTHiresFixOptions",
    "DT Hires Fix Options",
    "Makes a small picture first, enlarges it and refines it in a second pass.",
    (
        "hires_fix",
        "hires_fix_start_width",
        "hires_fix_start_height",
        "hires_fix_strength",
    ),
)
TILING = Theme(
    "DTTilingOptions",
    "DT Tiling Options",
    "Decodes or samples large pictures in tiles, to save memory on the server.",
    (
        "tiled_decoding",
        "decoding_tile_width",
        "decoding_tile_height",
        "decoding_tile_overlap",
        "tiled_diffusion",
        "diffusion_tile_width",
        "diffusion_tile_height",
        "diffusion_tile_overlap",
    ),
)
TEA_CACHE = Theme(
    "DTTeaCacheOptions",
    "DT TeaCache Options",
    "Skips steps that change little: faster, a little less exact.",
    (
        "tea_cache",
        "tea_cache_start",
        "tea_cache_end",
        "tea_cache_threshold",
        "tea_cache_max_skip_steps",
    ),
)
REFINER = Theme(
    "DTRefinerOptions",
    "DT Refiner Options",
    "A second model that finishes the picture, such as the SDXL refiner or Wan's low noise model.",
    ("refiner_model", "refiner_start"),
)
UPSCALER = Theme(
    "DTUpscalerOptions",
    "DT Upscaler Options",
    "Lets the server repair faces in the finished picture and enlarge it.",
    ("upscaler", "upscaler_scale_factor", "face_restoration"),
)
INPAINT = Theme(
    "DTInpaintOptions",
    "DT Inpaint Options",
    "How repainted and kept parts of an image meet.",
    (
        "mask_blur",
        "mask_blur_outset",
        "preserve_original_after_inpaint",
        "color_calibration",
    ),
)
VIDEO = Theme(
    "DTVideoOptions",
    "DT Video Options",
    "How long a video is, how Stable Video Diffusion moves, causal inference of Wan.",
    (
        "num_frames",
        "fps_id",
        "motion_bucket_id",
        "cond_aug",
        "start_frame_cfg",
        "causal_inference_enabled",
        "causal_inference",
        "causal_inference_pad",
    ),
)
CASCADE = Theme(
    "DTCascadeOptions",
    "DT Stable Cascade Options",
    "Stage B of Stable Cascade: steps, guidance, shift.",
    ("stage_2_steps", "stage_2_cfg", "stage_2_shift"),
)
IMAGE_PRIOR = Theme(
    "DTImagePriorOptions",
    "DT Image Prior Options",
    "The image prior of Kandinsky 2.1.",
    ("image_prior_steps", "clip_weight", "negative_prompt_for_image_prior"),
)
IMAGE_GUIDANCE = Theme(
    "DTImageGuidanceOptions",
    "DT Image Guidance Options",
    "How strongly the image steers models that edit by instruction.",
    ("image_guidance_scale",),
)
APP = Theme(
    "DTAppOptions",
    "DT App Options",
    "Settings that the server leaves to clients, such as batch count. All of them travel "
    "into exported configurations.",
    (
        "batch_count",
        "name",
        "compression_artifacts",
        "compression_artifacts_quality",
        "expand_prompt_to_json",
    ),
)

THEMES = (
    GUIDANCE,
    TEXT_ENCODERS,
    SDXL,
    HIRES_FIX,
    TILING,
    TEA_CACHE,
    REFINER,
    UPSCALER,
    INPAINT,
    VIDEO,
    CASCADE,
    IMAGE_PRIOR,
    IMAGE_GUIDANCE,
    APP,
)

# The settings of the everyday nodes, with the node and its input.
EVERYDAY: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "model": ("DTModelLoader", "model"),
        "loras": ("DTLoRA", "lora"),
        "controls": ("DTControlNet", "control"),
        "seed": ("DTSampler", "seed"),
        "steps": ("DTSampler", "steps"),
        "guidance_scale": ("DTSampler", "guidance"),
        "sampler": ("DTSampler", "sampler"),
        "start_width": ("DTSampler", "width"),
        "start_height": ("DTSampler", "height"),
        "strength": ("DTSampler", "strength"),
        "batch_size": ("DTSampler", "batch_size"),
        "shift": ("DTSampler", "shift"),
    }
)

NOT_OFFERED: Mapping[str, str] = MappingProxyType(
    {
        "id": "A row number in the app's own database; DT Config carries it through.",
        "decode_with_attention": "Obsolete: no server reads it.",
        "hires_fix_decode_with_attention": "Obsolete: no server reads it.",
    }
)

# What decides whether another setting counts: while the switch is off, or no file is
# chosen, the setting is not sent.
SWITCHES: Mapping[str, str] = MappingProxyType(
    {
        "cfg_zero_init_steps": "cfg_zero_star",
        "clip_l_text": "separate_clip_l",
        "open_clip_g_text": "separate_open_clip_g",
        "t5_text": "separate_t5",
        "hires_fix_start_width": "hires_fix",
        "hires_fix_start_height": "hires_fix",
        "hires_fix_strength": "hires_fix",
        "decoding_tile_width": "tiled_decoding",
        "decoding_tile_height": "tiled_decoding",
        "decoding_tile_overlap": "tiled_decoding",
        "diffusion_tile_width": "tiled_diffusion",
        "diffusion_tile_height": "tiled_diffusion",
        "diffusion_tile_overlap": "tiled_diffusion",
        "tea_cache_start": "tea_cache",
        "tea_cache_end": "tea_cache",
        "tea_cache_threshold": "tea_cache",
        "tea_cache_max_skip_steps": "tea_cache",
        "refiner_start": "refiner_model",
        "upscaler_scale_factor": "upscaler",
        "causal_inference": "causal_inference_enabled",
        "causal_inference_pad": "causal_inference_enabled",
    }
)

# Where a form starts from something else than DEFAULTS: who adds a node wants its effect.
STARTS: Mapping[str, Any] = MappingProxyType(
    {
        "hires_fix": True,
        "hires_fix_start_width": 448,  # px, as in the app
        "hires_fix_start_height": 448,
        "tiled_decoding": True,
        "tea_cache": True,
        "num_frames": 25,  # on the grid of every family: 4n + 1, 8n + 1, SVD's own 25
    }
)

_INPUT_IDS: Mapping[str, str] = MappingProxyType(
    {
        "hires_fix_start_width": "first_pass_width",
        "hires_fix_start_height": "first_pass_height",
        "hires_fix_strength": "second_pass_strength",
        "fps_id": "fps",
        "motion_bucket_id": "motion_scale",
        "cond_aug": "guiding_frame_noise",
        "start_frame_cfg": "start_frame_guidance",
        "causal_inference_enabled": "causal_inference",
        "causal_inference": "causal_inference_block",
        "stage_2_cfg": "stage_2_guidance",
        "image_guidance_scale": "image_guidance",
        "name": "preset_name",
    }
)


def input_id(name: str) -> str:
    """What a setting is called on its options node: the app's word where the schema's is odd."""
    return _INPUT_IDS.get(name, name)


def place(name: str) -> tuple[str, str] | None:
    """The node id and input id where a setting is offered; None where it is not."""
    if name in EVERYDAY:
        return EVERYDAY[name]
    for theme in THEMES:
        if name in theme.settings:
            return theme.node_id, input_id(name)
    return None


def counting(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a form's values that count: without what its own switch leaves off."""
    return {
        name: value
        for name, value in values.items()
        if name not in SWITCHES or values.get(SWITCHES[name], True)
    }
