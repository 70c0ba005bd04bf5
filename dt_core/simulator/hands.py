"""What a fault may do to a server and its connections, for one call."""

from __future__ import annotations

from threading import Event
from typing import Protocol

import grpc

from .relay import Link, Relay


class Changeable(Protocol):
    """Of the server, what faults change."""

    secret: str

    def restart(self) -> None: ...


class Hands:
    """`link` is None where there is no relay; then nothing happens to the connection."""

    def __init__(self, server: Changeable, link: Link | None, gone: Event) -> None:
        self._server, self._link, self._gone = server, link, gone

    def wait(self, seconds: float | None) -> None:
        """Until the client has left, or so long."""
        self._gone.wait(seconds)

    def drop(self) -> None:
        if self._link:
            self._link.cut()

    def freeze(self) -> None:
        if self._link:
            self._link.go_dark()

    def drip(self, bytes_per_s: int) -> None:
        if self._link:
            self._link.slow_down(bytes_per_s)

    def go_away(self, last_stream: int, code: int, reason: bytes) -> None:
        if self._link:
            self._link.go_away(last_stream, code, reason)

    def restart(self) -> None:
        self._server.restart()

    def change_secret(self) -> None:
        self._server.secret += "-changed"


def link_of(relay: Relay | None, context: grpc.ServicerContext) -> Link | None:
    """The connection through the relay that a call came on."""
    port = context.peer().rpartition(":")[2]
    return relay.link(int(port)) if relay and port.isdigit() else None


def over(context: grpc.ServicerContext) -> Event:
    """Set when the call is over, however it ends."""
    gone = Event()
    if not context.add_callback(gone.set):
        gone.set()
    return gone
