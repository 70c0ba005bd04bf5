"""The messages and methods of the service; loaded, and protobuf with them, when first used.

`protobuf.EchoRequest` and the like are in `schema`, `protobuf.ECHO` in `messages`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .messages import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        # Loading them takes 11 ms, beside the 150 ms of all else that a client needs.
        return getattr(importlib.import_module(".messages", __package__), name)
