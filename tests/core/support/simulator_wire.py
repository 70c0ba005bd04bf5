"""A plain gRPC client for the simulator's tests: messages in, messages out.

Not the client of dt_core, which must not be able to hide a mistake of the simulator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from drawthings.dt_core.settings import flatbuffer
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.wire import protobuf, tensor
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
SETTINGS: dict[str, Any] = {
    "model": "flux_1_schnell_q5p.ckpt",
    "start_width": 64,
    "start_height": 64,
    "seed": 1,
    "steps": 4,
    "guidance_scale": 4.5,
    "strength": 1.0,
    "sampler": 10,
    "seed_mode": 2,
}


def settings(**changes: Any) -> bytes:
    merged = {**SETTINGS, **changes}
    return flatbuffer.encode(Configuration(**{k: v for k, v in merged.items() if v is not None}))


def request(*, config: bytes | None = None, **fields: Any) -> Any:
    """A request; fields of the message by their names, other names are settings."""
    names = {field.name for field in protobuf.ImageGenerationRequest.DESCRIPTOR.fields}
    message = {name: fields.pop(name) for name in list(fields) if name in names}
    message.setdefault("scaleFactor", 1)
    message.setdefault("chunked", True)
    data = settings(**fields) if config is None else config
    return protobuf.ImageGenerationRequest(configuration=data, **message)


@contextmanager
def channel(server: Simulator) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address, options=OPTIONS) as opened:
        yield opened


def stub(opened: grpc.Channel, method: Any, kind: str = "unary_unary") -> Any:
    return getattr(opened, kind)(
        method.path,
        request_serializer=method.serialize,
        response_deserializer=method.parse_reply,
    )


def ask(server: Simulator, method: Any, message: Any) -> Any:
    with channel(server) as opened:
        return stub(opened, method)(message, timeout=20)


def generate(server: Simulator, **fields: Any) -> list[Any]:
    with channel(server) as opened:
        call = stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")
        return list(call(request(**fields), timeout=60))


def signposts(replies: Sequence[Any]) -> list[str]:
    """Every progress event as text: "textEncoded", "sampling 3"."""
    return [_text(r.currentSignpost) for r in replies if r.HasField("currentSignpost")]


def plan(replies: Sequence[Any]) -> set[str]:
    return {_text(signpost) for signpost in replies[0].signposts}


def _text(signpost: Any) -> str:
    arm = signpost.WhichOneof("signpost")
    payload = getattr(signpost, arm)
    return f"{arm} {payload.step}" if hasattr(payload, "step") else str(arm)


def blobs(replies: Sequence[Any], field: str = "generatedImages") -> list[bytes]:
    """Whole tensors, put together as the app does (docs/protocol.md 5.4)."""
    whole, buffer = [], b""
    for reply in replies:
        for piece in getattr(reply, field):
            buffer += piece
            if reply.chunkState == protobuf.LAST_CHUNK:
                whole.append(buffer)
                buffer = b""
    assert not buffer
    return whole


def images(replies: Sequence[Any]) -> list[NDArray[Any]]:
    return [tensor.decode(blob) for blob in blobs(replies)]


def picture(width: int = 64, height: int = 64, value: float | None = None) -> NDArray[np.float16]:
    """A gradient, or one grey, -1..1."""
    if value is not None:
        return np.full((1, height, width, 3), value, np.float16)
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([x / width, y / height, (x + y) % 16 / 16], axis=2)
    return (rgb * 2 - 1).astype(np.float16)[None]


def raw(array: NDArray[Any]) -> bytes:
    return tensor.encode(array, "raw")


def codes(width: int = 64, height: int = 64, code: int = 0) -> NDArray[np.uint8]:
    """A mask of one code."""
    return np.full((height, width), code, np.uint8)


def hint(kind: str, *arrays: NDArray[Any], weight: float = 1.0) -> Any:
    tensors = [protobuf.TensorAndWeight(tensor=raw(array), weight=weight) for array in arrays]
    return protobuf.HintProto(hintType=kind, tensors=tensors)
