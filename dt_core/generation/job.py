"""One running generation: its events in order, and `cancel`.

A thread reads the stream and decodes, what is compressed side by side in threads of their
own; whoever waits takes events from a queue. So the waiting side may be a plain loop, an
asyncio task, or ComfyUI, whose event loop lives for one prompt only.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..connection.channel import explain
from ..connection.profile import ServerProfile
from ..errors import Cancelled, DrawThingsError, NoImages, ServerUnreachable, TensorError
from ..pictures.stack import Stack
from ..request import frames
from ..wire import fpzip_pool
from .allowance import Allowance
from .delivery import Delivery
from .events import (
    Arrival,
    AudioReceived,
    Event,
    ImageReceived,
    Lost,
    Preview,
    Started,
)
from .reading import Reader

if TYPE_CHECKING:
    import grpc
else:
    from ..connection import late_grpc as grpc

_E_co = TypeVar("_E_co", covariant=True)
_END = object()
MOST_LOST = 3  # after so many damaged pictures nobody waits for the rest
PREVIEWS_WAITING = 64 << 20  # bytes of previews that nobody took yet; newer ones are left out


class Job:
    """One generation. Iterate it for events; an error is raised where it happened.

    `images` and `audio` hold what has arrived whole so far, also after an error.
    `prepare` runs in the job's thread; it checks the request and gives the first event
    and a function that starts the call. Pictures of one size go into `room`. `explained`
    says what a failed call means.
    """

    def __init__(
        self,
        prepare: Callable[[], tuple[Started, Callable[[], Any]]],
        profile: ServerProfile,
        room: Stack | None = None,
        explained: Callable[[grpc.RpcError, ServerProfile], DrawThingsError] = explain,
    ) -> None:
        self.images: list[ImageReceived] = []
        self.audio: list[AudioReceived] = []
        self._prepare = prepare
        self._notify: Callable[[], None] | None = None
        self._profile = profile
        self._room = room
        self._explained = explained
        self._delivery = Delivery(self._arrived, self._stop_call, fpzip_pool.at_once() + 1)
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._call: Any = None
        self._cancelled = False
        self._over = False
        self._waiting = 0  # bytes of previews
        self._lost: list[TensorError] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="drawthings-job", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End the call now; safe from any thread and more than once. Ends in Cancelled."""
        with self._lock:
            self._cancelled = True
        self._delivery.stop()
        self._stop_call()

    def _stop_call(self) -> None:
        with self._lock:
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
            events.append(self._taken(item))
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
            yield self._taken(item)

    def on_event(self, notify: Callable[[], None]) -> None:
        """Call `notify` in the job's thread whenever there is something to take."""
        self._notify = notify
        notify()  # for what came before

    def _put(self, item: Any) -> None:
        self._queue.put(item)
        if self._notify is not None:
            self._notify()

    def _arrived(self, event: Arrival) -> None:
        if isinstance(event, Lost):
            self._lost.append(event.error)
            return
        if isinstance(event, ImageReceived):
            self.images.append(event)
        elif isinstance(event, AudioReceived):
            self.audio.append(event)
        elif isinstance(event, Preview):
            with self._lock:
                if self._waiting > PREVIEWS_WAITING:
                    return
                self._waiting += len(event.data)
        self._put(event)

    def _taken(self, event: Event) -> Event:
        if isinstance(event, Preview):
            with self._lock:
                self._waiting -= len(event.data)
        return event

    def _run(self) -> None:
        try:
            self._read()
        except grpc.RpcError as error:
            self._put(self._meaning(error))
        except BaseException as error:
            self._put(error)
        else:
            self._put(_END)

    def _meaning(self, error: grpc.RpcError) -> DrawThingsError:
        meant = self._explained(error, self._profile)
        if self._cancelled:
            return Cancelled("The generation was cancelled.")
        if not isinstance(meant, Cancelled):
            return meant
        return ServerUnreachable(
            f"The server at {self._profile.address} ended the generation: it stops, or somebody "
            "cancelled it there. See that it runs, and generate again."
        )

    def _read(self) -> None:
        first, start = self._prepare()
        self._put(first)
        with self._lock:
            if self._cancelled:
                raise Cancelled("The generation was cancelled.")
            call = self._call = start()
        del start  # and with it the request's pictures
        fpzip_pool.warm_up()  # while the server works
        delivery = self._delivery
        room = self._room or Stack(frames.pictures(first.resolved))
        reader = Reader(self._profile, room, Allowance(first.resolved, self._profile.address))
        try:
            for data in call:
                reader.read(data, delivery)
                if len(self._lost) >= MOST_LOST:
                    raise self._lost[0]
            reader.finish()
        except BaseException as error:
            if isinstance(error, DrawThingsError):
                call.cancel()  # we stopped reading: the server need not go on
            delivery.finish()  # what arrived whole before
            if self._lost and isinstance(error, DrawThingsError):
                raise self._lost[0] from None  # the first that went wrong
            raise
        delivery.finish()
        if self._cancelled:
            raise Cancelled("The generation was cancelled.")
        if self._lost:
            raise self._lost[0]
        if not self.images:
            raise NoImages(
                f"The server at {self._profile.address} finished without a picture: the "
                "generation failed there (a NaN in the model, a combination it does not "
                "support) or was cancelled in the app. Try another sampler, size or model, "
                "and look at its log."
            )


class Source(Protocol[_E_co]):
    """What has events to take: a Job, or several in a fleet.Run."""

    def poll(self) -> Sequence[_E_co] | None: ...
    def on_event(self, notify: Callable[[], None]) -> None: ...
    def cancel(self) -> None: ...


class AsyncEvents(Generic[_E_co]):
    """The events of a job, for the running asyncio loop."""

    def __init__(self, job: Source[_E_co]) -> None:
        self._job = job
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        job.on_event(self._wake)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, nobody waits
            self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self, timeout_s: float | None = None) -> Sequence[_E_co] | None:
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

    async def __aiter__(self) -> AsyncGenerator[_E_co, None]:
        """All events. Leaving the loop early, also by cancellation, cancels the job."""
        try:
            while (events := await self.take()) is not None:
                for event in events:
                    yield event
        finally:
            self._job.cancel()
