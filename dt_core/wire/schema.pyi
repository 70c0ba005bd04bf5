"""The messages of the service and their numbers, as `schema.py` makes them.

Written by tools/build_schema.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.internal.containers import (
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
)
from google.protobuf.message import Message

DESCRIPTORS: FileDescriptorSet
PHONE: int
TABLET: int
LAPTOP: int
LAST_CHUNK: int
MORE_CHUNKS: int

class ComputeUnitThreshold(Message):
    community: float
    plus: float
    expireAt: int
    def __init__(
        self,
        community: float | None = ...,
        plus: float | None = ...,
        expireAt: int | None = ...,
    ) -> None: ...

class EchoReply(Message):
    message: str
    files: RepeatedScalarFieldContainer[str]
    override: MetadataOverride
    sharedSecretMissing: bool
    thresholds: ComputeUnitThreshold
    serverIdentifier: int
    def __init__(
        self,
        message: str | None = ...,
        files: Iterable[str] | None = ...,
        override: MetadataOverride | Mapping[str, Any] | None = ...,
        sharedSecretMissing: bool | None = ...,
        thresholds: ComputeUnitThreshold | Mapping[str, Any] | None = ...,
        serverIdentifier: int | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self, field_name: Literal["override", "thresholds"]
    ) -> bool: ...

class EchoRequest(Message):
    name: str
    sharedSecret: str
    def __init__(
        self,
        name: str | None = ...,
        sharedSecret: str | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self, field_name: Literal["sharedSecret"]
    ) -> bool: ...

class FileChunk(Message):
    content: bytes
    filename: str
    offset: int
    def __init__(
        self,
        content: bytes | None = ...,
        filename: str | None = ...,
        offset: int | None = ...,
    ) -> None: ...

class FileExistenceResponse(Message):
    files: RepeatedScalarFieldContainer[str]
    existences: RepeatedScalarFieldContainer[bool]
    hashes: RepeatedScalarFieldContainer[bytes]
    def __init__(
        self,
        files: Iterable[str] | None = ...,
        existences: Iterable[bool] | None = ...,
        hashes: Iterable[bytes] | None = ...,
    ) -> None: ...

class FileListRequest(Message):
    files: RepeatedScalarFieldContainer[str]
    filesWithHash: RepeatedScalarFieldContainer[str]
    sharedSecret: str
    def __init__(
        self,
        files: Iterable[str] | None = ...,
        filesWithHash: Iterable[str] | None = ...,
        sharedSecret: str | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self, field_name: Literal["sharedSecret"]
    ) -> bool: ...

class FileUploadRequest(Message):
    initRequest: InitUploadRequest
    chunk: FileChunk
    sharedSecret: str
    def __init__(
        self,
        initRequest: InitUploadRequest | Mapping[str, Any] | None = ...,
        chunk: FileChunk | Mapping[str, Any] | None = ...,
        sharedSecret: str | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self, field_name: Literal["initRequest", "chunk", "sharedSecret"]
    ) -> bool: ...
    def WhichOneof(  # type: ignore[override]
        self, oneof_group: Literal["request"]
    ) -> Literal["initRequest", "chunk"] | None: ...

class HintProto(Message):
    hintType: str
    tensors: RepeatedCompositeFieldContainer[TensorAndWeight]
    def __init__(
        self,
        hintType: str | None = ...,
        tensors: Iterable[TensorAndWeight | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class HoursRequest(Message): ...

class HoursResponse(Message):
    thresholds: ComputeUnitThreshold
    def __init__(
        self,
        thresholds: ComputeUnitThreshold | Mapping[str, Any] | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self, field_name: Literal["thresholds"]
    ) -> bool: ...

class ImageGenerationRequest(Message):
    image: bytes
    scaleFactor: int
    mask: bytes
    hints: RepeatedCompositeFieldContainer[HintProto]
    prompt: str
    negativePrompt: str
    configuration: bytes
    override: MetadataOverride
    keywords: RepeatedScalarFieldContainer[str]
    user: str
    device: int
    contents: RepeatedScalarFieldContainer[bytes]
    sharedSecret: str
    chunked: bool
    def __init__(
        self,
        image: bytes | None = ...,
        scaleFactor: int | None = ...,
        mask: bytes | None = ...,
        hints: Iterable[HintProto | Mapping[str, Any]] | None = ...,
        prompt: str | None = ...,
        negativePrompt: str | None = ...,
        configuration: bytes | None = ...,
        override: MetadataOverride | Mapping[str, Any] | None = ...,
        keywords: Iterable[str] | None = ...,
        user: str | None = ...,
        device: int | None = ...,
        contents: Iterable[bytes] | None = ...,
        sharedSecret: str | None = ...,
        chunked: bool | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self, field_name: Literal["image", "mask", "override", "sharedSecret"]
    ) -> bool: ...

class ImageGenerationResponse(Message):
    generatedImages: RepeatedScalarFieldContainer[bytes]
    currentSignpost: ImageGenerationSignpostProto
    signposts: RepeatedCompositeFieldContainer[ImageGenerationSignpostProto]
    previewImage: bytes
    scaleFactor: int
    tags: RepeatedScalarFieldContainer[str]
    downloadSize: int
    chunkState: int
    remoteDownload: RemoteDownloadResponse
    generatedAudio: RepeatedScalarFieldContainer[bytes]
    def __init__(
        self,
        generatedImages: Iterable[bytes] | None = ...,
        currentSignpost: ImageGenerationSignpostProto | Mapping[str, Any] | None = ...,
        signposts: Iterable[ImageGenerationSignpostProto | Mapping[str, Any]] | None = ...,
        previewImage: bytes | None = ...,
        scaleFactor: int | None = ...,
        tags: Iterable[str] | None = ...,
        downloadSize: int | None = ...,
        chunkState: int | None = ...,
        remoteDownload: RemoteDownloadResponse | Mapping[str, Any] | None = ...,
        generatedAudio: Iterable[bytes] | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self,
        field_name: Literal[
            "currentSignpost", "previewImage", "scaleFactor", "downloadSize", "remoteDownload"
        ],
    ) -> bool: ...

class ImageGenerationSignpostProto(Message):
    class TextEncoded(Message): ...
    class ImageEncoded(Message): ...

    class Sampling(Message):
        step: int
        def __init__(
            self,
            step: int | None = ...,
        ) -> None: ...

    class ImageDecoded(Message): ...
    class SecondPassImageEncoded(Message): ...

    class SecondPassSampling(Message):
        step: int
        def __init__(
            self,
            step: int | None = ...,
        ) -> None: ...

    class SecondPassImageDecoded(Message): ...
    class FaceRestored(Message): ...
    class ImageUpscaled(Message): ...
    textEncoded: ImageGenerationSignpostProto.TextEncoded
    imageEncoded: ImageGenerationSignpostProto.ImageEncoded
    sampling: ImageGenerationSignpostProto.Sampling
    imageDecoded: ImageGenerationSignpostProto.ImageDecoded
    secondPassImageEncoded: ImageGenerationSignpostProto.SecondPassImageEncoded
    secondPassSampling: ImageGenerationSignpostProto.SecondPassSampling
    secondPassImageDecoded: ImageGenerationSignpostProto.SecondPassImageDecoded
    faceRestored: ImageGenerationSignpostProto.FaceRestored
    imageUpscaled: ImageGenerationSignpostProto.ImageUpscaled
    def __init__(
        self,
        textEncoded: ImageGenerationSignpostProto.TextEncoded | Mapping[str, Any] | None = ...,
        imageEncoded: ImageGenerationSignpostProto.ImageEncoded | Mapping[str, Any] | None = ...,
        sampling: ImageGenerationSignpostProto.Sampling | Mapping[str, Any] | None = ...,
        imageDecoded: ImageGenerationSignpostProto.ImageDecoded | Mapping[str, Any] | None = ...,
        secondPassImageEncoded: ImageGenerationSignpostProto.SecondPassImageEncoded
        | Mapping[str, Any]
        | None = ...,
        secondPassSampling: ImageGenerationSignpostProto.SecondPassSampling
        | Mapping[str, Any]
        | None = ...,
        secondPassImageDecoded: ImageGenerationSignpostProto.SecondPassImageDecoded
        | Mapping[str, Any]
        | None = ...,
        faceRestored: ImageGenerationSignpostProto.FaceRestored | Mapping[str, Any] | None = ...,
        imageUpscaled: ImageGenerationSignpostProto.ImageUpscaled | Mapping[str, Any] | None = ...,
    ) -> None: ...
    def HasField(  # type: ignore[override]
        self,
        field_name: Literal[
            "textEncoded",
            "imageEncoded",
            "sampling",
            "imageDecoded",
            "secondPassImageEncoded",
            "secondPassSampling",
            "secondPassImageDecoded",
            "faceRestored",
            "imageUpscaled",
        ],
    ) -> bool: ...
    def WhichOneof(  # type: ignore[override]
        self, oneof_group: Literal["signpost"]
    ) -> (
        Literal[
            "textEncoded",
            "imageEncoded",
            "sampling",
            "imageDecoded",
            "secondPassImageEncoded",
            "secondPassSampling",
            "secondPassImageDecoded",
            "faceRestored",
            "imageUpscaled",
        ]
        | None
    ): ...

class InitUploadRequest(Message):
    filename: str
    sha256: bytes
    totalSize: int
    def __init__(
        self,
        filename: str | None = ...,
        sha256: bytes | None = ...,
        totalSize: int | None = ...,
    ) -> None: ...

class MetadataOverride(Message):
    models: bytes
    loras: bytes
    controlNets: bytes
    textualInversions: bytes
    upscalers: bytes
    def __init__(
        self,
        models: bytes | None = ...,
        loras: bytes | None = ...,
        controlNets: bytes | None = ...,
        textualInversions: bytes | None = ...,
        upscalers: bytes | None = ...,
    ) -> None: ...

class PubkeyRequest(Message):
    name: str
    def __init__(
        self,
        name: str | None = ...,
    ) -> None: ...

class PubkeyResponse(Message):
    message: str
    pubkey: str
    def __init__(
        self,
        message: str | None = ...,
        pubkey: str | None = ...,
    ) -> None: ...

class RemoteDownloadResponse(Message):
    bytesReceived: int
    bytesExpected: int
    item: int
    itemsExpected: int
    tag: str
    def __init__(
        self,
        bytesReceived: int | None = ...,
        bytesExpected: int | None = ...,
        item: int | None = ...,
        itemsExpected: int | None = ...,
        tag: str | None = ...,
    ) -> None: ...

class TensorAndWeight(Message):
    tensor: bytes
    weight: float
    def __init__(
        self,
        tensor: bytes | None = ...,
        weight: float | None = ...,
    ) -> None: ...

class UploadResponse(Message):
    chunkUploadSuccess: bool
    receivedOffset: int
    message: str
    filename: str
    def __init__(
        self,
        chunkUploadSuccess: bool | None = ...,
        receivedOffset: int | None = ...,
        message: str | None = ...,
        filename: str | None = ...,
    ) -> None: ...
