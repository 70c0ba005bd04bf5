"""The nodes, and nothing but their list: each has a file of its own."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import lists, routes
from .control import DTControlNet
from .lora import DTLoRA
from .model import DTModelLoader
from .reference import DTKontextReference
from .sampler import DTSampler
from .server import DTServer

NODES: list[type[io.ComfyNode]] = [
    DTServer,
    DTModelLoader,
    DTLoRA,
    DTControlNet,
    DTKontextReference,
    DTSampler,
]


class DrawThingsExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> DrawThingsExtension:
    routes.register()
    lists.refresh_default()
    return DrawThingsExtension()
