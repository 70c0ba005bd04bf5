"""The messages of one generation as the server sent them: what a job hides from its user.

For whoever looks at the protocol itself (docs/protocol.md 5); pictures come from `job`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..connection import late_grpc as grpc
from ..errors import DrawThingsError
from ..request.resolved import GenerationRequest
from ..wire import protobuf
from .allowance import Allowance
from .client import Client
from .events import Stage
from .reading import parsed, stage_of


@dataclass(frozen=True, slots=True)
class Answer:
    """One message. `seconds` since the call began; `plan` has the steps of each stage, 0 where
    a stage has none; `pieces` are pictures or parts of them, as they came."""

    seconds: float
    stage: Stage | None
    step: int
    plan: Mapping[Stage, int]
    preview: bytes | None
    download_bytes: int | None
    pieces: tuple[bytes, ...]
    sound: tuple[bytes, ...]
    more: bool
    scale_factor: int | None


@dataclass(slots=True)
class Call:
    """One generation under way: iterate it once for its answers; `cancel` ends it.

    Raises what `Client.prepare` raises at once, and while iterating what a failed call means,
    and ProtocolError for far more than was asked for. Whoever decodes asks `allowance` before.
    """

    client: Client
    request: GenerationRequest
    chunked: bool = True
    warnings: tuple[str, ...] = field(init=False, default=())
    allowance: Allowance = field(init=False)
    began: float = field(init=False, default=0.0)
    _call: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        resolved, self.warnings = self.client.prepare(self.request)
        self.allowance = Allowance(resolved, self.client.profile.address)
        start = self.client.call_of(resolved, chunked=self.chunked)
        self.began = time.monotonic()
        self._call = start()

    def cancel(self) -> None:
        self._call.cancel()

    def __iter__(self) -> Iterator[Answer]:
        try:
            for data in self._call:
                self.allowance.keep_message(len(data))
                yield _answer(parsed(data, self.client.profile), self.began)
        except grpc.RpcError as error:
            raise self.client.server.link.explain(error) from None
        except DrawThingsError:
            self.cancel()  # nobody reads on
            raise


def _answer(message: protobuf.ImageGenerationResponse, began: float) -> Answer:
    stage, step = None, 0
    if message.HasField("currentSignpost"):
        stage, step = stage_of(message.currentSignpost)
    planned = (stage_of(row) for row in message.signposts)
    return Answer(
        seconds=time.monotonic() - began,
        stage=stage,
        step=step,
        plan={row: steps for row, steps in planned if row is not None},
        preview=message.previewImage if message.HasField("previewImage") else None,
        download_bytes=message.downloadSize if message.HasField("downloadSize") else None,
        pieces=tuple(message.generatedImages),
        sound=tuple(message.generatedAudio),
        more=message.chunkState == protobuf.MORE_CHUNKS,
        scale_factor=message.scaleFactor if message.HasField("scaleFactor") else None,
    )
