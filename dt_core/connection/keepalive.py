"""TCP keepalive for the connections that gRPC made.

A queued generation is silent for hours, and routers and tunnels forget a connection that is
silent for some minutes; a probe every minute keeps it. The server's program hears nothing of
those, so they are no pings that it would count (docs/protocol.md 5.8). gRPC has no option for
this, so the sockets are looked up among the process's own: 0.6 ms where there are a hundred.
Not on Windows, which has no list.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from urllib.parse import unquote

IDLE_S = 60
BETWEEN_S = 60
# A network that is away for less than this costs no generation; then it is a dead peer, also
# for what we sent ourselves. gRPC's own value for that, one minute, is short for radio.
GIVE_UP_S = 300
_FOLDER = Path("/dev/fd")


def keep(target: str) -> int:
    """Switch it on for every connection to a target as gRPC takes it; how many there were."""
    kept = 0
    with contextlib.suppress(OSError):
        for entry in list(_FOLDER.iterdir()):
            with contextlib.suppress(OSError, ValueError):  # closed meanwhile
                kept += _keep(int(entry.name), target)
    return kept


def _keep(descriptor: int, target: str) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family not in {socket.AF_INET, socket.AF_INET6}:
            return False
        if _place(connection) != _wanted(target):
            return False
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", IDLE_S),
            ("TCP_KEEPALIVE", IDLE_S),  # the same on macOS
            ("TCP_KEEPINTVL", BETWEEN_S),
            ("TCP_KEEPCNT", GIVE_UP_S // BETWEEN_S),
            ("TCP_USER_TIMEOUT", GIVE_UP_S * 1000),
        ):
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        return True


def _place(connection: socket.socket) -> tuple[str, int]:
    """The other end; gRPC's sockets are IPv6 for IPv4 too."""
    host, port = connection.getpeername()[:2]
    return str(host).removeprefix("::ffff:"), int(port)


def _wanted(target: str) -> tuple[str, int]:
    host, _, port = unquote(target.partition(":")[2]).rpartition(":")
    return host.strip("[]"), int(port)
