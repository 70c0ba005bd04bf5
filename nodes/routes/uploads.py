"""Model files from the page to a server: received into a file of ours, then sent on.

POST /upload?name=…&server=<JSON>&id=…&overwrite=1 with the file as the body. The answer
comes when the server has checked the file; events tell how far it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import DrawThingsError, FileOnServer, RequestError
from ...dt_core.generation.client import Client
from ...dt_core.generation.upload import check_name
from ...dt_core.text import Template, Text, verbatim
from ..host import compat, sentences
from ..servers.owner import here
from ..servers.transfers import AT_ONCE, Transfer
from .guard import (
    NO_NAMES,
    Body,
    Refused,
    answered,
    asking_route,
    changing_route,
    pieces,
    text,
)
from .permitted import profile_of
from .threads import ASKING, HERE, run

SIZE_LIMIT = 20 << 30  # bytes
SPARE = 1 << 30  # bytes that stay free on this machine's disk
PIECE = 4 << 20  # bytes written at once
FILES_LIMIT = 1000  # names in one question
LEFT_OVER_S = 24 * 3600.0

_NO_FILE = Template("upload_no_file", "The body must be the file, as application/octet-stream.")
_TOO_LARGE = Template("upload_too_large", "A file may have {limit} GiB.")
_ON_SERVER = Template(
    "upload_exists", "The server has a file '{name}' already: overwrite it, or choose a name."
)
_NO_JSON = Template("server_no_json", "'server' must be JSON.")
_BROKE_OFF = Template("upload_broke_off", "The upload broke off before the file was here.")
_BUSY = Template("uploads_at_once", "{count} files are on their way: wait until one is done.")
_SAME_FILE = Template(
    "upload_same_file", "A file '{name}' is on its way to {address} already: wait for its end."
)
_EMPTY = Template("upload_empty", "'{name}' is empty: there is nothing to upload.")
_NOT_KEPT = Template(
    "upload_not_kept",
    "The file cannot be kept on ComfyUI's disk while it is on its way ({reason}).",
)
_SAME_ID = Template("upload_same_id", "An upload of that id is on its way.")
_NO_ROOM = Template("upload_no_room", "This ComfyUI's disk has no room for a file of that size.")
_TOO_MANY = Template("files_too_many", "At most {most} names at once.")


async def upload(request: Any) -> Any:
    return await answered(request, lambda: _uploaded(request), guarded=True)


async def _uploaded(request: Any) -> Any:
    if request.content_type != "application/octet-stream":
        raise Refused(415, _NO_FILE())
    query = request.query
    profile = await run(HERE, profile_of, {"server": _server(query.get("server", "null"))})
    name = check_name(text(query, "name"))
    overwrite = query.get("overwrite") == "1"
    size = request.content_length
    if size is not None and size > SIZE_LIMIT:
        raise Refused(413, _TOO_LARGE(limit=SIZE_LIMIT >> 30))
    if size == 0:
        raise Refused(400, _EMPTY(name=name))
    client = (await run(HERE, here().clients.client, profile)).sync
    transfer = _begin(text(query, "id", "", 64) or uuid.uuid4().hex, profile, name)
    try:
        if not overwrite and (await run(ASKING, client.files_exist, [name]))[0].exists:
            raise _exists(_ON_SERVER(name=name))
        transfer.raise_if_cancelled()
        return await _passed_on(request, transfer, client, profile, name, overwrite)
    finally:
        here().transfers.end(transfer)


async def _passed_on(
    request: Any,
    transfer: Transfer,
    client: Client,
    profile: ServerProfile,
    name: str,
    overwrite: bool,
) -> Any:
    size = request.content_length or 0
    path = await run(HERE, _place)
    try:
        digest, received = await transfer.unless_cancelled(_receive(request, path, size, transfer))
        if received == 0:
            raise Refused(400, _EMPTY(name=name))
        sending = client.upload(path, name, overwrite=overwrite, sha256=digest)
        transfer.take(sending)
        await run(ASKING, sending.run, transfer.follow)
    except FileOnServer as error:
        transfer.tell("failed", 0, size, sentences.told(error))
        raise _exists(sentences.told(error)) from None
    except BaseException as error:
        transfer.cancel()
        transfer.tell("failed", 0, size, _why(error))
        raise
    finally:
        with contextlib.suppress(OSError):  # Windows, where it is still written: gone in a day
            await run(HERE, _remove, path)
    transfer.tell("done", received, received)
    here().lists.refresh_in_background(profile)
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
    return error.text if isinstance(error, Refused) else _BROKE_OFF()  # Left, for one


def _begin(ident: str, profile: ServerProfile, name: str) -> Transfer:
    # A Mac takes names that differ in capitals, or in how accents are written, for one.
    place = (profile.address, unicodedata.normalize("NFC", name).casefold())
    transfer = Transfer(ident, place)
    with here().transfers.changed() as under_way:
        if ident in under_way:
            raise Refused(400, _SAME_ID())
        if any(other.place == place for other in under_way.values()):
            raise Refused(409, _SAME_FILE(name=name, address=profile.address), "Exists")
        if len(under_way) >= AT_ONCE:
            raise Refused(429, _BUSY(count=AT_ONCE))
        under_way[ident] = transfer
    return transfer


async def _receive(request: Any, path: Path, size: int, transfer: Transfer) -> tuple[bytes, int]:
    """Write the body to `path`; its SHA-256 and its size in bytes."""
    digest, received = hashlib.sha256(), 0
    pending = bytearray()
    with await run(HERE, _opened, path, size) as file:

        def write(piece: bytes) -> None:
            digest.update(piece)
            with _in_words():
                file.write(piece)
                file.flush()

        async for chunk in pieces(request):
            received += len(chunk)
            if received > SIZE_LIMIT:
                raise Refused(413, _TOO_LARGE(limit=SIZE_LIMIT >> 30))
            pending += chunk
            if len(pending) >= PIECE:
                await run(HERE, write, bytes(pending))
                pending.clear()
                transfer.tell("receiving", received, size)
        await run(HERE, write, bytes(pending))
    transfer.tell("receiving", received, size)
    if size and received != size:
        raise Refused(400, _BROKE_OFF())
    return digest.digest(), received


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = verbatim(error.strerror or type(error).__name__)
        raise Refused(507, _NOT_KEPT(reason=reason)) from None


def _opened(path: Path, size: int) -> BinaryIO:
    with _in_words():
        if shutil.disk_usage(path.parent).free < size + SPARE:
            raise Refused(507, _NO_ROOM())
        return path.open("xb")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def cancel(body: Body) -> Any:
    """End an upload; whether there was one of that id. Its place is free at once."""
    return {"cancelled": here().transfers.cancel(text(body, "id", limit=64))}


def exist(body: Body) -> Any:
    """Which of the files the server has, in their order, and why it may not get one ("": may)."""
    profile: ServerProfile = profile_of(body)
    names = body.get("files")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(400, NO_NAMES(key="files"))
    if len(names) > FILES_LIMIT:
        raise Refused(413, _TOO_MANY(most=FILES_LIMIT))
    found = here().clients.client(profile).sync.files_exist(names)
    return {
        "files": [{"name": row.name, "exists": row.exists, **_refusal(row.name)} for row in found]
    }


def _refusal(name: str) -> dict[str, Any]:
    try:
        check_name(name)
    except RequestError as error:
        return sentences.one("refused", sentences.told(error))
    return {"refused": ""}


def _place() -> Path:
    """Where a file waits; those that a killed ComfyUI left behind a day ago are removed."""
    folder = compat.user_folder() / "uploads"
    with _in_words():
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFT_OVER_S:
                    path.unlink()
    return folder / f"{uuid.uuid4().hex}.part"


ROUTES = {
    "/files/exist": asking_route(exist),
    "/upload": upload,
    "/upload/cancel": changing_route(cancel),
}
