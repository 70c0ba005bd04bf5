"""Nodes' execute, with ComfyUI's own tensors, against the simulator."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import comfy.model_management as management
import grpc
import numpy as np
import pytest
import torch
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.pictures.values import Picture
from drawthings.dt_core.request.parts import Lora, ModelChoice, Reference
from drawthings.dt_core.settings import flatbuffer
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.wire import protobuf
from drawthings.nodes.host import compat
from drawthings.nodes.model import DTModelLoader
from drawthings.nodes.running import reporting
from drawthings.nodes.sampler import DTSampler
from drawthings.nodes.server import DTServer

MODEL = "z_image_turbo_1.0_q6p.ckpt"
EDIT_MODEL = "flux_2_klein_4b_q6p.ckpt"


def value(output: Any) -> Any:
    return output.args[0]


def widgets(**changes: Any) -> dict[str, Any]:
    common = {"seed": 1, "steps": 3, "guidance": 1.0, "sampler": "UniPC Trailing"}
    sizes = {"width": 128, "height": 64, "strength": 1.0, "batch_size": 1, "shift": 0.0}
    return {**common, **sizes, **changes}


class Sampling(DTSampler):
    """DT Sampler as ComfyUI calls it: with the hidden inputs filled in."""

    class hidden:  # noqa: N801
        unique_id = "7"


def sample(profile: ServerProfile, model: str = MODEL, **inputs: Any) -> Any:
    return asyncio.run(Sampling.execute(model=ModelChoice(profile, model), **widgets(**inputs)))


def test_server_and_model_become_values() -> None:
    server = value(DTServer.execute("box", "plain text", " home ", ""))
    assert server == ServerProfile("box:7859", TlsMode.PLAIN, "home")
    assert value(DTModelLoader.execute(MODEL, "", server)) == ModelChoice(server, MODEL)
    assert value(DTModelLoader.execute(MODEL, " own.ckpt ", server)).model == "own.ckpt"


def test_without_a_server_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert value(DTModelLoader.execute(MODEL)).server == ServerProfile("localhost:7859")
    before = DTModelLoader.fingerprint_inputs(model=MODEL)
    monkeypatch.setenv("DRAWTHINGS_SERVER", "plain://box:1")
    assert value(DTModelLoader.execute(MODEL)).server == ServerProfile("box:1", TlsMode.PLAIN)
    assert DTModelLoader.fingerprint_inputs(model=MODEL) != before


def test_text_becomes_an_image_of_floats(server: Any, profile: ServerProfile) -> None:
    image, mask = sample(profile, positive="a tower", negative="rain", batch_size=2).args[:2]
    assert (tuple(image.shape), image.dtype) == ((2, 64, 128, 3), torch.float32)
    assert 0 <= float(image.min()) < float(image.max()) <= 1
    assert tuple(mask.shape) == (2, 64, 128)
    assert not mask.any()
    (record,) = server.requests
    assert (record.message.prompt, record.message.negativePrompt) == ("a tower", "rain")
    settings = record.configuration
    assert (settings["start_width"], settings["start_height"]) == (128, 64)
    assert (settings["seed"], settings["steps"], settings["batch_size"]) == (1, 3, 2)
    assert settings["sampler"] == Sampler.UNIPC_TRAILING


def test_unconnected_prompts_are_empty(server: Any, profile: ServerProfile) -> None:
    sample(profile)
    assert server.requests[0].message.prompt == ""
    assert server.requests[0].message.negativePrompt == ""


def test_shift_is_automatic_at_0_and_meant_otherwise(server: Any, profile: ServerProfile) -> None:
    sample(profile)
    sample(profile, shift=2.5)
    automatic, meant = (record.configuration for record in server.requests)
    assert "shift" not in automatic
    assert "resolution_dependent_shift" not in automatic
    assert (meant["shift"], meant["resolution_dependent_shift"]) == (2.5, False)


def test_image_and_mask_reach_the_server(server: Any, profile: ServerProfile) -> None:
    image = torch.full((1, 64, 128, 3), 0.75)
    mask = torch.zeros((1, 64, 128))
    mask[:, :, :64] = 1
    sample(profile, image=image, mask=mask, strength=0.6)
    (record,) = server.requests
    assert record.image == pytest.approx(0.5, abs=1e-3)
    assert set(np.unique(record.mask[:, :64])) == {2}
    assert set(np.unique(record.mask[:, 64:])) == {0}


def test_references_reach_the_server_in_order(server: Any, profile: ServerProfile) -> None:
    references = tuple(
        Reference(Picture(np.full((32, 48, 3), v, np.float32))) for v in (0.0, 0.5, 1.0)
    )
    sample(profile, EDIT_MODEL, reference=references)
    (hint,) = server.requests[0].message.hints
    assert hint.hintType == "shuffle"
    assert len(hint.tensors) == 3


def test_transparent_results_have_a_mask(server: Any, profile: ServerProfile) -> None:
    layered = next(
        row["file"]
        for row in server.catalog.all("models")
        if row.get("modifier") == "qwenimage_layered"
    )
    image, mask, _, _, _, rgba, _ = sample(
        profile, layered, image=torch.zeros((1, 64, 128, 3)), batch_size=2
    ).args
    assert tuple(image.shape[1:]) == (64, 128, 3)
    assert mask.max() > 0
    assert mask.min() >= 0
    assert tuple(rgba.shape) == (len(image), 64, 128, 4)
    assert torch.equal(rgba[..., :3], image)
    assert rgba[..., 3] == pytest.approx(1 - mask.numpy())


def test_a_failure_is_one_sentence_that_names_what_there_is(profile: ServerProfile) -> None:
    with pytest.raises(
        reporting.Problem, match=r"has no model 'nowhere\.ckpt'.*" + MODEL.replace(".", r"\.")
    ):
        sample(profile, "nowhere.ckpt")


def test_a_size_off_the_grid_goes_to_the_nearest_and_says_so(profile: ServerProfile) -> None:
    result = sample(profile, width=100)

    assert result.args[0].shape[2] == 128
    assert (
        "width 100 becomes 128: it goes to the nearest multiple of 64 px."
        in (result.ui["drawthings_notes"])
    )


def test_a_missing_secret_is_told_by_name(server: Any) -> None:
    profile = ServerProfile(server.address, secret_name="home")
    with pytest.raises(reporting.Problem, match="DRAWTHINGS_SECRET_HOME"):
        sample(profile)


def test_a_stored_secret_opens_the_server(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.secret = "hush"
    profile = ServerProfile(server.address, secret_name="home")
    monkeypatch.setenv("DRAWTHINGS_SECRET_HOME", "wrong")
    with pytest.raises(reporting.Problem, match="shared secret") as caught:
        sample(profile)
    assert "wrong'" not in str(caught.value)
    monkeypatch.setenv("DRAWTHINGS_SECRET_HOME", "hush")
    assert len(sample(profile).args[0]) == 1


def test_warnings_come_back_with_the_picture(profile: ServerProfile) -> None:
    output = sample(profile, lora=(Lora("nowhere.ckpt"),))
    assert len(output.args[0]) == 1
    (note,) = output.ui["drawthings_notes"]
    assert "nowhere.ckpt" in note


def test_stop_ends_the_run_as_interrupted_and_the_server_hears_of_it(
    server: Any, profile: ServerProfile
) -> None:
    server.step_delay = 30
    heard: list[Any] = []

    def press_stop() -> None:
        server.wait_for(lambda record: record.started, 20)
        management.interrupt_current_processing()
        heard.append(server.wait_for(lambda record: record.outcome == "cancelled", 20))

    user = threading.Thread(target=press_stop)
    user.start()
    with pytest.raises(compat.Interrupted):
        sample(profile)
    user.join(30)
    assert heard
    server.step_delay = 0
    assert len(sample(profile).args[0]) == 1


def test_stop_does_not_wait_for_a_server_that_keeps_its_catalogue_to_itself() -> None:
    """With --echo-on-queue a busy server is silent until its queue is empty."""
    with Simulator(echo_on_queue=True, step_delay=30) as busy:
        profile = ServerProfile(busy.address)
        with grpc.insecure_channel(busy.address) as opened:
            call = opened.unary_stream(
                protobuf.GENERATE_IMAGE.path,
                request_serializer=protobuf.GENERATE_IMAGE.serialize,
                response_deserializer=protobuf.GENERATE_IMAGE.parse_reply,
            )
            settings = Configuration(model=MODEL, start_width=64, start_height=64, steps=2)
            holding = call(
                protobuf.ImageGenerationRequest(
                    configuration=flatbuffer.encode(settings), scaleFactor=1
                )
            )
            busy.wait_for(lambda record: record.started, 20)
            echoes = busy.echo_count

            def press_stop() -> None:
                deadline = time.monotonic() + 20
                while busy.echo_count == echoes and time.monotonic() < deadline:
                    threading.Event().wait(0.01)
                management.interrupt_current_processing()

            user = threading.Thread(target=press_stop)
            user.start()
            begun = time.monotonic()
            with pytest.raises(compat.Interrupted):
                sample(profile)
            assert time.monotonic() - begun < 5  # not the 10 s that the catalogue may take
            user.join(30)
            holding.cancel()


def test_a_cancelled_prompt_cancels_the_call(server: Any, profile: ServerProfile) -> None:
    """What ComfyUI does to a parked node when another one fails."""
    server.step_delay = 30

    async def prompt() -> None:
        node = asyncio.create_task(Sampling.execute(model=ModelChoice(profile, MODEL), **widgets()))
        await asyncio.to_thread(server.wait_for, lambda record: record.started, 20)
        node.cancel()
        with pytest.raises(asyncio.CancelledError):
            await node

    asyncio.run(prompt())
    server.wait_for(lambda record: record.outcome == "cancelled", 20)


def test_the_loop_is_never_blocked(server: Any, profile: ServerProfile) -> None:
    """Another coroutine keeps its beat while a picture is made."""
    server.step_delay = 0.1

    async def prompt() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        late, beats = 0.0, 0

        async def heart() -> None:
            nonlocal late, beats
            while True:
                due = loop.time() + 0.01
                await asyncio.sleep(0.01)
                late, beats = max(late, loop.time() - due), beats + 1

        beating = asyncio.create_task(heart())
        await Sampling.execute(model=ModelChoice(profile, MODEL), **widgets(steps=8))
        beating.cancel()
        return beats, late

    beats, late = asyncio.run(prompt())
    assert beats > 20
    assert late < 0.5  # a blocked loop would stand still for most of the 0.8 s and more


def test_progress_and_previews_are_shown(
    server: Any, profile: ServerProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.step_delay = 0.15
    shown: list[tuple[float, float, Any]] = []
    monkeypatch.setattr(
        compat.comfy.utils,
        "PROGRESS_BAR_HOOK",
        lambda value, total, preview, node_id=None: shown.append((value, total, preview)),
    )
    sample(profile, steps=6)
    values = [value for value, _, _ in shown]
    assert values == sorted(values)
    assert values[-1] == shown[-1][1]
    previews = [preview for _, _, preview in shown if preview is not None]
    assert previews
    assert {form for form, _, _ in previews} == {"JPEG"}
    assert {side for _, _, side in previews} == {512}
    sizes = [picture.size for _, picture, _ in previews]
    assert sizes[-1] == (128, 64)  # the result itself
    assert set(sizes[:-1]) == {(16, 8)}  # latents
