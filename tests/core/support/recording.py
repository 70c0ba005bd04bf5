"""Addresses that write down every byte which a client sends to them, in front of a real server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest


class Recorder:
    """A port of this machine; `heard` is what clients sent there so far."""

    def __init__(self, server: str) -> None:
        """`server` ("host:port") gets what comes, and answers."""
        host, port = server.split(":")
        self._server = (host, int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))  # not at 127.0.0.2
        self._open: list[socket.socket] = []
        self.heard = b""
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for one, other, is_client in ((client, server, True), (server, client, False)):
                    given = (one, other, is_client)
                    threading.Thread(target=self._pass_on, args=given, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, is_client: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                if is_client:
                    self.heard += data
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in (self._listening, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def recording(server: str, *names: str) -> Iterator[dict[str, Recorder]]:
    """A recorder for each of the names, which the resolver finds (`known_names`)."""
    recorders = {name: Recorder(server) for name in names}
    try:
        yield recorders
    finally:
        for recorder in recorders.values():
            recorder.close()


def known_names(monkeypatch: pytest.MonkeyPatch, places: dict[str, list[str]]) -> None:
    """Let the system's resolver know these names, as it would those of the local network."""
    ask = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> list[Any]:
        return [row for place in places.get(host, [host]) for row in ask(place, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
