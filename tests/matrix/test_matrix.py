"""Every family from request to result: what reaches the server, field by field, and what
comes back. One level below the nodes: GenerationRequest, Client, gRPC, simulator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.job import Job
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures.values import Mask, Picture
from drawthings.dt_core.request.parts import Control, Lora, Reference
from drawthings.dt_core.settings.choices import ControlInputType, ControlMode, LoraMode
from drawthings.dt_core.settings.table import SETTINGS
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.record import Record
from matrix import (
    CATALOG,
    COVERAGE,
    FRAMES,
    HEIGHT,
    IMAGE,
    MODELS,
    PIXELS,
    SMALL,
    WIDTH,
    Matrix,
    as_picture,
    came_back,
)

FAMILY_IDS = list(FAMILIES)
BATCHES = [version for version, row in FAMILIES.items() if row.supports("batch_size")]
VIDEOS = [version for version, row in FAMILIES.items() if row.is_video]
CONTROLLED = sorted({row["version"] for row in CATALOG.all("controlNets")})
ADAPTED = sorted({row["version"] for row in CATALOG.all("loras")})
REFERENCE_MODIFIERS = {"kontext", "kontext_kv", "qwenimage_edit_plus", "qwenimage_edit_2511"}
EDITORS = [
    row["file"]
    for row in CATALOG.all("models")
    if row.get("modifier") in REFERENCE_MODIFIERS and not FAMILIES[row["version"]].is_video
]

# docs/protocol.md 4.4: the hint that each kind of control reads, its channels and range.
HINTS = {
    "depth": ("depth", 1, (-1, 1)),
    "scribble": ("scribble", 3, (0, 1)),
    "color": ("color", 3, (-1, 1)),
    "shuffle": ("shuffle", 3, (-1, 1)),
    "inpaint": None,
    "ip2p": None,
}
CUSTOM = ("custom", 3, (-1, 1))


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator(response_compression=False) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Simulator) -> Client:
    return Client(ServerProfile(server.address))


@pytest.fixture
def matrix(server: Simulator, client: Client) -> Matrix:
    return Matrix(server, client)


def start(version: str) -> dict[str, Any]:
    """An image for families that make nothing without one."""
    return {"image": IMAGE} if FAMILIES[version].needs_image else {}


def count_of(version: str) -> int:
    return FRAMES if FAMILIES[version].is_video else 1


@pytest.mark.parametrize("version", FAMILY_IDS)
def test_text_becomes_pictures_and_sound(matrix: Matrix, version: str) -> None:
    record, job = matrix.run(MODELS[version], **start(version))
    assert (record.image is not None) is FAMILIES[version].needs_image
    assert record.mask is None
    assert record.hints == ()
    came_back(job, count_of(version))
    assert record.notes == ()
    said = [sentence for sentence in matrix.warnings if "edit model" not in sentence]
    assert said == [] or version == "wurstchen_v3.0_stage_b"
    if FAMILIES[version].audio == "output":
        sounds(job, version)
    else:
        assert job.audio == []


def sounds(job: Job, version: str) -> None:
    family = FAMILIES[version]
    assert family.fps is not None
    assert family.audio_sample_rate is not None
    (sound,) = job.audio
    assert sound.samples.dtype == np.float32
    assert sound.samples.shape == (2, round(FRAMES / family.fps * family.audio_sample_rate))
    assert 0 < np.abs(sound.samples).max() <= 1


@pytest.mark.parametrize("version", FAMILY_IDS)
def test_an_image_is_cropped_to_the_canvas_and_redone(matrix: Matrix, version: str) -> None:
    wide = np.repeat(PIXELS, 3, axis=1)  # 384x64: the middle third stays
    record, job = matrix.run(MODELS[version], {"strength": 0.5}, image=Picture(wide))
    as_picture(record.image, Picture(wide[:, 128:256]))
    assert record.mask is None
    assert record.hints == ()
    came_back(job, count_of(version))
    assert record.notes == ()


@pytest.mark.parametrize("version", FAMILY_IDS)
def test_strength_0_gives_the_image_back(matrix: Matrix, version: str) -> None:
    _, job = matrix.run(MODELS[version], {"strength": 0.0}, image=IMAGE)
    came_back(job, 1)
    assert np.abs(job.images[0].picture.rgb - PIXELS).max() < 0.002


@pytest.mark.parametrize("version", FAMILY_IDS)
def test_a_mask_arrives_as_codes(matrix: Matrix, version: str) -> None:
    record, job = matrix.run(MODELS[version], {"strength": 0.7}, image=IMAGE, mask=Mask(COVERAGE))
    as_picture(record.image)
    assert record.mask is not None
    assert (record.mask.dtype.name, record.mask.shape) == ("uint8", (HEIGHT, WIDTH))
    assert (record.mask == COVERAGE * 2).all()  # 2 repaints, 0 keeps
    came_back(job, count_of(version))
    assert record.notes == ()


@pytest.mark.parametrize("version", BATCHES)
def test_a_batch_gives_as_many_different_pictures(matrix: Matrix, version: str) -> None:
    _, job = matrix.run(MODELS[version], {"batch_size": 3}, **start(version))
    came_back(job, 3)
    first, second, third = (image.picture.rgb for image in job.images)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


@pytest.mark.parametrize("model", EDITORS)
def test_references_arrive_in_order_and_at_their_own_size(matrix: Matrix, model: str) -> None:
    references = (Reference(SMALL), Reference(IMAGE, 0.0), Reference(Picture(1 - PIXELS), 0.5))
    record, job = matrix.run(model, image=IMAGE, references=references)
    as_picture(record.image)
    (hint,) = record.hints
    assert hint.kind == "shuffle"
    assert [weight for _, weight in hint.tensors] == [1.0, 0.5]
    as_picture(hint.arrays[0], SMALL)
    as_picture(hint.arrays[1], Picture(1 - PIXELS))
    came_back(job, 1)
    assert record.notes == ()
    assert matrix.warnings == ()


@pytest.mark.parametrize("version", ADAPTED)
def test_every_lora_of_the_family_arrives(matrix: Matrix, version: str) -> None:
    rows = [row for row in CATALOG.all("loras") if row["version"] == version]
    plain = [row for row in rows if not row.get("modifier") and "alternative_decoder" not in row]
    loras = tuple(
        Lora(row["file"], -0.25 + number / 2, LoraMode.ALL) for number, row in enumerate(plain)
    )
    record, job = matrix.run(MODELS[version], loras=loras, **start(version))
    assert json.loads(record.message.override.loras) == plain
    came_back(job, count_of(version))
    assert not [note for note in record.notes if "skipped" in note]


@pytest.mark.parametrize("version", CONTROLLED)
def test_every_control_of_the_family_gets_its_picture(matrix: Matrix, version: str) -> None:
    for row in (row for row in CATALOG.all("controlNets") if row["version"] == version):
        kind = row.get("modifier") or "tile"
        control = Control(
            row["file"], 0.75, 0.125, 0.5, ControlMode.CONTROL,
            ControlInputType.TILE if "modifier" not in row else ControlInputType.UNSPECIFIED,
            picture=IMAGE, global_average_pooling=False,
        )  # fmt: skip
        hint = HINTS.get(kind, CUSTOM)
        parts: dict[str, Any] = {"controls": (control,)}
        if hint is None:
            parts["image"] = IMAGE
        record, job = matrix.run(MODELS[version], **parts)
        assert json.loads(record.message.override.controlNets) == [row]
        came_back(job, count_of(version))
        assert not [note for note in record.notes if "skipped" in note], row["file"]
        if hint is None:
            as_picture(record.image)
            assert record.hints == ()
        else:
            holds(record, hint, row["file"])


def holds(record: Record, expected: tuple[str, int, tuple[int, int]], file: str) -> None:
    name, channels, (low, high) = expected
    (hint,) = record.hints
    assert hint.kind == name, file
    (array,) = hint.arrays
    assert (array.dtype.name, array.shape) == ("float16", (1, HEIGHT, WIDTH, channels)), file
    source = PIXELS.mean(axis=2, keepdims=True) if channels == 1 else PIXELS
    assert np.abs(array[0] - (source * (high - low) + low)).max() < 0.002, file


@pytest.mark.parametrize("version", VIDEOS)
def test_frames_off_the_grid_are_rounded_down(matrix: Matrix, version: str) -> None:
    family = FAMILIES[version]
    wanted = 11
    made = (wanted - 1) // family.temporal_scale * family.temporal_scale + 1
    record, job = matrix.run(MODELS[version], {"num_frames": wanted}, **start(version))
    came_back(job, made)
    assert bool([note for note in record.notes if "rounded down" in note]) is (made != wanted)
    assert bool([text for text in matrix.warnings if "rounds down" in text]) is (made != wanted)


@pytest.mark.parametrize("version", VIDEOS)
def test_a_video_starts_from_as_many_frames_as_it_takes(matrix: Matrix, version: str) -> None:
    pictures = tuple(Picture(np.clip(PIXELS * (0.2 + n / 20), 0, 1)) for n in range(12))
    record, job = matrix.run(
        MODELS[version], {"strength": 0.5}, image=pictures[0], frames=pictures[1:]
    )
    latent = (FRAMES - 1) // FAMILIES[version].temporal_scale + 1
    taken = {"one": 1, "latent": latent, "grid": FRAMES, "all": FRAMES}[
        FAMILIES[version].leading_frames
    ]
    assert record.image is not None
    assert record.image.shape == (taken, HEIGHT, WIDTH, 3)
    for array, picture in zip(record.image, pictures, strict=False):
        as_picture(array[None], picture)
    came_back(job, FRAMES)


def test_an_avatar_listens_to_two_arrays(matrix: Matrix) -> None:
    latent = (FRAMES - 1) // 4 + 1
    features = (
        np.linspace(-1, 1, 32_000, dtype=np.float32),
        np.linspace(1, -1, (latent - 1) * 51_200, dtype=np.float32),
    )
    model = MODELS["longcat_video_avatar_v1.5"]
    record, job = matrix.run(model, image=IMAGE, audio_features=features)
    (hint,) = record.hints
    assert hint.kind == "audio"
    for array, sent in zip(hint.arrays, features, strict=True):
        assert array.dtype == np.float32
        assert (array == sent).all()
    came_back(job, FRAMES)
    assert job.audio == []


@pytest.mark.parametrize(
    ("model", "loras"),
    [
        ("sd_xl_base_1.0_f16.ckpt", ("layer_xl_transparent_attn_v1.0_lora_f16.ckpt",)),
        ("flux_1_dev_q5p.ckpt", ("layer_flux_1_transparent_lora_f16.ckpt",)),
        ("qwen_image_layered_1.0_bf16_q6p.ckpt", ()),
    ],
)
def test_transparent_results_keep_their_alpha(
    matrix: Matrix, model: str, loras: tuple[str, ...]
) -> None:
    _, job = matrix.run(model, image=IMAGE, loras=tuple(Lora(file, 1.0) for file in loras))
    (image,) = job.images
    assert image.picture.rgb.shape == (HEIGHT, WIDTH, 3)
    assert image.picture.alpha is not None
    assert image.picture.alpha.shape == (HEIGHT, WIDTH)
    assert 0 <= image.picture.alpha.min() <= image.picture.alpha.max() <= 1


@pytest.mark.parametrize("version", FAMILY_IDS)
def test_every_setting_of_the_family_arrives(matrix: Matrix, version: str) -> None:
    """A value that is not the default for all that the family reads."""
    family = FAMILIES[version]
    values: dict[str, Any] = {
        "guidance_scale": 2.5, "shift": 2.25, "image_guidance_scale": 1.75, "clip_skip": 2,
        "mask_blur": 2.5, "clip_weight": 0.5, "negative_prompt_for_image_prior": False,
        "image_prior_steps": 7, "original_image_height": 640, "original_image_width": 704,
        "crop_top": 8, "crop_left": 16, "target_image_height": 512, "target_image_width": 576,
        "aesthetic_score": 7.5, "negative_aesthetic_score": 1.5, "zero_negative_prompt": True,
        "negative_original_image_height": 320, "negative_original_image_width": 384,
        "fps_id": 9, "motion_bucket_id": 99, "cond_aug": 0.125, "start_frame_cfg": 1.5,
        "mask_blur_outset": 6, "sharpness": 2.0, "stage_2_steps": 3, "stage_2_cfg": 1.25,
        "stage_2_shift": 1.5, "tiled_decoding": True, "decoding_tile_width": 192,
        "decoding_tile_height": 256, "decoding_tile_overlap": 64, "tiled_diffusion": True,
        "diffusion_tile_width": 320, "diffusion_tile_height": 384, "diffusion_tile_overlap": 64,
        "preserve_original_after_inpaint": False, "t5_text_encoder": False,
        "separate_clip_l": True, "clip_l_text": "l", "separate_open_clip_g": True,
        "open_clip_g_text": "g", "separate_t5": True, "t5_text": "t", "guidance_embed": 4.5,
        "speed_up_with_guidance_embed": False, "resolution_dependent_shift": False,
        "tea_cache": True, "tea_cache_start": 1, "tea_cache_end": -2, "tea_cache_threshold": 0.25,
        "tea_cache_max_skip_steps": 2, "causal_inference_enabled": True, "causal_inference": 1,
        "causal_inference_pad": 1, "cfg_zero_star": True, "cfg_zero_init_steps": 1,
    }  # fmt: skip
    families = {row.name: row.families for row in SETTINGS}
    read = {
        name: value
        for name, value in values.items()
        if families[name] is None or family.supports(str(families[name]))
    }
    matrix.run(MODELS[version], {**read, "strength": 0.5}, image=IMAGE, mask=Mask(COVERAGE))
    assert not [text for text in matrix.warnings if "no effect on" in text]
