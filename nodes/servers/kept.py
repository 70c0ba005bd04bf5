"""Where this ComfyUI keeps secrets and certificates: files in a folder that no route serves."""

from __future__ import annotations

from ...dt_core.connection.known_servers import FILE_NAME, KnownServers
from ...dt_core.connection.secret_store import SecretStore
from ..host import compat

SECRETS_FILE = "secrets.json"


def secrets() -> SecretStore:
    """The secrets of this ComfyUI."""
    return SecretStore(compat.user_folder() / SECRETS_FILE)


def known_servers() -> KnownServers:
    """Which certificate each server of this ComfyUI showed first."""
    return KnownServers(compat.user_folder() / FILE_NAME)
