"""A client for Draw Things servers: pictures, films and sound from Python, without ComfyUI.

from dt_core import Client, Configuration, GenerationRequest

request = GenerationRequest(
    Configuration(model="z_image_turbo_1.0_q6p.ckpt", steps=8), prompt="a lighthouse"
)
for event in Client().generate(request):
    ...
"""

from .catalog import Catalog
from .choices import (
    ColorCalibration,
    CompressionMethod,
    ControlInputType,
    ControlMode,
    LoraMode,
    Sampler,
    SeedMode,
)
from .client import AsyncClient, Client, FileStatus
from .configuration import Configuration
from .errors import (
    Cancelled,
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
from .job import Job
from .profile import ServerProfile, TlsMode
from .request import GenerationRequest
from .upload import Upload, UploadedFile, UploadPhase
from .values import Audio, Control, Lora, Mask, ModelChoice, Picture, Reference, Size

__all__ = [
    "AsyncClient",
    "Audio",
    "AudioReceived",
    "Cancelled",
    "Catalog",
    "Client",
    "ColorCalibration",
    "CompressionMethod",
    "Configuration",
    "Control",
    "ControlInputType",
    "ControlMode",
    "DownloadSize",
    "DrawThingsError",
    "Event",
    "FileOnServer",
    "FileStatus",
    "GenerationFailed",
    "GenerationRequest",
    "ImageReceived",
    "Job",
    "Lora",
    "LoraMode",
    "Mask",
    "ModelChoice",
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
    "ServerProfile",
    "ServerUnreachable",
    "SettingsError",
    "Size",
    "Stage",
    "Started",
    "TensorError",
    "TlsMismatch",
    "TlsMode",
    "TrustError",
    "Upload",
    "UploadFailed",
    "UploadPhase",
    "UploadedFile",
]
