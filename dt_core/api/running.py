"""An order as scripts and the command follow it: events with plain values, pictures as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from .. import preflight
from ..generation import work
from ..generation.client import Client
from ..generation.events import (
    AudioReceived,
    ImageReceived,
    Noticed,
    Preview,
    Progress,
    RemoteDownload,
    Started,
)
from ..generation.fleet import Completed, Left, RunEvent
from ..metadata import Generation
from ..models.catalog import Catalog
from ..pictures.pixels import WirePicture
from ..pictures.values import Audio, Size
from ..request import batches, frames
from ..request.batches import Plan
from ..request.resolved import GenerationRequest, Resolved, resolve
from .media import png_of, preview_png, wav_of

Order = Callable[[Catalog], batches.Batch]


@dataclass(frozen=True, slots=True)
class GenerationStarted:
    """A request passed all checks and was sent; `warnings` are sentences for people."""

    request: int
    server: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GenerationProgress:
    """Where request number `request` is: `stage` is the server's word, such as "sampling".

    `step` of `steps` while sampling, else both are 0. `done` of `total` counts the request's
    whole work.
    """

    request: int
    stage: str
    step: int
    steps: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class GenerationDownload:
    """The server fetches a file that it lacks, for request number `request`."""

    request: int
    received_bytes: int
    expected_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class GenerationPreview:
    """What the picture looks like by now. `png` decodes it, so leave it if nobody looks."""

    request: int
    _preview: Preview = field(repr=False)
    _resolved: Resolved = field(repr=False)

    def png(self) -> bytes | None:
        """A small PNG file; None where the model's previews cannot be shown."""
        return preview_png(self._preview, self._resolved.family)


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedImage:
    """A picture: number `index` of the order, or a frame of a video.

    `server` is the address of the one that made it.
    """

    index: int
    request: int
    seed: int
    size: Size
    server: str
    picture: WirePicture = field(repr=False)
    generation: Generation = field(repr=False)

    def png(self) -> bytes:
        """A PNG file with what made it, as the Draw Things app reads it."""
        return png_of(self.picture, self.generation)


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedAudio:
    """The sound of a video, of request number `request`."""

    request: int
    audio: Audio = field(repr=False)

    def wav(self) -> bytes:
        """A WAV file, 16 bit."""
        return wav_of(self.audio)


@dataclass(frozen=True, slots=True)
class ServerLeft:
    """A server failed; request number `request` goes to another one. `why` is a sentence."""

    request: int
    server: str
    why: str


@dataclass(frozen=True, slots=True)
class GenerationNote:
    """The answer to request number `request` is odd in a way that costs no picture."""

    request: int
    sentence: str


GenerationEvent = (
    GenerationStarted
    | GenerationProgress
    | GenerationDownload
    | GenerationPreview
    | GenerationNote
    | GeneratedImage
    | GeneratedAudio
    | ServerLeft
)


class Work(work.Work):
    """An order as scripts and the command follow it: what happens as GenerationEvents."""

    def __init__(self, clients: Sequence[Client], order: Order) -> None:
        def wanted(catalog: Catalog) -> tuple[GenerationRequest, Callable[[Resolved], Plan]]:
            batch = order(catalog)
            return batch.at(0), partial(batches.plan, batch)

        super().__init__(clients, wanted)
        self._started: dict[int, Resolved] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed on the way to requests."""
        return tuple(map(str, self.plan.notes))

    def check(self) -> tuple[Resolved, tuple[str, ...]]:
        """The first request as it would be sent, and the warnings.

        Raises RequestError for what would be refused.
        """
        return self.client.prepare(self.requests[0])

    def findings(self) -> tuple[preflight.Finding, ...]:
        """All that preflight says of the first request, errors too."""
        return preflight.check(resolve(self.requests[0], self.catalog))

    def told(self, event: RunEvent) -> Iterator[GenerationEvent]:
        """An event of the run as what people follow; what nobody waits for is left out."""
        number = event.number
        if isinstance(event, Completed):
            return
        if isinstance(event, Left):
            yield ServerLeft(number, event.address, str(event.error))
            return
        what = event.event
        if isinstance(what, Started):
            self._started[number] = what.resolved
            yield GenerationStarted(number, event.address, what.warnings)
        elif isinstance(what, Progress):
            yield GenerationProgress(
                number, what.stage.value, what.step, what.steps, what.done, what.total
            )
        elif isinstance(what, RemoteDownload):
            yield GenerationDownload(number, what.received_bytes, what.expected_bytes)
        elif isinstance(what, Preview):
            yield GenerationPreview(number, what, self._started[number])
        elif isinstance(what, Noticed):
            yield GenerationNote(number, str(what.text))
        elif isinstance(what, ImageReceived):
            yield self._image(number, event.address, what)
        elif isinstance(what, AudioReceived) and (rate := self.sample_rate) is not None:
            yield GeneratedAudio(number, Audio(what.samples, rate))

    def _image(self, number: int, address: str, image: ImageReceived) -> GeneratedImage:
        resolved = self._started.get(number, self.resolved)
        per_request = frames.pictures(resolved)
        generation = Generation.of(resolved)
        height, width = image.picture.rgb.shape[:2]
        return GeneratedImage(
            index=number * per_request + image.index,
            request=number,
            seed=int(self.requests[number].settings["seed"]),
            size=Size(width, height),
            server=address,
            picture=image.picture,
            generation=generation,
        )
