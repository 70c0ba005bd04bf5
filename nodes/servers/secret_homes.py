"""Which secret may go to which server. A graph of somebody else's names both as it likes.

A secret that stored servers have goes to those alone. Any other one goes to servers that the
user stored, to that of DRAWTHINGS_SERVER, and to this machine.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import Remedy, SettingsError
from ...dt_core.text import Template
from . import kept, stored

_NOT_STORED = Template(
    "secret_for_no_stored_server",
    "The secret '{name}' is not sent to {address}, which is not in your list of servers.",
)
_OF_OTHERS = Template(
    "secret_of_another_server",
    "The secret '{name}' belongs to {home} and is not sent to {address}.",
)
_LESS_SAFE = Template(
    "secret_with_less_security",
    "The secret '{name}' is not sent to {address} with other TLS settings than are stored for it.",
)


def secret_for(profile: ServerProfile) -> str | None:
    """The secret that goes along to that server; None for none.

    The one without a name (DRAWTHINGS_SECRET) just stays here where it may not go. Raises
    SecretRejected if there is no secret of the profile's name, SettingsError if it may not go
    there.
    """
    secret = kept.secrets().lookup(profile.secret_name)
    if secret is not None and not profile.secret_name.strip() and list(_strangers(profile)):
        return None
    checked(profile)
    return secret


def checked(profile: ServerProfile) -> ServerProfile:
    """The profile. Raises SettingsError if it pairs a secret with a server it is not for."""
    named = profile.secret_name.strip()
    strangers = list(_strangers(profile)) if named and kept.secrets().source(named) else []
    if not strangers:
        return profile
    owners = _owners(named)
    homes = [address for home in owners or stored.current().own() for address in home.addresses]
    address = [member.address for member in strangers]
    if all(member.address in homes for member in strangers):
        raise SettingsError(
            _LESS_SAFE(name=named, address=address), remedy=Remedy.CHOOSE_STORED_SERVER
        )
    if owners:
        raise SettingsError(
            _OF_OTHERS(name=named, home=homes, address=address), remedy=Remedy.STORE_SERVER_FIRST
        )
    raise SettingsError(_NOT_STORED(name=named, address=address), remedy=Remedy.STORE_SERVER_FIRST)


def _strangers(profile: ServerProfile) -> Iterator[ServerProfile]:
    """The servers of a profile that its secret may not go to."""
    owners = _owners(profile.secret_name)
    homes = owners or stored.current().own()
    for member in profile.members:
        at_home = any(
            member.address in home.addresses and member.is_as_safe_as(home) for home in homes
        )
        if not at_home and (owners or not member.is_loopback):
            yield member


def _owners(name: str) -> list[ServerProfile]:
    """The stored servers that have that very secret, by whatever name."""
    secrets = kept.secrets()
    source = secrets.source(name) if name.strip() else None
    named = [row.profile for row in stored.current().stored if row.profile.secret_name]
    return [row for row in named if source and secrets.source(row.secret_name) == source]
