"""What the messages of a generation say, and the tensors in their pieces (docs/protocol.md 5)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..connection.failures import unreadable
from ..connection.profile import ServerProfile
from ..errors import ProtocolError, Remedy, TensorError
from ..pictures import pixels
from ..pictures.stack import Place, Stack
from ..text import Filling, Template, Text
from ..wire import protobuf, tensor
from .allowance import Allowance, wire_limit
from .delivery import Delivery
from .events import (
    AudioReceived,
    DownloadSize,
    Event,
    ImageReceived,
    Lost,
    Noticed,
    Preview,
    Progress,
    RemoteDownload,
    Stage,
)

_UNUSABLE = Template(
    "picture_unusable", "A picture from the server at {address} cannot be used. {why}"
)
_A_PICTURE = Template("received_picture", "a picture")
_THE_SOUND = Template("received_sound", "the sound")
_ENDLESS = Template(
    "tensor_without_end",
    "The server at {address} sent {what} without an end.",
)
_STOPPED = Template(
    "stopped_in_the_middle",
    "The server at {address} stopped in the middle of {what}: the connection or the server broke.",
)
_ODD_PREVIEW = Template(
    "odd_preview",
    "The server at {address} sent a preview of shape {shape}, which none of this picture can "
    "have: such previews are not shown.",
)
_BAD_PREVIEW = Template(
    "bad_preview",
    "The server at {address} sent a preview that cannot be read, so it is not shown. {why}",
)
_ODD_SOUND = Template(
    "odd_sound",
    "The server at {address} sent sound of shape {shape}, which is not [channels, samples] or "
    "longer than the film: it is left out.",
)
_BAD_SOUND = Template(
    "bad_sound", "The sound from the server at {address} cannot be used, so it is left out. {why}"
)

_SAMPLING = {Stage.SAMPLING, Stage.SECOND_PASS_SAMPLING}


@dataclass(slots=True)
class _Assembler:
    """Puts the pieces of one kind of tensor together (docs/protocol.md 5.4).

    `begins` gets the first piece before anything of the tensor is kept, and says how many bytes
    the whole may have; 0 leaves it out.
    """

    what: Text
    profile: ServerProfile
    begins: Callable[[bytes], int]
    most_bytes: int
    pieces: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    limit_bytes: int = 0
    left_out: bool = False

    def add(self, parts: Iterable[bytes], more: bool) -> Iterator[tensor.Buffer]:
        for part in parts:
            if not self.size_bytes:
                self._begin(part)
            self.size_bytes += len(part)
            if self.size_bytes > self.limit_bytes and (more or self.left_out):
                raise ProtocolError(
                    _ENDLESS(address=self.profile.address, what=self.what),
                    remedy=Remedy.SEE_WHO_ANSWERS,
                )
            if not self.left_out:
                self.pieces.append(part)
            if more:
                return
            if self.left_out:
                self._reset()
            else:
                yield self._whole()

    def _begin(self, part: bytes) -> None:
        self.limit_bytes = self.most_bytes
        if len(part) >= tensor.HEADER_BYTES:
            allowed = self.begins(part)
            self.left_out, self.limit_bytes = not allowed, allowed or self.most_bytes

    def _reset(self) -> None:
        self.pieces, self.size_bytes, self.left_out = [], 0, False

    def _whole(self) -> tensor.Buffer:
        pieces, size_bytes = self.pieces, self.size_bytes
        self._reset()
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
        if self.size_bytes:
            raise ProtocolError(
                _STOPPED(address=self.profile.address, what=self.what),
                remedy=Remedy.GENERATE_AGAIN,
            )


class Reader:
    """Turns response messages into events. Pictures of one size go into `room`."""

    def __init__(self, profile: ServerProfile, room: Stack, allowance: Allowance) -> None:
        self._profile, self._allowance = profile, allowance
        most = allowance.message_bytes
        self._images = _Assembler(_A_PICTURE(), profile, self._begins_picture, most)
        self._audio = _Assembler(_THE_SOUND(), profile, self._begins_sound, most)
        self._room = room
        self._plan: dict[Stage, int] = {}
        self._passed: dict[Stage, int] = {}
        self._last: dict[type, Event] = {}
        self._noticed: set[Template] = set()
        self._remarkable: list[Noticed] = []
        self._count = 0

    def read(self, answer: bytes, delivery: Delivery) -> None:
        """Hand on what a message says; decoding of what is compressed goes on after that."""
        self._allowance.check_message(len(answer))
        message = parsed(answer, self._profile)
        del answer
        for event in self._said(message):
            delivery.put(event)
        more = message.chunkState == protobuf.MORE_CHUNKS
        scale = message.scaleFactor if message.HasField("scaleFactor") else 1
        for data in self._images.add(message.generatedImages, more):
            with _naming_it(self._profile):
                header = tensor.read_header(data)
            try:
                self._allowance.take(header, len(data))
            except TensorError as error:
                delivery.put(Lost(_named(self._profile, error)))
                continue
            place = self._room.reserve()
            work = partial(_image, self._profile, data, place, self._count, max(scale, 1))
            self._count += 1
            if header.codec == "raw":
                delivery.put(work())
            else:
                delivery.make(work)
        for data in self._audio.add(message.generatedAudio, more):
            delivery.make(partial(_audio, self._profile, data))
        for event in self._remarks():
            delivery.put(event)

    def _begins_picture(self, part: bytes) -> int:
        with _naming_it(self._profile):
            header = tensor.read_header(part)
        # What is no picture is told when it is whole: others may follow.
        with contextlib.suppress(TensorError):
            self._allowance.check_picture(header)
        return wire_limit(header)

    def _begins_sound(self, part: bytes) -> int:
        try:
            header = tensor.read_header(part)
        except TensorError as error:
            self._notice(_BAD_SOUND, why=error.text)
            return 0
        if self._allowance.take_sound(header):
            return wire_limit(header)
        self._notice(_ODD_SOUND, shape=str(list(header.shape)))
        return 0

    def _said(self, message: protobuf.ImageGenerationResponse) -> Iterator[Event]:
        if message.HasField("remoteDownload"):
            remote = message.remoteDownload
            yield from self._news(
                RemoteDownload(
                    remote.bytesReceived, remote.bytesExpected, remote.item, remote.itemsExpected
                )
            )
        for signpost in message.signposts:
            stage, step = stage_of(signpost)
            if stage is not None:
                self._plan[stage] = max(step, 0)
        if message.HasField("currentSignpost"):
            stage, step = stage_of(message.currentSignpost)
            if stage is not None:
                yield from self._news(self._progress(stage, step))
        if message.HasField("previewImage"):
            yield from self._preview(message.previewImage)
        if message.HasField("downloadSize"):
            self._allowance.announce(message.downloadSize)
            yield from self._news(DownloadSize(message.downloadSize))

    def _preview(self, data: bytes) -> Iterator[Event]:
        """Those that cannot be of this request are left out, and told of once."""
        try:
            header = tensor.read_header(data)
        except TensorError as error:
            self._notice(_BAD_PREVIEW, why=error.text)
            return
        if self._allowance.fits_preview(header, len(data)):
            yield Preview(data)
        else:
            self._notice(_ODD_PREVIEW, shape=str(list(header.shape)))

    def _news(self, event: Event) -> Iterator[Event]:
        """The event, unless it says what the last of its kind did, or there were far too many."""
        if self._last.get(type(event)) != event and self._allowance.has_room_for_status():
            self._last[type(event)] = event
            yield event

    def _notice(self, template: Template, **values: Filling) -> None:
        if template not in self._noticed:
            self._noticed.add(template)
            self._remarkable.append(Noticed(template(address=self._profile.address, **values)))

    def _remarks(self) -> list[Noticed]:
        remarks, self._remarkable = self._remarkable, []
        return remarks

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


def parsed(answer: bytes, profile: ServerProfile) -> protobuf.ImageGenerationResponse:
    """One message of the answer. Raises ProtocolError where it is none."""
    try:
        return protobuf.GENERATE_IMAGE.parse_reply(answer)
    except Exception:  # protobuf's own, of which there are several
        raise unreadable(profile) from None


def stage_of(message: protobuf.ImageGenerationSignpostProto) -> tuple[Stage | None, int]:
    """The stage that a signpost names, None for one without an arm, and its steps or 0."""
    name = message.WhichOneof("signpost")
    if name is None:
        return None, 0
    arm = getattr(message, name)
    return Stage(name), arm.step if Stage(name) in _SAMPLING else 0


@contextlib.contextmanager
def _naming_it(profile: ServerProfile) -> Iterator[None]:
    """Say whose tensor cannot be used, and what to do."""
    try:
        yield
    except TensorError as error:
        raise _named(profile, error) from error


def _named(profile: ServerProfile, error: TensorError) -> TensorError:
    unusable = _UNUSABLE(address=profile.address, why=error.text)
    return TensorError(unusable, remedy=error.remedy or Remedy.GENERATE_AGAIN)


def _image(
    profile: ServerProfile, data: tensor.Buffer, place: Place, index: int, scale: int
) -> ImageReceived | Lost:
    try:
        with _naming_it(profile):
            picture = tensor.lend(data, lambda values: pixels.wire_to_picture(values, place))
    except TensorError as error:
        return Lost(error)
    return ImageReceived(index, picture, scale)


def _audio(profile: ServerProfile, data: tensor.Buffer) -> AudioReceived | Noticed:
    """Sound is not worth the pictures: damage to it is told, and that is all."""
    try:
        return tensor.lend(data, _samples)
    except TensorError as error:
        return Noticed(_BAD_SOUND(address=profile.address, why=error.text))


def _samples(values: NDArray[np.floating]) -> AudioReceived:
    samples = np.array(values, np.float32)
    finite = np.isfinite(samples)
    nonfinite = samples.size - int(np.count_nonzero(finite))
    if nonfinite:
        samples[~finite] = 0
    return AudioReceived(samples, nonfinite)
