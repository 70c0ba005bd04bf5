"""A client for Draw Things servers: pictures, films and sound from Python, without ComfyUI.

from dt_core import DrawThingsClient, ImageGenerationConfig

with DrawThingsClient("my-mac.local") as client:
    images = client.generate_image(
        "a lighthouse", ImageGenerationConfig("z_image_turbo_1.0_q6p.ckpt", steps=8)
    )
    client.save_images(images)

Beside that small surface stands the whole library: `Client`, `GenerationRequest`, typed
events. docs/python.md shows both. Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import (
        AsyncDrawThingsClient,
        ControlNetConfig,
        DrawThingsClient,
        DrawThingsWarning,
        GeneratedAudio,
        GeneratedImage,
        GenerationDownload,
        GenerationEvent,
        GenerationPreview,
        GenerationProgress,
        GenerationStarted,
        ImageGenerationConfig,
        LoRAConfig,
        ModelMetadata,
        ServerLeft,
        encode_image_to_tensor,
        latent_info,
        save_images,
    )
    from .connection.discovery import FoundServer, discover
    from .connection.profile import ServerProfile, TlsMode
    from .errors import (
        Cancelled,
        CertificateChanged,
        DrawThingsError,
        FileOnServer,
        GenerationFailed,
        ModelNotFound,
        NoAnswer,
        NoImages,
        ProtocolError,
        RequestError,
        SecretRejected,
        ServerError,
        ServerUnreachable,
        SettingsError,
        TensorError,
        TlsMismatch,
        TrustError,
        UploadFailed,
    )
    from .generation.client import AsyncClient, Client, FileStatus, Thresholds
    from .generation.events import (
        AudioReceived,
        DownloadSize,
        Event,
        ImageReceived,
        Preview,
        Progress,
        RemoteDownload,
        Stage,
        Started,
    )
    from .generation.job import Job
    from .generation.upload import Upload, UploadedFile, UploadPhase
    from .models.catalog import Catalog
    from .pictures.values import Audio, Mask, Picture, Size
    from .request.parts import Control, Lora, ModelChoice, Reference
    from .request.resolved import GenerationRequest
    from .settings.choices import (
        ColorCalibration,
        CompressionMethod,
        ControlInputType,
        ControlMode,
        LoraMode,
        Sampler,
        SeedMode,
    )
    from .settings.configuration import Configuration

__version__ = "0.1.0"

# Where each public name lives.
_HOME = {
    "api": (
        "AsyncDrawThingsClient ControlNetConfig DrawThingsClient DrawThingsWarning "
        "GeneratedAudio GeneratedImage GenerationDownload GenerationEvent GenerationPreview "
        "GenerationProgress GenerationStarted ImageGenerationConfig LoRAConfig "
        "ModelMetadata ServerLeft encode_image_to_tensor latent_info save_images"
    ),
    "models.catalog": "Catalog",
    "settings.choices": (
        "ColorCalibration CompressionMethod ControlInputType ControlMode LoraMode Sampler SeedMode"
    ),
    "generation.client": "AsyncClient Client FileStatus Thresholds",
    "settings.configuration": "Configuration",
    "connection.discovery": "FoundServer discover",
    "errors": (
        "Cancelled CertificateChanged DrawThingsError FileOnServer GenerationFailed "
        "ModelNotFound NoAnswer NoImages ProtocolError RequestError SecretRejected "
        "ServerError ServerUnreachable SettingsError TensorError TlsMismatch TrustError "
        "UploadFailed"
    ),
    "generation.events": (
        "AudioReceived DownloadSize Event ImageReceived Preview Progress RemoteDownload "
        "Stage Started"
    ),
    "generation.job": "Job",
    "connection.profile": "ServerProfile TlsMode",
    "request.resolved": "GenerationRequest",
    "generation.upload": "Upload UploadedFile UploadPhase",
    "pictures.values": "Audio Mask Picture Size",
    "request.parts": "Control Lora ModelChoice Reference",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "AsyncClient",
    "AsyncDrawThingsClient",
    "Audio",
    "AudioReceived",
    "Cancelled",
    "Catalog",
    "CertificateChanged",
    "Client",
    "ColorCalibration",
    "CompressionMethod",
    "Configuration",
    "Control",
    "ControlInputType",
    "ControlMode",
    "ControlNetConfig",
    "DownloadSize",
    "DrawThingsClient",
    "DrawThingsError",
    "DrawThingsWarning",
    "Event",
    "FileOnServer",
    "FileStatus",
    "FoundServer",
    "GeneratedAudio",
    "GeneratedImage",
    "GenerationDownload",
    "GenerationEvent",
    "GenerationFailed",
    "GenerationPreview",
    "GenerationProgress",
    "GenerationRequest",
    "GenerationStarted",
    "ImageGenerationConfig",
    "ImageReceived",
    "Job",
    "LoRAConfig",
    "Lora",
    "LoraMode",
    "Mask",
    "ModelChoice",
    "ModelMetadata",
    "ModelNotFound",
    "NoAnswer",
    "NoImages",
    "Picture",
    "Preview",
    "Progress",
    "ProtocolError",
    "Reference",
    "RemoteDownload",
    "RequestError",
    "Sampler",
    "SecretRejected",
    "SeedMode",
    "ServerError",
    "ServerLeft",
    "ServerProfile",
    "ServerUnreachable",
    "SettingsError",
    "Size",
    "Stage",
    "Started",
    "TensorError",
    "Thresholds",
    "TlsMismatch",
    "TlsMode",
    "TrustError",
    "Upload",
    "UploadFailed",
    "UploadPhase",
    "UploadedFile",
    "discover",
    "encode_image_to_tensor",
    "latent_info",
    "save_images",
]


def __getattr__(name: str) -> Any:
    module = _MODULE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
