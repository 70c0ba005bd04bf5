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
MAX_FIELDS = 1_000_000  # of one message; a catalogue of 10,000 entries has 20,000


class Bomb(ValueError):
    """A message of millions of empty fields, each of which takes many bytes when parsed."""


def defuse(data: bytes) -> bytes:
    """The message, if parsing it takes no more memory than it has itself. Raises Bomb.

    Reads tags and lengths only (the wire format of protobuf), and only of what is large.
    """
    at, end, fields = 0, len(data), 0
    while end > MAX_FIELDS and at < end:
        fields += 1
        if fields > MAX_FIELDS:
            raise Bomb
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _BYTES:
            length, at = _varint(data, at)
            at += length
        elif kind in _FIXED:
            at += _FIXED[kind]
        elif kind == _VARINT:
            _, at = _varint(data, at)
        else:
            break  # a group or nonsense: the parser refuses that
    return data


_VARINT, _BYTES, _FIXED = 0, 2, {1: 8, 5: 4}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return value, at


class Method:
    """One method of the service: its path and the two ends of its messages."""

    __slots__ = ("name", "parse_reply", "parse_request", "path", "serialize")

    def __init__(self, name: str, request: Any, reply: Any) -> None:
        self.name = name
        self.path = f"/{SERVICE}/{name}"
        self.parse_request: Callable[[bytes], Any] = request.FromString
        self.parse_reply: Callable[[bytes], Any] = lambda data: reply.FromString(defuse(data))
        self.serialize: Callable[[Any], bytes] = _serialize


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()  # type: ignore[no-any-return]


GENERATE_IMAGE = Method("GenerateImage", ImageGenerationRequest, ImageGenerationResponse)
FILES_EXIST = Method("FilesExist", FileListRequest, FileExistenceResponse)
UPLOAD_FILE = Method("UploadFile", FileUploadRequest, UploadResponse)
ECHO = Method("Echo", EchoRequest, EchoReply)
PUBKEY = Method("Pubkey", PubkeyRequest, PubkeyResponse)
HOURS = Method("Hours", HoursRequest, HoursResponse)
