"""All that this ComfyUI holds of servers: one object, as long as the process lives.

Nodes and routes are called by ComfyUI with nothing in hand, so they ask `here()` for it.
"""

from __future__ import annotations

import threading

from ...dt_core.generation.registry import Servers
from . import kept
from .clients import Clients
from .examined import Examined
from .lists import KnownLists
from .questions import Questions
from .transfers import Transfers


class Owner:
    """Connections, clients, what the servers told and are asked, uploads to them, checks."""

    def __init__(self) -> None:
        self.servers = Servers(kept.known_servers())
        self.clients = Clients(self.servers)
        self.lists = KnownLists(self.clients)
        self.questions = Questions()
        self.transfers = Transfers()
        self.examined = Examined()

    def close(self) -> None:
        """End all that runs, and every connection."""
        self.transfers.cancel_all()
        self.examined.stop_all()
        self.servers.close()


class _Process:
    """The one of this process, made when first asked for."""

    def __init__(self) -> None:
        self._owner: Owner | None = None
        self._lock = threading.Lock()

    def here(self) -> Owner:
        with self._lock:
            if self._owner is None:
                self._owner = Owner()
            return self._owner

    def restart(self) -> None:
        with self._lock:
            owner, self._owner = self._owner, None
        if owner is not None:
            owner.close()


_process = _Process()


def here() -> Owner:
    """What this process holds of servers."""
    return _process.here()


def restart() -> None:
    """As if ComfyUI started now: only what is on disk is known."""
    _process.restart()
