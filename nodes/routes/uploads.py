"""Model files from the page to a server: received into a file of ours, then sent on.

POST /upload?name=…&server=<JSON>&id=…&overwrite=1 with the file as the body. The answer
comes when the server has checked the file; events tell how far it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import Cancelled, DrawThingsError, FileOnServer, RequestError
from ...dt_core.generation.upload import Upload, UploadPhase, check_name
from ...dt_core.text import Template, Text
from ..host import compat, sentences
from ..servers import clients, lists
from .guard import NO_NAMES, Body, Refused, answered, json_route, text
from .permitted import profile_of

EVENT = "drawthingsnodes.upload"
SIZE_LIMIT = 20 << 30  # bytes
SPARE = 1 << 30  # bytes that stay free on this machine's disk
PIECE = 4 << 20  # bytes written at once
FILES_LIMIT = 1000  # names in one question
AT_ONCE = 2  # each holds a thread of those that answer all routes
EVENTS_EVERY_S = 0.2
LEFT_OVER_S = 24 * 3600.0

_CANCELLED = Template("upload_cancelled", "The upload was cancelled.")
_NO_FILE = Template("upload_no_file", "The body must be the file, as application/octet-stream.")
_TOO_LARGE = Template("upload_too_large", "A file may have {limit} GiB.")
_ON_SERVER = Template(
    "upload_exists", "The server has a file '{name}' already: overwrite it, or choose a name."
)
_NO_JSON = Template("server_no_json", "'server' must be JSON.")
_BROKE_OFF = Template("upload_broke_off", "The upload broke off before the file was here.")
_BUSY = Template("uploads_at_once", "{count} files are on their way: wait until one is done.")
_SAME_ID = Template("upload_same_id", "An upload of that id is on its way.")
_NO_ROOM = Template("upload_no_room", "This ComfyUI's disk has no room for a file of that size.")
_TOO_MANY = Template("files_too_many", "At most {most} names at once.")

_transfers: dict[str, _Transfer] = {}
_lock = threading.Lock()


class _Transfer:
    """One file on its way, and what the page is told of it."""

    def __init__(self, ident: str) -> None:
        self.ident = ident
        self.cancelled = threading.Event()
        self._upload: Upload | None = None
        self._told_at = 0.0
        self._phase = ""

    def cancel(self) -> None:
        self.cancelled.set()
        if self._upload is not None:
            self._upload.cancel()

    def take(self, upload: Upload) -> None:
        """From now on `cancel` ends this upload."""
        self._upload = upload
        if self.cancelled.is_set():
            upload.cancel()

    def raise_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled(_CANCELLED())

    def tell(self, phase: str, sent: int, total: int, why: Text | None = None) -> None:
        """Send an event: at every change of phase, else a few times per second."""
        now = time.monotonic()
        if phase == self._phase and now - self._told_at < EVENTS_EVERY_S:
            return
        self._phase, self._told_at = phase, now
        said = {"id": self.ident, "phase": phase, "sent": sent, "total": total}
        words = {"sentence": ""} if why is None else sentences.one("sentence", why)
        compat.send_event(EVENT, {**said, **words})

    def follow(self, phase: UploadPhase, done: int, total: int) -> None:
        self.tell(phase.value, done, total)


async def upload(request: Any) -> Any:
    return await answered(request, lambda: _uploaded(request))


async def _uploaded(request: Any) -> Any:
    if request.content_type != "application/octet-stream":
        raise Refused(415, _NO_FILE())
    query = request.query
    profile = await asyncio.to_thread(profile_of, {"server": _server(query.get("server", "null"))})
    name = check_name(text(query, "name"))
    overwrite = query.get("overwrite") == "1"
    size = request.content_length or 0
    if size > SIZE_LIMIT:
        raise Refused(413, _TOO_LARGE(limit=SIZE_LIMIT >> 30))
    client = clients.client(profile).sync
    if not overwrite and (await asyncio.to_thread(client.files_exist, [name]))[0].exists:
        raise _exists(_ON_SERVER(name=name))
    transfer = _begin(text(query, "id", "", 64) or uuid.uuid4().hex)
    path = _folder() / f"{uuid.uuid4().hex}.part"
    try:
        digest, received = await _receive(request, path, size, transfer)
        sending = client.upload(path, name, overwrite=overwrite, sha256=digest)
        transfer.take(sending)
        await asyncio.to_thread(sending.run, transfer.follow)
    except FileOnServer as error:
        transfer.tell("failed", 0, size, sentences.told(error))
        raise _exists(sentences.told(error)) from None
    except BaseException as error:
        transfer.cancel()
        transfer.tell("failed", 0, size, _why(error))
        raise
    finally:
        with _lock:
            _transfers.pop(transfer.ident, None)
        await asyncio.to_thread(path.unlink, missing_ok=True)
    transfer.tell("done", received, received)
    lists.refresh_in_background(profile)
    return {"id": transfer.ident, "name": name, "size": received, "sha256": digest.hex()}


def _server(given: str) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        raise Refused(400, _NO_JSON()) from None


def _exists(text: Text) -> Refused:
    return Refused(409, text, "Exists")


def _why(error: BaseException) -> Text:
    if isinstance(error, DrawThingsError):
        return sentences.told(error)
    return error.text if isinstance(error, Refused) else _BROKE_OFF()


def _begin(ident: str) -> _Transfer:
    transfer = _Transfer(ident)
    with _lock:
        if len(_transfers) >= AT_ONCE:
            raise Refused(429, _BUSY(count=AT_ONCE))
        if ident in _transfers:
            raise Refused(400, _SAME_ID())
        _transfers[ident] = transfer
    return transfer


async def _receive(request: Any, path: Path, size: int, transfer: _Transfer) -> tuple[bytes, int]:
    """Write the body to `path`; its SHA-256 and its size in bytes."""
    if shutil.disk_usage(path.parent).free < size + SPARE:
        raise Refused(507, _NO_ROOM())
    digest, received = hashlib.sha256(), 0
    pending = bytearray()
    with path.open("xb") as file:

        def write(piece: bytes) -> None:
            digest.update(piece)
            file.write(piece)

        async for chunk in request.content.iter_any():
            transfer.raise_if_cancelled()
            received += len(chunk)
            if received > SIZE_LIMIT:
                raise Refused(413, _TOO_LARGE(limit=SIZE_LIMIT >> 30))
            pending += chunk
            if len(pending) >= PIECE:
                await asyncio.to_thread(write, bytes(pending))
                pending.clear()
                transfer.tell("receiving", received, size)
        await asyncio.to_thread(write, bytes(pending))
    transfer.raise_if_cancelled()
    transfer.tell("receiving", received, size)
    if size and received != size:
        raise Refused(400, _BROKE_OFF())
    return digest.digest(), received


def cancel(body: Body) -> Any:
    """End an upload; whether there was one of that id."""
    with _lock:
        transfer = _transfers.get(text(body, "id", limit=64))
    if transfer is not None:
        transfer.cancel()
    return {"cancelled": transfer is not None}


def exist(body: Body) -> Any:
    """Which of the files the server has, in their order, and why it may not get one ("": may)."""
    profile: ServerProfile = profile_of(body)
    names = body.get("files")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(400, NO_NAMES(key="files"))
    if len(names) > FILES_LIMIT:
        raise Refused(413, _TOO_MANY(most=FILES_LIMIT))
    found = clients.client(profile).sync.files_exist(names)
    return {
        "files": [{"name": row.name, "exists": row.exists, **_refusal(row.name)} for row in found]
    }


def _refusal(name: str) -> dict[str, Any]:
    try:
        check_name(name)
    except RequestError as error:
        return sentences.one("refused", sentences.told(error))
    return {"refused": ""}


def _folder() -> Path:
    """Where files wait; those that a killed ComfyUI left behind a day ago are removed."""
    folder = compat.user_folder() / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFT_OVER_S:
                path.unlink()
    return folder


ROUTES = {
    "/files/exist": json_route(exist),
    "/upload": upload,
    "/upload/cancel": json_route(cancel),
}
