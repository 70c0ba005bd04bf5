"""Several servers share one list of requests, and one that dies loses nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import (
    Cancelled,
    ModelNotFound,
    RequestError,
    ServerUnreachable,
    SettingsError,
)
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.fleet import MOST_TRIES, Left, Numbered, Run
from drawthings.dt_core.generation.registry import Servers
from drawthings.dt_core.generation.spread import spread
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Catalog, Record, Simulator
from drawthings.dt_core.simulator.inventory import KINDS

SETTINGS = Configuration(
    model="z_image_turbo_1.0_q6p.ckpt",
    start_width=256,
    start_height=256,
    steps=4,
    seed=7,
)
PATIENCE_S = 20


def clients(*addresses: str, owner: Servers | None = None) -> list[Client]:
    profile, owner = ServerProfile(", ".join(addresses), TlsMode.PLAIN), owner or Servers()
    return [Client(member, servers=owner) for member in profile.members]


def requests(count: int) -> list[GenerationRequest]:
    return [
        GenerationRequest(SETTINGS.replace(seed=seed), prompt=f"number {seed}")
        for seed in range(count)
    ]


@contextmanager
def servers(count: int, step_delay: float = 0.0) -> Iterator[list[Simulator]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(Simulator(step_delay=step_delay, response_compression=False))
            for _ in range(count)
        ]


def seed_of(record: Record) -> int:
    assert record.configuration is not None
    return int(record.configuration["seed"])


def seeds(server: Simulator) -> list[int]:
    return [seed_of(record) for record in server.requests]


def is_second_of(server: Simulator, record: Record) -> bool:
    return record.started and record is not server.requests[0]


def alone(request: GenerationRequest) -> np.ndarray:
    with Simulator(response_compression=False) as server:
        job = clients(server.address)[0].generate(request)
        list(job)
        return job.images[0].picture.rgb


def test_every_request_is_made_once_in_its_place_by_some_server() -> None:
    asked = requests(9)
    with servers(3, step_delay=0.02) as three:
        run = Run(clients(*(server.address for server in three)), asked)
        events = list(run)
        made = [seeds(server) for server in three]

    assert sorted(chain(*made)) == list(range(9))
    assert all(made), "every server had a share"
    assert [answer.complete for answer in run.answers] == [True] * 9
    for number in (0, 4, 8):
        np.testing.assert_array_equal(
            run.answers[number].images[0].picture.rgb, alone(asked[number])
        )
    assert {event.number for event in events if isinstance(event, Numbered)} == set(range(9))


def test_a_server_works_on_one_request_at_a_time_even_for_two_runs() -> None:
    with servers(2, step_delay=0.02) as two:
        addresses = [server.address for server in two]
        owner = Servers()
        runs = [Run(clients(*addresses, owner=owner), requests(4)) for _ in range(2)]
        lengths: list[int] = []

        def follow(run: Run) -> None:
            for _ in run:
                lengths.extend(server.queue_length for server in two)

        threads = [threading.Thread(target=follow, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        made = [len(server.requests) for server in two]

    assert max(lengths) == 1
    assert sum(made) == 8


def test_the_work_of_a_server_that_dies_goes_to_the_others() -> None:
    asked = requests(6)
    with servers(3, step_delay=0.05) as three:
        run = Run(clients(*(server.address for server in three)), asked)
        three[1].wait_for(lambda record: record.sent > 2, PATIENCE_S)
        three[1].stop()
        events = list(run)
        done = [
            [r for r in server.requests if r.outcome == "done"] for server in (three[0], three[2])
        ]

    left = [event for event in events if isinstance(event, Left)]
    assert [event.address for event in left] == [three[1].address]
    assert isinstance(left[0].error, ServerUnreachable)
    assert all(answer.complete and len(answer.images) == 1 for answer in run.answers)
    again = [seed_of(r) for rows in done for r in rows]
    assert left[0].number in again
    assert len(again) == len(set(again)), "no picture was made twice"


def test_the_last_server_that_dies_ends_the_run_and_what_arrived_stays() -> None:
    with servers(2, step_delay=0.05) as two:
        run = Run(clients(*(server.address for server in two)), requests(12))
        for server in two:  # its second one means that the first is complete here
            server.wait_for(partial(is_second_of, server), PATIENCE_S)
            server.stop()
        with pytest.raises(ServerUnreachable):
            list(run)

    complete = [answer for answer in run.answers if answer.complete]
    assert 2 <= len(complete) < 12
    assert all(answer.images for answer in complete)


def test_a_server_without_the_model_leaves_and_the_others_do_its_part() -> None:
    full, model = Catalog.load(), str(SETTINGS["model"])
    tables = {kind: [row for row in full.all(kind) if row["file"] != model] for kind in KINDS}
    less = Catalog(tables, full.files - {model})
    with servers(1) as one, Simulator(catalog=less) as poor:
        run = Run(clients(one[0].address, poor.address), requests(4))
        left = [event for event in run if isinstance(event, Left)]
        assert seeds(poor) == []

    assert [type(event.error) for event in left] == [ModelNotFound]
    assert all(answer.complete for answer in run.answers)


def test_a_server_that_is_busy_for_another_run_keeps_no_work_from_the_free_ones() -> None:
    with servers(2) as two:
        busy, free = two
        busy.step_delay = 60
        owner = Servers()
        first = Run(clients(busy.address, owner=owner), requests(1))
        busy.wait_for(lambda record: record.started, PATIENCE_S)
        second = Run(clients(busy.address, free.address, owner=owner), requests(3))
        taken = {event.address for event in second if isinstance(event, Numbered)}
        assert taken == {free.address}
        first.cancel()


def test_a_server_that_makes_a_single_picture_takes_no_work_from_a_run() -> None:
    with servers(2) as two:
        busy, free = two
        shared = clients(busy.address, free.address)
        with shared[0].server.turn.taken():
            list(Run(shared, requests(3)))
        assert (seeds(busy), seeds(free)) == ([], [0, 1, 2])
        list(Run(clients(busy.address), requests(1)))
        assert seeds(busy) == [0]


def test_a_request_that_takes_servers_down_is_not_sent_to_all() -> None:
    nobody = [f"127.0.0.1:{port}" for port in (9, 10, 11, 12, 13)]
    run = Run(clients(*nobody), requests(1))
    with pytest.raises(ServerUnreachable):
        list(run)
    assert run._tries == [MOST_TRIES]


def test_what_no_server_can_do_is_an_error_at_once() -> None:
    wrong = GenerationRequest(SETTINGS.replace(batch_size=0))
    with servers(2) as two:
        run = Run(clients(*(server.address for server in two)), [wrong, *requests(1)])
        with pytest.raises(RequestError):
            list(run)
        assert all(-1 not in seeds(server) for server in two)


def test_cancelling_ends_all_calls_and_the_servers_see_it() -> None:
    with servers(2, step_delay=5) as two:
        run = Run(clients(*(server.address for server in two)), requests(5))
        for server in two:
            server.wait_for(lambda record: record.started, PATIENCE_S)
        run.cancel()
        with pytest.raises(Cancelled):
            list(run)
        for server in two:
            server.wait_for(lambda record: record.outcome == "cancelled", PATIENCE_S)
            assert len(server.requests) == 1


def test_several_addresses_are_one_profile_with_members() -> None:
    profile = ServerProfile("gpu1, gpu2:7860,[::1], gpu1:7859", secret_name="lab")
    assert profile.address == "gpu1:7859"
    assert profile.addresses == ("gpu1:7859", "gpu2:7860", "[::1]:7859")
    assert [member.address for member in profile.members] == list(profile.addresses)
    assert {member.secret_name for member in profile.members} == {"lab"}
    assert profile.members[1] == ServerProfile("gpu2:7860", secret_name="lab")
    assert profile != ServerProfile("gpu1", secret_name="lab")
    with pytest.raises(SettingsError, match="not a server address"):
        ServerProfile("gpu1, what is this")


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the name gpus.lab leads."""
    addresses: list[str] = []
    ask = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> list[Any]:
        places = addresses if host == "gpus.lab" else [host]
        return [row for place in places for row in ask(place, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return addresses


@contextmanager
def on_one_port(*hosts: str) -> Iterator[list[Simulator]]:
    """A simulator at each of the addresses, all at the same port."""
    with ExitStack() as stack:
        running: list[Simulator] = []
        for host in hosts:
            port = running[0].port if running else 0
            running.append(stack.enter_context(Simulator(host=host, port=port, step_delay=0.02)))
        yield running


def test_a_name_with_several_addresses_is_several_servers(name: list[str]) -> None:
    with on_one_port("127.0.0.1", "127.0.0.2", "127.0.0.3") as servers:
        name += ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.9"]  # the last is off
        (client,) = clients(f"gpus.lab:{servers[0].port}")
        members = spread([client])
        assert [m.profile.host for m in members] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        echoes = [server.echo_count for server in servers]
        again = spread([client])
        assert [m.profile for m in again] == [m.profile for m in members]
        assert [server.echo_count for server in servers] == echoes  # known by now: nobody was asked
        run = Run(members, requests(9))
        list(run)
        assert sorted(chain(*map(seeds, servers))) == list(range(9))
        assert all(map(seeds, servers)), "every server had a share"


def test_several_addresses_of_one_machine_are_one_server(name: list[str]) -> None:
    with Simulator(host="0.0.0.0") as both:
        name += ["127.0.0.1", "127.0.0.2"]
        alone = clients(f"gpus.lab:{both.port}")
        assert spread(alone) == alone


def test_an_address_or_a_name_of_one_is_left_as_it_is(name: list[str]) -> None:
    name += ["127.0.0.1"]
    given = clients("gpus.lab:7", "127.0.0.1:8", "nowhere.invalid:9")
    assert spread(given) == given


def test_a_member_is_vouched_for_by_the_name_that_was_written() -> None:
    profile = ServerProfile("gpus.lab", TlsMode.SYSTEM, secret_name="lab")
    member = profile.at("10.0.0.7")
    assert member.address == "10.0.0.7:7859"
    assert member.certificate_name == "gpus.lab:7859"
    assert member.secret_name == "lab"
    assert profile.at("fe80::1").address == "[fe80::1]:7859"
