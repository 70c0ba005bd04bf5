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
    from .catalog import (
        Catalog,
    )
    from .choices import (
        ColorCalibration,
        CompressionMethod,
        ControlInputType,
        ControlMode,
        LoraMode,
        Sampler,
        SeedMode,
    )
    from .client import (
        AsyncClient,
        Client,
        FileStatus,
        Thresholds,
    )
    from .configuration import (
        Configuration,
    )
    from .discovery import (
        FoundServer,
        discover,
    )
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
    from .events import (
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
    from .job import (
        Job,
    )
    from .profile import (
        ServerProfile,
        TlsMode,
    )
    from .request import (
        GenerationRequest,
    )
    from .upload import (
        Upload,
        UploadedFile,
        UploadPhase,
    )
    from .values import (
        Audio,
        Control,
        Lora,
        Mask,
        ModelChoice,
        Picture,
        Reference,
        Size,
    )

__version__ = "0.1.0"

# Where each public name lives.
_HOME = {
    "api": (
        "AsyncDrawThingsClient ControlNetConfig DrawThingsClient DrawThingsWarning "
        "GeneratedAudio GeneratedImage GenerationDownload GenerationEvent GenerationPreview "
        "GenerationProgress GenerationStarted ImageGenerationConfig LoRAConfig "
        "ModelMetadata ServerLeft encode_image_to_tensor latent_info save_images"
    ),
    "catalog": "Catalog",
    "choices": (
        "ColorCalibration CompressionMethod ControlInputType ControlMode LoraMode Sampler SeedMode"
    ),
    "client": "AsyncClient Client FileStatus Thresholds",
    "configuration": "Configuration",
    "discovery": "FoundServer discover",
    "errors": (
        "Cancelled CertificateChanged DrawThingsError FileOnServer GenerationFailed "
        "ModelNotFound NoAnswer NoImages ProtocolError RequestError SecretRejected "
        "ServerError ServerUnreachable SettingsError TensorError TlsMismatch TrustError "
        "UploadFailed"
    ),
    "events": (
        "AudioReceived DownloadSize Event ImageReceived Preview Progress RemoteDownload "
        "Stage Started"
    ),
    "job": "Job",
    "profile": "ServerProfile TlsMode",
    "request": "GenerationRequest",
    "upload": "Upload UploadedFile UploadPhase",
    "values": "Audio Control Lora Mask ModelChoice Picture Reference Size",
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
