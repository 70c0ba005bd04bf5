"""HTTP routes for our front end, all POST and all under one prefix.

Each module of this package has a table ROUTES: path under the prefix, handler. They talk
to servers that the user stored, to the default one, and to those that nodes of a run
named; never to an address that only a request names.
"""

from __future__ import annotations

from ..host import compat
from . import (
    catalogs,
    conversion,
    discovered,
    effects,
    examining,
    examples,
    exchange,
    servers,
    uploads,
)

PREFIX = "/drawthingsnodes"
MODULES = (
    catalogs, servers, effects, exchange, uploads, conversion, discovered, examples, examining
)  # fmt: skip


def register() -> None:
    """Add the routes to ComfyUI's server, if there is one."""
    table = compat.routes()
    if table is None:
        return
    for module in MODULES:
        for path, handler in module.ROUTES.items():
            table.post(PREFIX + path)(handler)
