"""One order of work for one server or several: what is asked, sent, told and gathered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import RequestError, ServerError, ServerUnreachable
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.events import (
    AudioReceived,
    Event,
    ImageReceived,
    Preview,
    Progress,
    Started,
)
from drawthings.dt_core.generation.fleet import Completed, Numbered, Run, RunEvent
from drawthings.dt_core.generation.registry import Servers
from drawthings.dt_core.generation.work import Work
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.pictures.stack import joined
from drawthings.dt_core.request import batches
from drawthings.dt_core.request.batches import Batch, Plan
from drawthings.dt_core.request.resolved import GenerationRequest, Resolved
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.text import verbatim

SETTINGS = Configuration(
    model="z_image_turbo_1.0_q6p.ckpt", start_width=128, start_height=128, steps=3, seed=7
)
FILM = Configuration(
    model="ltx_2_19b_distilled_q8p.ckpt",
    start_width=128,
    start_height=128,
    steps=1,
    seed=7,
    num_frames=9,
)
NOBODY = "127.0.0.1:9"
PATIENCE_S = 20

Wanted = Callable[[Catalog], tuple[GenerationRequest, Callable[[Resolved], Plan]]]


def wanted(settings: Configuration, rounds: int = 1) -> Wanted:
    batch = Batch(GenerationRequest(settings.replace(batch_count=rounds), prompt="a lighthouse"))
    return lambda _catalog: (batch.at(0), partial(batches.plan, batch))


def clients(*addresses: str) -> list[Client]:
    owner = Servers()
    profile = ServerProfile(", ".join(addresses), TlsMode.PLAIN)
    return [Client(member, servers=owner) for member in profile.members]


def comparable(event: Event) -> tuple[Any, ...]:
    """An event without what no two runs have in common."""
    match event:
        case Started(_, warnings):
            return "started", warnings
        case ImageReceived(index, picture, scale):
            return "image", index, picture.rgb.tobytes(), scale
        case AudioReceived(samples):
            return "sound", samples.tobytes()
        case Progress() | Preview():
            return type(event).__name__, event
        case _:
            return (event,)


def of_each(events: list[RunEvent]) -> dict[int, list[tuple[Any, ...]]]:
    """What was told of each request, in its order; by whom does not matter."""
    told: dict[int, list[tuple[Any, ...]]] = {}
    for event in events:
        row = comparable(event.event) if isinstance(event, Numbered) else (type(event).__name__,)
        told.setdefault(event.number, []).append(row)
    return told


def test_a_fleet_of_one_says_and_gives_what_the_server_alone_does() -> None:
    with Simulator(response_compression=False) as server:
        for settings in (SETTINGS, FILM):
            request, _ = wanted(settings)(Catalog())
            (client,) = clients(server.address)
            job = client.generate(request)
            alone = [comparable(event) for event in job]
            run = Run([client], [request])
            fleet = list(run)

            assert [comparable(e.event) for e in fleet if isinstance(e, Numbered)] == alone
            assert isinstance(fleet[-1], Completed)
            (answer,) = run.answers
            assert answer.complete
            assert [comparable(i) for i in answer.images] == [comparable(i) for i in job.images]
            assert [comparable(a) for a in answer.audio] == [comparable(a) for a in job.audio]


def test_one_server_and_several_tell_and_give_the_same() -> None:
    with (
        Simulator(response_compression=False, step_delay=0.02) as one,
        Simulator(response_compression=False, step_delay=0.02) as two,
    ):
        works = [
            Work(clients(*addresses), wanted(SETTINGS, 5))
            for addresses in ((one.address,), (one.address, two.address))
        ]
        told = [of_each(list(work.start())) for work in works]
        assert two.requests, "it had a share"

    alone, shared = works
    assert told[0] == told[1]
    assert list(told[0]) == [0, 1, 2, 3, 4]
    assert all(rows[-1] == ("Completed",) for rows in told[0].values())
    assert alone.seeds == shared.seeds == [7, 8, 9, 10, 11]
    assert alone.numbers == shared.numbers == [0, 1, 2, 3, 4]
    for mine, theirs in zip(alone.pictures, shared.pictures, strict=True):
        np.testing.assert_array_equal(mine.rgb, theirs.rgb)


def test_pictures_of_one_server_lie_side_by_side() -> None:
    with Simulator() as server:
        work = Work(clients(server.address), wanted(SETTINGS, 3))
        list(work.start())
    whole = joined([picture.rgb for picture in work.pictures])
    assert whole is not None
    assert whole.shape == (3, 128, 128, 3)


def test_the_sound_of_all_requests_is_one_with_the_rate_of_the_family() -> None:
    with Simulator() as server:
        work = Work(clients(server.address), wanted(FILM, 2))
        assert work.audio is None
        list(work.start())
    pieces = [piece.samples for answer in work.answers for piece in answer.audio]
    assert len(pieces) == 2
    assert work.audio is not None
    assert work.audio.sample_rate == work.sample_rate
    np.testing.assert_array_equal(work.audio.samples, np.concatenate(pieces, axis=1))


def test_what_arrived_is_kept_when_the_only_server_dies() -> None:
    server = Simulator(step_delay=0.05)
    with server:
        work = Work(clients(server.address), wanted(SETTINGS, 6))
        run = work.start()
        server.wait_for(
            lambda record: record.started and record is not server.requests[0], PATIENCE_S
        )
        server.stop()
        with pytest.raises(ServerUnreachable):
            list(run)
    assert 1 <= len(work.pictures) < 6
    assert work.numbers == list(range(len(work.pictures)))
    assert not work.answers[-1].complete


def test_the_first_server_that_answers_says_what_there_is() -> None:
    with Simulator(secret="other") as strict, Simulator() as there:
        work = Work(clients(NOBODY, strict.address, there.address), wanted(SETTINGS))
    assert work.client.profile.address == there.address
    assert work.resolved.model is not None


def test_a_busy_server_is_asked_where_no_other_answers() -> None:
    with Simulator(echo_on_queue=True) as busy:
        asked = clients(busy.address, NOBODY)
        asked[0].echo_timeout_s = 0.2
        with busy.busy():
            work = Work(asked, wanted(SETTINGS))
        assert work.client is asked[0]
        assert work.catalog == Catalog()
        with Simulator() as there:
            asked = clients(busy.address, there.address)
            asked[0].echo_timeout_s = 0.2
            with busy.busy():
                assert Work(asked, wanted(SETTINGS)).client is asked[1]


def test_servers_that_are_all_away_are_the_error_of_the_last() -> None:
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:10"):
        Work(clients(NOBODY, "127.0.0.1:10"), wanted(SETTINGS))
    with pytest.raises(RequestError, match="no server to ask"):
        Work([], wanted(SETTINGS))


def test_an_order_that_cannot_be_is_refused_before_anything_is_sent() -> None:
    def refuse(_catalog: Catalog) -> Any:
        raise RequestError(verbatim("no"))

    with Simulator() as server:
        with pytest.raises(RequestError):
            Work(clients(server.address), refuse)
        work = Work(clients(server.address), wanted(SETTINGS, 2))
        assert len(work.find_servers()) == 1
        assert work.answers == []
        assert work.pictures == []
        assert not server.requests


def test_a_server_that_is_alone_is_not_waited_for() -> None:
    with Simulator(step_delay=60) as server:
        (client,) = clients(server.address)
        with client.server.turn.taken():  # somebody else's picture; the server has a queue
            run = Run([client], [wanted(SETTINGS)(Catalog())[0]])
            server.wait_for(lambda record: record.started, PATIENCE_S)
            run.cancel()
        with pytest.raises(ServerError):
            list(run)
