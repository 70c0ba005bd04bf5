"""Whether a server that speaks no TLS speaks at all: HTTP/2 servers greet as soon as they are.

gRPC waits 20 s for that, and then says no more than that it could not connect.
"""

from __future__ import annotations

from ..errors import NoAnswer, Remedy
from ..text import Template
from . import addresses
from .profile import ServerProfile

SAYS_NOTHING = Template(
    "server_says_nothing",
    "The server at {address} takes connections but does not answer: it may be busy or stuck.",
)

# The client's preface and its empty SETTINGS frame (RFC 9113, 3.4).
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


def speaks(profile: ServerProfile) -> str:
    """Where the server listens, as gRPC takes it, once it has said something, whatever.

    Raises ServerUnreachable, or NoAnswer if it says nothing for some seconds.
    """
    with addresses.connect(profile) as connection:
        target = addresses.target(connection)
        try:
            connection.sendall(_PREFACE)
            connection.recv(1)
        except TimeoutError:
            raise NoAnswer(
                SAYS_NOTHING(address=profile.address), remedy=Remedy.RESTART_SERVER
            ) from None
        except OSError:  # it breaks off: gRPC says why
            pass
    return target
