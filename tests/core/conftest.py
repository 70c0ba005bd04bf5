"""One simulator, and one client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.simulator import Simulator


@pytest.fixture(autouse=True)
def _no_server_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DRAWTHINGS_SERVER", "DRAWTHINGS_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Simulator]:
    """A simulator with its own catalogue. A file whose tests share one has it for itself."""
    with Simulator() as running:
        yield running


@pytest.fixture
def client(server: Simulator) -> Client:
    """A client of `server`, which knows its secret."""
    return Client(ServerProfile(server.address), secret=server.secret or None)
