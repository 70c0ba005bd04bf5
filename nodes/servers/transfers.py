"""Model files on their way from the page to a server, and what the page is told of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from ...dt_core.errors import Cancelled
from ...dt_core.generation.upload import Upload, UploadPhase
from ...dt_core.text import Template, Text
from ..host import compat, sentences

_T = TypeVar("_T")
EVENT = "drawthingsnodes.upload"
AT_ONCE = 2  # each may fill ComfyUI's disk, and halves the other's speed
EVENTS_EVERY_S = 0.2

_CANCELLED = Template("upload_cancelled", "The upload was cancelled.")


class Transfer:
    """One file on its way, and what the page is told of it."""

    def __init__(self, ident: str, place: tuple[str, str]) -> None:
        self.ident = ident
        self.place = place  # address and folded name: one file at a time
        self._loop = asyncio.get_running_loop()
        self._receiving: asyncio.Future[Any] | None = None
        self.cancelled = threading.Event()
        self._upload: Upload | None = None
        self._told_at = 0.0
        self._phase = ""

    def cancel(self) -> None:
        """End it, from any thread, whether it waits for the browser or for the server."""
        self.cancelled.set()
        if self._upload is not None:
            self._upload.cancel()
        if self._receiving is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and this with it
                self._loop.call_soon_threadsafe(self._receiving.cancel)

    async def unless_cancelled(self, receiving: Coroutine[Any, Any, _T]) -> _T:
        """What `receiving` gives. Raises Cancelled, also while the browser sends nothing."""
        task: asyncio.Future[_T] = asyncio.ensure_future(receiving)
        self._receiving = task
        try:
            self.raise_if_cancelled()
            return await task
        except asyncio.CancelledError:
            self.raise_if_cancelled()
            raise
        finally:
            task.cancel()

    def take(self, upload: Upload) -> None:
        """From now on `cancel` ends this upload."""
        self._upload = upload
        if self.cancelled.is_set():
            upload.cancel()

    def raise_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled(_CANCELLED())

    def tell(self, phase: str, sent: int, total: int, why: Text | None = None) -> None:
        """Send an event: at every change of phase, else a few times per second."""
        now = time.monotonic()
        if phase == self._phase and now - self._told_at < EVENTS_EVERY_S:
            return
        self._phase, self._told_at = phase, now
        said = {"id": self.ident, "phase": phase, "sent": sent, "total": total}
        words = {"sentence": ""} if why is None else sentences.one("sentence", why)
        compat.send_event(EVENT, {**said, **words})

    def follow(self, phase: UploadPhase, done: int, total: int) -> None:
        self.tell(phase.value, done, total)


class Transfers:
    """Those under way, by their identifier; safe from any thread."""

    def __init__(self) -> None:
        self._transfers: dict[str, Transfer] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def changed(self) -> Iterator[dict[str, Transfer]]:
        """All of them, while nobody else looks."""
        with self._lock:
            yield self._transfers

    def end(self, transfer: Transfer) -> None:
        """It is over, one way or the other."""
        with self._lock:
            if self._transfers.get(transfer.ident) is transfer:
                del self._transfers[transfer.ident]

    def cancel(self, ident: str) -> bool:
        """End one, whose place is free at once; whether there was one of that identifier."""
        with self._lock:
            transfer = self._transfers.pop(ident, None)
        if transfer is not None:
            transfer.cancel()
        return transfer is not None

    def cancel_all(self) -> None:
        with self._lock:
            transfers = list(self._transfers.values())
        for transfer in transfers:
            transfer.cancel()
