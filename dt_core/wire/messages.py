"""The methods of the Draw Things service, and what keeps their messages from being bombs.

Knows names and bytes (docs/protocol.md 1), and nothing of what messages mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message

from .schema import *  # noqa: F403 - `protobuf` offers the messages with their methods
from .schema import (
    EchoReply,
    EchoRequest,
    FileExistenceResponse,
    FileListRequest,
    FileUploadRequest,
    HoursRequest,
    HoursResponse,
    ImageGenerationRequest,
    ImageGenerationResponse,
    PubkeyRequest,
    PubkeyResponse,
    UploadResponse,
)

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

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


class Method(Generic[Request, Reply]):
    """One method of the service: its path and the two ends of its messages."""

    __slots__ = ("name", "parse_reply", "parse_request", "path", "serialize")

    def __init__(self, name: str, request: type[Request], reply: type[Reply]) -> None:
        self.name = name
        self.path = f"/{SERVICE}/{name}"
        self.parse_request: Callable[[bytes], Request] = request.FromString
        self.parse_reply: Callable[[bytes], Reply] = lambda data: reply.FromString(defuse(data))
        self.serialize: Callable[[Message], bytes] = _serialize


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


GENERATE_IMAGE = Method("GenerateImage", ImageGenerationRequest, ImageGenerationResponse)
FILES_EXIST = Method("FilesExist", FileListRequest, FileExistenceResponse)
UPLOAD_FILE = Method("UploadFile", FileUploadRequest, UploadResponse)
ECHO = Method("Echo", EchoRequest, EchoReply)
PUBKEY = Method("Pubkey", PubkeyRequest, PubkeyResponse)
HOURS = Method("Hours", HoursRequest, HoursResponse)
