"""The messages of the Draw Things service, as protobuf classes of our own.

Knows the schema (docs/protocol.md 1) and nothing of its meaning. The descriptors
live in a private pool: other packs in the same process register the same message
names in protobuf's default pool, and neither may see the other.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_pool = descriptor_pool.DescriptorPool()
_schema = descriptor_pb2.FileDescriptorSet.FromString(
    resources.files(__package__).joinpath("schema.binpb").read_bytes()
)
for _file in _schema.file:
    _pool.AddSerializedFile(_file.SerializeToString())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


# Message classes are built at run time, so a type checker sees Any: values of
# them stay inside the few modules that talk to the wire.
ComputeUnitThreshold = _message("ComputeUnitThreshold")
EchoReply = _message("EchoReply")
EchoRequest = _message("EchoRequest")
FileChunk = _message("FileChunk")
FileExistenceResponse = _message("FileExistenceResponse")
FileListRequest = _message("FileListRequest")
FileUploadRequest = _message("FileUploadRequest")
HintProto = _message("HintProto")
HoursRequest = _message("HoursRequest")
HoursResponse = _message("HoursResponse")
ImageGenerationRequest = _message("ImageGenerationRequest")
ImageGenerationResponse = _message("ImageGenerationResponse")
ImageGenerationSignpostProto = _message("ImageGenerationSignpostProto")
InitUploadRequest = _message("InitUploadRequest")
MetadataOverride = _message("MetadataOverride")
PubkeyRequest = _message("PubkeyRequest")
PubkeyResponse = _message("PubkeyResponse")
RemoteDownloadResponse = _message("RemoteDownloadResponse")
TensorAndWeight = _message("TensorAndWeight")
UploadResponse = _message("UploadResponse")

LAST_CHUNK = 0
MORE_CHUNKS = 1
LAPTOP = 2

SERVICE = "ImageGenerationService"


class Method:
    """One method of the service: its path and the two ends of its messages."""

    __slots__ = ("name", "parse_reply", "parse_request", "path", "serialize")

    def __init__(self, name: str, request: Any, reply: Any) -> None:
        self.name = name
        self.path = f"/{SERVICE}/{name}"
        self.parse_request: Callable[[bytes], Any] = request.FromString
        self.parse_reply: Callable[[bytes], Any] = reply.FromString
        self.serialize: Callable[[Any], bytes] = _serialize


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()  # type: ignore[no-any-return]


GENERATE_IMAGE = Method("GenerateImage", ImageGenerationRequest, ImageGenerationResponse)
FILES_EXIST = Method("FilesExist", FileListRequest, FileExistenceResponse)
UPLOAD_FILE = Method("UploadFile", FileUploadRequest, UploadResponse)
ECHO = Method("Echo", EchoRequest, EchoReply)
PUBKEY = Method("Pubkey", PubkeyRequest, PubkeyResponse)
HOURS = Method("Hours", HoursRequest, HoursResponse)
