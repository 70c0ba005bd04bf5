"""The client against the simulator, over real gRPC: every way of connecting and encoding."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import (
    Cancelled,
    ModelNotFound,
    RequestError,
    SecretRejected,
)
from drawthings.dt_core.generation.client import AsyncClient, Client, Thresholds
from drawthings.dt_core.generation.events import (
    AudioReceived,
    DownloadSize,
    Event,
    ImageReceived,
    Preview,
    Progress,
    Stage,
    Started,
)
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures.pixels import to_uint8
from drawthings.dt_core.pictures.previews import latent_to_rgb
from drawthings.dt_core.pictures.values import Mask, Picture
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.wire import protobuf
from scripted import ScriptedServer, make_certificate, serving

SETTINGS = Configuration(
    model="z_image_turbo_1.0_q6p.ckpt", start_width=128, start_height=128, steps=4, seed=7
)


def connect(server: Simulator, secret: str | None = None) -> Client:
    return Client(ServerProfile(server.address), secret=secret)


def pictures(events: list[Event]) -> list[np.ndarray]:
    return [to_uint8(e.picture.rgb) for e in events if isinstance(e, ImageReceived)]


@pytest.mark.parametrize("compression", [True, False], ids=["compressed", "raw"])
@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
def test_the_same_picture_arrives_over_every_kind_of_connection(
    tls: bool, compression: bool
) -> None:
    own = make_certificate(ips=("127.0.0.1",))
    with Simulator(
        tls=tls,
        certificate=own.pem,
        private_key=own.key,
        secret="open sesame",
        response_compression=compression,
    ) as server:
        client = connect(server, "open sesame")
        events = list(client.generate(GenerationRequest(SETTINGS, prompt="a lighthouse")))
        assert client.security.startswith("TLS" if tls else "plain text")
    with Simulator() as reference:
        plain = list(
            connect(reference).generate(GenerationRequest(SETTINGS, prompt="a lighthouse"))
        )
    (picture,), (expected,) = pictures(events), pictures(plain)
    assert picture.shape == (128, 128, 3)
    assert np.array_equal(picture, expected)


def test_the_events_of_a_generation_tell_its_whole_story(server: Simulator) -> None:
    events = list(connect(server).generate(GenerationRequest(SETTINGS, prompt="x")))
    kinds = [type(event) for event in events]
    assert kinds[0] is Started
    assert kinds[-2:] == [DownloadSize, ImageReceived]
    steps = [e.step for e in events if isinstance(e, Progress) and e.stage is Stage.SAMPLING]
    assert steps == [0, 1, 2, 3, 4]
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.done == last.total
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    rgb = latent_to_rgb(previews[-1].latent(), FAMILIES["z_image"].preview)
    assert rgb is not None
    assert rgb.shape == (1, 16, 16, 3)


def test_the_catalogue_is_asked_once_for_several_generations(server: Simulator) -> None:
    client = connect(server)
    for seed in (1, 2, 3):
        list(client.generate(GenerationRequest(SETTINGS.replace(seed=seed))))
    assert server.echo_count == 1


def test_what_was_asked_arrives_at_the_server() -> None:
    image = Picture(np.full((128, 128, 3), 0.25, np.float32))
    mask = np.zeros((128, 128), np.float32)
    mask[:64] = 1
    request = GenerationRequest(
        SETTINGS.replace(strength=0.5), prompt="wanted", image=image, mask=Mask(mask)
    )
    with Simulator() as server:
        list(connect(server).generate(request))
        (record,) = server.requests
    assert record.configuration is not None
    assert record.mask is not None
    assert record.configuration["strength"] == 0.5
    assert record.message.prompt == "wanted"
    assert record.outcome == "done"
    assert record.image == pytest.approx(-0.5, abs=1e-3)
    assert set(np.unique(record.mask[:64])) == {2}
    assert set(np.unique(record.mask[64:])) == {0}


def test_a_batch_arrives_in_order_and_differs(server: Simulator) -> None:
    request = GenerationRequest(SETTINGS.replace(batch_size=3))
    arrived = pictures(list(connect(server).generate(request)))
    assert len(arrived) == 3
    assert not np.array_equal(arrived[0], arrived[1])


def test_a_film_with_sound_arrives_as_frames_and_one_sound(server: Simulator) -> None:
    file = next(preset.model for preset in FAMILIES["ltx2.3"].presets)
    request = GenerationRequest(
        SETTINGS.replace(model=file, num_frames=9, start_width=64, start_height=64)
    )
    events = list(connect(server).generate(request))
    assert len(pictures(events)) == 9
    (sound,) = [event.samples for event in events if isinstance(event, AudioReceived)]
    assert sound.shape[0] == 2
    assert sound.dtype == np.float32


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_a_wrong_secret_is_told_before_anything_is_sent(secret: str | None) -> None:
    with Simulator(secret="right") as server:
        with pytest.raises(SecretRejected, match="shared secret") as caught:
            list(connect(server, secret).generate(GenerationRequest(SETTINGS)))
        assert not server.requests
    assert "right" not in str(caught.value)
    assert "wrong'" not in str(caught.value)


def test_a_missing_model_is_named_with_what_the_server_has() -> None:
    request = GenerationRequest(SETTINGS.replace(model="nowhere.ckpt"))
    with Simulator() as server:
        with pytest.raises(ModelNotFound, match=r"no model 'nowhere\.ckpt'") as caught:
            list(connect(server).generate(request))
        assert not server.requests
    assert "z_image_turbo_1.0_q6p.ckpt" in caught.value.available
    assert caught.value.available[0] in str(caught.value)


def test_without_model_browsing_files_are_asked_for() -> None:
    with Simulator(model_browser=False) as server:
        client = connect(server)
        assert not client.catalog().browsable
        assert len(pictures(list(client.generate(GenerationRequest(SETTINGS))))) == 1
        with pytest.raises(ModelNotFound, match="--model-browser"):
            list(client.generate(GenerationRequest(SETTINGS.replace(model="nowhere.ckpt"))))


def test_files_are_found_in_the_order_of_the_question(server: Simulator) -> None:
    found = connect(server).files_exist(["nowhere.ckpt", "z_image_turbo_1.0_q6p.ckpt"])
    (hashed,) = connect(server).files_exist(["z_image_turbo_1.0_q6p.ckpt"], hashes=True)
    assert [status.exists for status in found] == [False, True]
    assert found[1].sha256 is None
    assert hashed.sha256 is not None
    assert len(hashed.sha256) == 32


def test_what_would_crash_the_server_is_not_sent() -> None:
    with Simulator() as server:
        with pytest.raises(RequestError, match="Batch size is 0"):
            list(connect(server).generate(GenerationRequest(SETTINGS.replace(batch_size=0))))
        assert not server.requests


def test_a_cancelled_generation_stops_on_the_server_and_the_next_one_runs() -> None:
    with Simulator(step_delay=30) as server:
        client = connect(server)
        job = client.generate(GenerationRequest(SETTINGS))
        for event in job:
            if isinstance(event, Progress):
                break
        job.cancel()
        with pytest.raises(Cancelled):
            list(job)
        server.wait_for(lambda record: record.outcome == "cancelled", 10)
        server.step_delay = 0
        assert len(pictures(list(client.generate(GenerationRequest(SETTINGS))))) == 1


def test_a_busy_server_keeps_us_waiting_in_silence_and_then_serves_us() -> None:
    with Simulator(step_delay=0.05) as server:
        client = connect(server)
        jobs = [client.generate(GenerationRequest(SETTINGS.replace(seed=seed))) for seed in (1, 2)]
        assert [len(pictures(list(job))) for job in jobs] == [1, 1]


def test_a_server_too_busy_for_echo_is_used_without_a_catalogue() -> None:
    """With --echo-on-queue the catalogue waits for the queue, the generation need not."""
    with Simulator(step_delay=30, echo_on_queue=True, model_browser=False) as server:
        holding = connect(server).generate(GenerationRequest(SETTINGS))
        server.wait_for(lambda record: record.started, 10)
        client = connect(server)
        client.echo_timeout_s = 0.2
        waiting = client.generate(GenerationRequest(SETTINGS))
        started = next(iter(waiting))
        assert isinstance(started, Started)
        assert started.resolved.catalog is not None
        assert not started.resolved.catalog.browsable
        server.step_delay = 0
        holding.cancel()
        assert len(pictures(list(waiting))) == 1


def test_the_async_face_gives_the_same(server: Simulator) -> None:
    async def run(address: str) -> tuple[int, int]:
        client = AsyncClient(ServerProfile(address, TlsMode.PLAIN))
        catalog = await client.catalog()
        events = [event async for event in client.generate(GenerationRequest(SETTINGS))]
        return len(catalog.models), len(pictures(events))

    models, count = asyncio.run(run(server.address))
    assert models >= len(FAMILIES)
    assert count == 1


def test_many_threads_share_one_client(server: Simulator) -> None:
    client = connect(server)
    results: dict[int, int] = {}

    def work(seed: int) -> None:
        events = list(client.generate(GenerationRequest(SETTINGS.replace(seed=seed))))
        results[seed] = len(pictures(events))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == dict.fromkeys(range(4), 1)


def test_the_limits_and_the_key_of_a_proxy_are_told() -> None:
    def hours(*_: object) -> object:
        reply = protobuf.HoursResponse()
        reply.thresholds.community, reply.thresholds.plus = 15_000, 40_000
        reply.thresholds.expireAt = 1_800_000_000
        return reply

    proxy = ScriptedServer(hours=hours, pubkey=lambda *_: protobuf.PubkeyResponse(pubkey="PEM"))
    with serving(proxy):
        client = Client(ServerProfile(proxy.address))
        assert client.thresholds() == Thresholds(15_000, 40_000, 1_800_000_000)
        assert client.public_key() == "PEM"


def test_a_server_of_ones_own_has_no_limits_and_no_key() -> None:
    with Simulator() as server:
        client = connect(server)
        assert client.thresholds() is None
        assert client.public_key() == ""
