"""The servers that the user stored: names, addresses, trust, and which one is the default.

They live in a file that no route serves; their secrets in another one (`clients.secrets`),
under the server's name. Workflows may name a stored server instead of an address.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Any

from ...dt_core.connection import profile as profiles
from ...dt_core.connection.profile import ServerProfile, TlsMode
from ...dt_core.errors import SettingsError
from ...dt_core.files import JsonFile
from ...dt_core.text import Template
from ..host import compat
from . import clients

SERVERS_FILE = "servers.json"
NAME_LIMIT = 64  # characters
SERVERS_LIMIT = 200

_WHAT = Template("servers_file", "The list of servers")
_BAD_ENTRY = Template("servers_file_entry", "has an entry that is none")
_NOT_STORED = Template(
    "server_not_stored",
    "No server named '{name}' is stored here: add it in the Draw Things tab of the sidebar, or "
    "choose another one in DT Server.",
)
_NO_MODE = Template("tls_one_of", "TLS is one of: {modes}.")
_TAKEN = Template(
    "server_name_taken", "There is a server named '{name}' already: choose another name."
)
_FULL = Template("servers_full", "{count} servers are stored: remove one first.")
_SECRET_OF_ANOTHER = Template(
    "secret_of_another_server",
    "The secret '{name}' belongs to the stored server at {home} and is not sent to {address}: "
    "choose the stored server in DT Server, or store this address with a secret of its own.",
)
_NO_NAME = Template("server_name_length", "A server needs a name of 1 to {limit} characters.")


@dataclass(frozen=True, slots=True)
class StoredServer:
    """One server of the user's list."""

    name: str
    profile: ServerProfile


@dataclass(frozen=True, slots=True)
class Servers:
    """The list, and the name of the default; "" where the environment decides."""

    stored: tuple[StoredServer, ...] = ()
    default: str = ""

    def find(self, name: str) -> StoredServer | None:
        return next((server for server in self.stored if server.name == name), None)


def current() -> Servers:
    """What the file holds. Raises SettingsError if it is damaged."""
    return _servers(_file().read())


def _servers(data: dict[str, Any]) -> Servers:
    rows, default = data.get("servers", []), data.get("default", "")
    if not isinstance(rows, list):
        raise _file().damaged()
    stored = tuple(map(_stored, rows))
    names = {server.name for server in stored}
    return Servers(stored, default if isinstance(default, str) and default in names else "")


def names() -> tuple[str, ...]:
    """The names, for a combo; none where the file is damaged."""
    try:
        return tuple(server.name for server in current().stored)
    except SettingsError:
        return ()


def named(name: str) -> ServerProfile:
    """The stored server of that name. Raises SettingsError if there is none."""
    server = current().find(name)
    if server is None:
        raise SettingsError(_NOT_STORED(name=name))
    return server.profile


def default_profile() -> ServerProfile:
    """The user's default server, else that of DRAWTHINGS_SERVER, else localhost:7859."""
    servers = current()
    chosen = servers.find(servers.default) if servers.default else None
    return chosen.profile if chosen else profiles.default_profile()


def save(
    name: str,
    address: str,
    tls: str,
    fingerprint: str = "",
    ca_file: str = "",
    *,
    was: str = "",
    secret: str | None = None,
) -> Servers:
    """Add a server, or change the one that was called `was`.

    `secret` None keeps the stored secret, "" removes it. Raises SettingsError for a name
    that is empty, taken or too long, and for an address that cannot be.
    """
    name = _checked_name(name)
    modes = {mode.value: mode for mode in TlsMode}
    if tls not in modes:
        raise SettingsError(_NO_MODE(modes=list(modes)))
    with _file().locked():
        servers = current()
        if name != was and servers.find(name):
            raise SettingsError(_TAKEN(name=name))
        if not servers.find(was) and len(servers.stored) >= SERVERS_LIMIT:
            raise SettingsError(_FULL(count=SERVERS_LIMIT))
        secrets = clients.secrets()
        kept = secrets.names()
        if secret is None and was != name and was in kept:
            secret = secrets.lookup(was)
        has_secret = bool(secret) if secret is not None else name in kept
        profile = ServerProfile(
            address,
            modes[tls],
            name if has_secret or _in_environment(name) else "",
            fingerprint,
            ca_file.strip(),
        )
        if secret:
            secrets.save(name, secret)
        changed = StoredServer(name, profile)
        rows = [changed if row.name == was else row for row in servers.stored]
        if changed not in rows:
            rows.append(changed)
        default = name if servers.default == was and was else servers.default
        left = _write(Servers(tuple(rows), default))
        if secret == "":  # after the list: no server names a secret that is gone
            secrets.remove(name)
        if was and was != name:
            secrets.remove(was)
        return left


def remove(name: str) -> Servers:
    """Forget a server and its secret."""
    with _file().locked():
        servers = current()
        rows = tuple(row for row in servers.stored if row.name != name)
        left = _write(Servers(rows, "" if servers.default == name else servers.default))
        clients.secrets().remove(name)
        return left


def make_default(name: str) -> Servers:
    """Let nodes without a DT Server use that one; "" gives the choice back."""
    if name:
        named(name)
    with _file().locked():
        return _write(replace(current(), default=name))


def keep_secret_home(profile: ServerProfile) -> ServerProfile:
    """The profile, unless it would send the secret of a stored server to another address.

    Raises SettingsError then: a workflow of somebody else could ask for that.
    """
    owner = current().find(profile.secret_name) if profile.secret_name else None
    if owner is not None and not {*profile.addresses} <= {*owner.profile.addresses}:
        raise SettingsError(
            _SECRET_OF_ANOTHER(
                name=owner.name,
                home=", ".join(owner.profile.addresses),
                address=", ".join(profile.addresses),
            )
        )
    return profile


def secret_state(profile: ServerProfile) -> str:
    """Where the server's secret comes from: "environment", "stored" or "none"."""
    if _in_environment(profile.secret_name):
        return "environment"
    stored = bool(profile.secret_name) and profile.secret_name in clients.secrets().names()
    return "stored" if stored else "none"


def _in_environment(name: str) -> bool:
    return clients.secrets().variable(name) in os.environ


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= NAME_LIMIT or re.search(r"[\x00-\x1f\x7f]", name):
        raise SettingsError(_NO_NAME(limit=NAME_LIMIT))
    return name


def _stored(row: Any) -> StoredServer:
    try:
        profile = ServerProfile(
            row["address"],
            TlsMode(row.get("tls", TlsMode.AUTOMATIC.value)),
            row.get("secret_name", ""),
            row.get("fingerprint", ""),
            row.get("ca_file", ""),
        )
        return StoredServer(_checked_name(row["name"]), profile)
    except (KeyError, TypeError, ValueError, AttributeError, SettingsError):
        raise _file().damaged(_BAD_ENTRY()) from None


def _write(servers: Servers) -> Servers:
    rows = [
        {
            "name": server.name,
            "address": ", ".join(server.profile.addresses),
            "tls": server.profile.tls.value,
            "fingerprint": server.profile.fingerprint,
            "ca_file": server.profile.ca_file,
            "secret_name": server.profile.secret_name,
        }
        for server in servers.stored
    ]
    _file().write({"default": servers.default, "servers": rows})
    return servers


def _file() -> JsonFile:
    return JsonFile(compat.user_folder() / SERVERS_FILE, _WHAT(), SettingsError)
