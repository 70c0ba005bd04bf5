"""The library as scripts know it: one client, one configuration, PNG files out."""

from __future__ import annotations

from ..models.file_names import latent_info
from .drawthings_client import AsyncDrawThingsClient, DrawThingsClient, ModelMetadata
from .generation_config import ControlNetConfig, ImageGenerationConfig, LoRAConfig
from .media import encode_image_to_tensor, save_images
from .running import (
    GeneratedAudio,
    GeneratedImage,
    GenerationDownload,
    GenerationEvent,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
    ServerLeft,
)
from .telling import DrawThingsWarning

__all__ = [
    "AsyncDrawThingsClient",
    "ControlNetConfig",
    "DrawThingsClient",
    "DrawThingsWarning",
    "GeneratedAudio",
    "GeneratedImage",
    "GenerationDownload",
    "GenerationEvent",
    "GenerationPreview",
    "GenerationProgress",
    "GenerationStarted",
    "ImageGenerationConfig",
    "LoRAConfig",
    "ModelMetadata",
    "ServerLeft",
    "encode_image_to_tensor",
    "latent_info",
    "save_images",
]
