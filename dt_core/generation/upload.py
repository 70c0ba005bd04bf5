"""Sending a file to a server: one call of UploadFile (docs/protocol.md 6.3).

Chunks go ahead of the answers by a window; the server compares size and SHA-256 at the
end and only then gives the file its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO

from ..connection import late_grpc as grpc
from ..connection.profile import ServerProfile
from ..errors import (
    Cancelled,
    DrawThingsError,
    FileOnServer,
    NoAnswer,
    RequestError,
    ServerUnreachable,
    UploadFailed,
)
from ..text import Template, said, visible
from ..wire import protobuf

_ENDED = Template(
    "upload_ended_there",
    "The server at {address}, or a proxy before it, ended the upload of '{file}': see that it "
    "runs, and try again.",
)

CHUNK_BYTES = 1 << 20
WINDOW = 50  # chunks on their way, as the app has
NAME_LIMIT = 200  # bytes of a file name in UTF-8; ".part" and long extensions still fit
ENDINGS = (".ckpt", ".ckpt-tensordata")

_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f]')


class UploadPhase(Enum):
    """What an upload does just now."""

    HASHING = "hashing"
    """The file is read for its SHA-256; by the server too, after the last byte."""
    SENDING = "sending"


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that the server has taken: its name there, bytes, and SHA-256 (32 bytes)."""

    name: str
    size: int
    sha256: bytes


Progress = Callable[[UploadPhase, int, int], None]
"""Called with the phase, and the bytes of it done and in all."""


def check_name(name: str) -> str:
    """The name, if a server may get a file of that name.

    Raises RequestError. The server uses the name as a part of a path unchecked, and lists
    only .ckpt files; other endings could replace its own configuration.
    """
    # What cannot be seen, marks of direction too: no catalogue lists such a file.
    hidden = visible(name) != name
    if not name or name.startswith(".") or _FORBIDDEN.search(name) or hidden:
        raise RequestError(
            f"{name!r} cannot be the name of a model file: use a plain name without folders."
        )
    if len(name.encode()) > NAME_LIMIT:
        raise RequestError(f"The file name {name[:40]!r}… is too long: at most {NAME_LIMIT} bytes.")
    if name.lower().endswith(".safetensors"):
        raise RequestError(
            f"A server cannot use {name!r} as it is: import it in the Draw Things app, which "
            "makes a .ckpt file of it, and upload that one."
        )
    if not name.lower().endswith(ENDINGS):
        raise RequestError(f"{name!r} is no model file of Draw Things: those end in .ckpt.")
    return name


def _opened(path: Path) -> BinaryIO:
    """The chosen file itself: no link, which may lead anywhere, and no device or pipe.

    Raises RequestError.
    """
    if path.is_symlink():
        raise RequestError(f"{path.name!r} is a link: upload the file that it leads to.")
    try:
        # Between the question and this it may have become one, so the system looks too.
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        flags |= getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, os.O_RDONLY | flags)
    except OSError as error:
        raise RequestError(f"{path.name!r} cannot be read: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RequestError(f"{path.name!r} is no file: choose a model file.")
    return os.fdopen(descriptor, "rb")


class Upload:
    """One file on its way to a server. `run` sends it; `cancel` ends it from any thread.

    `connect` gives the channel, `greet` raises SecretRejected where the secret is wrong (the
    call itself would only fail), `exists` tells whether the server has a file of a name,
    `explain` what a failed call means.
    """

    def __init__(
        self,
        profile: ServerProfile,
        path: Path,
        name: str,
        *,
        connect: Callable[[], grpc.Channel],
        greet: Callable[[], object],
        exists: Callable[[str], bool],
        explain: Callable[[grpc.RpcError], DrawThingsError],
        secret: str | None,
        overwrite: bool = False,
        sha256: bytes | None = None,
    ) -> None:
        self.name = check_name(name)
        self._profile = profile
        self._path = path
        self._connect = connect
        self._greet = greet
        self._exists = exists
        self._explain = explain
        self._secret = secret
        self._overwrite = overwrite
        self._sha256 = sha256
        self._call: Any = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """End the upload; the server forgets what came. `run` raises Cancelled."""
        self._cancelled.set()
        with self._lock:
            call = self._call
        if call is not None:
            call.cancel()

    def run(self, progress: Progress = lambda _phase, _done, _total: None) -> UploadedFile:
        """Send the file and wait until the server has checked it.

        Raises FileOnServer if it has one of that name and `overwrite` was not asked for,
        UploadFailed, Cancelled, and what every call may raise.
        """
        with contextlib.suppress(NoAnswer):  # busy, and started with --echo-on-queue
            self._greet()
        if not self._overwrite and self._exists(self.name):
            raise FileOnServer(
                f"The server at {self._profile.address} has a file {self.name!r} already: "
                "choose another name, or overwrite it."
            )
        with _opened(self._path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise RequestError(f"{self._path.name!r} is empty: there is nothing to upload.")
            digest = self._sha256 or self._hash(file, size, progress)
            file.seek(0)
            self._send(file, size, digest, progress)
        return UploadedFile(self.name, size, digest)

    def _hash(self, file: BinaryIO, size: int, progress: Progress) -> bytes:
        digest, done = hashlib.sha256(), 0
        while piece := file.read(CHUNK_BYTES):
            self._raise_if_cancelled()
            digest.update(piece)
            done += len(piece)
            progress(UploadPhase.HASHING, done, size)
        return digest.digest()

    def _send(self, file: BinaryIO, size: int, digest: bytes, progress: Progress) -> None:
        window, over = threading.Semaphore(WINDOW), threading.Event()
        method = protobuf.UPLOAD_FILE
        start = self._connect().stream_stream(
            method.path,
            request_serializer=method.serialize,
            response_deserializer=method.parse_reply,
        )
        received = 0
        try:
            with self._lock:
                self._raise_if_cancelled()
                # No deadline: a slow network takes hours for a large model.
                call = self._call = start(self._messages(file, size, digest, window, over))
            for number, reply in enumerate(call):
                if not reply.chunkUploadSuccess:
                    raise self._failed(f"it says {said(reply.message)!r}")
                received = reply.receivedOffset
                if number:  # the first answer is to the announcement
                    window.release()
                phase = UploadPhase.HASHING if received >= size else UploadPhase.SENDING
                progress(phase, received, size)
        except grpc.RpcError as error:
            raise self._explained(error) from None
        finally:
            over.set()
            with self._lock:
                if self._call is not None:
                    self._call.cancel()  # no effect on a call that has ended
        if received != size:
            raise self._failed(f"it took {received:,} of {size:,} bytes")

    def _messages(
        self,
        file: BinaryIO,
        size: int,
        digest: bytes,
        window: threading.Semaphore,
        over: threading.Event,
    ) -> Iterator[protobuf.FileUploadRequest]:
        init = protobuf.InitUploadRequest(filename=self.name, sha256=digest, totalSize=size)
        yield protobuf.FileUploadRequest(initRequest=init, sharedSecret=self._secret)
        offset = 0
        while offset < size:
            while not window.acquire(timeout=0.5):
                if over.is_set():
                    return
            try:
                piece = file.read(min(CHUNK_BYTES, size - offset))
            except ValueError:  # closed: the call has ended
                return
            if not piece:
                return  # the file has shrunk; the server refuses by its size
            chunk = protobuf.FileChunk(content=piece, filename=self.name, offset=offset)
            yield protobuf.FileUploadRequest(chunk=chunk, sharedSecret=self._secret)
            offset += len(piece)

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("The upload was cancelled.")

    def _failed(self, reason: str) -> UploadFailed:
        return UploadFailed(
            f"The server at {self._profile.address} did not take {self.name!r} ({reason}): "
            "try again."
        )

    def _explained(self, error: grpc.RpcError) -> DrawThingsError:
        code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
        details = said(error.details() if isinstance(error, grpc.Call) else None)
        at = f"The server at {self._profile.address}"
        status = grpc.StatusCode
        if self._cancelled.is_set():
            return Cancelled("The upload was cancelled.")
        if code is status.INTERNAL and "file handle" in details:
            return UploadFailed(
                f"{at} cannot write {self.name!r}: check that its models folder can be written "
                "and that its disk has room."
            )
        if code is status.INTERNAL:
            return UploadFailed(
                f"{at} refused {self.name!r} ({details or 'internal error'}): check the shared "
                "secret and the room on its disk; its log knows more."
            )
        if code is status.DATA_LOSS:
            return UploadFailed(
                f"{self.name!r} arrived damaged at {self._profile.address} ({details}): try again."
            )
        if code is status.INVALID_ARGUMENT:
            return UploadFailed(
                f"{at} got another size of {self.name!r} than was announced ({details}): the "
                "file may have changed meanwhile; try again."
            )
        if code is status.UNIMPLEMENTED:
            return UploadFailed(f"{at} takes no uploads: copy the file into its models folder.")
        meant = self._explain(error)
        if isinstance(meant, Cancelled):  # not by us
            return ServerUnreachable(_ENDED(address=self._profile.address, file=self.name))
        return meant
