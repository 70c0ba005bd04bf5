"""What a program holds of its servers lies in one object, and two of them share nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawthings.dt_core.connection.known_servers import KnownServers
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import Cancelled, SecretRejected
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.fleet import Run
from drawthings.dt_core.generation.registry import Servers
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator

REQUEST = GenerationRequest(
    Configuration(
        model="z_image_turbo_1.0_q6p.ckpt", start_width=128, start_height=128, steps=2, seed=7
    )
)
PATIENCE_S = 20


def plain(server: Simulator) -> ServerProfile:
    return ServerProfile(server.address, TlsMode.PLAIN)


def test_clients_of_one_owner_share_connection_catalogue_and_turn() -> None:
    with Simulator() as server:
        owner = Servers()
        first = Client(plain(server), servers=owner)
        second = Client(ServerProfile(server.address, TlsMode.PLAIN, "lab"), servers=owner)
        assert first.catalog() is second.catalog()
        assert server.echo_count == 1
        assert first.server is second.server
        owner.close()


def test_two_owners_share_nothing(tmp_path: Path) -> None:
    with Simulator(step_delay=60) as server:
        files = [KnownServers(tmp_path / name) for name in ("one.json", "two.json")]
        one, two = (Client(ServerProfile(server.address), known=known) for known in files)
        one.echo()
        assert two.known_catalog is None
        two.catalog()
        assert server.echo_count == 2

        running = Run([one], [REQUEST])
        server.wait_for(lambda record: record.started, PATIENCE_S)
        with two.server.turn.awaited(lambda: False) as is_ours:  # nobody of theirs is there
            assert is_ours
        two.servers.close()
        assert running.poll() is not None  # theirs goes on
        one.servers.close()
        with pytest.raises(Cancelled):
            list(running)


def test_closing_ends_what_runs_and_later_questions_connect_anew() -> None:
    with Simulator(step_delay=60) as server:
        client = Client(plain(server))
        job = client.generate(REQUEST)
        server.wait_for(lambda record: record.started, PATIENCE_S)
        client.servers.close()
        with pytest.raises(Cancelled):
            list(job)
        server.wait_for(lambda record: record.outcome == "cancelled", PATIENCE_S)
        assert client.echo().models


def test_a_catalogue_is_for_the_secret_that_it_was_asked_with() -> None:
    with Simulator(secret="right") as server:
        owner = Servers()
        good = Client(plain(server), secret="right", servers=owner)
        assert good.catalog().models
        with pytest.raises(SecretRejected):
            Client(plain(server), secret="wrong", servers=owner).catalog()
        assert good.known_catalog is not None


def test_a_server_has_one_turn_however_it_is_reached() -> None:
    owner = Servers()
    one = owner.at(ServerProfile("gpu1", TlsMode.PLAIN))
    two = owner.at(ServerProfile("gpu1", TlsMode.SYSTEM))
    assert one is not two
    with one.turn.taken(), two.turn.awaited(lambda: True) as is_ours:
        assert not is_ours
    with two.turn.awaited(lambda: False) as is_ours:
        assert is_ours


def test_a_server_that_is_forgotten_counts_as_never_used() -> None:
    with Simulator() as server:
        owner = Servers()
        profile = ServerProfile(f"127.0.0.1:9, {server.address}", TlsMode.PLAIN)
        client = Client(profile.members[1], servers=owner)
        client.echo()
        owner.forget(profile)
        assert owner.at(profile.members[1]) is not client.server
        assert client.echo().models  # what is in hand goes on
