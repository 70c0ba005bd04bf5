"""One visit to a server: what its checks share, and what a check is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NoImages, ProtocolError
from ..generation.allowance import Allowance
from ..generation.client import Client
from ..generation.raw_answers import Answer, Call
from ..models.catalog import Catalog, Model
from ..models.families import Family
from ..pictures import pixels
from ..pictures.pixels import WirePicture
from ..pictures.values import Picture
from ..preflight import effects
from ..request.resolved import GenerationRequest
from ..settings.configuration import Configuration
from ..settings.table import UNIT_PX
from ..text import Template
from ..wire import tensor
from .verdicts import Found

SEED = 1234
PROMPT = "a red lighthouse on a green hill under a blue sky"
STEPS_AT_MOST = 6
_OTHER_SIZE = Template(
    "doctor_other_size", "A picture of {size} px came, {wanted} px was asked for."
)
_NO_PICTURE = Template("doctor_no_picture", "The run ended without a picture.")

_SIDE_PX = 512  # of models that were not made for more
_SIDE_SHARE = 0.5  # of the side that a model is made for


class NothingToCompare(Exception):
    """The first picture failed, which was told already; what builds on it cannot be checked."""


class Stopped(Exception):
    """Whoever asked for the visit wants no more of it."""


@dataclass(slots=True)
class Run:
    """One generation that was looked at: its answers in order, and its pictures."""

    answers: list[Answer]
    pictures: list[WirePicture]
    codecs: set[str]
    seconds: float
    allowance: Allowance
    warnings: tuple[str, ...] = ()

    @property
    def rgb(self) -> NDArray[np.float32]:
        return self.pictures[0].rgb


@dataclass(slots=True)
class Visit:
    """What the checks share. `model` is the one that generates; None where none may.

    One thread makes the checks; any may `stop` them.
    """

    client: Client
    catalog: Catalog = field(default_factory=Catalog)
    model: Model | None = None
    file: str = ""
    began: float = field(default_factory=time.monotonic)
    plain: Run | None = None  # the text to image run that others are compared with
    tried: bool = False  # whether that was begun
    stopped: bool = False
    _calls: list[Call] = field(default_factory=list)  # that may still run
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """Cancel what runs and begin nothing more; from any thread."""
        with self._lock:
            self.stopped = True
            calls, self._calls = self._calls, []
        for call in calls:
            call.cancel()

    def call(self, request: GenerationRequest, *, chunked: bool = True) -> Call:
        """Begin a generation. Raises Stopped, and what `Client.prepare` raises."""
        if self.stopped:
            raise Stopped
        call = Call(self.client, request, chunked)
        with self._lock:
            self._calls.append(call)
        if self.stopped:
            call.cancel()
            raise Stopped
        return call

    @property
    def family(self) -> Family | None:
        if self.model is not None:
            return self.model.family
        at = effects.chosen({"model": self.file})
        return at.family

    def settings(self, **changes: Any) -> Configuration:
        """What the model is recommended with, small and short; `changes` win."""
        at = effects.chosen({"model": self.file}, self.catalog)
        advice = effects.recommended(at)
        chosen: dict[str, Any] = dict(advice.settings) if advice else {}
        shift = chosen.pop("shift", 0)
        if shift:
            chosen |= {"shift": shift, "resolution_dependent_shift": False}
        chosen["steps"] = min(int(chosen.get("steps", STEPS_AT_MOST)), STEPS_AT_MOST)
        side = int(chosen.get("start_width", 2 * _SIDE_PX) * _SIDE_SHARE)
        side = max(side // (2 * UNIT_PX) * 2 * UNIT_PX, min(_SIDE_PX, 2 * side))
        chosen |= {"model": self.file, "start_width": side, "start_height": side, "seed": SEED}
        rule = self.family.frames_rule if self.family else None
        if rule is not None:
            chosen["num_frames"] = rule.nearest_below(rule.minimum + rule.multiple)
        chosen.pop("refiner_model", None)
        chosen.pop("refiner_start", None)
        return Configuration.of({**chosen, **changes})

    def request(self, settings: Configuration | None = None, **parts: Any) -> GenerationRequest:
        return GenerationRequest(settings or self.settings(), prompt=PROMPT, **parts)

    def run(self, request: GenerationRequest, *, chunked: bool = True) -> Run:
        """Generate, and keep all that came.

        Raises what a generation may raise, and ProtocolError for pictures of another size.
        """
        began = time.monotonic()
        call = self.call(request, chunked=chunked)
        try:
            answers = list(call)
        finally:
            call.cancel()
        codecs: set[str] = set()
        pictures = []
        for data in whole_tensors(answers):
            header = tensor.read_header(data)
            call.allowance.take(header, len(data))
            codecs.add(header.codec)
            pictures.append(tensor.lend(data, pixels.wire_to_picture))
        if not pictures:
            raise NoImages(_NO_PICTURE())
        wanted = (request.size.height, request.size.width)
        for picture in pictures:
            if picture.rgb.shape[:2] != wanted:
                height, width = picture.rgb.shape[:2]
                raise ProtocolError(_OTHER_SIZE(size=f"{width}x{height}", wanted=str(request.size)))
        seconds = time.monotonic() - began
        return Run(answers, pictures, codecs, seconds, call.allowance, call.warnings)

    @property
    def base(self) -> Run:
        """The plain text to image run, made when first asked for.

        Raises what it failed with, and after that NothingToCompare.
        """
        if self.plain is None:
            if self.tried:
                raise NothingToCompare
            self.tried = True
            self.plain = self.run(self.request())
        return self.plain

    def picture(self) -> Picture:
        """The first picture of that run, to start others from."""
        return Picture(self.base.rgb)


def whole_tensors(answers: list[Answer]) -> Iterator[bytes]:
    """The pictures of a run, their pieces put together (docs/protocol.md 5.4)."""
    parts: list[bytes] = []
    for answer in answers:
        for piece in answer.pieces:
            parts.append(piece)
            if not answer.more:
                yield b"".join(parts)
                parts = []


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its name for programs, its title, and whether it generates."""

    name: str
    title: Template
    look: Callable[[Visit], Found]
    generates: bool = True
