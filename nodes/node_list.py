"""The nodes, and nothing but their list: each has a file of its own."""

from __future__ import annotations

from comfy_api.latest import io

from .config import DTConfig, DTConfigExport
from .control import DTControlNet
from .inpaint import DTInpaintCrop, DTInpaintStitch, DTMask, DTOutpaint
from .lora import DTLoRA
from .model import DTModelLoader
from .options import (
    DTAppOptions,
    DTCascadeOptions,
    DTGuidanceOptions,
    DTHiresFixOptions,
    DTImageGuidanceOptions,
    DTImagePriorOptions,
    DTInpaintOptions,
    DTRefinerOptions,
    DTSDXLOptions,
    DTTeaCacheOptions,
    DTTextEncoderOptions,
    DTTilingOptions,
    DTUpscalerOptions,
    DTVideoOptions,
)
from .prompt import DTPrompt
from .reference import DTKontextReference
from .sampler import DTSampler
from .save import DTSaveImage
from .server import DTServer
from .upscale import DTUpscale

NODES: list[type[io.ComfyNode]] = [
    DTServer,
    DTModelLoader,
    DTLoRA,
    DTControlNet,
    DTKontextReference,
    DTSampler,
    DTGuidanceOptions,
    DTTextEncoderOptions,
    DTSDXLOptions,
    DTHiresFixOptions,
    DTTilingOptions,
    DTTeaCacheOptions,
    DTRefinerOptions,
    DTUpscalerOptions,
    DTInpaintOptions,
    DTVideoOptions,
    DTCascadeOptions,
    DTImagePriorOptions,
    DTImageGuidanceOptions,
    DTAppOptions,
    DTConfig,
    DTConfigExport,
    DTPrompt,
    DTMask,
    DTOutpaint,
    DTInpaintCrop,
    DTInpaintStitch,
    DTUpscale,
    DTSaveImage,
]
