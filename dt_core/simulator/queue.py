"""The one serial queue of the server: first come, first served, in silence
(docs/protocol.md 4).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class SerialQueue:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._closed = False

    @property
    def length(self) -> int:
        """How many calls run or wait."""
        with self._changed:
            return len(self._waiting)

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Wait for the front; gives False if the server stops meanwhile."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._closed or self._waiting[0] is ticket)
            open_ = not self._closed
        try:
            yield open_
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
