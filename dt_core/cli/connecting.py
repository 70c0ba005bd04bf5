"""From the options of the command line to clients, with secrets that are never shown."""

from __future__ import annotations

import argparse

from .. import folders
from ..connection.profile import ServerProfile, TlsMode, default_profile
from ..connection.secret_store import SecretStore
from ..generation.client import Client
from ..generation.registry import Servers

SECRETS_FILE = "secrets.json"
_NAME = "drawthings"
MODES = {
    "automatic": TlsMode.AUTOMATIC,
    "tls": TlsMode.TLS,
    "plain": TlsMode.PLAIN,
    "system": TlsMode.SYSTEM,
}


def profile_of(options: argparse.Namespace) -> ServerProfile:
    """Which server, and how far it is trusted. Raises SettingsError."""
    tls = TlsMode.AUTHORITY if options.ca_file else MODES[options.tls or "automatic"]
    named = default_profile() if options.server is None else None
    return ServerProfile(
        ",".join(named.addresses) if named else options.server,
        named.tls if named and tls is TlsMode.AUTOMATIC else tls,
        options.secret_name,
        options.fingerprint or "",
        options.ca_file or "",
    )


def client_of(
    profile: ServerProfile, servers: Servers | None = None, *, is_named: bool = True
) -> Client:
    """A client with the secret that the profile names. Raises SecretRejected.

    A server that was just heard, not named, is not told DRAWTHINGS_SECRET: anybody can
    announce one.
    """
    secrets = SecretStore(folders.user_folder() / SECRETS_FILE)
    goes_along = is_named or bool(profile.secret_name)
    secret = secrets.lookup(profile.secret_name) if goes_along else None
    return Client(profile, secret=secret, name=_NAME, servers=servers)


def clients_of(options: argparse.Namespace) -> tuple[Client, ...]:
    """One client for each of the servers."""
    servers = Servers()
    return tuple(client_of(profile, servers) for profile in profile_of(options).members)
