"""The instant server as the bench uses it: started, asked, and called without any client."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from ...dt_core.wire import protobuf
from .instant import CONTROL, OPTIONS, Answer, save_script

_PACK = Path(__file__).with_name("pack.py")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the server saw so far. `last_sent` is the time (Unix, s) of its last message."""

    echoes: int
    generations: int
    connections: int
    last_sent: float


class InstantServer:
    """A process that answers every generation with the same messages, at once."""

    def __init__(self, echo: bytes, answers: Sequence[Answer]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="drawthings-bench-")
        script = Path(self._folder.name) / "script"
        save_script(script, echo, answers)
        self._process = subprocess.Popen(
            [sys.executable, str(_PACK), "instant", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None  # noqa: S101
        self.address = f"127.0.0.1:{int(self._process.stdout.readline())}"
        self._channel = grpc.insecure_channel(
            self.address, options=(*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        )

    def __enter__(self) -> InstantServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.communicate()  # closes its input, which ends it
        self._folder.cleanup()

    def asked(self) -> Asked:
        """What arrived so far, bare exchanges included."""
        return Asked(**json.loads(self._channel.unary_unary(f"{CONTROL}Asked")(b"")))

    def request(self) -> bytes:
        """The last generation request, as it arrived."""
        data: bytes = self._channel.unary_unary(f"{CONTROL}Request")(b"")
        return data

    def exchange(self, request: bytes) -> int:
        """Send a request and take all its answers as bytes, unparsed; how many bytes came."""
        call = self._channel.unary_stream(protobuf.GENERATE_IMAGE.path)
        return sum(len(answer) for answer in call(request))
