"""What every route of ours checks before it does anything.

ComfyUI refuses requests whose Origin is another host when it is reached by a loopback
name. On top of that, a header that only our own page sends keeps "simple" requests of
foreign pages out on every version: a page elsewhere cannot set it without asking first,
and ComfyUI does not allow that.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...dt_core.errors import DrawThingsError
from ...dt_core.text import Template, Text
from ..host import sentences

HEADER = "X-Draw-Things-Nodes"
JSON_LIMIT = 8 * 1024 * 1024  # bytes; workflows with long prompts stay far below

Body = Mapping[str, Any]
Work = Callable[[Body], Any]

_NO_TEXT = Template("body_no_text", "'{key}' must be a text of at most {limit} characters.")
NO_NAMES = Template("body_no_names", "'{key}' must be a list of names.")
_NO_HEADER = Template("header_missing", "The header {header} is missing.")
_TOO_LARGE = Template("body_too_large", "The body may have {limit} MiB.")
_NOT_JSON = Template("body_type", "The body must be application/json.")
_BROKEN_JSON = Template("body_no_json", "The body is no JSON.")
_NO_OBJECT = Template("body_no_object", "The body must be a JSON object.")

_log = logging.getLogger("drawthings")


class UnknownServer(DrawThingsError):
    """An address that only the request names."""


class Refused(Exception):
    """A request that is not ours to answer: HTTP status, a sentence, a code for the page."""

    def __init__(self, status: int, text: Text, code: str = "Refused") -> None:
        super().__init__(str(text))
        self.text = text
        self.status = status
        self.code = code


def text(body: Body, key: str, default: str | None = None, limit: int = 4096) -> str:
    """The string under `key`. Raises Refused if it is something else, or too long."""
    value = body.get(key, default)
    if not isinstance(value, str) or len(value) > limit:
        raise Refused(400, _NO_TEXT(key=key, limit=limit))
    return value


def json_route(work: Work) -> Callable[[Any], Awaitable[Any]]:
    """A handler that takes a JSON object, does `work` in a thread and answers its result.

    A DrawThingsError becomes status 400 with {"error", "error_text", "code": its class}.
    """

    async def handler(request: Any) -> Any:
        return await answered(request, lambda: _worked(request, work))

    return handler


async def answered(request: Any, work: Callable[[], Awaitable[Any]]) -> Any:
    """The JSON answer of `work`, with every refusal in words."""
    from aiohttp import web

    try:
        require_header(request)
        return web.json_response(await work())
    except Refused as refusal:
        said = sentences.one("error", refusal.text)
        return web.json_response({**said, "code": refusal.code}, status=refusal.status)
    except DrawThingsError as error:
        status = 403 if isinstance(error, UnknownServer) else 400
        said = sentences.one("error", sentences.told(error))
        return web.json_response({**said, "code": type(error).__name__}, status=status)


def require_header(request: Any) -> None:
    if HEADER not in request.headers:
        raise Refused(403, _NO_HEADER(header=HEADER))


async def _worked(request: Any, work: Work) -> Any:
    return await asyncio.to_thread(work, await _body(request))


async def whole_body(request: Any, limit: int) -> bytes:
    """The body of a request. Raises Refused if it has more than `limit` bytes."""
    too_large = Refused(413, _TOO_LARGE(limit=limit >> 20))
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > limit:
            raise too_large
    return bytes(body)


async def _body(request: Any) -> Body:
    if request.content_type != "application/json":
        raise Refused(415, _NOT_JSON())
    try:
        body = json.loads(await whole_body(request, JSON_LIMIT))
    except (ValueError, RecursionError):
        raise Refused(400, _BROKEN_JSON()) from None
    if not isinstance(body, dict):
        raise Refused(400, _NO_OBJECT())
    return body
