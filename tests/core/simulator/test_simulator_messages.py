"""The stream of a generation: order, plan, previews, chunks (docs/protocol.md 5)."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures import previews as preview
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.schedule import start_step
from drawthings.dt_core.wire import protobuf, tensor
from simulator_wire import blobs, codes, generate, hint, images, picture, plan, raw, signposts


def sampling(last: int, arm: str = "sampling") -> list[str]:
    return [f"{arm} {step}" for step in range(last + 1)]


def test_text_to_image_sends_the_events_of_the_protocol_in_order(server: Simulator) -> None:
    replies = generate(server, prompt="a cat")
    assert signposts(replies) == ["textEncoded", "imageEncoded", *sampling(4), "imageDecoded"]
    assert plan(replies) == {"textEncoded", "sampling 4", "imageDecoded"}
    after = [r for r in replies if not r.HasField("currentSignpost")]
    assert [r.HasField("downloadSize") for r in after] == [True, False]
    assert after[0].downloadSize == sum(map(len, blobs(replies)))
    assert after[1].scaleFactor == 1
    assert images(replies)[0].shape == (1, 64, 64, 3)
    assert images(replies)[0].dtype == np.float16


def test_inpainting_models_encode_an_image_even_without_one(server: Simulator) -> None:
    replies = generate(server, model="flux_1_fill_dev_q5p.ckpt")
    assert signposts(replies)[:3] == ["textEncoded", "imageEncoded", "imageEncoded"]
    assert "imageEncoded" in plan(replies)


def test_image_to_image_runs_the_steps_of_the_schedule(server: Simulator) -> None:
    replies = generate(
        server, image=raw(picture(128, 64)), strength=0.6, steps=20, shift=3.0,
        start_width=128, start_height=64, resolution_dependent_shift=False,
    )  # fmt: skip
    assert signposts(replies) == [
        "textEncoded", "imageEncoded", "imageEncoded", *sampling(7), "imageDecoded",
    ]  # fmt: skip
    assert plan(replies) == {"textEncoded", "imageEncoded", "sampling 7", "imageDecoded"}
    assert images(replies)[0].shape == (1, 64, 128, 3)


def test_strength_0_returns_the_image_and_says_only_text_encoded(server: Simulator) -> None:
    image = picture()
    replies = generate(server, image=raw(image), strength=0.0, batch_size=3)
    assert signposts(replies) == ["textEncoded"]
    (returned,) = images(replies)
    assert np.array_equal(returned, image)


def test_a_mask_without_code_1_is_like_image_to_image(server: Simulator) -> None:
    mask = codes()
    mask[16:48, 16:48] = 2
    image = picture()
    replies = generate(server, image=raw(image), mask=raw(mask), strength=1.0)
    assert signposts(replies)[:3] == ["textEncoded", "imageEncoded", "imageEncoded"]
    assert signposts(replies)[3:] == [*sampling(4), "imageDecoded"]
    (result,) = images(replies)
    kept = mask == 0
    assert np.abs(result[0][kept] - image[0][kept]).max() < 0.002
    assert np.abs(result[0][~kept] - image[0][~kept]).mean() > 0.05


def test_a_mask_with_code_1_runs_in_two_phases_and_repeats_one_number(server: Simulator) -> None:
    mask = codes(code=3)
    mask[:32] = 1
    replies = generate(
        server, image=raw(picture()), mask=raw(mask), strength=0.5, shift=1.0,
        resolution_dependent_shift=False,
    )  # fmt: skip
    steps = [text for text in signposts(replies) if text.startswith("sampling")]
    assert steps == [*sampling(2), "sampling 2", "sampling 3", "sampling 4"]
    assert "sampling 4" in plan(replies)


@pytest.mark.parametrize(("code", "events"), [(0, 3), (3, 3), (1, 5)])
def test_a_mask_of_one_code_is_no_mask(server: Simulator, code: int, events: int) -> None:
    replies = generate(
        server, image=raw(picture()), mask=raw(codes(code=code)), strength=0.5, shift=1.0,
        resolution_dependent_shift=False,
    )  # fmt: skip
    assert len([t for t in signposts(replies) if t.startswith("sampling")]) == events


def test_hires_fix_adds_a_second_pass(server: Simulator) -> None:
    replies = generate(
        server, start_width=128, start_height=128, hires_fix=True, hires_fix_start_width=64,
        hires_fix_start_height=64, hires_fix_strength=0.5, shift=1.0,
        resolution_dependent_shift=False,
    )  # fmt: skip
    assert signposts(replies)[-6:] == [
        "secondPassImageEncoded", "imageEncoded", *sampling(2, "secondPassSampling"),
        "secondPassImageDecoded",
    ]  # fmt: skip
    assert {"secondPassSampling 2", "secondPassImageDecoded"} <= plan(replies)
    previews = [tensor.decode(r.previewImage).shape for r in replies if r.HasField("previewImage")]
    assert {shape[1] for shape in previews} == {8, 16}


def test_stable_cascade_runs_its_second_stage(server: Simulator) -> None:
    model = "wurstchen_3.0_stage_c_f16.ckpt"
    replies = generate(server, model=model, stage_2_steps=3)
    assert signposts(replies)[-6:] == [
        "secondPassImageEncoded", *sampling(3, "secondPassSampling"), "secondPassImageDecoded",
    ]  # fmt: skip
    with_image = generate(server, model=model, stage_2_steps=4, strength=0.5, image=raw(picture()))
    assert "secondPassImageDecoded" in signposts(with_image)
    assert "secondPassImageDecoded" not in plan(with_image)


@pytest.mark.parametrize(("forced", "factor"), [(0, 4), (2, 2), (3, 4)])
def test_an_upscaler_enlarges_and_says_by_how_much(
    server: Simulator, forced: int, factor: int
) -> None:
    replies = generate(
        server, upscaler="realesrgan_x4plus_f16.ckpt", upscaler_scale_factor=forced,
        face_restoration="restoreformer_v1.0_f16.ckpt",
    )  # fmt: skip
    assert signposts(replies)[-2:] == ["faceRestored", "imageUpscaled"]
    assert {"faceRestored", "imageUpscaled"} <= plan(replies)
    assert replies[-1].scaleFactor == factor
    assert images(replies)[0].shape == (1, 64 * factor, 64 * factor, 3)


def test_previews_come_at_odd_steps_and_in_the_second_half(server: Simulator) -> None:
    replies = generate(server, steps=8)
    shown = [r.currentSignpost.sampling.step for r in replies if r.HasField("previewImage")]
    assert shown == [1, 3, 5, 6, 7]


def test_a_preview_that_compression_does_not_shrink_goes_raw(server: Simulator) -> None:
    replies = generate(server, steps=8, start_width=512, start_height=512)
    codecs = [r.previewImage[:4] for r in replies if r.HasField("previewImage")]
    assert codecs[0] == bytes(4)  # nearly noise
    shown = [tensor.decode(r.previewImage) for r in replies if r.HasField("previewImage")]
    assert {latent.shape for latent in shown} == {(1, 64, 64, 16)}
    assert blobs(replies)[0][:4] == (0xF7217).to_bytes(4, "little")


def test_plms_may_preview_its_first_step(server: Simulator) -> None:
    def first(sampler: int) -> bool:
        replies = generate(
            server, model="sd_v1.5_f16.ckpt", sampler=sampler, steps=8, strength=0.6,
            image=raw(picture()),
        )  # fmt: skip
        return any(
            r.HasField("previewImage") and r.currentSignpost.sampling.step == 0 for r in replies
        )

    assert not first(2)
    assert not first(3) or start_step(8, 0.6, 3, False, 1.0) % 2 == 1


def test_previews_approach_the_result(server: Simulator) -> None:
    replies = generate(server, steps=8, start_width=128, start_height=128, prompt="sea")
    shown = [tensor.decode(r.previewImage) for r in replies if r.HasField("previewImage")]
    assert all(latent.shape == (1, 16, 16, 16) and latent.dtype == np.float16 for latent in shown)
    result = (images(replies)[0][0].astype(np.float32) + 1) * 127.5
    small = result.reshape(16, 8, 16, 8, 3).mean(axis=(1, 3))
    errors = []
    for latent in shown:
        rgb = preview.latent_to_rgb(latent, FAMILIES["flux1"].preview)
        assert rgb is not None
        errors.append(float(np.abs(rgb[0] - small).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 15 < errors[0]


def test_big_results_are_chunked_only_when_asked_for() -> None:
    with Simulator(response_compression=False) as server:
        size = {"start_width": 1024, "start_height": 768, "steps": 1}
        whole = generate(server, chunked=False, **size)
        assert [len(r.generatedImages) for r in whole][-1] == 1
        pieces = [r for r in generate(server, **size) if r.generatedImages]
        assert [len(r.generatedImages[0]) for r in pieces] == [
            4 << 20,
            68 + 1024 * 768 * 6 - (4 << 20),
        ]
        assert [r.chunkState for r in pieces] == [protobuf.MORE_CHUNKS, protobuf.LAST_CHUNK]
        assert {r.scaleFactor for r in pieces} == {1}
        assert blobs(pieces) == blobs(whole)


def test_small_images_of_a_big_batch_stay_whole() -> None:
    with Simulator(response_compression=False) as server:
        replies = generate(server, start_width=512, start_height=512, batch_size=3, steps=1)
        assert len([r for r in replies if r.generatedImages]) == 3
        download = next(r for r in replies if r.HasField("downloadSize"))
        assert download.downloadSize == 3 * (68 + 512 * 512 * 6)


def test_responses_are_raw_or_compressed() -> None:
    headers = []
    for compression in (True, False):
        with Simulator(response_compression=compression) as server:
            replies = generate(server, start_width=256, start_height=256)
            headers.append(blobs(replies)[0][:4])
            assert images(replies)[0].shape == (1, 256, 256, 3)
    assert headers == [(0xF7217).to_bytes(4, "little"), bytes(4)]


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(server: Simulator) -> None:
    first, again, other = (
        generate(server, seed=seed, prompt="a cat", hints=[hint("shuffle", picture())])
        for seed in (5, 5, 6)
    )
    assert [r.SerializeToString() for r in first] == [r.SerializeToString() for r in again]
    difference = images(first)[0].astype(np.float32) - images(other)[0].astype(np.float32)
    assert np.abs(difference).mean() > 0.1


def test_pictures_travel_inline_or_by_hash(server: Simulator) -> None:
    data = raw(picture())
    inline = generate(server, image=data, strength=0.0)
    hashed = generate(
        server, image=hashlib.sha256(data).digest(), contents=[b"other", data], strength=0.0
    )
    assert blobs(inline) == blobs(hashed)
    assert server.requests[-1].image is not None


def test_a_hash_without_content_is_no_image(server: Simulator) -> None:
    replies = generate(server, image=bytes(32), strength=0.5)
    assert plan(replies) == {"textEncoded", "sampling 4", "imageDecoded"}
    assert "treated as absent" in server.requests[-1].notes[0]


@pytest.mark.parametrize(
    ("steps", "shift", "expected"),
    [
        (8, 1, [2, 4, 4, 5, 7, 8, 8, 8]),
        (8, 3, [1, 2, 2, 3, 5, 6, 7, 8]),
        (20, 1, [4, 8, 10, 12, 16, 18, 19, 20]),
        (20, 3, [2, 4, 5, 7, 12, 15, 18, 20]),
        (30, 5, [2, 4, 5, 7, 14, 20, 24, 30]),
    ],
)
def test_strength_maps_to_steps_as_on_the_server(
    steps: int, shift: float, expected: list[int]
) -> None:
    strengths = (0.2, 0.4, 0.5, 0.6, 0.8, 0.9, 0.95, 1.0)
    assert [steps - start_step(steps, s, 10, True, shift) for s in strengths] == expected
