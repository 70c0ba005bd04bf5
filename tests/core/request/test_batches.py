"""What becomes one request, what several, and with which seeds and frames."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.pictures.values import Mask, Picture
from drawthings.dt_core.request import batches, frames, seeds
from drawthings.dt_core.request.batches import Batch
from drawthings.dt_core.request.message import build
from drawthings.dt_core.request.parts import Control
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.wire import tensor

SDXL = "sd_xl_base_1.0_f16.ckpt"
WAN_I2V = "wan_v2.1_14b_i2v_480p_q6p_svd.ckpt"
WAN_T2V = "wan_v2.1_1.3b_480p_f16.ckpt"
WAN_5B = "wan_v2.2_5b_ti2v_f16.ckpt"
LTX = "ltx_2_19b_distilled_q8p.ckpt"
SVD = "svd_i2v_1.0_f16.ckpt"
HUNYUAN_I2V = "skyreels_v1_hunyuan_i2v_q5p_svd.ckpt"
AVATAR = "longcat_video_avatar_1.5_q8p.ckpt"
VACE = Control("wan_v2.1_1.3b_vace_480p_f16.ckpt")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    with Simulator() as server:
        return Client(ServerProfile(server.address)).echo()


def pictures(count: int) -> tuple[Picture, ...]:
    return tuple(Picture(np.full((64, 64, 3), n / max(count, 2), np.float32)) for n in range(count))


def request(model: str, **more: Any) -> GenerationRequest:
    settings = {"start_width": 64, "start_height": 64, "seed": 7, **more.pop("settings", {})}
    return GenerationRequest(Configuration(model=model, **settings), **more)


def plan(batch: Batch, catalog: Catalog) -> batches.Plan:
    return batches.plan(batch, resolve(batch.at(0), catalog))


def sent(message: Any) -> np.ndarray:
    blobs = {hashlib.sha256(data).digest(): data for data in message.contents}
    return tensor.decode(blobs[message.image])


def test_every_picture_of_a_still_model_is_a_request_with_the_seed(catalog: Catalog) -> None:
    images = pictures(3)
    made = plan(Batch(request(SDXL), images), catalog)
    assert [one.image for one in made.requests] == list(images)
    assert [one.settings["seed"] for one in made.requests] == [7, 7, 7]
    assert not made.notes


def test_one_mask_is_for_all_and_several_are_for_one_each() -> None:
    masks = tuple(Mask(np.full((4, 4), value, np.float32)) for value in (0.0, 0.5, 1.0))
    one = Batch(request(SDXL), pictures(3), masks[:1])
    each = Batch(request(SDXL), pictures(3), masks)
    assert [one.at(index).mask for index in range(3)] == [masks[0]] * 3
    assert [each.at(index).mask for index in range(3)] == list(masks)
    with pytest.raises(RequestError, match="2 masks for 3 images"):
        Batch(request(SDXL), pictures(3), masks[:2])


def test_rounds_take_the_next_seeds_and_start_again_after_the_last(catalog: Catalog) -> None:
    batch = Batch(request(SDXL, settings={"seed": 2**32 - 2, "batch_count": 3}), pictures(2))
    made = plan(batch, catalog)
    last = 2**32 - 1
    assert [one.settings["seed"] for one in made.requests] == [last - 1] * 2 + [last] * 2 + [0] * 2
    assert [one.image for one in made.requests] == list(batch.images) * 3


def test_a_random_seed_is_drawn_from_all_there_are() -> None:
    assert seeds.chosen(5) == 5
    drawn = {seeds.chosen(seeds.RANDOM) for _ in range(20)}
    assert len(drawn) > 15
    assert all(0 <= seed < 2**32 for seed in drawn)


def test_a_soft_mask_switches_mask_blur_off(catalog: Catalog) -> None:
    mask = Mask(np.ones((64, 64), np.float32), soft=True)
    blurred = request(SDXL, settings={"mask_blur": 3.0})
    made = plan(Batch(blurred, pictures(1), (mask,)), catalog)
    assert any("Mask blur is off" in str(note) for note in made.notes)
    assert resolve(made.requests[0], catalog).settings["mask_blur"] == 0


@pytest.mark.parametrize(
    ("model", "wish", "given", "taken", "more"),
    [
        (SVD, 14, 3, 1, {}),
        (WAN_I2V, 9, 1, 1, {}),
        (WAN_I2V, 9, 7, 5, {}),  # a frame count of the family
        (WAN_I2V, 9, 20, 9, {}),  # never more than the video
        (WAN_T2V, 9, 20, 9, {"strength": 0.6}),  # video to video
        (WAN_T2V, 9, 20, 1, {"strength": 1.0}),  # does not look at them
        (WAN_5B, 9, 20, 1, {"strength": 0.6}),
        (LTX, 25, 20, 17, {}),
        (LTX, 9, 40, 9, {}),
        (HUNYUAN_I2V, 9, 20, 3, {}),  # one for each latent frame
        (AVATAR, 9, 4, 4, {}),
    ],
)
def test_a_video_starts_from_as_many_pictures_as_its_model_takes(
    model: str, wish: int, given: int, taken: int, more: dict[str, Any], catalog: Catalog
) -> None:
    batch = Batch(request(model, settings={"num_frames": wish, **more}), pictures(given))
    made = plan(batch, catalog)
    (one,) = made.requests
    assert len(one.frames) == taken - 1
    assert bool(made.notes) == (taken < given)
    array = sent(build(resolve(one, catalog)))
    assert array.shape == (taken, 64, 64, 3)
    greys = [one.pixels[0, 0, 0] * 2 - 1 for one in batch.images[:taken]]
    assert array[:, 0, 0, 0] == pytest.approx(greys, abs=1e-3)


def test_vace_knows_the_leading_frames_and_never_gets_too_many(catalog: Catalog) -> None:
    with_vace = request(WAN_T2V, settings={"num_frames": 9}, controls=(VACE,))
    (one,) = plan(Batch(with_vace, pictures(30)), catalog).requests
    assert len(one.frames) == 8


def test_a_request_made_by_hand_is_cut_too(catalog: Catalog) -> None:
    first, *rest = pictures(30)
    video = request(WAN_I2V, settings={"num_frames": 5}, image=first, frames=tuple(rest))
    assert sent(build(resolve(video, catalog))).shape[0] == 5
    still = request(SDXL, image=first, frames=tuple(rest))
    assert sent(build(resolve(still, catalog))).shape[0] == 1


def test_frames_off_the_grid_are_rounded_and_said(catalog: Catalog) -> None:
    made = plan(Batch(request(WAN_T2V, settings={"num_frames": 80})), catalog)
    assert made.requests[0].settings["num_frames"] == 77
    assert [*map(str, made.notes)] == ["Wan v2.1 1.3B makes 77 frames in place of 80."]
    assert not plan(Batch(request(WAN_T2V, settings={"num_frames": 81})), catalog).notes
    assert not plan(Batch(request(WAN_T2V)), catalog).notes  # nobody asked for a number


@pytest.mark.parametrize(("model", "fps"), [(WAN_T2V, 16), (LTX, 25), (SVD, 30), (SDXL, None)])
def test_frames_per_second_are_the_models(model: str, fps: float, catalog: Catalog) -> None:
    assert frames.per_second(resolve(request(model), catalog)) == fps


def features(first: int, second: int) -> Sequence[np.ndarray]:
    return tuple(np.zeros((1, count), np.float32) for count in (first, second))


def test_an_avatar_takes_audio_features_of_exactly_its_length(catalog: Catalog) -> None:
    image = pictures(1)[0]
    talking = request(
        AVATAR, settings={"num_frames": 9}, image=image,
        audio_features=features(32_000, 2 * 51_200),
    )  # fmt: skip
    message = build(resolve(talking, catalog))
    assert [(hint.hintType, len(hint.tensors)) for hint in message.hints] == [("audio", 2)]
    short = request(
        AVATAR, settings={"num_frames": 13}, image=image,
        audio_features=features(32_000, 2 * 51_200),
    )  # fmt: skip
    with pytest.raises(RequestError, match=r"32000 and 153600 values"):
        build(resolve(short, catalog))
    with pytest.raises(RequestError, match="does not listen"):
        build(resolve(request(SDXL, audio_features=features(1, 1)), catalog))
