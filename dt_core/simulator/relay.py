"""A TCP relay in front of the server, so that connections can fail as they do in a network:
cut, gone dark, slow, told to go away. What travels it does not understand, but for the
frames of HTTP/2 on a plain connection (RFC 9113, 4.1 and 6.8).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

_READ_BYTES = 1 << 16
_QUIET_S = 0.05  # what was sent before a cut has arrived when nothing came for so long
_SLICES_PER_S = 20  # of a slow connection
_FRAME_HEADER = 9
_GOAWAY = 7
_LINGER_NOT = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # close is a reset

_Send = Callable[[bytes], None]


class Relay:
    """Listens on `host`:`port` (0: a free one) and passes all on to `target_port` here.

    `frames` keeps HTTP/2 frames whole on the way to the client, as `go_away` needs.
    Raises OSError if it cannot listen.
    """

    def __init__(self, host: str, port: int, target_port: int, *, frames: bool) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._target_port, self._frames = target_port, frames
        self._links: dict[int, Link] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="simulator-relay", daemon=True).start()

    def link(self, port: int) -> Link | None:
        """The connection that the server knows by its peer's port."""
        with self._lock:
            return self._links.get(port)

    def cut_all(self) -> None:
        """Reset every connection."""
        with self._lock:
            links = list(self._links.values())
        for link in links:
            link.cut()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept on Linux
        self._listener.close()
        self.cut_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()
                continue
            port = server.getsockname()[1]
            link = Link(client, server, frames=self._frames)
            with self._lock:
                self._links[port] = link
            link.start(lambda port=port: self._drop(port))  # type: ignore[misc]

    def _drop(self, port: int) -> None:
        with self._lock:
            self._links.pop(port, None)


class Link:
    """One connection through the relay."""

    def __init__(self, client: socket.socket, server: socket.socket, *, frames: bool) -> None:
        self._client, self._server, self._frames = client, server, frames
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writing = threading.Lock()  # of whole frames to the client
        self._last = time.monotonic()
        self._bytes_per_s = 0
        self._dark = False
        self._over = threading.Event()

    def start(self, on_end: Callable[[], None]) -> None:
        def up() -> None:
            self._pump(self._client, self._server.sendall)

        def down() -> None:
            self._pump(self._server, _whole_frames(self._send) if self._frames else self._send)
            on_end()

        for work in (up, down):
            threading.Thread(target=work, name="simulator-link", daemon=True).start()

    def cut(self) -> None:
        """Reset the connection, once what was sent before has passed."""
        self._settle()
        with contextlib.suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._close(socket.SHUT_RD)

    def go_dark(self) -> None:
        """Swallow everything from now on, both ways, without closing: a dead peer."""
        self._settle()
        self._dark = True

    def slow_down(self, bytes_per_s: int) -> None:
        """At most so many bytes per second to the client."""
        self._bytes_per_s = bytes_per_s

    def go_away(self, last_stream: int, code: int, reason: bytes) -> None:
        """Send an HTTP/2 GOAWAY; streams above `last_stream` count as never seen."""
        payload = struct.pack(">II", last_stream, code) + reason
        head = struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", _GOAWAY, 0, 0)
        self._settle()
        with self._writing, contextlib.suppress(OSError):
            self._client.sendall(head + payload)

    def _settle(self) -> None:
        while not self._over.is_set() and time.monotonic() - self._last < _QUIET_S:
            self._over.wait(_QUIET_S / 5)

    def _pump(self, source: socket.socket, send: _Send) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_READ_BYTES):
                if not self._dark:
                    send(data)
                    self._last = time.monotonic()
        if not self._dark or source is self._client:
            self._close()

    def _send(self, data: bytes) -> None:
        with self._writing:
            while self._bytes_per_s and data and not self._over.is_set():
                share = max(1, self._bytes_per_s // _SLICES_PER_S)
                self._client.sendall(data[:share])
                data = data[share:]
                self._over.wait(1 / _SLICES_PER_S)
            self._client.sendall(data)

    def _close(self, how: int = socket.SHUT_RDWR) -> None:
        self._over.set()
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):
                side.shutdown(how)  # wakes the thread that reads, so that the close is one
            side.close()


def _whole_frames(send: _Send) -> _Send:
    """`send` for whole HTTP/2 frames only."""
    kept = bytearray()

    def take(data: bytes) -> None:
        kept.extend(data)
        end = 0
        while len(kept) >= end + _FRAME_HEADER:
            length = int.from_bytes(kept[end : end + 3], "big")
            if len(kept) < end + _FRAME_HEADER + length:
                break
            end += _FRAME_HEADER + length
        if end:
            whole = bytes(kept[:end])
            del kept[:end]
            send(whole)

    return take
