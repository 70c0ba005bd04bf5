"""The library as scripts know it, and every public name of `dt_core`, here and only here.

`X as X` says that a name is public to a type checker; `dt_core` finds it by its being here.
Nothing is taken away and no name changes its meaning (CONTRIBUTING.md).
"""

from ..connection.discovery import (
    FoundServer as FoundServer,
    discover as discover,
)
from ..connection.profile import (
    ServerProfile as ServerProfile,
    TlsMode as TlsMode,
)
from ..errors import (
    Cancelled as Cancelled,
    CertificateChanged as CertificateChanged,
    DrawThingsError as DrawThingsError,
    FileOnServer as FileOnServer,
    GenerationFailed as GenerationFailed,
    ModelNotFound as ModelNotFound,
    NoAnswer as NoAnswer,
    NoImages as NoImages,
    ProtocolError as ProtocolError,
    RequestError as RequestError,
    SecretRejected as SecretRejected,
    ServerError as ServerError,
    ServerUnreachable as ServerUnreachable,
    SettingsError as SettingsError,
    TensorError as TensorError,
    TlsMismatch as TlsMismatch,
    TrustError as TrustError,
    UploadFailed as UploadFailed,
)
from ..generation.client import (
    AsyncClient as AsyncClient,
    Client as Client,
    FileStatus as FileStatus,
    Thresholds as Thresholds,
)
from ..generation.events import (
    AudioReceived as AudioReceived,
    DownloadSize as DownloadSize,
    Event as Event,
    ImageReceived as ImageReceived,
    Noticed as Noticed,
    Preview as Preview,
    Progress as Progress,
    RemoteDownload as RemoteDownload,
    Stage as Stage,
    Started as Started,
)
from ..generation.job import (
    Job as Job,
)
from ..generation.upload import (
    Upload as Upload,
    UploadedFile as UploadedFile,
    UploadPhase as UploadPhase,
)
from ..models.catalog import (
    Catalog as Catalog,
)
from ..models.file_names import (
    latent_info as latent_info,
)
from ..pictures.values import (
    Audio as Audio,
    Mask as Mask,
    Picture as Picture,
    Size as Size,
)
from ..request.parts import (
    Control as Control,
    Lora as Lora,
    ModelChoice as ModelChoice,
    Reference as Reference,
)
from ..request.resolved import (
    GenerationRequest as GenerationRequest,
)
from ..settings.choices import (
    ColorCalibration as ColorCalibration,
    CompressionMethod as CompressionMethod,
    ControlInputType as ControlInputType,
    ControlMode as ControlMode,
    LoraMode as LoraMode,
    Sampler as Sampler,
    SeedMode as SeedMode,
)
from ..settings.configuration import (
    Configuration as Configuration,
)
from .drawthings_client import (
    AsyncDrawThingsClient as AsyncDrawThingsClient,
    DrawThingsClient as DrawThingsClient,
    ModelMetadata as ModelMetadata,
)
from .generation_config import (
    ControlNetConfig as ControlNetConfig,
    ImageGenerationConfig as ImageGenerationConfig,
    LoRAConfig as LoRAConfig,
)
from .media import (
    encode_image_to_tensor as encode_image_to_tensor,
    save_images as save_images,
)
from .running import (
    GeneratedAudio as GeneratedAudio,
    GeneratedImage as GeneratedImage,
    GenerationDownload as GenerationDownload,
    GenerationEvent as GenerationEvent,
    GenerationNote as GenerationNote,
    GenerationPreview as GenerationPreview,
    GenerationProgress as GenerationProgress,
    GenerationStarted as GenerationStarted,
    ServerLeft as ServerLeft,
)
from .telling import (
    DrawThingsWarning as DrawThingsWarning,
)
