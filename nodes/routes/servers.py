"""The user's list of servers. A secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

from ...dt_core.connection import profile as profiles
from ..servers import stored
from ..servers.owner import here
from ..servers.stored import Servers
from .guard import Body, asking_route, changing_route, json_route, text
from .permitted import profile_of

SECRET_LIMIT = 1024  # characters


def listed(_body: Body) -> Any:
    """The stored servers, and the one of the environment."""
    return _answer(stored.current())


def save(body: Body) -> Any:
    """Add or change a server; without "secret" the stored one is kept, "" removes it.

    "secret_name" names one that is there already. "secret_wanted" in the answer is the name of
    a server whose secret was not kept, because it moved or lost security.
    """
    secret = text(body, "secret", "", SECRET_LIMIT) if body.get("secret") is not None else None
    by_name = text(body, "secret_name") if body.get("secret_name") is not None else None
    name, was = text(body, "name"), text(body, "was", "")
    before = stored.current()
    changed = stored.save(
        name,
        text(body, "address"),
        text(body, "tls", "automatic"),
        text(body, "fingerprint", ""),
        text(body, "ca_file", ""),
        was=was,
        secret=secret,
        secret_name=by_name,
    )
    _forget_gone(before, changed)
    old, new = before.find(was), changed.find(name.strip())
    if new is not None:
        here().lists.refresh_in_background(new.profile)
    has_lost_it = old and new and old.profile.secret_name and not new.profile.secret_name
    wanted = {"secret_wanted": name.strip()} if has_lost_it and secret is None else {}
    return {**_answer(changed), **wanted}


def remove(body: Body) -> Any:
    before = stored.current()
    left = stored.remove(text(body, "name"))
    _forget_gone(before, left)
    return _answer(left)


def _forget_gone(before: Servers, after: Servers) -> None:
    """Nothing is known of, and nothing asked from, a server that left the list."""
    kept = after.own()
    for row in before.stored:
        if row.profile not in kept:
            here().clients.forget(row.profile)
            here().lists.forget(row.profile)


def make_default(body: Body) -> Any:
    return _answer(stored.make_default(text(body, "name")))


def accept(body: Body) -> Any:
    """Trust the certificate of that SHA-256 from now on, if the server presents it."""
    profile = profile_of(body)
    here().servers.at(profile).link.accept(text(body, "fingerprint"))
    here().lists.refresh_in_background(profile)
    return {"address": profile.address}


def _answer(current: Servers) -> Any:
    builtin = profiles.default_profile()
    rows = [("", builtin), *((row.name, row.profile) for row in current.stored)]
    return {
        "servers": [
            {
                "name": name,
                "address": ", ".join(profile.addresses),
                "tls": profile.tls.value,
                "fingerprint": profile.fingerprint,
                "ca_file": profile.ca_file,
                "secret": stored.secret_state(profile),
                "secret_name": profile.secret_name,
                "default": name == current.default,
                "builtin": not name,
            }
            for name, profile in rows
        ]
    }


ROUTES = {
    "/servers": json_route(listed),
    "/servers/save": changing_route(save),
    "/servers/remove": changing_route(remove),
    "/servers/default": changing_route(make_default),
    "/servers/accept": asking_route(accept),
}
