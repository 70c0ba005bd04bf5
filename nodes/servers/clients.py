"""A client for each server, with the secret that may go there."""

from __future__ import annotations

import threading

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.generation.client import AsyncClient
from ...dt_core.generation.registry import Servers
from . import authorities, secret_homes


class Clients:
    """The servers that nodes used so far, and how each is asked."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self._clients: dict[ServerProfile, tuple[str | None, AsyncClient]] = {}
        self._lock = threading.Lock()

    def client(self, profile: ServerProfile) -> AsyncClient:
        """The client of a server; a new one when its secret changed.

        Raises SecretRejected if the profile names a secret that is not stored, SettingsError if
        it is not for that server, or if its authority's file is none of the user's.
        """
        secret = secret_homes.secret_for(profile)
        with self._lock:
            known = self._clients.get(profile)
            if known is None or known[0] != secret:
                known = self._clients[profile] = secret, self._made(profile, secret)
            return known[1]

    def unlisted(self, profile: ServerProfile, secret: str | None) -> AsyncClient:
        """A client that nobody else has, so that its patience may be changed."""
        return self._made(profile, secret)

    def forget(self, profile: ServerProfile) -> None:
        """Let a server count as never used; what runs on it goes on."""
        with self._lock:
            self._clients.pop(profile, None)
        self.servers.forget(profile)

    def profiles(self) -> tuple[ServerProfile, ...]:
        """The servers that nodes have used so far."""
        with self._lock:
            return tuple(self._clients)

    def _made(self, profile: ServerProfile, secret: str | None) -> AsyncClient:
        authorities.checked(profile)
        return AsyncClient(profile, secret=secret, name="ComfyUI", servers=self.servers)
