"""One running generation: its events in order, and `cancel`.

A thread reads the stream and decodes; whoever waits takes events from a queue. So the
waiting side may be a plain loop, an asyncio task, or ComfyUI, whose event loop lives
for one prompt only.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from . import _wire, fpzip_pool, pixels, tensor
from .channel import explain
from .errors import Cancelled, DrawThingsError, NoImages, ProtocolError
from .events import (
    AudioReceived,
    DownloadSize,
    Event,
    ImageReceived,
    Preview,
    Progress,
    RemoteDownload,
    Stage,
)
from .profile import ServerProfile

_SAMPLING = {Stage.SAMPLING, Stage.SECOND_PASS_SAMPLING}
_END = object()


class Job:
    """One generation. Iterate it for events; an error is raised where it happened.

    `images` and `audio` hold what has arrived whole so far, also after an error.
    `prepare` runs in the job's thread; it checks the request and gives the first event
    and a function that starts the call.
    """

    def __init__(
        self, prepare: Callable[[], tuple[Event, Callable[[], Any]]], profile: ServerProfile
    ) -> None:
        self.images: list[ImageReceived] = []
        self.audio: list[AudioReceived] = []
        self._prepare = prepare
        self._notify: Callable[[], None] | None = None
        self._profile = profile
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._call: Any = None
        self._cancelled = False
        self._over = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="drawthings-job", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End the call now; safe from any thread and more than once. Ends in Cancelled."""
        with self._lock:
            self._cancelled = True
            call = self._call
        if call is not None:
            call.cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the reading thread to end; whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def poll(self) -> list[Event] | None:
        """The events since the last call, without waiting; None once all are taken.

        Raises the error that ended the job, after the events before it were handed out.
        """
        events: list[Event] = []
        while not self._over:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return events
            if item is _END or isinstance(item, BaseException):
                if events:  # hand out first what came before
                    self._queue.put(item)
                    return events
                self._over = True
                if isinstance(item, BaseException):
                    raise item
                return None
            events.append(item)
        return None

    def __iter__(self) -> Iterator[Event]:
        while not self._over:
            item = self._queue.get()
            if item is _END:
                self._over = True
                return
            if isinstance(item, BaseException):
                self._over = True
                raise item
            yield item

    def on_event(self, notify: Callable[[], None]) -> None:
        """Call `notify` in the job's thread whenever there is something to take."""
        self._notify = notify
        notify()  # for what came before

    def _put(self, item: Any) -> None:
        self._queue.put(item)
        if self._notify is not None:
            self._notify()

    def _run(self) -> None:
        try:
            self._read()
        except grpc.RpcError as error:
            self._put(explain(error, self._profile))
        except BaseException as error:
            self._put(error)
        else:
            self._put(_END)

    def _read(self) -> None:
        first, start = self._prepare()
        self._put(first)
        with self._lock:
            if self._cancelled:
                raise Cancelled("The generation was cancelled.")
            call = self._call = start()
        fpzip_pool.warm_up()  # while the server works
        reader = _Reader(self._profile)
        try:
            for message in call:
                for event in reader.events(message):
                    if isinstance(event, ImageReceived):
                        self.images.append(event)
                    elif isinstance(event, AudioReceived):
                        self.audio.append(event)
                    self._put(event)
        except DrawThingsError:
            call.cancel()  # we stopped reading: the server need not go on
            raise
        reader.finish()
        if not self.images:
            raise NoImages(
                f"The server at {self._profile.address} finished without a picture: the "
                "generation failed there (a NaN in the model, a combination it does not "
                "support) or was cancelled in the app. Try another sampler, size or model, "
                "and look at its log."
            )


class AsyncEvents:
    """The events of a job, for the running asyncio loop."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        job.on_event(self._wake)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, nobody waits
            self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self, timeout_s: float | None = None) -> list[Event] | None:
        """Wait for events, at most `timeout_s`; an empty list if none came, None at the end.

        Raises the error that ended the job.
        """
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
        alarm = None if timeout_s is None else self._loop.call_later(timeout_s, self._ready.set)
        try:
            await self._ready.wait()
        finally:
            if alarm is not None:
                alarm.cancel()
        self._ready.clear()
        events = self._job.poll()
        if events:
            self._ready.set()  # more may be there: look again at once
        return events

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        """All events. Leaving the loop early, also by cancellation, cancels the job."""
        try:
            while (events := await self.take()) is not None:
                for event in events:
                    yield event
        finally:
            self._job.cancel()


@dataclass(slots=True)
class _Assembler:
    """Puts the pieces of one kind of tensor together (docs/protocol.md 5.4)."""

    what: str
    profile: ServerProfile
    pieces: list[bytes] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, parts: list[bytes], more: bool) -> Iterator[bytes]:
        for part in parts:
            self.pieces.append(part)
            self.size_bytes += len(part)
            if self.size_bytes > tensor.MAX_WIRE_BYTES:
                raise ProtocolError(
                    f"The server at {self.profile.address} sent {self.what} without an end."
                )
            if more:
                return
            whole = b"".join(self.pieces) if len(self.pieces) > 1 else self.pieces[0]
            self.pieces.clear()
            self.size_bytes = 0
            yield whole

    def finish(self) -> None:
        if self.pieces:
            raise ProtocolError(
                f"The server at {self.profile.address} stopped in the middle of {self.what}: "
                "the connection or the server broke; generate again."
            )


class _Reader:
    """Turns response messages into events."""

    def __init__(self, profile: ServerProfile) -> None:
        self._images = _Assembler("a picture", profile)
        self._audio = _Assembler("the sound", profile)
        self._plan: dict[Stage, int] = {}
        self._passed: dict[Stage, int] = {}
        self._count = 0

    def events(self, message: Any) -> Iterator[Event]:
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
            yield DownloadSize(message.downloadSize)
        more = message.chunkState == _wire.MORE_CHUNKS
        scale = message.scaleFactor if message.HasField("scaleFactor") else 1
        for data in self._images.add(list(message.generatedImages), more):
            picture = pixels.wire_to_picture(tensor.decode(data))
            yield ImageReceived(self._count, picture, max(scale, 1))
            self._count += 1
        for data in self._audio.add(list(message.generatedAudio), more):
            yield AudioReceived(_sound(tensor.decode(data)))

    def finish(self) -> None:
        self._images.finish()
        self._audio.finish()

    def _progress(self, stage: Stage, step: int) -> Progress:
        steps = self._plan.get(stage, 0) if stage in _SAMPLING else 0
        step = min(max(step, 0), steps) if steps else 0
        self._passed[stage] = max(self._passed.get(stage, 0), step if steps else 1)
        units = {s: (n if s in _SAMPLING else 1) for s, n in self._plan.items()}
        done = sum(min(count, units.get(s, 0)) for s, count in self._passed.items())
        return Progress(stage, step, steps, done, max(sum(units.values()), 1))


def _signpost(message: Any) -> tuple[Stage | None, int]:
    name = message.WhichOneof("signpost")
    if name is None:
        return None, 0
    arm = getattr(message, name)
    return Stage(name), arm.step if Stage(name) in _SAMPLING else 0


def _sound(samples: Any) -> Any:
    if samples.ndim != 2 or samples.dtype.kind != "f":
        raise ProtocolError(
            f"The server sent sound of shape {list(samples.shape)}; it should be "
            "[channels, samples]."
        )
    return samples
