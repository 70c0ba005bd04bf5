"""What ComfyUI loads: the list of nodes, our routes, and the lists kept in the background."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import routes
from .node_list import NODES
from .servers.owner import here


class DrawThingsExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> DrawThingsExtension:
    routes.register()
    here().lists.start()
    return DrawThingsExtension()
