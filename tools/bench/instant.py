"""A server that has its answers ready: in a process of its own, so that its work never waits
for our interpreter lock.

    python tools/bench/pack.py instant SCRIPT

reads a file of `save_script`, prints its port, and answers until its input ends. Nothing is
parsed and nothing is made while it answers, so a call costs what gRPC itself costs.
"""

from __future__ import annotations

import json
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from ...dt_core.wire import protobuf

_RECORD = struct.Struct("<dQ")  # pause before it in s, length in bytes
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
CONTROL = "/bench/"


@dataclass(frozen=True, slots=True)
class Answer:
    """A serialized ImageGenerationResponse, sent `pause_s` after the one before it."""

    data: bytes
    pause_s: float = 0.0


def save_script(path: Path, echo: bytes, answers: Sequence[Answer]) -> None:
    """What a server will say: to Echo, and to every generation."""
    with path.open("wb") as file:
        for answer in (Answer(echo), *answers):
            file.write(_RECORD.pack(answer.pause_s, len(answer.data)))
            file.write(answer.data)


def load_script(path: Path) -> tuple[bytes, list[Answer]]:
    """Echo's reply and the answers."""
    said: list[Answer] = []
    with path.open("rb") as file:
        while head := file.read(_RECORD.size):
            pause_s, length = _RECORD.unpack(head)
            said.append(Answer(file.read(length), pause_s))
    return said[0].data, said[1:]


class _Service:
    """Bytes in, bytes out, and what the bench asks about it afterwards."""

    def __init__(self, echo: bytes, answers: Sequence[Answer]) -> None:
        self._echo_reply, self._answers = echo, answers
        self._request = b""
        self._echoes = self._generations = 0
        self._last_sent = 0.0
        self._connections: set[str] = set()

    def handlers(self) -> tuple[Any, Any]:
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        own = {"Asked": unary(self._asked), "Request": unary(lambda *_: self._request)}
        return (
            grpc.method_handlers_generic_handler(
                protobuf.SERVICE,
                {
                    protobuf.ECHO.name: unary(self._echo),
                    protobuf.GENERATE_IMAGE.name: stream(self._generate),
                },
            ),
            grpc.method_handlers_generic_handler(CONTROL.strip("/"), own),
        )

    def _echo(self, _: bytes, __: grpc.ServicerContext) -> bytes:
        self._echoes += 1
        return self._echo_reply

    def _generate(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self._request = request
        self._generations += 1
        self._connections.add(context.peer())
        for answer in self._answers:
            if answer.pause_s:
                time.sleep(answer.pause_s)
            self._last_sent = time.time()
            yield answer.data

    def _asked(self, _: bytes, __: grpc.ServicerContext) -> bytes:
        asked = {
            "echoes": self._echoes,
            "generations": self._generations,
            "connections": len(self._connections),
            "last_sent": self._last_sent,
        }
        return json.dumps(asked).encode()


def main() -> None:
    service = _Service(*load_script(Path(sys.argv[1])))
    server = grpc.server(futures.ThreadPoolExecutor(4), options=OPTIONS)
    server.add_generic_rpc_handlers(service.handlers())
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    threading.Thread(target=lambda: (sys.stdin.read(), server.stop(0)), daemon=True).start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
