"""Where a server's name leads, and a connection to the first address that answers.

gRPC looks names up by itself, past the system: names of the local network (my-mac.local), of
Windows and of some VPNs are unknown to it. So the system is asked here and gRPC gets the
address; after a connection has failed, the name is looked up anew.
"""

from __future__ import annotations

import socket
from typing import Any, cast
from urllib.parse import quote

from ..errors import Remedy, ServerUnreachable
from ..text import Template, Text, verbatim
from .profile import ServerProfile

CONNECT_TIMEOUT_S = 5.0

_NO_MACHINE = Template(
    "no_machine_of_that_name", "There is no machine named '{host}' on the network."
)
_NO_SERVER = Template("no_server_there", "No Draw Things server at {address} ({reason}).")
_NOBODY_LISTENS = Template("nothing_listens_there", "nothing listens there")
_SILENCE = Template("no_answer_there", "no answer")

_Place = tuple[socket.AddressFamily, tuple[Any, ...]]


def addresses(profile: ServerProfile) -> tuple[str, ...]:
    """Every IP address that the server's name stands for, without repeats.

    Of IPv4 and IPv6, which may well be the same machine twice, only IPv4 where there is any.
    Raises ServerUnreachable if the name is unknown.
    """
    found = _look_up(profile)
    return tuple(str(place[0]) for family, place in found if family is found[0][0])


def connect(profile: ServerProfile) -> socket.socket:
    """A connection to the server, at the first of its addresses that answers.

    Raises ServerUnreachable in words.
    """
    failed: OSError | None = None
    for family, place in _look_up(profile):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(CONNECT_TIMEOUT_S)
            connection.connect(place)
        except OSError as error:
            connection.close()
            failed = failed or error
        else:
            return connection
    raise _unreachable(profile, failed or OSError("no address"))


def target(connection: socket.socket) -> str:
    """The other end of a connection as gRPC takes it."""
    host, port = connection.getpeername()[:2]
    if connection.family is socket.AF_INET6:
        return f"ipv6:{quote(f'[{host}]:{port}', safe=':')}"  # %eth0 would be an escape
    return f"ipv4:{host}:{port}"


def _look_up(profile: ServerProfile) -> list[_Place]:
    """IPv4 first, as servers listen there unless told otherwise (docs/protocol.md 9.2)."""
    try:
        rows = socket.getaddrinfo(profile.host, profile.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _unreachable(profile, error) from None
    found = dict.fromkeys(cast("_Place", (row[0], row[4])) for row in rows)
    return sorted(found, key=lambda place: place[0] is not socket.AF_INET)


def _unreachable(profile: ServerProfile, error: Exception) -> ServerUnreachable:
    """One sentence for a connection that could not be made."""
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return ServerUnreachable(_NO_MACHINE(host=profile.host), remedy=Remedy.CHECK_ADDRESS)
    if isinstance(error, ConnectionRefusedError):
        reason: Text = _NOBODY_LISTENS()
    elif isinstance(error, TimeoutError):
        reason = _SILENCE()
    else:
        reason = verbatim(getattr(error, "strerror", None) or type(error).__name__)
    return ServerUnreachable(
        _NO_SERVER(address=profile.address, reason=reason), remedy=Remedy.START_SERVER
    )
