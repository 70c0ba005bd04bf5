"""The clients of this process, one per server, and where their secrets are kept."""

from __future__ import annotations

import threading

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.generation.client import AsyncClient
from . import kept, secret_homes

_clients: dict[ServerProfile, tuple[str | None, AsyncClient]] = {}
_lock = threading.Lock()


def client(profile: ServerProfile) -> AsyncClient:
    """The client of a server; a new one when its secret changed.

    Raises SecretRejected if the profile names a secret that is not stored, SettingsError if
    it is not for that server.
    """
    secret = secret_homes.secret_for(profile)
    with _lock:
        known = _clients.get(profile)
        if known is None or known[0] != secret:
            known = _clients[profile] = (
                secret,
                AsyncClient(profile, secret=secret, name="ComfyUI", known=kept.known_servers()),
            )
        return known[1]


def forget(profile: ServerProfile) -> None:
    """Let a server count as never used; what runs on it goes on."""
    with _lock:
        _clients.pop(profile, None)


def known_profiles() -> tuple[ServerProfile, ...]:
    """The servers that nodes have used so far."""
    with _lock:
        return tuple(_clients)
