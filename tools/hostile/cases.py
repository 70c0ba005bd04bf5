"""Answers that want memory, message by message, and honest ones to the same requests.

Run as a script it serves one of them: `cases.py PACK REQUEST CASE` prints its port.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np

PIECE = 4 << 20
SENT_AT_MOST = 2 << 30  # by any of them
REQUESTS: dict[str, dict[str, Any]] = {
    "64x64": {"model": "unheard_of.ckpt", "start_width": 64, "start_height": 64, "num_frames": 1},
    "1024x1024": {
        "model": "unheard_of.ckpt",
        "start_width": 1024,
        "start_height": 1024,
        "num_frames": 1,
    },
    "81 frames, 832x448, sound": {
        "model": "ltx_2.3_22b_dev_q6p.ckpt",
        "start_width": 832,
        "start_height": 448,
        "num_frames": 81,
    },
}


def answers(tensor: Any, response: Any, wanted: dict[str, Any], case: str) -> Iterator[Any]:
    """The messages of a case; `tensor` encodes, `response` makes a message."""
    frames, height, width = wanted["num_frames"], wanted["start_height"], wanted["start_width"]
    whole = tensor.encode(np.zeros((1, height, width, 4), np.float16))

    def pieces(data: bytes, **field: Any) -> Iterator[Any]:
        for start in range(0, len(data), PIECE):
            more = start + PIECE < len(data)
            part = {name: [data[start : start + PIECE]] for name in field}
            yield response(chunkState=int(more), **part)

    def without_end(made: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        sent = 0
        while sent < SENT_AT_MOST:
            for message in made():
                sent += message.ByteSize() + 64
                yield message

    if case == "honest":
        yield response(previewImage=tensor.encode(np.zeros((1, height // 8, width // 8, 16), "f2")))
        for _ in range(frames):
            yield from pieces(whole, generatedImages=1)
        if frames > 1:
            sound = np.zeros((2, 48_000 * frames // 25), np.float32)
            yield from pieces(tensor.encode(sound), generatedAudio=1)
    elif case == "pictures without end":
        yield from without_end(lambda: pieces(whole, generatedImages=1))
    elif case == "a picture of 1 GiB":
        head = tensor.encode(np.zeros((1, 1, 1, 4), np.float16))
        dims = np.array([1, 8192, 16384, 4], "<i4").tobytes()
        yield response(
            generatedImages=[head[:20] + dims + head[36:68] + bytes(PIECE)], chunkState=1
        )
        for _ in range(250):
            yield response(generatedImages=[bytes(PIECE)], chunkState=1)
    elif case == "one message of 512 MiB":
        yield response(generatedImages=[bytes(512 << 20)])
    elif case == "large previews":
        one = tensor.encode(np.zeros((1, 1024, 2048, 16), np.float16))  # 64 MiB
        for _ in range(20):
            yield response(previewImage=one)
        yield from pieces(whole, generatedImages=1)
    elif case == "sound without end":
        yield from pieces(whole, generatedImages=1)
        one = tensor.encode(np.zeros((2, 48_000 * 60), np.float32))
        yield from without_end(lambda: pieces(one, generatedAudio=1))
    elif case == "a million statuses":
        yield from _statuses(response)
        yield from pieces(whole, generatedImages=1)
    elif case == "a message of empty fields":
        message = response()
        for _ in range(900_000):
            message.signposts.add()
        yield message
        yield from pieces(whole, generatedImages=1)


CASES = (
    "pictures without end",
    "a picture of 1 GiB",
    "one message of 512 MiB",
    "large previews",
    "sound without end",
    "a million statuses",
    "a message of empty fields",
)


def _statuses(response: Any) -> Iterator[Any]:
    for number in range(1_000_000):
        message = response(downloadSize=0)
        message.remoteDownload.bytesReceived = number
        yield message


def pack(root: Path) -> None:
    """Make the pack at `root` importable as `drawthings`, and nothing of ComfyUI with it."""
    made = types.ModuleType("drawthings")
    made.__path__ = [str(root)]
    sys.modules["drawthings"] = made


def serve(root: Path, request: str, case: str) -> None:
    pack(root)
    from drawthings.dt_core.wire import protobuf, tensor

    def generate(message: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        asked = "honest" if message.prompt == "warm up" else case
        for answer in answers(tensor, protobuf.ImageGenerationResponse, REQUESTS[request], asked):
            if not context.is_active():
                return
            yield answer

    method = protobuf.GENERATE_IMAGE
    rpc = grpc.unary_stream_rpc_method_handler(generate, method.parse_request, method.serialize)
    echo = grpc.unary_unary_rpc_method_handler(
        lambda *_: protobuf.EchoReply(message="HELLO"),
        protobuf.ECHO.parse_request,
        protobuf.ECHO.serialize,
    )
    files = grpc.unary_unary_rpc_method_handler(
        lambda message, _: protobuf.FileExistenceResponse(
            files=message.files, existences=[True] * len(message.files)
        ),
        protobuf.FILES_EXIST.parse_request,
        protobuf.FILES_EXIST.serialize,
    )
    methods = {"GenerateImage": rpc, "Echo": echo, "FilesExist": files}
    server = grpc.server(
        futures.ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)]
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(protobuf.SERVICE, methods),)
    )
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
