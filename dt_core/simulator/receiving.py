"""UploadFile: one upload as a state machine, and the files that arrived (docs/protocol.md 6.3).

Uploaded bytes go to a temporary folder under names of our own: the real server uses the
client's file name as a path unchecked, and that must not be imitated.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import grpc

from ..wire import protobuf

_MESSAGE = "File uploaded init successfully"


class Failure(Exception):
    """The upload ends with this status."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class Store:
    """The uploaded files by name. Thread-safe; `close` deletes them."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="drawthings-simulator-")
        self._lock = threading.Lock()
        self._paths: dict[str, Path] = {}
        self._count = 0

    def names(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._paths)

    def empty(self) -> frozenset[str]:
        with self._lock:
            paths = dict(self._paths)
        return frozenset(name for name, path in paths.items() if not path.stat().st_size)

    def sha256(self, name: str) -> bytes | None:
        """The hash of an uploaded file; None if there is no such file."""
        with self._lock:
            path = self._paths.get(name)
        if path is None:
            return None
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return digest.digest()

    def new_part(self) -> Path:
        with self._lock:
            self._count += 1
            return Path(self._folder.name, f"{self._count}.part")

    def keep(self, name: str, part: Path) -> None:
        with self._lock:
            self._paths[name] = part

    def close(self) -> None:
        self._folder.cleanup()


class Upload:
    """One call of UploadFile. Use as a context manager: what is not complete is deleted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._file: BinaryIO | None = None
        self._part: Path | None = None
        self._name = ""
        self._sha256 = b""
        self._expected = 0
        self._received = 0
        self._kept = False

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._part is not None and not self._kept:
            self._part.unlink(missing_ok=True)

    def take(self, request: protobuf.FileUploadRequest) -> Iterator[protobuf.UploadResponse]:
        """The answer to one message; none for a message without an arm."""
        arm = request.WhichOneof("request")
        if arm == "initRequest":
            self._begin(request.initRequest)
            yield self._reply(self._name)
        elif arm == "chunk":
            self._append(request.chunk)
            yield self._reply(request.chunk.filename)

    def finish(self) -> str:
        """Check and keep the file after the client's half-close; its name."""
        if self._file is None or self._part is None:
            raise Failure(grpc.StatusCode.INTERNAL, "Missing File metadata")
        self._file.close()
        if self._received != self._expected:
            raise Failure(
                grpc.StatusCode.INVALID_ARGUMENT,
                "uploaded file size does not match expectation totalBytesReceived: "
                f"{self._received} expectedFileSize:{self._expected}",
            )
        if hashlib.sha256(self._part.read_bytes()).digest() != self._sha256:
            raise Failure(grpc.StatusCode.DATA_LOSS, "File validation failed")
        self._store.keep(self._name, self._part)
        self._kept = True
        return self._name

    def _begin(self, init: protobuf.InitUploadRequest) -> None:
        if not is_plain_name(init.filename):
            raise Failure(grpc.StatusCode.INTERNAL, "Failed to create file handle")
        self._discard()
        self._name, self._sha256 = init.filename, init.sha256
        self._expected, self._received = init.totalSize, 0
        self._part = self._store.new_part()
        self._file = self._part.open("wb")

    def _append(self, chunk: protobuf.FileChunk) -> None:
        if self._file is None:
            raise Failure(grpc.StatusCode.INTERNAL, "Failed to create file handle")
        if chunk.offset != self._received:
            raise Failure(grpc.StatusCode.DATA_LOSS, "Received chunk with unexpected offset")
        self._file.write(chunk.content)
        self._received += len(chunk.content)

    def _reply(self, name: str) -> protobuf.UploadResponse:
        return protobuf.UploadResponse(
            chunkUploadSuccess=True,
            receivedOffset=self._received,
            message=_MESSAGE,
            filename=name,
        )


def is_plain_name(name: str) -> bool:
    """Whether a name is one path component on every system."""
    return bool(name.strip(". ")) and not any(
        letter in '/\\:*?"<>|' or ord(letter) < 32 for letter in name
    )
