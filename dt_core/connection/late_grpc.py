"""grpc, loaded when first used: 12 ms, beside the 150 ms of all else that a client needs."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import grpc

    return getattr(grpc, name)
