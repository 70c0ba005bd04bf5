"""By which names our page may reach this ComfyUI: against DNS rebinding.

A page of another site may let its own name lead to this machine. The browser then takes us for
that site and lets the page set our header; only the Host tells that it was not us that the user
opened. Names that such a site can have need the user's word: DRAWTHINGS_ALLOWED_HOSTS.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import socket

from ...dt_core.text import Template, Text

ALLOWED_VARIABLE = "DRAWTHINGS_ALLOWED_HOSTS"
"""Names with commas or spaces between; "*.example.org" stands for all below example.org."""

REFUSAL = Template(
    "host_not_allowed",
    "This ComfyUI was opened by the name '{host}', which may be another site's. If it is yours, "
    "set the environment variable {variable} to {host} and start ComfyUI again; or open it by "
    "its address.",
)
_SHOWN = 100  # characters of a name
_PORT = re.compile(r":[0-9]{1,5}$")


def refusal(host: str) -> Text | None:
    """Why a request with that Host may change and send nothing; None if it may.

    Asks the system once for the names of this machine, which may take seconds.
    """
    name = _name(host)
    if name and (_is_address(name) or _is_local(name) or _is_allowed(name)):
        return None
    if name in _of_this_machine():
        return None
    return REFUSAL(host=name[:_SHOWN], variable=ALLOWED_VARIABLE)


def _name(host: str) -> str:
    """Without port and last dot, in small letters."""
    return _PORT.sub("", host.strip()).removesuffix(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name[1:-1] if name[:1] == "[" and name[-1:] == "]" else name)
    except ValueError:
        return False
    return True


def _is_local(name: str) -> bool:
    """Names that nobody can have on the internet: localhost, studio, studio.local."""
    return "." not in name or name.endswith((".local", ".localhost"))


def _is_allowed(name: str) -> bool:
    for allowed in re.split(r"[\s,]+", os.environ.get(ALLOWED_VARIABLE, "")):
        wanted = _name(allowed)
        below = wanted[1:] if wanted.startswith("*.") else None
        if wanted and (name == wanted or (below and name.endswith(below))):
            return True
    return False


@functools.lru_cache(maxsize=1)
def _of_this_machine() -> frozenset[str]:
    return frozenset({socket.gethostname().lower(), socket.getfqdn().lower()} - {""})
