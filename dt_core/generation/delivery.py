"""Events in the order in which they came, while tensors are decoded side by side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from .events import Arrival

__all__ = ["Delivery"]


class Delivery:
    """A line of events, some of which take work that threads of their own do.

    `deliver` gets each event when it is there and all before it were delivered; one call at
    a time, from any thread. Of work, at most `at_once` is under way. The first work that
    fails ends everything: nothing after it is delivered, `failed` is called, and `error` is
    what it raised.
    """

    def __init__(
        self, deliver: Callable[[Arrival], None], failed: Callable[[], None], at_once: int
    ) -> None:
        self.error: BaseException | None = None
        self._deliver = deliver
        self._failed = failed
        self._free = at_once
        self._line: deque[Future[Arrival]] = deque()
        self._changed = threading.Condition()
        self._over = False

    def put(self, event: Arrival) -> None:
        """Deliver an event after all that came before it."""
        there: Future[Arrival] = Future()
        there.set_result(event)
        with self._changed:
            self._line.append(there)
            self._advance()

    def make(self, work: Callable[[], Arrival]) -> None:
        """The same for an event that takes `work`. Waits while too much is under way."""
        made: Future[Arrival] = Future()
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._over)
            if self._over:
                return
            self._free -= 1
            self._line.append(made)
        threading.Thread(
            target=self._work, args=(work, made), name="drawthings-decode", daemon=True
        ).start()

    def finish(self) -> None:
        """Wait until all is delivered. Raises the error of what failed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._line or self._over)
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """Deliver nothing more, and let nobody wait."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _work(self, work: Callable[[], Arrival], made: Future[Arrival]) -> None:
        try:
            made.set_result(work())
        except BaseException as error:
            made.set_exception(error)
        with self._changed:
            self._free += 1
            self._advance()
            self._changed.notify_all()

    def _advance(self) -> None:
        while self._line and self._line[0].done() and not self._over:
            first = self._line.popleft()
            self.error = first.exception()
            if self.error is None:
                self._deliver(first.result())
            else:
                self._over = True
                self._failed()
