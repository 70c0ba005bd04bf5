"""What was asked for bounds what is taken; what is odd but costs no picture is a note."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import DrawThingsError, ProtocolError
from drawthings.dt_core.generation import allowance as allowance_module
from drawthings.dt_core.generation.allowance import Allowance
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.events import (
    AudioReceived,
    ImageReceived,
    Noticed,
    Preview,
    Progress,
)
from drawthings.dt_core.generation.job import Job
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures import previews
from drawthings.dt_core.pictures.values import Audio
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.wire import protobuf, tensor
from scripted import ScriptedServer, serving

Response = protobuf.ImageGenerationResponse
Signpost = protobuf.ImageGenerationSignpostProto
PICTURE = Response(generatedImages=[tensor.encode(np.zeros((1, 64, 64, 3), np.float16))])
STILL: dict[str, Any] = {"model": "unheard_of.ckpt", "num_frames": 1}
FILM: dict[str, Any] = {"model": "ltx_2.3_22b_dev_q6p.ckpt", "num_frames": 9}


def answered(*messages: Any, **settings: Any) -> tuple[Job, list[Any], DrawThingsError | None]:
    """A generation of 64x64 px that is answered so: the job, its events and its end."""

    def generate(request: Any, context: Any) -> Iterator[Any]:
        yield from messages

    wanted = {"start_width": 64, "start_height": 64, "steps": 4, **(settings or STILL)}
    events: list[Any] = []
    with serving(ScriptedServer(generate=generate)) as server:
        client = Client(ServerProfile(server.address, TlsMode.PLAIN))
        job = client.generate(GenerationRequest(Configuration(**wanted), prompt="a tower"))
        try:
            events.extend(job)
        except DrawThingsError as error:
            return job, events, error
    return job, events, None


def notes(events: list[Any]) -> list[str]:
    return [str(event.text) for event in events if isinstance(event, Noticed)]


def latent(*shape: int) -> Any:
    return Response(previewImage=tensor.encode(np.zeros(shape, np.float16)))


def sound(*shape: int, value: float = 0.5) -> Any:
    return Response(generatedAudio=[tensor.encode(np.full(shape, value, np.float32))])


# --- previews


@pytest.mark.parametrize(
    "shape",
    [(1, 8, 200, 4), (1, 200, 8, 4), (8, 8, 4), (2, 64, 64, 16)],
    ids=["too wide", "too high", "of three dimensions", "of too many values"],
)
def test_previews_that_cannot_be_of_the_picture_are_skipped_with_one_note(
    shape: tuple[int, ...],
) -> None:
    _, events, error = answered(latent(*shape), latent(*shape), latent(1, 8, 8, 4), PICTURE)

    assert error is None
    assert [event.latent().shape for event in events if isinstance(event, Preview)] == [
        (1, 8, 8, 4)
    ]
    assert len(notes(events)) == 1
    assert str(list(shape)) in notes(events)[0]


def test_a_preview_that_is_no_tensor_is_skipped_with_one_note() -> None:
    torn = Response(previewImage=b"torn")
    _, events, error = answered(torn, torn, PICTURE)

    assert error is None
    assert len(notes(events)) == 1
    assert "cannot be read" in notes(events)[0]


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [(1, 256, True), (1, 257, False), (8256, 64, True), (8257, 64, False), (64, 8257, False)],
)
def test_a_preview_of_absurd_sides_or_ratio_is_not_shown(
    height: int, width: int, shown: bool
) -> None:
    recipe = FAMILIES["v1"].preview
    rgb = previews.latent_to_rgb(np.zeros((1, height, width, recipe.channels), np.float16), recipe)

    assert (rgb is not None) is shown


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.version)
@pytest.mark.parametrize("size", [(64, 64), (8192, 64), (64, 8192), (1920, 1088)], ids=str)
def test_every_honest_preview_of_every_family_is_taken(family: Any, size: tuple[int, int]) -> None:
    width, height = size
    count = 17 if family.is_video else 2
    settings = Configuration(
        start_width=width, start_height=height, num_frames=count,
        batch_size=1 if family.is_video else 2,
    )  # fmt: skip
    resolved = replace(resolve(GenerationRequest(settings)), family=family)
    allowance = Allowance(resolved, "here")
    latents = (count - 1) // family.temporal_scale + 1 if family.is_video else count
    recipe = family.preview
    scale = family.latent_scale or 4
    cells = max(height // scale, 1), max(width // scale, 1)
    rows = previews.audio_row_count(latents, cells[1]) if recipe.audio_rows else 0
    shape = (latents, cells[0] + rows, cells[1], max(recipe.channels, 1))
    header = tensor.read_header(tensor.encode(np.zeros((1, 1, 1, 1), np.float16)))
    honest = replace(header, shape=shape, size_bytes=2 * int(np.prod(shape)))

    assert allowance.fits_preview(honest, honest.size_bytes)


# --- pictures


def test_as_many_frames_as_were_asked_for_are_taken_whatever_the_file_is_called() -> None:
    for model in ("unheard_of.ckpt", "sd_v1.5_f16.ckpt"):
        job, _, error = answered(*[PICTURE] * 200, model=model, num_frames=200)
        assert error is None
        assert len(job.images) == 200


def test_a_picture_may_be_as_large_as_an_upscaler_makes_it_and_no_larger() -> None:
    def of(side: int) -> Any:
        return Response(generatedImages=[tensor.encode(np.zeros((1, side, side, 3), np.float16))])

    upscaled = {**STILL, "upscaler": "four_times.ckpt"}
    assert answered(of(256), **upscaled)[2] is None
    for side, settings in ((256, STILL), (512, upscaled)):
        job, _, error = answered(PICTURE, of(side), **settings)
        assert isinstance(error, ProtocolError)
        assert f"{side}x{side} px" in str(error)
        assert len(job.images) == 1


def test_a_picture_that_is_too_large_is_refused_by_its_first_piece() -> None:
    whole = tensor.encode(np.zeros((1, 512, 512, 3), np.float16))
    piece = Response(generatedImages=[whole[:1000]], chunkState=protobuf.MORE_CHUNKS)
    _, _, error = answered(piece)

    assert isinstance(error, ProtocolError)
    assert "512x512 px" in str(error)


def test_a_message_that_holds_more_than_was_asked_for_is_refused_before_it_is_read() -> None:
    _, _, error = answered(Response(generatedImages=[bytes(8 << 20)]))

    assert isinstance(error, ProtocolError)
    assert "more at once" in str(error)


def test_what_is_no_picture_costs_itself_only() -> None:
    flat = Response(generatedImages=[tensor.encode(np.zeros((64, 64), np.float16))])
    job, _, error = answered(PICTURE, flat, PICTURE)

    assert len(job.images) == 2
    assert error is not None
    assert "is no picture" in str(error)


# --- sound


def test_sound_of_one_and_of_two_channels_fits_together() -> None:
    job, events, error = answered(PICTURE, sound(1, 100, value=0.25), sound(2, 50), **FILM)
    whole = Audio.joined([piece.samples for piece in job.audio], 48_000)

    assert (error, notes(events)) == (None, [])
    assert whole.samples.shape == (2, 150)
    assert whole.samples[:, :100] == pytest.approx(0.25)


@pytest.mark.parametrize(
    "odd",
    [
        sound(3, 100),
        sound(100),
        sound(2, 48_000 * 11),
        Response(generatedAudio=[b"torn"]),
        Response(generatedAudio=[tensor.encode(np.ones((2, 100), np.float32))[:-9]]),
    ],
    ids=["three channels", "no channels", "longer than the film", "no tensor", "cut off"],
)
def test_sound_that_cannot_be_used_costs_no_picture(odd: Any) -> None:
    job, events, error = answered(PICTURE, odd, odd, sound(2, 50), PICTURE, **FILM)

    assert error is None
    assert len(job.images) == 2
    assert sum(isinstance(event, AudioReceived) for event in events) == 1
    assert set(notes(events)) == {notes(events)[0]}
    assert "left out" in notes(events)[0]


def test_sound_without_an_end_is_refused() -> None:
    piece = sound(2, 48_000 * 9)
    piece.chunkState = protobuf.MORE_CHUNKS
    job, _, error = answered(PICTURE, *[piece] * 20, **FILM)

    assert isinstance(error, ProtocolError)
    assert "without an end" in str(error)
    assert len(job.images) == 1


def test_nan_in_sound_is_silent_and_a_note() -> None:
    job, events, error = answered(PICTURE, sound(2, 100, value=float("nan")), **FILM)

    assert error is None
    assert (job.audio[0].nonfinite, job.audio[0].samples.max()) == (200, 0)
    assert ["NaN" in note for note in notes(events)] == [True]


# --- statuses


def test_what_is_said_again_is_no_event_and_there_are_not_more_than_any_run_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allowance_module, "_MOST_STATUSES", 5)
    plan = [Signpost(sampling=Signpost.Sampling(step=9))]

    def step(number: int) -> Any:
        at = Signpost(sampling=Signpost.Sampling(step=number))
        return Response(currentSignpost=at, signposts=plan)

    _, events, error = answered(*[step(1)] * 30, *map(step, range(2, 9)), PICTURE)

    assert error is None
    assert [event.step for event in events if isinstance(event, Progress)] == [1, 2, 3, 4, 5]
    assert any(isinstance(event, ImageReceived) for event in events)
