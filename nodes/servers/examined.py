"""Servers that are being checked just now: one check of a server at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import RequestError
from ...dt_core.text import Template

_CHECKED = Template(
    "already_checked", "The server at {address} is being checked already: wait for the end of that."
)


class Examined:
    """The checks under way, by address, and how to stop each; safe from any thread."""

    def __init__(self) -> None:
        self._stops: dict[str, Callable[[], None]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def alone(self, profile: ServerProfile, stop: Callable[[], None]) -> Iterator[None]:
        """While a server is checked. Raises RequestError if somebody checks it already."""
        with self._lock:
            if profile.address in self._stops:
                raise RequestError(_CHECKED(address=profile.address))
            self._stops[profile.address] = stop
        try:
            yield
        finally:
            with self._lock:
                del self._stops[profile.address]

    def stop_all(self) -> None:
        with self._lock:
            stops = list(self._stops.values())
        for stop in stops:
            stop()
