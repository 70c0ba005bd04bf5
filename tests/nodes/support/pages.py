"""A page of ours, or of somebody else, in front of all our routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from drawthings.nodes.routes import MODULES, PREFIX
from drawthings.nodes.routes.guard import HEADER

Headers = Mapping[str, str | None]
OURS = {HEADER: "1", "Content-Type": "application/json"}
FILE = {HEADER: "1", "Content-Type": "application/octet-stream"}


def on_page(visit: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `visit` makes of a client of the routes."""

    async def run() -> Any:
        app = web.Application()  # its own limit for bodies is 1 MiB
        for module in MODULES:
            for route, handler in module.ROUTES.items():
                app.router.add_post(PREFIX + route, handler)
        async with TestClient(TestServer(app)) as client:
            return await visit(client)

    return asyncio.run(run())


async def post(
    client: Any, route: str, body: Any, headers: Headers | None = None
) -> tuple[int, Any]:
    """Status and JSON of one POST; bytes go as they are, headers besides ours, None without one."""
    data = BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    given = {
        name: value for name, value in {**OURS, **(headers or {})}.items() if value is not None
    }
    answer = await client.post(PREFIX + route, data=data, headers=given)
    return answer.status, json.loads(await answer.text(), parse_constant=_no_number)


def asked(route: str, body: Any, headers: Headers | None = None) -> tuple[int, Any]:
    answer: tuple[int, Any] = on_page(lambda client: post(client, route, body, headers))
    return answer


def _no_number(name: str) -> Any:
    raise AssertionError(f"{name} in an answer")
