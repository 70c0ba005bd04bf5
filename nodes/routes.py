"""HTTP routes for our front end, under one prefix.

They take no address from the browser: only servers that nodes of this process already
use are asked. A custom header keeps pages of other origins out, on top of ComfyUI's own
check of the origin.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..dt_core.errors import DrawThingsError
from ..dt_core.profile import default_profile
from . import clients, compat, lists

PREFIX = "/drawthingsnodes"
HEADER = "X-Draw-Things-Nodes"


def register() -> None:
    """Add the routes to ComfyUI's server, if there is one."""
    table = compat.routes()
    if table is not None:
        table.post(f"{PREFIX}/refresh")(refresh)


async def refresh(request: Any) -> Any:
    """Ask every known server for its catalogue; a sentence for each."""
    from aiohttp import web

    if HEADER not in request.headers:
        return web.json_response({"error": f"The header {HEADER} is missing."}, status=403)
    profiles = list(clients.known_profiles())
    try:
        if default_profile() not in profiles:
            profiles.append(default_profile())
    except DrawThingsError as error:
        return web.json_response({"error": str(error)}, status=400)
    outcomes = await asyncio.gather(*(asyncio.to_thread(lists.refresh, p) for p in profiles))
    servers = [{"ok": ok, "sentence": sentence} for ok, sentence in outcomes]
    return web.json_response({"servers": servers})
