"""The servers that the user stored: names, addresses, trust, and which one is the default.

They live in a file that no route serves; their secrets in another one (`kept.secrets`).
Workflows may name a stored server instead of an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...dt_core.connection import profile as profiles
from ...dt_core.connection.profile import ServerProfile, TlsMode
from ...dt_core.connection.secret_store import folded
from ...dt_core.errors import SettingsError
from ...dt_core.files import JsonFile
from ...dt_core.text import Template, in_turn
from ..host import compat
from . import kept

SERVERS_FILE = "servers.json"
NAME_LIMIT = 64  # characters
SERVERS_LIMIT = 200
_FIELDS = ("name", "address", "tls", "secret_name", "fingerprint", "ca_file")

_WHAT = Template("servers_file", "The list of servers")
_BAD_ENTRY = Template("servers_file_entry", "has an entry that is none")
_NOT_STORED = Template(
    "server_not_stored",
    "No server named '{name}' is stored here: add it in the Draw Things tab of the sidebar, or "
    "choose another one in DT Server.",
)
_TAKEN = Template(
    "server_name_taken", "There is a server named '{name}' already: choose another name."
)
_FULL = Template("servers_full", "{count} servers are stored: remove one first.")
_USED = Template(
    "secret_in_use",
    "The secret '{name}' is that of another stored server: give this one a secret of its own.",
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

    def own(self) -> tuple[ServerProfile, ...]:
        """The servers that the user named: those of the list, and that of the environment.

        The default one is among them.
        """
        return (*(server.profile for server in self.stored), profiles.default_profile())


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
    secret_name: str | None = None,
) -> Servers:
    """Add a server, or change the one that was called `was`.

    `secret` is stored for it, "" removes the stored one. Without it the server has the secret
    called `secret_name`, and without that it keeps its own: not at another address, and not
    with less security, for then whoever changed the list would be told it.

    Raises SettingsError for a name that is empty, taken or too long, for an address that
    cannot be, and for the secret of another server.
    """
    name = _checked_name(name)
    profile = ServerProfile(address, TlsMode.of(tls), "", fingerprint, ca_file.strip())
    with _file().locked():
        servers = current()
        before = servers.find(was)
        others = [row for row in servers.stored if row is not before]
        if any(folded(row.name) == folded(name) for row in others):
            raise SettingsError(_TAKEN(name=name))
        if not before and len(others) >= SERVERS_LIMIT:
            raise SettingsError(_FULL(count=SERVERS_LIMIT))
        chosen = StoredServer(name, profile)
        named = _Secrets(before, chosen, others).name(secret, secret_name)
        changed = StoredServer(name, replace(profile, address=address, secret_name=named))
        rows = tuple(changed if row is before else row for row in servers.stored)
        default = name if servers.default == was and was else servers.default
        left = _write(Servers(rows if before else (*rows, changed), default))
        _remove_unused(before, left)
        return left


class _Secrets:
    """Which secret a server has that is being saved."""

    def __init__(
        self, before: StoredServer | None, now: StoredServer, others: Sequence[StoredServer]
    ) -> None:
        self._store = kept.secrets()
        self._before = before
        self._now = now
        self._others = others
        self._had = before.profile.secret_name if before else ""

    def name(self, typed: str | None, wanted: str | None) -> str:
        """Its name. What was typed is stored under it, before a list names it."""
        if typed:
            return self._stored(typed)
        if typed == "":
            return ""
        if wanted is not None and wanted.strip():
            return self._free(wanted.strip())
        before, now = self._before, self._now
        if before and not _is_home(now.profile, before.profile):
            return ""
        own = folded(self._had) == folded(before.name) if before else False
        if own and folded(now.name) != folded(self._had) and not self._in_environment(self._had):
            known = self._store.source(self._had) and self._store.lookup(self._had)
            return self._stored(known) if known else ""
        if self._had:
            return self._had
        free = self._store.source(now.name) and not self._used(now.name)
        return now.name if free else ""

    def _stored(self, secret: str) -> str:
        # Under the name that graphs know it by, where that is this server's alone.
        own = self._before is not None and folded(self._had) == folded(self._before.name)
        elsewhere = self._in_environment(self._had) or self._used(self._had)
        name = self._now.name if own or not self._had or elsewhere else self._had
        if self._used(name):
            raise SettingsError(_USED(name=name))
        self._store.save(name, secret)
        return name

    def _free(self, wanted: str) -> str:
        """A secret of a variable may be several servers', one of the file only one's."""
        if not self._in_environment(wanted) and self._used(wanted):
            raise SettingsError(_USED(name=wanted))
        return wanted

    def _in_environment(self, name: str) -> bool:
        return bool(name) and self._store.is_in_environment(name)

    def _used(self, name: str) -> bool:
        return _names(self._others, name)


def _names(rows: Iterable[StoredServer], name: str) -> bool:
    return any(folded(row.profile.secret_name) == folded(name) for row in rows)


def _is_home(now: ServerProfile, before: ServerProfile) -> bool:
    return {*now.addresses} <= {*before.addresses} and now.is_as_safe_as(before)


def _remove_unused(before: StoredServer | None, left: Servers) -> None:
    """After the list is written: no server names a secret that is gone."""
    name = before.profile.secret_name if before else ""
    if name and not _names(left.stored, name):
        kept.secrets().remove(name)


def remove(name: str) -> Servers:
    """Forget a server and its secret."""
    with _file().locked():
        servers = current()
        rows = tuple(row for row in servers.stored if row.name != name)
        left = _write(Servers(rows, "" if servers.default == name else servers.default))
        _remove_unused(servers.find(name), left)
        return left


def make_default(name: str) -> Servers:
    """Let nodes without a DT Server use that one; "" gives the choice back."""
    if name:
        named(name)
    with _file().locked():
        return _write(replace(current(), default=name))


def secret_state(profile: ServerProfile) -> str:
    """Where the server's secret comes from: "environment", "stored" or "none"."""
    secrets = kept.secrets()
    if secrets.is_in_environment(profile.secret_name):
        return "environment"
    return "stored" if profile.secret_name and secrets.source(profile.secret_name) else "none"


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= NAME_LIMIT or re.search(r"[\x00-\x1f\x7f]", name):
        raise SettingsError(_NO_NAME(limit=NAME_LIMIT))
    return name


def _stored(row: Any) -> StoredServer:
    bad = _file().damaged(_BAD_ENTRY())
    if not isinstance(row, dict) or not all(isinstance(row.get(key, ""), str) for key in _FIELDS):
        raise bad
    try:
        profile = ServerProfile(
            row.get("address", ""),
            TlsMode.of(row.get("tls", TlsMode.AUTOMATIC.value)),
            row.get("secret_name", ""),
            row.get("fingerprint", ""),
            row.get("ca_file", ""),
        )
        return StoredServer(_checked_name(row.get("name", "")), profile)
    except SettingsError as error:
        text = in_turn(bad.text, error.text)
        raise SettingsError(text, remedy=bad.remedy, **bad.values) from None


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
