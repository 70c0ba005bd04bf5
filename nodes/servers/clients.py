"""The clients of this process, one per server, and where their secrets are kept."""

from __future__ import annotations

import threading

from ...dt_core.connection.known_servers import FILE_NAME, KnownServers
from ...dt_core.connection.profile import ServerProfile
from ...dt_core.connection.secret_store import SecretStore
from ...dt_core.generation.client import AsyncClient
from ..host import compat

SECRETS_FILE = "secrets.json"

_clients: dict[ServerProfile, tuple[str | None, AsyncClient]] = {}
_lock = threading.Lock()


def secrets() -> SecretStore:
    """The secrets of this ComfyUI, in a file that no route serves."""
    return SecretStore(compat.user_folder() / SECRETS_FILE)


def known_servers() -> KnownServers:
    """Which certificate each server of this ComfyUI showed first."""
    return KnownServers(compat.user_folder() / FILE_NAME)


def client(profile: ServerProfile) -> AsyncClient:
    """The client of a server; a new one when its secret changed.

    Raises SecretRejected if the profile names a secret that is not stored.
    """
    secret = secrets().lookup(profile.secret_name)
    with _lock:
        known = _clients.get(profile)
        if known is None or known[0] != secret:
            known = _clients[profile] = (
                secret,
                AsyncClient(profile, secret=secret, name="ComfyUI", known=known_servers()),
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
