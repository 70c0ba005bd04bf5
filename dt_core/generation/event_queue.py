"""What threads say and somebody takes: by looking, by waiting, or when called.

The one who waits may be a plain loop, an asyncio task, or ComfyUI, whose event loop lives for
one prompt only.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

_E = TypeVar("_E")
_E_co = TypeVar("_E_co", covariant=True)
OPTIONAL_BYTES = 64 << 20  # of events that may be left out, while nobody takes them


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class EventQueue(Generic[_E]):
    """Events in order, from any threads to the one that takes them; then an end or an error."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()  # (event, optional bytes) or _End
        self._notify: Callable[[], None] | None = None
        self._elsewhere: Callable[[_E, int], None] | None = None
        self._over = False
        self._waiting = 0  # bytes
        self._lock = threading.Lock()

    def put(self, event: _E, optional_bytes: int = 0) -> None:
        """Add an event. One that says its bytes is left out while too many of those wait."""
        if self._elsewhere is not None:
            self._elsewhere(event, optional_bytes)
            return
        if optional_bytes:
            with self._lock:
                if self._waiting > OPTIONAL_BYTES:
                    return
                self._waiting += optional_bytes
        self._add((event, optional_bytes))

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes: whoever takes is told after all before it, or gets `error`."""
        self._add(_End(error))

    def poll(self) -> list[_E] | None:
        """The events since the last call, without waiting; None once all are taken.

        Raises the error of the end, after the events before it were handed out.
        """
        events: list[_E] = []
        while not self._over:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                return events
            if not isinstance(item, _End):
                events.append(self._taken(item))
            elif events:  # hand out first what came before
                self._items.put(item)
                return events
            else:
                self._finish(item)
        return None

    def __iter__(self) -> Iterator[_E]:
        while not self._over:
            item = self._items.get()
            if isinstance(item, _End):
                self._finish(item)
                return
            yield self._taken(item)

    def pass_on(self, put: Callable[[_E, int], None]) -> None:
        """From now on give every event to `put` of another queue; only the end stays here."""
        self._elsewhere = put

    def on_event(self, notify: Callable[[], None]) -> None:
        """Call `notify`, in some thread, whenever there is something to take."""
        self._notify = notify
        notify()  # for what came before

    def _add(self, item: tuple[_E, int] | _End) -> None:
        self._items.put(item)
        if self._notify is not None:
            self._notify()

    def _taken(self, item: tuple[_E, int]) -> _E:
        event, optional_bytes = item
        if optional_bytes:
            with self._lock:
                self._waiting -= optional_bytes
        return event

    def _finish(self, end: _End) -> None:
        self._over = True
        if end.error is not None:
            raise end.error


class Source(Protocol[_E_co]):
    """What has events to take and can be stopped: a Job, or several in a Run."""

    def poll(self) -> Sequence[_E_co] | None: ...
    def on_event(self, notify: Callable[[], None]) -> None: ...
    def cancel(self) -> None: ...


class AsyncEvents(Generic[_E_co]):
    """The events of a source, for the running asyncio loop."""

    def __init__(self, source: Source[_E_co]) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        source.on_event(self._wake)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, nobody waits
            self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self, timeout_s: float | None = None) -> Sequence[_E_co] | None:
        """Wait for events, at most `timeout_s`; an empty list if none came, None at the end.

        Raises the error that ended the source.
        """
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
        alarm = None if timeout_s is None else self._loop.call_later(timeout_s, self._ready.set)
        try:
            await self._ready.wait()
        finally:
            if alarm is not None:
                alarm.cancel()
        self._ready.clear()
        events = self._source.poll()
        if events:
            self._ready.set()  # more may be there: look again at once
        return events

    async def __aiter__(self) -> AsyncGenerator[_E_co, None]:
        """All events. Leaving the loop early, also by cancellation, cancels the source."""
        try:
            while (events := await self.take()) is not None:
                for event in events:
                    yield event
        finally:
            self._source.cancel()
