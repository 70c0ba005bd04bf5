"""grpc, loaded when first used: that takes a third as long as loading all of this library."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import grpc

    return getattr(grpc, name)
