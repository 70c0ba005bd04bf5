"""Whether an address can be listened on, and why not."""

from __future__ import annotations

import socket

from ..errors import ServerError
from ..text import Template, verbatim

_BAD_PORT = Template(
    "simulator_bad_port", "{port} is no port: they go up to 65535, and 0 takes a free one."
)
_CANNOT_LISTEN = Template(
    "simulator_cannot_listen", "The simulator cannot listen on {address}: {reason}."
)
MAX_PORT = 65_535


def check_address(host: str, port: int) -> None:
    """Listen for a moment: gRPC does not tell why it cannot.

    Raises ServerError with the system's reason.
    """
    if not 0 <= port <= MAX_PORT:
        raise ServerError(_BAD_PORT(port=str(port)))
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except (OSError, UnicodeError) as error:
        raise cannot_listen(host, port, error) from None


def cannot_listen(host: str, port: int, error: Exception) -> ServerError:
    reason = getattr(error, "strerror", None) or str(error)
    reason = reason.partition(" (while attempting")[0]  # Python adds the address
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return ServerError(_CANNOT_LISTEN(address=address, reason=verbatim(reason.rstrip("."))))
