"""Pictures that are decoded side by side: their order, their place, and what survives a failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import Cancelled, GenerationFailed, TensorError
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.events import AudioReceived, ImageReceived
from drawthings.dt_core.pictures import pixels
from drawthings.dt_core.pictures.stack import Stack, joined
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.wire import fpzip_pool, protobuf, tensor
from scripted import ScriptedServer, serving

REQUEST = GenerationRequest(
    Configuration(model="m.ckpt", start_width=64, start_height=64, steps=4, batch_size=6)
)
Response = protobuf.ImageGenerationResponse


@pytest.fixture(autouse=True)
def _no_children_afterwards() -> Iterator[None]:
    yield
    fpzip_pool.shutdown()


def array(number: int, side: int = 64) -> np.ndarray:
    """A picture that compresses, and tells its number."""
    ramp = np.linspace(-1, 1, side * side * 3).reshape(1, side, side, 3)
    return (ramp * (number + 1) / 10).astype(np.float16)


def picture(number: int, codec: tensor.Codec = "fpzip", side: int = 64) -> bytes:
    data = tensor.encode(array(number, side), codec)
    assert tensor.read_header(data).codec == codec
    return data


def torn(number: int) -> bytes:
    """Cut off so early that no C code is asked: that might end its process."""
    return picture(number)[: tensor.HEADER_BYTES + 8]


def shown(number: int, side: int = 64) -> np.ndarray:
    picture: np.ndarray = (array(number, side)[0].astype(np.float32) + 1) * np.float32(0.5)
    return picture


def answer(data: bytes) -> Any:
    return Response(generatedImages=[data])


class Answers:
    """A server that sends these messages, waits if told to, and ends with a status or well."""

    def __init__(self, *messages: Any, status: grpc.StatusCode | None = None) -> None:
        self.messages, self.status = messages, status

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from self.messages
        if self.status is not None:
            context.abort(self.status, "because")


@pytest.fixture
def run() -> Iterator[Any]:
    with serving(ScriptedServer()) as server:

        def start(*messages: Any, room: Stack | None = None, **more: Any) -> Any:
            server.generate = Answers(*messages, **more)
            client = Client(ServerProfile(server.address, TlsMode.PLAIN))
            return client.generate(REQUEST, room)

        yield start


def test_compressed_pictures_arrive_in_order_bit_by_bit_and_in_one_array(run: Any) -> None:
    job = run(*(answer(picture(number)) for number in range(6)))
    images = [event for event in job if isinstance(event, ImageReceived)]
    assert [image.index for image in images] == list(range(6))
    whole = joined([image.picture.rgb for image in images])
    assert whole is not None
    np.testing.assert_array_equal(whole, [shown(number) for number in range(6)])


def test_raw_compressed_and_sound_keep_the_order_in_which_they_came(run: Any) -> None:
    sound = tensor.encode(np.zeros((2, 50), np.float32))
    job = run(
        answer(picture(0)),
        answer(picture(1, "raw")),
        Response(generatedAudio=[sound]),
        answer(picture(2)),
    )
    events = [event for event in job if isinstance(event, (ImageReceived, AudioReceived))]
    assert [type(event) for event in events] == [
        ImageReceived, ImageReceived, AudioReceived, ImageReceived,
    ]  # fmt: skip
    for number, image in enumerate(job.images):
        np.testing.assert_array_equal(image.picture.rgb, shown(number))


def test_a_picture_of_another_size_stands_alone_and_the_others_are_right(run: Any) -> None:
    sides = [64, 32, 64]
    job = run(*(answer(picture(number, side=side)) for number, side in enumerate(sides)))
    images = [event.picture.rgb for event in job if isinstance(event, ImageReceived)]
    assert joined(images) is None
    for number, (image, side) in enumerate(zip(images, sides, strict=True)):
        np.testing.assert_array_equal(image, shown(number, side))


def test_one_room_may_serve_several_jobs(run: Any) -> None:
    room = Stack(3)
    pictures = []
    for numbers in ((0,), (1, 2)):
        job = run(*(answer(picture(number)) for number in numbers), room=room)
        pictures += [e.picture.rgb for e in job if isinstance(e, ImageReceived)]
    whole = joined(pictures)
    assert whole is not None
    np.testing.assert_array_equal(whole, [shown(number) for number in range(3)])


def test_a_torn_picture_costs_no_other_and_is_told_at_the_end(run: Any) -> None:
    job = run(answer(picture(0)), answer(torn(1)), answer(picture(2)))
    arrived: list[Any] = []
    with pytest.raises(TensorError):
        arrived.extend(job)
    assert [event.index for event in arrived if isinstance(event, ImageReceived)] == [0, 2]
    np.testing.assert_array_equal(job.images[0].picture.rgb, shown(0))
    np.testing.assert_array_equal(job.images[1].picture.rgb, shown(2))


def test_after_some_torn_pictures_nobody_waits_for_the_rest(run: Any) -> None:
    job = run(answer(picture(0, "raw")), *[answer(torn(1))] * 30, answer(picture(2)))
    with pytest.raises(TensorError):
        list(job)
    assert [image.index for image in job.images] == [0]


def test_whole_pictures_are_delivered_before_the_error_of_a_broken_call(run: Any) -> None:
    job = run(*(answer(picture(n)) for n in range(5)), status=grpc.StatusCode.ABORTED)
    arrived: list[Any] = []
    with pytest.raises(GenerationFailed):
        arrived.extend(job)
    assert [e.index for e in arrived if isinstance(e, ImageReceived)] == list(range(5))
    np.testing.assert_array_equal(job.images[4].picture.rgb, shown(4))


def test_cancelling_does_not_wait_for_what_is_being_decoded(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release = threading.Event(), threading.Event()

    def slow(*_: Any) -> Any:
        begun.set()
        assert release.wait(20)

    monkeypatch.setattr(pixels, "wire_to_picture", slow)
    job = run(*(answer(picture(number)) for number in range(6)))
    try:
        assert begun.wait(10)
        job.cancel()
        with pytest.raises(Cancelled):
            list(job)
        assert job.wait(10)
        assert job.images == []
    finally:
        release.set()
