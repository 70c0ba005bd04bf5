"""Batches, masks, video, sound, outpainting, crops and upscaling, through the real nodes."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import Any

import comfy.model_management as management
import numpy as np
import pytest
import torch
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.request.parts import ModelChoice
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.settings.options import Options
from drawthings.nodes.host import compat
from drawthings.nodes.inpaint import DTInpaintCrop, DTInpaintStitch, DTMask, DTOutpaint
from drawthings.nodes.running import display, reporting
from drawthings.nodes.sampler import DTSampler
from drawthings.nodes.upscale import DTUpscale

MODEL = "z_image_turbo_1.0_q6p.ckpt"
WAN_I2V = "wan_v2.1_14b_i2v_480p_q6p_svd.ckpt"
LTX = "ltx_2.3_22b_distilled_q8p.ckpt"
SVD = "svd_i2v_1.0_f16.ckpt"
AVATAR = "longcat_video_avatar_1.5_q8p.ckpt"
SEEDVR2 = "seedvr2_3b_q8p.ckpt"
X2 = "realesrgan_x2plus_f16.ckpt"
IMAGE, MASK, VIDEO, AUDIO, SEEDS, RGBA = range(6)


class Sampling(DTSampler):
    """DT Sampler as ComfyUI calls it: with the hidden inputs filled in."""

    class hidden:  # noqa: N801
        unique_id = "7"


class Upscaling(DTUpscale):
    class hidden:  # noqa: N801
        unique_id = "8"


def sample(profile: ServerProfile, model: str = MODEL, **inputs: Any) -> Any:
    widgets = {"seed": 1, "steps": 2, "guidance": 1.0, "sampler": "UniPC Trailing"}
    sizes = {"width": 128, "height": 64, "strength": 0.5, "batch_size": 1, "shift": 0.0}
    settings = inputs.pop("settings", None)
    if settings:
        inputs["options"] = Options(Configuration(**settings))
    return asyncio.run(
        Sampling.execute(model=ModelChoice(profile, model), **{**widgets, **sizes, **inputs})
    )


def greys(count: int) -> torch.Tensor:
    """A batch of plain pictures of 128x64 px, from black to white."""
    return torch.linspace(0, 1, count)[:, None, None, None].expand(count, 64, 128, 3)


def half(count: int = 1) -> torch.Tensor:
    """Masks of the left half."""
    mask = torch.zeros((count, 64, 128))
    mask[:, :, :64] = 1
    return mask


def blocked(output: Any, index: int) -> str | None:
    """The sentence that stops what hangs on an output; None if it has a value."""
    value = output.args[index]
    return value.message if isinstance(value, compat.ExecutionBlocker) else None


def notes(output: Any) -> str:
    return " ".join((output.ui or {}).get("drawthings_notes", ()))


def test_every_picture_of_a_batch_is_sent_and_comes_back_in_order(
    server: Any, profile: ServerProfile
) -> None:
    output = sample(profile, image=greys(3), strength=0.0)
    assert tuple(output.args[IMAGE].shape) == (3, 64, 128, 3)
    assert output.args[IMAGE].numpy() == pytest.approx(greys(3).numpy(), abs=2e-3)
    assert [record.image.shape for record in server.requests] == [(1, 64, 128, 3)] * 3
    assert output.args[SEEDS] == [1, 1, 1]


def test_batch_count_is_looped_with_known_seeds(server: Any, profile: ServerProfile) -> None:
    output = sample(profile, seed=2**32 - 1, batch_size=2, settings={"batch_count": 2})
    assert len(output.args[IMAGE]) == 4
    assert output.args[SEEDS] == [2**32 - 1] * 2 + [0] * 2
    assert [record.configuration["seed"] for record in server.requests] == [2**32 - 1, 0]


def test_a_random_seed_is_drawn_reported_and_never_cached(
    server: Any, profile: ServerProfile
) -> None:
    first, second = (sample(profile, seed=-1).args[SEEDS][0] for _ in range(2))
    assert first != second
    assert [record.configuration["seed"] for record in server.requests] == [first, second]
    keys = {DTSampler.fingerprint_inputs(seed=-1, steps=3) for _ in range(2)}
    assert len(keys) == 2
    assert DTSampler.fingerprint_inputs(seed=1) == DTSampler.fingerprint_inputs(seed=2)


def test_what_arrived_is_kept_when_a_later_request_fails(
    server: Any, profile: ServerProfile
) -> None:
    server.step_delay = 0.2

    def stop_the_server_in_the_third() -> None:
        server.wait_for(lambda record: len(server.requests) == 3 and record.started, 20)
        server.stop()

    accident = threading.Thread(target=stop_the_server_in_the_third)
    accident.start()
    output = sample(profile, image=greys(4), steps=8)
    accident.join(20)
    assert len(output.args[IMAGE]) == len(output.args[SEEDS]) == 2
    assert "Only 2 picture(s) arrived." in notes(output)


def test_stop_between_and_during_the_requests_of_a_batch(
    server: Any, profile: ServerProfile
) -> None:
    server.step_delay = 0.1

    def press_stop() -> None:
        server.wait_for(lambda record: record.started and record is not server.requests[0], 20)
        management.interrupt_current_processing()

    user = threading.Thread(target=press_stop)
    user.start()
    with pytest.raises(compat.Interrupted):
        sample(profile, image=greys(50), steps=8)
    user.join(20)
    assert len(server.requests) < 10
    assert server.requests[0].outcome == "done"


def test_one_bar_covers_all_requests(
    server: Any, profile: ServerProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "UPDATE_INTERVAL_S", 0.0)
    shown: list[tuple[float, float]] = []
    monkeypatch.setattr(
        compat.comfy.utils,
        "PROGRESS_BAR_HOOK",
        lambda value, total, preview, node_id=None: shown.append((value, total)),
    )
    server.step_delay = 0.1  # else all of a request may come at once
    sample(profile, settings={"batch_count": 3})
    values = [value for value, _ in shown]
    assert values == sorted(values)
    assert {total for _, total in shown} == {3 * display.PER_REQUEST}
    assert values[-1] == 3 * display.PER_REQUEST
    assert any(display.PER_REQUEST < value < 2 * display.PER_REQUEST for value in values)


def test_masks_go_with_their_pictures(server: Any, profile: ServerProfile) -> None:
    masks = torch.cat([half(), 1 - half()])
    sample(profile, image=greys(2), mask=masks)
    left = [record.mask[0, 0] for record in server.requests]
    assert left == [2, 0]
    sample(profile, image=greys(2), mask=half())
    assert [record.mask[0, 0] for record in server.requests[2:]] == [2, 2]


def test_another_number_of_masks_is_refused(profile: ServerProfile) -> None:
    with pytest.raises(reporting.Problem, match="3 masks for 2 images"):
        sample(profile, image=greys(2), mask=half(3))


def test_dt_mask_sends_every_code(server: Any, profile: ServerProfile) -> None:
    fill, keep = torch.zeros((1, 64, 128)), torch.zeros((1, 64, 128))
    fill[:, :32], keep[:, -8:] = 1, 1
    (mask,) = DTMask.execute(False, half(), fill, keep).args
    sample(profile, image=greys(1), mask=mask)
    sent = server.requests[0].mask
    assert (sent[0, 0], sent[40, 0], sent[40, 127], sent[63, 0]) == (1, 2, 3, 3)
    with pytest.raises(reporting.Problem, match="Connect repaint"):
        DTMask.execute(False)


def test_a_soft_mask_is_sent_by_degrees_without_blur(server: Any, profile: ServerProfile) -> None:
    ramp = torch.linspace(0, 1, 128).expand(1, 64, 128)
    (mask,) = DTMask.execute(True, ramp).args
    sample(profile, image=greys(1), mask=mask, settings={"mask_blur": 4.0})
    (record,) = server.requests
    assert len(np.unique(record.mask)) > 20
    assert record.configuration["mask_blur"] == 0


def test_a_film_is_frames_with_the_models_rate(server: Any, profile: ServerProfile) -> None:
    output = sample(profile, WAN_I2V, image=greys(1), strength=1.0, settings={"num_frames": 10})
    assert len(output.args[IMAGE]) == 9
    assert "makes 9 frames in place of 10" in notes(output)
    components = output.args[VIDEO].get_components()
    assert components.frame_rate == 16
    assert components.audio is None
    assert torch.equal(components.images, output.args[IMAGE])
    assert output.args[SEEDS] == [1] * 9
    assert "no sound" in str(blocked(output, AUDIO))


def test_the_pictures_of_a_batch_lead_one_film(server: Any, profile: ServerProfile) -> None:
    output = sample(profile, LTX, image=greys(20), strength=1.0, settings={"num_frames": 25})
    (record,) = server.requests
    assert record.image.shape == (17, 64, 128, 3)
    assert len(output.args[IMAGE]) == 25
    assert "the first 17 of the 20 pictures" in notes(output)


def test_sound_comes_alone_and_in_the_film_that_save_video_writes(profile: ServerProfile) -> None:
    import av

    output = sample(profile, LTX, settings={"num_frames": 9, "batch_count": 2})
    sound = output.args[AUDIO]
    assert sound["sample_rate"] == 48_000
    assert tuple(sound["waveform"].shape) == (1, 2, 2 * round(9 / 25 * 48_000))
    assert len(output.args[IMAGE]) == 18
    file = io.BytesIO()
    file.name = "film.mp4"
    output.args[VIDEO].save_to(file)
    file.seek(0)
    with av.open(file) as film:
        assert film.streams.video[0].average_rate == 25
        assert sum(1 for _ in film.decode(video=0)) == 18
        file.seek(0)
    with av.open(file) as film:
        assert film.streams.audio[0].sample_rate == 48_000


def test_a_still_model_has_no_film_and_says_so_to_what_hangs_on_it(
    profile: ServerProfile,
) -> None:
    output = sample(profile)
    assert "still pictures" in str(blocked(output, VIDEO))
    assert "no sound" in str(blocked(output, AUDIO))
    assert "nothing transparent" in str(blocked(output, RGBA))


def test_svd_makes_a_film_of_one_picture(server: Any, profile: ServerProfile) -> None:
    output = sample(profile, SVD, image=greys(3), strength=1.0, settings={"num_frames": 3})
    assert server.requests[0].image.shape[0] == 1
    assert len(output.args[IMAGE]) == 3
    assert "starts from the first of the 3 pictures" in notes(output)


def test_an_avatar_moves_but_speech_is_refused(profile: ServerProfile) -> None:
    output = sample(profile, AVATAR, image=greys(1), strength=1.0, settings={"num_frames": 5})
    assert len(output.args[IMAGE]) == 5
    speech = {"waveform": torch.zeros((1, 1, 16_000)), "sample_rate": 16_000}
    with pytest.raises(reporting.Problem, match="only the app's own encoder"):
        sample(profile, AVATAR, image=greys(1), audio=speech)


def test_an_outpainted_picture_is_made_on_its_new_canvas(
    server: Any, profile: ServerProfile
) -> None:
    image = torch.rand((1, 60, 100, 3))
    larger, preview, mask, width, height = DTOutpaint.execute(image, 0, 0, 50, 0, 8).args
    assert tuple(larger.shape) == (1, 64, 192, 3)
    assert (width, height) == (192, 64)
    assert torch.equal(larger[:, :60, :100], image)
    assert tuple(preview.shape) == (1, 64, 192)
    assert preview[0, 0, -1] == 1
    assert preview[0, 0, 0] == 0
    output = sample(profile, image=larger, mask=mask, width=width, height=height)
    assert tuple(output.args[IMAGE].shape) == (1, 64, 192, 3)
    sent = server.requests[0].mask
    assert (sent[0, 0], sent[0, 150], sent[63, 0]) == (3, 1, 1)
    with pytest.raises(reporting.Problem, match="no new area"):
        DTOutpaint.execute(greys(1), 0, 0, 0, 0, 0)


def test_a_crop_is_repainted_and_stitched_back(server: Any, profile: ServerProfile) -> None:
    image = torch.rand((2, 201, 333, 3))
    mask = torch.zeros((1, 201, 333))
    mask[:, 180:, 300:] = 1
    crop, small, width, height, stitch = DTInpaintCrop.execute(
        image, mask, 128, 64, 10, 0.0, 4
    ).args
    assert tuple(crop.shape) == (2, 64, 128, 3)
    made = sample(profile, image=crop, mask=small, width=width, height=height, strength=1.0)
    assert [record.image.shape for record in server.requests] == [(1, 64, 128, 3)] * 2
    (whole,) = DTInpaintStitch.execute(stitch, made.args[IMAGE]).args
    assert whole.shape == image.shape
    changed = (whole != image).any(dim=3)
    assert changed[:, 185:, 305:].any()
    assert not changed[:, :176].any()
    assert not changed[:, :, :296].any()
    with pytest.raises(reporting.Problem, match="marks nothing"):
        DTInpaintCrop.execute(image, torch.zeros((1, 201, 333)), 128, 64, 10, 0.0, 4)


def upscale(profile: ServerProfile, model: str, image: torch.Tensor, **more: Any) -> Any:
    chosen = {"upscaler": "none", "factor": "native", "face_restoration": "none", **more}
    return asyncio.run(Upscaling.execute(model=ModelChoice(profile, model), image=image, **chosen))


def test_the_server_only_enlarges(server: Any, profile: ServerProfile) -> None:
    (image,) = upscale(profile, MODEL, torch.rand((2, 60, 100, 3)), upscaler=X2).args
    assert tuple(image.shape) == (2, 120, 200, 3)
    first, second = server.requests
    assert (first.configuration["strength"], first.configuration["upscaler"]) == (0, X2)
    assert first.image.shape == second.image.shape == (1, 64, 128, 3)


def test_a_factor_is_forced_and_a_typed_file_wins(server: Any, profile: ServerProfile) -> None:
    typed = {"upscaler_file": " remacri_4x_f16.ckpt ", "factor": "2"}
    (image,) = upscale(profile, MODEL, greys(1), upscaler=X2, **typed).args
    assert tuple(image.shape) == (1, 128, 256, 3)
    assert server.requests[0].configuration["upscaler"] == "remacri_4x_f16.ckpt"
    assert server.requests[0].configuration["upscaler_scale_factor"] == 2


def test_seedvr2_restores_the_enlarged_picture(server: Any, profile: ServerProfile) -> None:
    (image,) = upscale(profile, SEEDVR2, torch.rand((1, 60, 100, 3)), factor="2").args
    assert tuple(image.shape) == (1, 120, 200, 3)
    (record,) = server.requests
    assert record.image.shape == (1, 128, 256, 3)
    assert record.configuration["strength"] == 1
    assert record.outcome == "done"


def test_nothing_to_do_is_said(profile: ServerProfile) -> None:
    with pytest.raises(reporting.Problem, match="Nothing is chosen"):
        upscale(profile, MODEL, greys(1))
