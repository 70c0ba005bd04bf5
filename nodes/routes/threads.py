"""Threads of our own for what our page asks: ComfyUI's serve its pictures and stay free.

Two kinds that never wait for each other: what happens on this machine, and what waits for
servers, which may be silent.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

_T = TypeVar("_T")
_GONE_EVERY_S = 0.25  # how often it is looked whether the browser is still there

HERE = ThreadPoolExecutor(4, "drawthings-here")
ASKING = ThreadPoolExecutor(32, "drawthings-asking")


class Left(Exception):
    """The browser has gone, so nobody waits for this any more."""


class Visit:
    """One request while somebody works for it, and whether its browser is still there."""

    def __init__(self) -> None:
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._then: list[Callable[[], None]] = []

    def leave(self) -> None:
        with self._lock:
            self._left.set()
            then, self._then = self._then, []
        for act in then:
            act()

    def when_left(self, act: Callable[[], None]) -> None:
        """Do that once the browser has gone or all is done: quickly, and from any thread."""
        with self._lock:
            if not self._left.is_set():
                self._then.append(act)
                return
        act()

    def go_on(self) -> None:
        """Raises Left if the browser has gone."""
        if self._left.is_set():
            raise Left


async def run(pool: ThreadPoolExecutor, work: Callable[..., _T], *given: Any) -> _T:
    """What `work` gives in a thread of that pool."""
    return await asyncio.get_running_loop().run_in_executor(pool, work, *given)


async def run_while_there(
    request: Any, pool: ThreadPoolExecutor, work: Callable[[Visit], _T]
) -> _T:
    """The same for a request. Raises Left as soon as its browser goes; work is told.

    What waits for a thread then never begins.
    """
    visit = Visit()
    future: Future[_T] = pool.submit(work, visit)
    waiting = asyncio.wrap_future(future)
    try:
        while not (await asyncio.wait({waiting}, timeout=_GONE_EVERY_S))[0]:
            if request.transport is None or request.transport.is_closing():
                raise Left
        return waiting.result()
    finally:
        visit.leave()
        future.cancel()
