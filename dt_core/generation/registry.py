"""What one program holds of each server that it uses, and where that is looked up.

Nothing of it lies in modules: whoever starts a program (ComfyUI's nodes, a script's client, the
command, a test) makes its `Servers` and hands it down, and two of them share nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ..connection.channel import Link
from ..connection.known_servers import KnownServers
from ..connection.profile import ServerProfile
from ..models.catalog import Catalog

TURN_POLL_S = 0.05


class Running(Protocol):
    """Something under way that can be ended, now or when it is over already."""

    def cancel(self) -> None: ...


class Turn:
    """How many requests of this program one server has, and whose turn it is there."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """While this lasts, nobody's turn comes; it does not wait for its own."""
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            self._leave()

    @contextlib.contextmanager
    def awaited(self, gives_up: Callable[[], bool]) -> Iterator[bool]:
        """Wait until nobody else works on the server; False if given up."""
        is_ours = False
        while not is_ours and not gives_up():
            with self._changed:
                is_ours = self._changed.wait_for(lambda: not self._count, TURN_POLL_S)
                if is_ours:
                    self._count = 1
        try:
            yield is_ours
        finally:
            if is_ours:
                self._leave()

    def _leave(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Told:
    """What the server answered to one secret, and when (monotonic, s)."""

    catalog: Catalog
    at: float


class Server:
    """One server, as one program knows it: connection, catalogue, turn, and what runs on it."""

    def __init__(self, link: Link, turn: Turn) -> None:
        self.link = link
        self.turn = turn
        # IP addresses that its name stands for, if those are several servers, and when that
        # was asked (monotonic, s).
        self.members: tuple[float, tuple[str, ...]] | None = None
        self._told: dict[str | None, Told] = {}
        self._running: weakref.WeakSet[Running] = weakref.WeakSet()
        self._lock = threading.Lock()

    def told(self, secret: str | None) -> Told | None:
        """The last catalogue that was given for that secret."""
        with self._lock:
            return self._told.get(secret)

    def learn(self, secret: str | None, catalog: Catalog) -> None:
        """Keep a catalogue that has come just now."""
        with self._lock:
            self._told[secret] = Told(catalog, time.monotonic())

    def doubt(self) -> None:
        """What the server told counts as old: it may have been restarted."""
        with self._lock:
            self._told = {
                secret: replace(told, at=float("-inf")) for secret, told in self._told.items()
            }

    def runs(self, running: Running) -> None:
        """`close` ends this too."""
        with self._lock:
            self._running.add(running)

    def close(self) -> None:
        """End what runs there, and the connection."""
        with self._lock:
            running = list(self._running)
        for one in running:
            one.cancel()
        self.link.close()


class Servers:
    """The servers of one program; `known` remembers their certificates, by default the user's file.

    Safe from any thread.
    """

    def __init__(self, known: KnownServers | None = None) -> None:
        self._known = known
        self._servers: dict[ServerProfile, Server] = {}
        self._turns: dict[str, Turn] = {}  # by address: however it is reached
        self._lock = threading.Lock()

    def at(self, profile: ServerProfile) -> Server:
        """What is held of that server; secrets travel with the calls and make no difference."""
        key = replace(profile, secret_name="")
        with self._lock:
            if key not in self._servers:
                turn = self._turns.setdefault(key.address, Turn())
                self._servers[key] = Server(Link(key, self._known), turn)
            return self._servers[key]

    def forget(self, profile: ServerProfile) -> None:
        """Let that server count as never used; what runs on it goes on."""
        with self._lock:
            for member in profile.members:
                self._servers.pop(replace(member, secret_name=""), None)

    def close(self) -> None:
        """End all that runs, and every connection. Whatever is asked later connects anew."""
        with self._lock:
            servers = list(self._servers.values())
        for server in servers:
            server.close()
