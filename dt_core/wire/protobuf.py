"""The messages of the Draw Things service; loaded, and protobuf with them, when first used.

`protobuf.EchoRequest` and the like are in `messages`.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(importlib.import_module(".messages", __package__), name)
