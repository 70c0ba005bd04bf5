"""Our socket types. What flows through each is a value of dt_core:

DT_SERVER     ServerProfile
DT_MODEL      ModelChoice
DT_LORA       tuple[Lora, ...]
DT_CONTROL    tuple[Control, ...]
DT_REFERENCE  tuple[Reference, ...]
DT_OPTIONS    Options
DT_MASK       tuple[Mask, ...]
DT_STITCH     tuple[Crop, ...]
DT_GENERATION tuple[Generation, ...], one for each picture
"""

from __future__ import annotations

from typing import Any, TypeVar

from comfy_api.latest import io

from ...dt_core.errors import RequestError
from ...dt_core.text import Template

Server = io.Custom("DT_SERVER")
Model = io.Custom("DT_MODEL")
Lora = io.Custom("DT_LORA")
Control = io.Custom("DT_CONTROL")
Reference = io.Custom("DT_REFERENCE")
Options = io.Custom("DT_OPTIONS")
Mask = io.Custom("DT_MASK")
Stitch = io.Custom("DT_STITCH")
Generation = io.Custom("DT_GENERATION")

CATEGORY = "Draw Things"

_OF_ANOTHER_PACK = Template(
    "of_another_pack",
    "What is connected where {node} belongs comes from another pack: connect {node}.",
)

_T = TypeVar("_T")


def checked(stack: Any, kind: type[_T], node: str) -> tuple[_T, ...]:
    """A stack that came through a socket. Raises RequestError if it is not one of ours.

    Other packs own sockets of the same type names, and ComfyUI connects them.
    """
    if isinstance(stack, tuple) and all(isinstance(entry, kind) for entry in stack):
        return stack
    raise RequestError(_OF_ANOTHER_PACK(node=node))
