"""What every route of ours checks before it does anything.

ComfyUI refuses requests whose Origin is another host when it is reached by a loopback
name. On top of that, a header that only our own page sends keeps "simple" requests of
foreign pages out on every version: a page elsewhere cannot set it without asking first,
and ComfyUI does not allow that. What changes or sends something wants a Host besides that is
ours (`hosts`).
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...dt_core.errors import DrawThingsError
from ...dt_core.text import Template, Text
from ..host import sentences
from . import hosts
from .threads import ASKING, HERE, Left, Visit, run, run_while_there

HEADER = "X-Draw-Things-Nodes"
JSON_LIMIT = 8 * 1024 * 1024  # bytes; workflows with long prompts stay far below

Body = Mapping[str, Any]
Work = Callable[[Body], Any]
LongWork = Callable[[Body, Visit], Any]

_NO_TEXT = Template("body_no_text", "'{key}' must be a text of at most {limit} characters.")
NO_NAMES = Template("body_no_names", "'{key}' must be a list of names.")
_NO_HEADER = Template("header_missing", "The header {header} is missing.")
_TOO_LARGE = Template("body_too_large", "The body may have {limit} MiB.")
_NOT_JSON = Template("body_type", "The body must be application/json.")
_BROKEN_JSON = Template("body_no_json", "The body is no JSON.")
_NO_OBJECT = Template("body_no_object", "The body must be a JSON object.")
_HALF_CHARACTER = Template(
    "body_half_character", "The body holds half a character, which no text can: mend that text."
)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # as JSON writes it; two of them may be a whole one
_LONE = re.compile("[\ud800-\udfff]")
_NO_NUMBER = Template(
    "body_no_number", "The body holds {number}, which is no number that JSON can carry."
)
FAILED_HERE = Template(
    "route_failed",
    "This went wrong here, not at a server ({kind}): the log of ComfyUI tells more.",
)

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

    For what only looks at what is here. A DrawThingsError becomes status 400 with
    {"error", "error_text", "code": its class}.
    """
    return _route(lambda body, _visit: work(body), HERE, guarded=False)


def long_route(work: LongWork) -> Callable[[Any], Awaitable[Any]]:
    """The same for what takes long: `work` ends when the browser has gone."""
    return _route(work, HERE, guarded=False)


def changing_route(work: Work) -> Callable[[Any], Awaitable[Any]]:
    """The same for what changes something here: the Host has to be ours too."""
    return _route(lambda body, _visit: work(body), HERE, guarded=True)


def asking_route(work: Work) -> Callable[[Any], Awaitable[Any]]:
    """The same for what asks a server, and may wait for it."""
    return _route(lambda body, _visit: work(body), ASKING, guarded=True)


def long_asking_route(work: LongWork) -> Callable[[Any], Awaitable[Any]]:
    """The same for what asks a server many times: `work` ends when the browser has gone."""
    return _route(work, ASKING, guarded=True)


def _route(
    work: LongWork, pool: ThreadPoolExecutor, *, guarded: bool
) -> Callable[[Any], Awaitable[Any]]:
    async def handler(request: Any) -> Any:
        async def worked() -> Any:
            body = await json_body(request)
            return await run_while_there(request, pool, lambda visit: work(body, visit))

        return await answered(request, worked, guarded=guarded)

    return handler


async def answered(
    request: Any, work: Callable[[], Awaitable[Any]], *, guarded: bool = False
) -> Any:
    """The JSON answer of `work`, with every refusal in words.

    `guarded` is for what changes or sends something.
    """
    try:
        require_header(request)
        if guarded:
            await _require_host(request)
        return _json(await work())
    except Refused as refusal:
        said = sentences.one("error", refusal.text)
        return _json({**said, "code": refusal.code}, refusal.status)
    except DrawThingsError as error:
        status = 403 if isinstance(error, UnknownServer) else 400
        said = sentences.one("error", sentences.told(error))
        return _json({**said, "code": type(error).__name__}, status)
    except Left:
        return _json({}, 499)  # as other servers write it in their logs; nobody reads it
    except Exception as error:  # a fault of ours: the page gets a sentence all the same
        _log.exception("Draw Things: %s failed", getattr(request, "path", ""))
        said = sentences.one("error", FAILED_HERE(kind=type(error).__name__))
        return _json({**said, "code": "Failed"}, 500)


def _json(answer: Any, status: int = 200) -> Any:
    """An answer that every browser can read: JSON knows no NaN and no infinity."""
    from aiohttp import web

    try:
        text = json.dumps(answer, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(answer), allow_nan=False)
    return web.json_response(text=text, status=status)


def _finite(answer: Any) -> Any:
    if isinstance(answer, Mapping):
        return {key: _finite(value) for key, value in answer.items()}
    if isinstance(answer, (list, tuple)):
        return [_finite(value) for value in answer]
    return None if isinstance(answer, float) and not math.isfinite(answer) else answer


def require_header(request: Any) -> None:
    if HEADER not in request.headers:
        raise Refused(403, _NO_HEADER(header=HEADER))


async def _require_host(request: Any) -> None:
    refused = await run(HERE, hosts.refusal, request.headers.get("Host", ""))
    if refused is not None:
        raise Refused(403, refused, "HostNotAllowed")


async def pieces(request: Any) -> AsyncIterator[bytes]:
    """The body of a request as it comes in. Raises Left if its browser goes before the end."""
    from aiohttp import ClientError

    try:
        async for piece in request.content.iter_any():
            yield piece
    except (OSError, ClientError):
        raise Left from None


async def whole_body(request: Any, limit: int) -> bytes:
    """The body of a request. Raises Refused if it has more than `limit` bytes."""
    too_large = Refused(413, _TOO_LARGE(limit=limit >> 20))
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    async for piece in pieces(request):
        body += piece
        if len(body) > limit:
            raise too_large
    return bytes(body)


async def json_body(request: Any) -> Body:
    if request.content_type != "application/json":
        raise Refused(415, _NOT_JSON())
    return await run(HERE, json_object, await whole_body(request, JSON_LIMIT))


def json_object(given: bytes) -> Body:
    """The JSON object that a body is. Raises Refused, also for numbers and texts that none are."""
    try:
        text = given.decode("utf-8")
        body = json.loads(text, parse_constant=_no_constant, parse_float=_finite_float)
        halves = _HALF.search(text) and json.dumps(body, ensure_ascii=False)
    except (ValueError, RecursionError):
        raise Refused(400, _BROKEN_JSON()) from None
    if not isinstance(body, dict):
        raise Refused(400, _NO_OBJECT())
    if halves and _LONE.search(halves):
        raise Refused(400, _HALF_CHARACTER())
    return body


def _no_constant(name: str) -> Any:
    raise Refused(400, _NO_NUMBER(number=name))


def _finite_float(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_constant(digits[:40])
