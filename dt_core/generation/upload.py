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
from ..connection.failures import status_of
from ..connection.profile import ServerProfile
from ..errors import (
    Cancelled,
    DrawThingsError,
    FileOnServer,
    NoAnswer,
    Remedy,
    RequestError,
    ServerUnreachable,
    UploadFailed,
)
from ..text import Template, Text, said, visible
from ..wire import protobuf

_ENDED = Template(
    "upload_ended_there",
    "The server at {address}, or a proxy before it, ended the upload of '{file}'.",
)
_BAD_NAME = Template(
    "upload_bad_name",
    "'{name}' cannot be the name of a model file.",
)
_LONG_NAME = Template(
    "upload_long_name", "The file name '{name}'… is too long: at most {name_limit} bytes."
)
_IMPORT_FIRST = Template(
    "upload_import_first",
    "A server cannot use '{name}' as it is.",
)
_NO_MODEL_FILE = Template(
    "upload_no_model_file", "'{name}' is no model file of Draw Things: those end in .ckpt."
)
_IS_LINK = Template("upload_is_link", "'{name}' is a link.")
_IS_NO_FILE = Template("upload_is_no_file", "'{name}' is no file.")
_NOT_TAKEN = Template(
    "upload_not_taken",
    "The server at {address} did not take '{name}' ({reason}).",
)
_SAYS = Template("server_says", "it says '{words}'")
_TOOK_PART = Template("server_took_part", "it took {received} of {size} bytes")
_UNREADABLE = Template("upload_unreadable", "'{name}' cannot be read: {strerror}.")
_THERE_ALREADY = Template(
    "upload_there_already",
    "The server at {address} has a file '{name}' already.",
)
_CANCELLED = Template("upload_ended", "The upload was cancelled.")
_NOT_WRITABLE = Template(
    "upload_not_writable",
    "The server at {address} cannot write '{name}'.",
)
_REFUSED = Template(
    "upload_refused",
    "The server at {address} refused '{name}' ({words}).",
)
_DAMAGED = Template("upload_damaged", "'{name}' arrived damaged at {address} ({words}).")
_OTHER_SIZE = Template(
    "upload_other_size",
    "The server at {address} got another size of '{name}' than was announced ({words}): the file "
    "may have changed meanwhile.",
)
_NO_UPLOADS = Template(
    "server_takes_no_uploads",
    "The server at {address} takes no uploads.",
)
_EMPTY = Template("upload_of_nothing", "'{name}' is empty: there is nothing to upload.")


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
        raise RequestError(_BAD_NAME(name=name), remedy=Remedy.PLAIN_NAME)
    if len(name.encode()) > NAME_LIMIT:
        raise RequestError(_LONG_NAME(name=name[:40], name_limit=NAME_LIMIT))
    if name.lower().endswith(".safetensors"):
        raise RequestError(_IMPORT_FIRST(name=name), remedy=Remedy.IMPORT_FIRST)
    if not name.lower().endswith(ENDINGS):
        raise RequestError(_NO_MODEL_FILE(name=name))
    return name


def _opened(path: Path) -> BinaryIO:
    """The chosen file itself: no link, which may lead anywhere, and no device or pipe.

    Raises RequestError.
    """
    if path.is_symlink():
        raise RequestError(_IS_LINK(name=path.name), remedy=Remedy.FOLLOW_LINK)
    try:
        # Between the question and this it may have become one, so the system looks too.
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        flags |= getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, os.O_RDONLY | flags)
    except OSError as error:
        raise RequestError(_UNREADABLE(name=path.name, strerror=str(error.strerror))) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RequestError(_IS_NO_FILE(name=path.name), remedy=Remedy.CHOOSE_FILE)
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
                _THERE_ALREADY(address=self._profile.address, name=self.name),
                remedy=Remedy.OVERWRITE_OR_RENAME,
            )
        with _opened(self._path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise RequestError(_EMPTY(name=self._path.name))
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
                    raise self._failed(_SAYS(words=said(reply.message)))
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
            raise self._failed(_TOOK_PART(received=f"{received:,}", size=f"{size:,}"))

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
            raise Cancelled(_CANCELLED())

    def _failed(self, reason: Text) -> UploadFailed:
        return UploadFailed(
            _NOT_TAKEN(address=self._profile.address, name=self.name, reason=reason),
            remedy=Remedy.TRY_AGAIN,
        )

    def _explained(self, error: grpc.RpcError) -> DrawThingsError:
        code, whole = status_of(error)
        details = said(whole)
        at, words = self._profile.address, details or code.name
        status = grpc.StatusCode
        if self._cancelled.is_set():
            return Cancelled(_CANCELLED())
        if code is status.INTERNAL and "file handle" in details:
            return UploadFailed(
                _NOT_WRITABLE(address=at, name=self.name), remedy=Remedy.MAKE_ROOM_THERE
            )
        if code is status.INTERNAL:
            return UploadFailed(
                _REFUSED(address=at, name=self.name, words=words), remedy=Remedy.SECRET_AND_ROOM
            )
        if code is status.DATA_LOSS:
            return UploadFailed(
                _DAMAGED(name=self.name, address=at, words=words), remedy=Remedy.TRY_AGAIN
            )
        if code is status.INVALID_ARGUMENT:
            return UploadFailed(
                _OTHER_SIZE(address=at, name=self.name, words=words), remedy=Remedy.TRY_AGAIN
            )
        if code is status.UNIMPLEMENTED:
            return UploadFailed(_NO_UPLOADS(address=at), remedy=Remedy.COPY_FILE)
        meant = self._explain(error)
        if isinstance(meant, Cancelled):  # not by us
            return ServerUnreachable(
                _ENDED(address=at, file=self.name), remedy=Remedy.SEE_ITS_PROXY
            )
        return meant
