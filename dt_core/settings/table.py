"""The table of generation settings: everything a configuration can carry.

One row per field of the schema (proto/config.fbs), in the order of its slots. Codecs,
forms and help pages are loops over these rows; what a family makes of a setting is
said in families.json, under the key that a row names.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..errors import SettingsError
from ..text import Template, Text
from .choices import (
    Choice,
    ColorCalibration,
    CompressionMethod,
    ControlInputType,
    ControlMode,
    LoraMode,
    Sampler,
    SeedMode,
)

_NO_SETTING = Template("no_such_setting", "There is no setting '{name}'.")
_NO_SETTING_BUT = Template(
    "no_such_setting_but", "There is no setting '{name}'. Did you mean '{close}'?"
)


class Kind(Enum):
    """Type of a field on the wire."""

    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    I8 = "i8"
    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    BOOL = "bool"
    STR = "str"
    CONTROLS = "controls"
    LORAS = "loras"
    STRINGS = "strings"


INTEGER_RANGES = {
    Kind.U8: (0, 2**8 - 1),
    Kind.U16: (0, 2**16 - 1),
    Kind.U32: (0, 2**32 - 1),
    Kind.I8: (-(2**7), 2**7 - 1),
    Kind.I32: (-(2**31), 2**31 - 1),
    Kind.I64: (-(2**63), 2**63 - 1),
}

UNIT_PX = 64  # sizes travel in units of 64 px (docs/protocol.md 2.1)
MAX_ENTRIES = 256  # of one list; far above what any request needs
NOT_READ = "not read by the server"


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the configuration.

    `default` is what the server assumes where the field is absent; "" stands for no
    string. `minimum`, `maximum` and `step` are what a form should offer, the wire takes
    more. Values are in `unit`; on the wire they are divided by `wire_scale`. `families`
    is a key of "supports" in families.json, None for all families, or NOT_READ.
    """

    name: str
    slot: int
    kind: Kind
    default: Any
    json_key: str | None
    label: str
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    wire_scale: int = 1
    choices: type[Choice] | None = None
    families: str | None = None
    deprecated: bool = False

    @property
    def wire_range(self) -> tuple[int, int] | None:
        """Smallest and largest value the wire can carry, in `unit`; None if no integer."""
        if self.kind not in INTEGER_RANGES:
            return None
        low, high = INTEGER_RANGES[self.kind]
        return low * self.wire_scale, high * self.wire_scale


# One row: name, slot, kind, default, JSON key, label; help; the rest by name.
# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting("id", 0, Kind.I64, 0, "id", "Id",
        "Row number of a preset in the app's own database. The server does not read it.",
        families=NOT_READ),
    Setting("start_width", 1, Kind.U16, 0, "width", "Width",
        "Width of the picture in px, a multiple of 64. An image with denoising strength below 1 "
        "brings its own size.",
        unit="px", minimum=128, maximum=8192, step=UNIT_PX, wire_scale=UNIT_PX),
    Setting("start_height", 2, Kind.U16, 0, "height", "Height",
        "Height of the picture in px, a multiple of 64. An image with denoising strength below "
        "1 brings its own size.",
        unit="px", minimum=128, maximum=8192, step=UNIT_PX, wire_scale=UNIT_PX),
    Setting("seed", 3, Kind.U32, 0, "seed", "Seed",
        "Number that the noise is made from; the same seed and settings give the same picture. "
        "The server uses it as it is: no value means random.",
        minimum=0, maximum=2**32 - 1, step=1),
    Setting("steps", 4, Kind.U32, 0, "steps", "Steps",
        "How many steps the sampler takes. More is slower; distilled models want few (4 to 8).",
        unit="steps", minimum=1, maximum=150, step=1),
    Setting("guidance_scale", 5, Kind.F32, 0.0, "guidanceScale", "Guidance",
        "How strongly the prompt steers (CFG). Near 1 the negative prompt has no effect; with "
        "guidance embed speed-up this is the embedded guidance.",
        minimum=0, maximum=50, step=0.1, families="cfg"),
    Setting("strength", 6, Kind.F32, 0.0, "strength", "Denoising strength",
        "How much of the image is redone: 0 returns it unchanged, 1 starts from noise. No "
        "effect without an image.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01),
    Setting("model", 7, Kind.STR, "", "model", "Model",
        "File name of the model on the server. If it is missing there, the server takes another "
        "one without saying so."),
    Setting("sampler", 8, Kind.I8, Sampler.DPMPP_2M_KARRAS, "sampler", "Sampler",
        "Method that removes the noise. Flow models (SD3, FLUX, Wan, Qwen and newer) want a "
        "Trailing or AYS sampler; LCM and TCD are for distilled models and switch guidance off.",
        choices=Sampler),
    Setting("batch_count", 9, Kind.U32, 1, "batchCount", "Batch count",
        "How many requests to make one after the other. The server does not read it: a client "
        "repeats the request.",
        unit="requests", minimum=1, maximum=100, step=1, families=NOT_READ),
    Setting("batch_size", 10, Kind.U32, 1, "batchSize", "Batch size",
        "Images made at once by one request; needs memory for each. No effect on video models.",
        unit="images", minimum=1, maximum=4, step=1, families="batch_size"),
    Setting("hires_fix", 11, Kind.BOOL, False, "hiresFix", "High resolution fix",
        "Makes a small picture first, enlarges it and refines it in a second pass. Only without "
        "an image, and only if the first pass is smaller than the picture on both sides.",
        families="hires_fix"),
    Setting("hires_fix_start_width", 12, Kind.U16, 0, "hiresFixWidth", "First pass width",
        "Width of the first pass in px, a multiple of 64, smaller than the picture. Only with "
        "high resolution fix.",
        unit="px", minimum=128, maximum=2048, step=UNIT_PX, wire_scale=UNIT_PX,
        families="hires_fix"),
    Setting("hires_fix_start_height", 13, Kind.U16, 0, "hiresFixHeight", "First pass height",
        "Height of the first pass in px, a multiple of 64, smaller than the picture. Only with "
        "high resolution fix.",
        unit="px", minimum=128, maximum=2048, step=UNIT_PX, wire_scale=UNIT_PX,
        families="hires_fix"),
    Setting("hires_fix_strength", 14, Kind.F32, 0.7, "hiresFixStrength", "Second pass strength",
        "Denoising strength of the second pass; 1 switches the high resolution fix off.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01, families="hires_fix"),
    Setting("upscaler", 15, Kind.STR, "", "upscaler", "Upscaler",
        "File name of an upscaler that enlarges the finished picture. Skipped without a word if "
        "the server does not have it."),
    Setting("image_guidance_scale", 16, Kind.F32, 1.5, "imageGuidanceScale", "Image guidance",
        "How strongly the image steers. Only for models that edit by instruction, such as "
        "InstructPix2Pix.",
        minimum=0, maximum=25, step=0.1, families="image_guidance_scale"),
    Setting("seed_mode", 17, Kind.I8, SeedMode.LEGACY, "seedMode", "Seed mode",
        "How the seed becomes noise. Legacy differs between machines; Scale Alike keeps the "
        "composition when the size changes.",
        choices=SeedMode),
    Setting("clip_skip", 18, Kind.U32, 1, "clipSkip", "CLIP skip",
        "Which of CLIP's last layers to read the prompt from; 1 is the last. Only for models "
        "with a CLIP text encoder.",
        unit="layers", minimum=1, maximum=23, step=1, families="clip_skip"),
    Setting("controls", 19, Kind.CONTROLS, (), "controls", "Controls",
        "ControlNets and adapters, in order. One without its picture, or made for another "
        "model, is skipped."),
    Setting("loras", 20, Kind.LORAS, (), "loras", "LoRAs",
        "LoRAs, in order. One that the server lacks, or made for another model, is skipped."),
    Setting("mask_blur", 21, Kind.F32, 0.0, "maskBlur", "Mask blur",
        "Softness in px of the seam where the original is pasted back around the mask; 0 is a "
        "hard edge. No effect without a mask.",
        unit="px", minimum=0, maximum=50, step=0.1),
    Setting("face_restoration", 22, Kind.STR, "", "faceRestoration", "Face restoration",
        "File name of a model that repairs faces in the finished picture. No effect on Linux "
        "servers."),
    Setting("decode_with_attention", 23, Kind.BOOL, True, None, "Decode with attention",
        "Obsolete: no server reads it and we never send it.",
        families=NOT_READ, deprecated=True),
    Setting("hires_fix_decode_with_attention", 24, Kind.BOOL, True, None,
        "First pass decode with attention",
        "Obsolete: no server reads it and we never send it.",
        families=NOT_READ, deprecated=True),
    Setting("clip_weight", 25, Kind.F32, 1.0, "clipWeight", "CLIP weight",
        "Weight of the text embedding in the image prior. Only for Kandinsky 2.1.",
        minimum=0, maximum=1, step=0.01, families="image_prior"),
    Setting("negative_prompt_for_image_prior", 26, Kind.BOOL, True, "negativePromptForImagePrior",
        "Negative prompt for image prior",
        "Whether the image prior uses the negative prompt too. Only for Kandinsky 2.1.",
        families="image_prior"),
    Setting("image_prior_steps", 27, Kind.U32, 5, "imagePriorSteps", "Image prior steps",
        "Steps of the image prior. Only for Kandinsky 2.1.",
        unit="steps", minimum=1, maximum=50, step=1, families="image_prior"),
    Setting("refiner_model", 28, Kind.STR, "", "refinerModel", "Refiner model",
        "File name of a second model that finishes the picture. Ignored if it is the model "
        "itself or does not fit it.",
        families="refiner"),
    Setting("original_image_height", 29, Kind.U32, 0, "originalImageHeight",
        "Original image height",
        "Height in px that SDXL is told the training picture had; 0 means the height of the "
        "picture.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("original_image_width", 30, Kind.U32, 0, "originalImageWidth", "Original image width",
        "Width in px that SDXL is told the training picture had; 0 means the width of the "
        "picture.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("crop_top", 31, Kind.I32, 0, "cropTop", "Crop top",
        "Rows in px that SDXL is told were cut off above; 0 gives centred subjects.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("crop_left", 32, Kind.I32, 0, "cropLeft", "Crop left",
        "Columns in px that SDXL is told were cut off on the left; 0 gives centred subjects.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("target_image_height", 33, Kind.U32, 0, "targetImageHeight", "Target image height",
        "Height in px that SDXL aims its detail at; 0 means the height of the picture. Not read "
        "by the SDXL refiner.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("target_image_width", 34, Kind.U32, 0, "targetImageWidth", "Target image width",
        "Width in px that SDXL aims its detail at; 0 means the width of the picture. The server "
        "otherwise feeds the original image width in its place.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("aesthetic_score", 35, Kind.F32, 6.0, "aestheticScore", "Aesthetic score",
        "How pleasing the picture should be. Only for the SDXL refiner.",
        minimum=0, maximum=10, step=0.1, families="aesthetic_score"),
    Setting("negative_aesthetic_score", 36, Kind.F32, 2.5, "negativeAestheticScore",
        "Negative aesthetic score",
        "How pleasing the opposite of the picture is. Only for the SDXL refiner.",
        minimum=0, maximum=10, step=0.1, families="aesthetic_score"),
    Setting("zero_negative_prompt", 37, Kind.BOOL, False, "zeroNegativePrompt",
        "Zero negative prompt",
        "Feeds zeros in place of the negative prompt's embedding. Only while guidance runs a "
        "negative pass.",
        families="zero_negative_prompt"),
    Setting("refiner_start", 38, Kind.F32, 0.7, "refinerStart", "Refiner start",
        "Share of the noise that is gone when the refiner takes over; it is not a share of the "
        "steps. 1 means never.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01, families="refiner"),
    Setting("negative_original_image_height", 39, Kind.U32, 0, "negativeOriginalImageHeight",
        "Negative original image height",
        "Original height in px on the negative side; 0 means the same as the original image "
        "height.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("negative_original_image_width", 40, Kind.U32, 0, "negativeOriginalImageWidth",
        "Negative original image width",
        "Original width in px on the negative side; 0 means the same as the original image "
        "width.",
        unit="px", minimum=0, maximum=8192, step=1, families="sdxl_size_conditioning"),
    Setting("name", 41, Kind.STR, "", None, "Name",
        "Name of a preset in the app. The server does not read it.",
        families=NOT_READ),
    Setting("fps_id", 42, Kind.U32, 5, "fps", "FPS",
        "Frames per second that Stable Video Diffusion is told; changes the motion, not the "
        "number of frames.",
        unit="frames per second", minimum=1, maximum=30, step=1, families="svd_motion"),
    Setting("motion_bucket_id", 43, Kind.U32, 127, "motionScale", "Motion scale",
        "How much moves: higher is livelier. Only for Stable Video Diffusion.",
        minimum=0, maximum=255, step=1, families="svd_motion"),
    Setting("cond_aug", 44, Kind.F32, 0.02, "guidingFrameNoise", "Guiding frame noise",
        "Noise added to the first frame; more lets the video depart from it. Only for Stable "
        "Video Diffusion.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01, families="svd_motion"),
    Setting("start_frame_cfg", 45, Kind.F32, 1.0, "startFrameGuidance", "Start frame guidance",
        "Guidance of the first frame; it rises to the guidance by the last. Only for Stable "
        "Video Diffusion.",
        minimum=0, maximum=25, step=0.1, families="svd_motion"),
    Setting("num_frames", 46, Kind.U32, 14, "numFrames", "Frames",
        "How many frames of video to make; most families round to 4n + 1 or 8n + 1. No effect "
        "on still-image models.",
        unit="frames", minimum=1, maximum=513, step=1, families="num_frames"),
    Setting("mask_blur_outset", 47, Kind.I32, 0, "maskBlurOutset", "Mask outset",
        "Grows (positive) or shrinks (negative) the repainted area, in px. No effect without a "
        "mask; shrinking needs mask blur.",
        unit="px", minimum=-100, maximum=1000, step=1),
    Setting("sharpness", 48, Kind.F32, 0.0, "sharpness", "Sharpness",
        "Sharpens detail while sampling; 0 is off.",
        minimum=0, maximum=30, step=0.1),
    Setting("shift", 49, Kind.F32, 1.0, "shift", "Shift",
        "Shifts the steps towards noise: higher favours composition, lower favours detail. No "
        "effect while resolution dependent shift applies.",
        minimum=0.1, maximum=16, step=0.01, families="shift"),
    Setting("stage_2_steps", 50, Kind.U32, 10, "stage2Steps", "Stage 2 steps",
        "Steps of stage B. Only for Stable Cascade.",
        unit="steps", minimum=1, maximum=150, step=1, families="stage_2"),
    Setting("stage_2_cfg", 51, Kind.F32, 1.0, "stage2Guidance", "Stage 2 guidance",
        "Guidance of stage B. Only for Stable Cascade.",
        minimum=0, maximum=50, step=0.1, families="stage_2"),
    Setting("stage_2_shift", 52, Kind.F32, 1.0, "stage2Shift", "Stage 2 shift",
        "Shift of stage B. Only for Stable Cascade.",
        minimum=0.1, maximum=16, step=0.01, families="stage_2"),
    Setting("tiled_decoding", 53, Kind.BOOL, False, "tiledDecoding", "Tiled decoding",
        "Decodes the picture in tiles to save memory. No effect if the tile is as large as the "
        "picture.",
        families="tiled_decoding"),
    Setting("decoding_tile_width", 54, Kind.U16, 10 * UNIT_PX, "decodingTileWidth",
        "Decoding tile width",
        "Width of a decoding tile in px, a multiple of 64. Only with tiled decoding.",
        unit="px", minimum=128, maximum=2048, step=UNIT_PX, wire_scale=UNIT_PX,
        families="tiled_decoding"),
    Setting("decoding_tile_height", 55, Kind.U16, 10 * UNIT_PX, "decodingTileHeight",
        "Decoding tile height",
        "Height of a decoding tile in px, a multiple of 64. Only with tiled decoding.",
        unit="px", minimum=128, maximum=2048, step=UNIT_PX, wire_scale=UNIT_PX,
        families="tiled_decoding"),
    Setting("decoding_tile_overlap", 56, Kind.U16, 2 * UNIT_PX, "decodingTileOverlap",
        "Decoding tile overlap",
        "How far decoding tiles overlap, in px, a multiple of 64; the server allows about a "
        "third of the tile. Only with tiled decoding.",
        unit="px", minimum=0, maximum=1024, step=UNIT_PX, wire_scale=UNIT_PX,
        families="tiled_decoding"),
    Setting("stochastic_sampling_gamma", 57, Kind.F32, 0.3, "stochasticSamplingGamma",
        "Stochastic sampling gamma",
        "How much fresh noise each step adds; 0 is none. Only with the samplers TCD and TCD "
        "Trailing.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01),
    Setting("preserve_original_after_inpaint", 58, Kind.BOOL, True, "preserveOriginalAfterInpaint",
        "Preserve original after inpaint",
        "Pastes the original pixels back outside the mask. No effect without a mask."),
    Setting("tiled_diffusion", 59, Kind.BOOL, False, "tiledDiffusion", "Tiled diffusion",
        "Samples the picture in tiles to save memory. No effect if the tile is as large as the "
        "picture.",
        families="tiled_diffusion"),
    Setting("diffusion_tile_width", 60, Kind.U16, 16 * UNIT_PX, "diffusionTileWidth",
        "Diffusion tile width",
        "Width of a diffusion tile in px, a multiple of 64. Only with tiled diffusion.",
        unit="px", minimum=128, maximum=2048, step=UNIT_PX, wire_scale=UNIT_PX,
        families="tiled_diffusion"),
    Setting("diffusion_tile_height", 61, Kind.U16, 16 * UNIT_PX, "diffusionTileHeight",
        "Diffusion tile height",
        "Height of a diffusion tile in px, a multiple of 64. Only with tiled diffusion.",
        unit="px", minimum=128, maximum=2048, step=UNIT_PX, wire_scale=UNIT_PX,
        families="tiled_diffusion"),
    Setting("diffusion_tile_overlap", 62, Kind.U16, 2 * UNIT_PX, "diffusionTileOverlap",
        "Diffusion tile overlap",
        "How far diffusion tiles overlap, in px, a multiple of 64; the server allows about a "
        "third of the tile. Only with tiled diffusion.",
        unit="px", minimum=0, maximum=1024, step=UNIT_PX, wire_scale=UNIT_PX,
        families="tiled_diffusion"),
    Setting("upscaler_scale_factor", 63, Kind.U8, 0, "upscalerScaleFactor", "Upscaler scale factor",
        "Forces the upscaler to enlarge 2 or 4 times; 0 takes its own factor. Only with an "
        "upscaler.",
        unit="times", minimum=0, maximum=4, step=2),
    Setting("t5_text_encoder", 64, Kind.BOOL, True, "t5TextEncoder", "T5 text encoder",
        "Reads the prompt with T5 as well. Only for SD3, which works without it, but less "
        "exactly.",
        families="t5_text_encoder"),
    Setting("separate_clip_l", 65, Kind.BOOL, False, "separateClipL", "Separate CLIP-L text",
        "Gives CLIP-L a text of its own in place of the prompt.",
        families="separate_clip_l"),
    Setting("clip_l_text", 66, Kind.STR, "", "clipLText", "CLIP-L text",
        "The prompt for CLIP-L. Only with separate CLIP-L text.",
        families="separate_clip_l"),
    Setting("separate_open_clip_g", 67, Kind.BOOL, False, "separateOpenClipG",
        "Separate OpenCLIP-G text",
        "Gives OpenCLIP-G a text of its own in place of the prompt.",
        families="separate_open_clip_g"),
    Setting("open_clip_g_text", 68, Kind.STR, "", "openClipGText", "OpenCLIP-G text",
        "The prompt for OpenCLIP-G. Only with separate OpenCLIP-G text.",
        families="separate_open_clip_g"),
    Setting("speed_up_with_guidance_embed", 69, Kind.BOOL, True, "speedUpWithGuidanceEmbed",
        "Guidance embed speed-up",
        "On: one pass per step, guidance is embedded, no negative prompt. Off: real guidance at "
        "twice the time. Only for models with embedded guidance.",
        families="speed_up_with_guidance_embed"),
    Setting("guidance_embed", 70, Kind.F32, 3.5, "guidanceEmbed", "Embedded guidance",
        "Guidance value embedded beside real guidance. Read only while guidance embed speed-up "
        "is off.",
        minimum=0, maximum=50, step=0.1, families="guidance_embed"),
    Setting("resolution_dependent_shift", 71, Kind.BOOL, True, "resolutionDependentShift",
        "Resolution dependent shift",
        "Computes shift from the picture's size and ignores the value of shift. Off for "
        "distilled models in any case.",
        families="resolution_dependent_shift"),
    Setting("tea_cache_start", 72, Kind.I32, 5, "teaCacheStart", "TeaCache start",
        "First step that TeaCache may skip. Only with TeaCache.",
        unit="steps", minimum=0, maximum=1000, step=1, families="tea_cache"),
    Setting("tea_cache_end", 73, Kind.I32, -1, "teaCacheEnd", "TeaCache end",
        "Last step that TeaCache may skip; negative counts from the end, -1 is the last step. "
        "Only with TeaCache.",
        unit="steps", minimum=-151, maximum=150, step=1, families="tea_cache"),
    Setting("tea_cache_threshold", 74, Kind.F32, 0.06, "teaCacheThreshold", "TeaCache threshold",
        "How much change TeaCache lets pass: higher is faster and less exact. Only with "
        "TeaCache.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01, families="tea_cache"),
    Setting("tea_cache", 75, Kind.BOOL, False, "teaCache", "TeaCache",
        "Skips steps that change little. Only for models that come with TeaCache coefficients.",
        families="tea_cache"),
    Setting("separate_t5", 76, Kind.BOOL, False, "separateT5", "Separate T5 text",
        "Gives T5 a text of its own in place of the prompt.",
        families="separate_t5"),
    Setting("t5_text", 77, Kind.STR, "", "t5Text", "T5 text",
        "The prompt for T5. Only with separate T5 text.",
        families="separate_t5"),
    Setting("tea_cache_max_skip_steps", 78, Kind.I32, 3, "teaCacheMaxSkipSteps",
        "TeaCache max skip steps",
        "How many steps in a row TeaCache may skip. Only with TeaCache.",
        unit="steps", minimum=1, maximum=50, step=1, families="tea_cache"),
    Setting("causal_inference_enabled", 79, Kind.BOOL, False, None, "Causal inference",
        "Makes the video in blocks that see only what came before. Only for Wan.",
        families="causal_inference"),
    Setting("causal_inference", 80, Kind.I32, 3, "causalInference", "Causal inference block",
        "Length of a block in latent frames (4 frames each). Only with causal inference, and "
        "only if shorter than the video.",
        unit="latent frames", minimum=1, maximum=129, step=1, families="causal_inference"),
    Setting("causal_inference_pad", 81, Kind.I32, 0, "causalInferencePad", "Causal inference pad",
        "How many latent frames (4 frames each) a block may look ahead. Only with causal "
        "inference.",
        unit="latent frames", minimum=0, maximum=129, step=1, families="causal_inference"),
    Setting("cfg_zero_star", 82, Kind.BOOL, False, "cfgZeroStar", "CFG-Zero*",
        "Corrects the scale of the negative pass. Only for flow models with real guidance.",
        families="cfg_zero_star"),
    Setting("cfg_zero_init_steps", 83, Kind.I32, 0, "cfgZeroInitSteps", "CFG-Zero* init steps",
        "How many first steps are zeroed out. Only with CFG-Zero*.",
        unit="steps", minimum=0, maximum=50, step=1, families="cfg_zero_star"),
    Setting("compression_artifacts", 84, Kind.I8, CompressionMethod.DISABLED,
        "compressionArtifacts", "Compression artifacts",
        "Degrades the first frame like a compressed video before it is sent. The server does "
        "not read it: a client does it.",
        choices=CompressionMethod, families=NOT_READ),
    Setting("compression_artifacts_quality", 85, Kind.F32, 43.1, "compressionArtifactsQuality",
        "Compression quality",
        "Quality of that compression, 0 to 100. The server does not read it: a client does it.",
        unit="0 to 100", minimum=0, maximum=100, step=0.1, families=NOT_READ),
    Setting("color_calibration", 86, Kind.I8, ColorCalibration.DISABLED, "colorCalibration",
        "Color calibration",
        "Matches the colors of the result to those of the image. No effect without an image.",
        choices=ColorCalibration),
    Setting("expand_prompt_to_json", 87, Kind.BOOL, False, "expandPromptToJson",
        "Expand prompt to JSON",
        "Rewrites the prompt as JSON for Ideogram 4. The server does not read it: a client "
        "sends the finished prompt.",
        families=NOT_READ),
)

CONTROL_SETTINGS: tuple[Setting, ...] = (
    Setting("file", 0, Kind.STR, "", "file", "File",
        "File name of the ControlNet or adapter on the server; one that it lacks is skipped."),
    Setting("weight", 1, Kind.F32, 1.0, "weight", "Weight",
        "How strongly it acts; 0 or less switches it off.",
        minimum=0, maximum=2.5, step=0.01),
    Setting("guidance_start", 2, Kind.F32, 0.0, "guidanceStart", "Start",
        "Share of the steps after which it begins to act.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01),
    Setting("guidance_end", 3, Kind.F32, 1.0, "guidanceEnd", "End",
        "Share of the steps after which it stops acting; at or before the start it never acts.",
        unit="0 to 1", minimum=0, maximum=1, step=0.01),
    Setting("no_prompt", 4, Kind.BOOL, False, "noPrompt", "No prompt",
        "Meant to leave the prompt out. The server does not read it.",
        families=NOT_READ),
    Setting("global_average_pooling", 5, Kind.BOOL, True, "globalAveragePooling",
        "Global average pooling",
        "Averages the control over the whole picture. Only for shuffle ControlNets."),
    Setting("down_sampling_rate", 6, Kind.F32, 1.0, "downSamplingRate", "Down sampling rate",
        "How many times the picture is shrunk and enlarged again to blur it; up to 1.1 does "
        "nothing. Only for tile, blur, gray and low quality.",
        unit="times", minimum=1, maximum=8, step=0.1),
    Setting("control_mode", 7, Kind.I8, ControlMode.BALANCED, "controlImportance", "Control mode",
        "Whether the prompt or the control matters more.",
        choices=ControlMode),
    Setting("target_blocks", 8, Kind.STRINGS, (), "targetBlocks", "Target blocks",
        "Parts of block names; an image adapter acts in these blocks only. None named means "
        "all. Only for SD v1 and SDXL."),
    Setting("input_override", 9, Kind.I8, ControlInputType.UNSPECIFIED, "inputOverride",
        "Input type",
        "What kind of picture a union ControlNet gets; unspecified skips it. No effect on "
        "others, which know their kind.",
        choices=ControlInputType),
)

LORA_SETTINGS: tuple[Setting, ...] = (
    Setting("file", 0, Kind.STR, "", "file", "File",
        "File name of the LoRA on the server; one that it lacks is skipped."),
    Setting("weight", 1, Kind.F32, 0.6, "weight", "Weight",
        "How strongly it acts; any number, negative turns it around.",
        minimum=-5, maximum=5, step=0.01),
    Setting("mode", 2, Kind.I8, LoraMode.ALL, "mode", "Mode",
        "Which model it changes: both, the base or the refiner. No effect without a refiner.",
        choices=LoraMode),
)
# fmt: on


_BY_NAME = {row.name: row for row in SETTINGS}
_TITLES = {row.name: Template(f"label_{row.name}", row.label) for row in SETTINGS}


def title(name: str) -> Text:
    """What people call a setting, for their sentences."""
    return _TITLES[name]()


def setting(name: str) -> Setting:
    """The row of a setting, by the schema's name.

    Raises SettingsError, with the closest name, where there is none.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    same_key = [row.name for row in SETTINGS if row.json_key == name]
    close = same_key or difflib.get_close_matches(str(name), _BY_NAME, n=1, cutoff=0.5)
    if close:
        raise SettingsError(_NO_SETTING_BUT(name=name, close=close[0]))
    raise SettingsError(_NO_SETTING(name=name))
