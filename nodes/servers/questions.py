"""Questions to servers that are under way: whoever asks the same meanwhile gets the same answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any


class Questions:
    """Each question is asked in a thread of its own, so a silent server holds up no other."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def ask(self, question: Hashable, asked: Callable[[], Any]) -> Future[Any]:
        """What `asked` will return or raise; not called where the question is under way."""
        with self._lock:
            if question in self._under_way:
                return self._under_way[question]
            answer = self._under_way[question] = Future()

        def ask() -> None:
            try:
                answer.set_result(asked())
            except BaseException as error:
                answer.set_exception(error)
            finally:
                with self._lock:
                    del self._under_way[question]

        threading.Thread(target=ask, name="drawthings-status", daemon=True).start()
        return answer
