"""One generation over a real wire, against answers written message by message."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
from drawthings.dt_core.connection import failures
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import (
    Cancelled,
    GenerationFailed,
    NoImages,
    ProtocolError,
    RequestError,
    ServerUnreachable,
    TensorError,
)
from drawthings.dt_core.generation import event_queue
from drawthings.dt_core.generation.client import AsyncClient, Client
from drawthings.dt_core.generation.events import (
    AudioReceived,
    DownloadSize,
    Event,
    ImageReceived,
    Preview,
    Progress,
    RemoteDownload,
    Stage,
    Started,
)
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.wire import protobuf, tensor
from scripted import ScriptedServer, serving

REQUEST = GenerationRequest(
    Configuration(model="m.ckpt", start_width=64, start_height=64, steps=4), prompt="a tower"
)
Response = protobuf.ImageGenerationResponse
Signpost = protobuf.ImageGenerationSignpostProto


def picture(value: float = 0.5, size: int = 8, channels: int = 3) -> bytes:
    return tensor.encode(np.full((1, size, size, channels), value, np.float16))


def sampling(step: int) -> Any:
    return Signpost(sampling=Signpost.Sampling(step=step))


@contextmanager
def answering(
    *messages: Any, then: Callable[[grpc.ServicerContext], object] | None = None
) -> Iterator[tuple[ScriptedServer, Client]]:
    def generate(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from messages
        if then is not None:
            then(context)

    with serving(ScriptedServer(generate=generate)) as server:
        yield server, Client(ServerProfile(server.address, TlsMode.PLAIN))


def events_of(*messages: Any) -> list[Event]:
    with answering(*messages) as (_, client):
        return list(client.generate(REQUEST))


def test_a_whole_generation_arrives_as_typed_events_in_order() -> None:
    plan = [
        Signpost(textEncoded=Signpost.TextEncoded()),
        sampling(2),
        Signpost(imageDecoded=Signpost.ImageDecoded()),
    ]
    latent = tensor.encode(np.zeros((1, 8, 8, 16), np.float16))
    events = events_of(
        Response(
            remoteDownload=protobuf.RemoteDownloadResponse(
                bytesReceived=5, bytesExpected=10, item=0, itemsExpected=2
            )
        ),
        Response(currentSignpost=plan[0], signposts=plan),
        Response(),  # the heartbeat of a proxy
        Response(currentSignpost=sampling(0), signposts=plan),
        Response(currentSignpost=sampling(1), signposts=plan, previewImage=latent),
        Response(currentSignpost=sampling(2), signposts=plan),
        Response(currentSignpost=plan[2], signposts=plan),
        Response(downloadSize=len(picture())),
        Response(generatedImages=[picture()], scaleFactor=2),
        Response(generatedAudio=[tensor.encode(np.zeros((2, 100), np.float32))]),
    )
    assert [type(event) for event in events] == [
        Started, RemoteDownload, Progress, Progress, Progress, Preview, Progress, Progress,
        DownloadSize, ImageReceived, AudioReceived,
    ]  # fmt: skip
    assert events[1] == RemoteDownload(5, 10, 0, 2)
    steps = [(e.stage, e.step, e.steps, e.done, e.total) for e in events if isinstance(e, Progress)]
    assert steps == [
        (Stage.TEXT_ENCODED, 0, 0, 1, 4),
        (Stage.SAMPLING, 0, 2, 1, 4),
        (Stage.SAMPLING, 1, 2, 2, 4),
        (Stage.SAMPLING, 2, 2, 3, 4),
        (Stage.IMAGE_DECODED, 0, 0, 4, 4),
    ]
    assert events[5].latent().shape == (1, 8, 8, 16)  # type: ignore[union-attr]
    image = next(event for event in events if isinstance(event, ImageReceived))
    assert (image.index, image.scale_factor) == (0, 2)
    assert image.picture.rgb == pytest.approx(0.75)
    assert events[-1].samples.shape == (2, 100)  # type: ignore[union-attr]


def test_pieces_become_one_picture_and_messages_above_grpcs_own_limit_pass() -> None:
    data = tensor.encode(np.full((1, 1024, 1024, 3), -1, np.float16))
    piece = 4 * 1024 * 1024
    large = replace(REQUEST, settings=REQUEST.settings.replace(start_width=1024, start_height=1024))
    with answering(
        Response(generatedImages=[data[:piece]], chunkState=protobuf.MORE_CHUNKS),
        Response(generatedImages=[data[piece:]]),
        Response(generatedImages=[picture(1)]),
    ) as (_, client):
        events = list(client.generate(large))
    images = [event for event in events if isinstance(event, ImageReceived)]
    assert [image.picture.rgb.shape for image in images] == [(1024, 1024, 3), (8, 8, 3)]
    assert [image.picture.rgb.max() for image in images] == [0, 1]


def test_several_pictures_in_one_message_are_all_taken() -> None:
    events = events_of(Response(generatedImages=[picture(-1), picture(1)]))
    assert [e.index for e in events if isinstance(e, ImageReceived)] == [0, 1]


def test_a_transparent_picture_has_its_alpha_first() -> None:
    array = np.zeros((1, 4, 4, 4), np.float16)
    array[..., 0], array[..., 1] = 0.25, 1.0
    events = events_of(Response(generatedImages=[tensor.encode(array)]))
    image = next(event for event in events if isinstance(event, ImageReceived))
    assert image.picture.alpha == pytest.approx(np.full((4, 4), 0.25))
    assert image.picture.rgb[0, 0] == pytest.approx([1, 0.5, 0.5])


def test_a_signpost_that_we_do_not_know_is_passed_over() -> None:
    events = events_of(
        Response(currentSignpost=Signpost(), signposts=[Signpost()]),
        Response(generatedImages=[picture()]),
    )
    assert [type(event) for event in events] == [Started, ImageReceived]


def failure_of(
    *messages: Any, then: Callable[[grpc.ServicerContext], object] | None = None
) -> tuple[BaseException, int]:
    """What a generation raises, and how many whole pictures are kept."""
    with answering(*messages, then=then) as (_, client):
        job = client.generate(REQUEST)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
            list(job)
        return caught.value, len(job.images)


def test_ok_without_a_picture_is_an_error_that_says_why_it_may_be() -> None:
    error, _ = failure_of(Response(scaleFactor=1))
    assert isinstance(error, NoImages)
    assert "without a picture" in str(error)


def test_a_picture_that_stops_in_the_middle_is_an_error_and_the_one_before_is_kept() -> None:
    error, kept = failure_of(
        Response(generatedImages=[picture()]),
        Response(generatedImages=[picture()[:100]], chunkState=protobuf.MORE_CHUNKS),
    )
    assert isinstance(error, ProtocolError)
    assert kept == 1


def test_a_torn_picture_is_a_tensor_error_and_the_server_is_told() -> None:
    torn = Response(generatedImages=[picture()[:80]])
    release = threading.Event()
    messages = (Response(generatedImages=[picture()]), torn)
    with answering(*messages, then=lambda _: release.wait(20)) as (server, client):
        job = client.generate(REQUEST)
        with pytest.raises(TensorError):
            list(job)
        assert len(job.images) == 1
        assert server.cancelled.wait(8)  # long before the server would end by itself
        release.set()


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (grpc.StatusCode.INTERNAL, GenerationFailed, "because"),
        (grpc.StatusCode.INVALID_ARGUMENT, RequestError, "refused"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, GenerationFailed, "limit of its own"),
        (grpc.StatusCode.UNAVAILABLE, ServerUnreachable, "Draw Things server"),
        (grpc.StatusCode.ABORTED, GenerationFailed, "ABORTED"),
    ],
)
def test_a_status_becomes_an_error_of_ours_and_pictures_are_kept(
    status: grpc.StatusCode, expected: type[Exception], words: str
) -> None:
    error, kept = failure_of(
        Response(generatedImages=[picture()]), then=lambda context: context.abort(status, "because")
    )
    assert type(error) is expected
    assert words in str(error)
    assert kept == 1


def test_cancelling_ends_a_silent_call_at_once_and_the_server_hears_of_it() -> None:
    reached = threading.Event()

    def generate(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        over = threading.Event()
        context.add_callback(over.set)
        reached.set()
        over.wait(20)
        yield from ()

    with serving(ScriptedServer(generate=generate)) as server:
        job = Client(ServerProfile(server.address, TlsMode.PLAIN)).generate(REQUEST)
        assert reached.wait(10)
        begun = time.monotonic()
        job.cancel()
        with pytest.raises(Cancelled):
            list(job)
        assert time.monotonic() - begun < 5  # not the 20 s of the silent server
        assert server.cancelled.wait(10)
        assert job.wait(10)


def test_a_job_cancelled_before_it_is_sent_never_reaches_the_server() -> None:
    release = threading.Event()

    def slow_echo(request: Any, context: grpc.ServicerContext) -> Any:
        release.wait(10)
        return protobuf.EchoReply()

    with serving(ScriptedServer(echo=slow_echo)) as server:
        job = Client(ServerProfile(server.address, TlsMode.PLAIN)).generate(REQUEST)
        job.cancel()
        release.set()
        with pytest.raises(Cancelled):
            list(job)
        assert server.requests == []


def test_events_can_be_polled_without_waiting() -> None:
    with answering(Response(generatedImages=[picture()])) as (_, client):
        job = client.generate(REQUEST)
        assert job.wait(10)
        assert [type(event) for event in job.poll() or []] == [Started, ImageReceived]
        assert job.poll() is None
        assert job.poll() is None


def test_one_async_client_serves_one_event_loop_after_another() -> None:
    with answering(Response(generatedImages=[picture()])) as (server, _):
        client = AsyncClient(ServerProfile(server.address, TlsMode.PLAIN))

        async def run() -> list[type]:
            return [type(event) async for event in client.generate(REQUEST)]

        assert asyncio.run(run()) == [Started, ImageReceived]
        assert asyncio.run(run()) == [Started, ImageReceived]


def until_it_is_over(context: grpc.ServicerContext) -> None:
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(20)


def test_leaving_the_async_loop_cancels_the_call() -> None:
    with answering(Response(generatedImages=[picture()]), then=until_it_is_over) as (server, _):
        client = AsyncClient(ServerProfile(server.address, TlsMode.PLAIN))

        async def run() -> None:
            events = client.generate(REQUEST)
            async for event in events:
                if isinstance(event, ImageReceived):
                    break
            await events.aclose()  # type: ignore[attr-defined]

        asyncio.run(run())
        assert server.cancelled.wait(10)


def test_a_cancelled_task_cancels_the_call() -> None:
    with answering(Response(generatedImages=[picture()]), then=until_it_is_over) as (server, _):
        client = AsyncClient(ServerProfile(server.address, TlsMode.PLAIN))

        async def run() -> None:
            arrived = asyncio.Event()

            async def consume() -> None:
                async for event in client.generate(REQUEST):
                    if isinstance(event, ImageReceived):
                        arrived.set()

            task = asyncio.create_task(consume())
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(run())
        assert server.cancelled.wait(10)


def test_a_message_that_grows_when_it_is_read_is_refused() -> None:
    """Two bytes on the wire, a hundred in memory: signposts, files and pieces of nothing."""
    for empty in (b"\x1a\x00", b"\x0a\x00", b"\x32\x00"):
        bomb = empty * (protobuf.MAX_FIELDS + 1)
        tracemalloc.start()
        with pytest.raises(protobuf.Bomb):
            protobuf.GENERATE_IMAGE.parse_reply(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()
    whole = Response(
        generatedImages=[bytes(2 * protobuf.MAX_FIELDS)], downloadSize=1
    ).SerializeToString()
    assert (
        len(protobuf.GENERATE_IMAGE.parse_reply(whole).generatedImages[0])
        == 2 * protobuf.MAX_FIELDS
    )


def test_an_answer_without_bounds_is_refused_in_words() -> None:
    many = protobuf.EchoReply(files=[""] * (protobuf.MAX_FIELDS + 1))
    large = protobuf.EchoReply(message="x" * (failures.MAX_ANSWER_BYTES + 1))
    for answer, words in ((many, "cannot be read"), (large, "far more than an answer can hold")):
        with serving(ScriptedServer(echo=lambda *_, answer=answer: answer)) as server:
            client = Client(ServerProfile(server.address, TlsMode.PLAIN))
            with pytest.raises(ProtocolError, match=words):
                client.echo()


def test_previews_that_nobody_takes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_queue, "OPTIONAL_BYTES", 3000)
    latent = tensor.encode(np.zeros((1, 8, 8, 8), np.float16))  # of 1092 bytes
    previews = [Response(previewImage=latent) for _ in range(50)]
    with answering(*previews, Response(generatedImages=[picture()])) as (_, client):
        running = client.generate(REQUEST)
        assert running.wait(20)
        assert sum(isinstance(event, Preview) for event in running) == 3
        assert len(running.images) == 1


def test_a_preview_larger_than_any_models_is_not_unpacked() -> None:
    header = tensor.encode(np.zeros((1, 8, 8, 4), np.float16), "zip")
    huge = header[:20] + np.array([1, 16384, 16384, 2], "<i4").tobytes() + header[36:]
    with pytest.raises(TensorError, match="larger than any model's"):
        Preview(huge).latent()
