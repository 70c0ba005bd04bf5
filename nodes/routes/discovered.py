"""Servers that announce themselves on the local network. None of them is connected to."""

from __future__ import annotations

from typing import Any

from ...dt_core.text import Template
from ..servers import stored as servers
from .catalogs import clean
from .guard import Body, Refused, asking_route

MOST_SECONDS = 10.0
_NO_SECONDS = Template("seconds_out_of_range", "'seconds' must be above 0 and at most {most}.")


def found(body: Body) -> Any:
    """Listen for {"seconds"}: what was heard, without the servers that are on the list."""
    from ...dt_core.connection.discovery import discover  # not at ComfyUI's start

    seconds = body.get("seconds", 3)
    if not isinstance(seconds, (int, float)) or not 0 < seconds <= MOST_SECONDS:
        raise Refused(400, _NO_SECONDS(most=MOST_SECONDS))
    listed = {address for known in servers.current().own() for address in known.addresses}
    rows = [(server, server.profile()) for server in discover(float(seconds))]
    return {
        "found": [
            {"name": clean(server.name), "address": profile.address, "tls": profile.tls.value}
            for server, profile in rows
            if profile.address not in listed
        ]
    }


ROUTES = {"/servers/discover": asking_route(found)}
