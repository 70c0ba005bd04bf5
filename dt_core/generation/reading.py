"""What the messages of a generation say, and the tensors in their pieces (docs/protocol.md 5)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..connection.failures import unreadable
from ..connection.profile import ServerProfile
from ..errors import ProtocolError, TensorError
from ..pictures import pixels
from ..pictures.stack import Place, Stack
from ..wire import protobuf, tensor
from .allowance import Allowance, wire_limit
from .delivery import Delivery
from .events import (
    AudioReceived,
    DownloadSize,
    Event,
    ImageReceived,
    Lost,
    Preview,
    Progress,
    RemoteDownload,
    Stage,
)

_SAMPLING = {Stage.SAMPLING, Stage.SECOND_PASS_SAMPLING}


@dataclass(slots=True)
class _Assembler:
    """Puts the pieces of one kind of tensor together (docs/protocol.md 5.4)."""

    what: str
    profile: ServerProfile
    pieces: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    limit_bytes: int = tensor.MAX_WIRE_BYTES

    def add(self, parts: Iterable[bytes], more: bool) -> Iterator[tensor.Buffer]:
        for part in parts:
            if not self.pieces and len(part) >= tensor.HEADER_BYTES:
                with _naming_it(self.what, self.profile):
                    self.limit_bytes = wire_limit(tensor.read_header(part))
            self.pieces.append(part)
            self.size_bytes += len(part)
            if more and self.size_bytes > self.limit_bytes:
                raise ProtocolError(
                    f"The server at {self.profile.address} sent {self.what} without an end: "
                    "see what answers at that address, and generate again."
                )
            if more:
                return
            yield self._whole()

    def _whole(self) -> tensor.Buffer:
        pieces, size_bytes = self.pieces, self.size_bytes
        self.pieces, self.size_bytes = [], 0
        self.limit_bytes = tensor.MAX_WIRE_BYTES
        if len(pieces) == 1:
            return pieces[0]
        # NumPy lets other threads run while it copies; bytes do not.
        whole = np.empty(size_bytes, np.uint8)
        end = size_bytes
        while pieces:
            piece = pieces.pop()
            whole[end - len(piece) : end] = np.frombuffer(piece, np.uint8)
            end -= len(piece)
        return whole.data

    def finish(self) -> None:
        if self.pieces:
            raise ProtocolError(
                f"The server at {self.profile.address} stopped in the middle of {self.what}: "
                "the connection or the server broke; generate again."
            )


class Reader:
    """Turns response messages into events. Pictures of one size go into `room`."""

    def __init__(self, profile: ServerProfile, room: Stack, allowance: Allowance) -> None:
        self._profile, self._allowance = profile, allowance
        self._images = _Assembler("a picture", profile)
        self._audio = _Assembler("the sound", profile)
        self._room = room
        self._plan: dict[Stage, int] = {}
        self._passed: dict[Stage, int] = {}
        self._count = 0

    def read(self, answer: bytes, delivery: Delivery) -> None:
        """Hand on what a message says; decoding of what is compressed goes on after that."""
        message = self._message(answer)
        for event in self._said(message):
            delivery.put(event)
        more = message.chunkState == protobuf.MORE_CHUNKS
        scale = message.scaleFactor if message.HasField("scaleFactor") else 1
        for data in self._images.add(message.generatedImages, more):
            place = self._room.reserve()
            with _naming_it("a picture", self._profile):
                header = tensor.read_header(data)
            self._allowance.take(header, len(data))
            work = partial(_image, self._profile, data, place, self._count, max(scale, 1))
            self._count += 1
            if header.codec == "raw":
                delivery.put(work())
            else:
                delivery.make(work)
        for data in self._audio.add(message.generatedAudio, more):
            delivery.make(partial(_audio, self._profile, data))

    def _said(self, message: protobuf.ImageGenerationResponse) -> Iterator[Event]:
        if message.HasField("remoteDownload"):
            remote = message.remoteDownload
            yield RemoteDownload(
                remote.bytesReceived, remote.bytesExpected, remote.item, remote.itemsExpected
            )
        for signpost in message.signposts:
            stage, step = _signpost(signpost)
            if stage is not None:
                self._plan[stage] = max(step, 0)
        if message.HasField("currentSignpost"):
            stage, step = _signpost(message.currentSignpost)
            if stage is not None:
                yield self._progress(stage, step)
        if message.HasField("previewImage"):
            yield Preview(message.previewImage)
        if message.HasField("downloadSize"):
            self._allowance.announce(message.downloadSize)
            yield DownloadSize(message.downloadSize)

    def _message(self, answer: bytes) -> protobuf.ImageGenerationResponse:
        try:
            return protobuf.GENERATE_IMAGE.parse_reply(answer)
        except Exception:  # protobuf's own, of which there are several
            raise unreadable(self._profile) from None

    def finish(self) -> None:
        self._images.finish()
        self._audio.finish()
        self._allowance.check_complete()

    def _progress(self, stage: Stage, step: int) -> Progress:
        steps = self._plan.get(stage, 0) if stage in _SAMPLING else 0
        step = min(max(step, 0), steps) if steps else 0
        self._passed[stage] = max(self._passed.get(stage, 0), step if steps else 1)
        units = {s: (n if s in _SAMPLING else 1) for s, n in self._plan.items()}
        done = sum(min(count, units.get(s, 0)) for s, count in self._passed.items())
        return Progress(stage, step, steps, done, max(sum(units.values()), 1))


def _signpost(message: protobuf.ImageGenerationSignpostProto) -> tuple[Stage | None, int]:
    name = message.WhichOneof("signpost")
    if name is None:
        return None, 0
    arm = getattr(message, name)
    return Stage(name), arm.step if Stage(name) in _SAMPLING else 0


@contextlib.contextmanager
def _naming_it(what: str, profile: ServerProfile) -> Iterator[None]:
    """Say whose tensor cannot be used, and what to do."""
    try:
        yield
    except TensorError as error:
        then = "" if "again" in str(error) else " Generate again."
        whose = f"{what.capitalize()} from the server at {profile.address}"
        raise TensorError(f"{whose} cannot be used. {error}{then}") from error


def _image(
    profile: ServerProfile, data: tensor.Buffer, place: Place, index: int, scale: int
) -> ImageReceived | Lost:
    try:
        with _naming_it("a picture", profile):
            picture = tensor.lend(data, lambda values: pixels.wire_to_picture(values, place))
    except TensorError as error:
        return Lost(error)
    return ImageReceived(index, picture, scale)


def _audio(profile: ServerProfile, data: tensor.Buffer) -> AudioReceived:
    with _naming_it("the sound", profile):
        samples = tensor.decode(data)
    if samples.ndim != 2 or samples.dtype.kind != "f":
        raise ProtocolError(
            f"The server sent sound of shape {list(samples.shape)}; it should be "
            "[channels, samples]."
        )
    return AudioReceived(samples)
