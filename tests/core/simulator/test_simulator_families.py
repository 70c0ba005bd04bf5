"""Every model family answers in its own shapes: latents, frames, sound, alpha."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures import previews as preview
from drawthings.dt_core.settings.configuration import LoraSettings
from drawthings.dt_core.simulator import Catalog, Simulator
from drawthings.dt_core.simulator.lettering import clean, wrap
from drawthings.dt_core.wire import protobuf, tensor
from simulator_wire import ask, blobs, generate, hint, images, picture, raw

CATALOG = Catalog.load()
MODELS = {row["version"]: row["file"] for row in reversed([*CATALOG.all("models")])}
IMAGE = {"image": raw(picture(128, 128))}
NEEDS_IMAGE = {"svd_i2v", "seedvr2_3b", "seedvr2_7b", "longcat_video_avatar_v1.5"}


def previews(replies: list[Any]) -> list[Any]:
    return [tensor.decode(r.previewImage) for r in replies if r.HasField("previewImage")]


ROW = {"prefix": "", "upcast_attention": False, "default_scale": 12}
INVENTED = [
    {**ROW, "name": "Picture", "file": "p.ckpt", "version": "p_2031", "latents_mean": [0.0] * 20},
    {**ROW, "name": "Edit", "file": "e.ckpt", "version": "e_2031", "modifier": "rewrite_2031"},
    {**ROW, "name": "Film", "file": "f.ckpt", "version": "f_2031", "frames_per_second": 24,
     "audio_latents_mean": [0.0] * 32, "a_key_of_2031": {"x": [1]}},
]  # fmt: skip


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    path = tmp_path_factory.mktemp("newer") / "models.json"
    path.write_text(json.dumps({"models": INVENTED}))
    with Simulator(catalog=Catalog.load(path)) as running:
        yield running


def test_a_newer_server_tells_its_models_as_they_are(newer: Simulator) -> None:
    reply = ask(newer, protobuf.ECHO, protobuf.EchoRequest(name="x"))
    assert json.loads(reply.override.models) == INVENTED


def test_a_picture_of_a_family_that_no_table_knows(newer: Simulator) -> None:
    replies = generate(newer, model="p.ckpt", batch_size=2)
    assert [result.shape for result in images(replies)] == [(1, 64, 64, 3)] * 2
    assert {latent.shape for latent in previews(replies)} == {(2, 8, 8, 20)}
    assert newer.requests[-1].notes == ()


def test_an_edit_of_a_family_that_no_table_knows_shows_its_pictures(newer: Simulator) -> None:
    size = {"start_width": 256, "start_height": 256, "model": "e.ckpt"}
    without = images(generate(newer, **size))[0]
    red = np.broadcast_to(np.array([1, -1, -1], np.float16), (1, 256, 256, 3))
    edited = images(generate(newer, **size, image=raw(red), hints=[hint("shuffle", red)]))[0]
    assert edited[0, 0, :, 0].mean() > without[0, 0, :, 0].mean() + 0.2  # above the card
    assert newer.requests[-1].notes == ()


@pytest.mark.parametrize(("wanted", "frames"), [(0, 1), (22, 22)])
def test_a_film_with_sound_of_a_family_that_no_table_knows(
    newer: Simulator, wanted: int, frames: int
) -> None:
    replies = generate(newer, model="f.ckpt", num_frames=wanted)
    assert len(images(replies)) == frames
    (sound,) = (tensor.decode(blob) for blob in blobs(replies, "generatedAudio"))
    assert sound.shape == (2, round(frames / 24 * 32_000))
    assert {len(latent) for latent in previews(replies)} == {frames}


def test_a_newer_server_knows_its_own_versions_in_a_request_and_no_others(
    newer: Simulator, server: Simulator
) -> None:
    film = {**INVENTED[2], "file": MODELS["v1"]}
    override = protobuf.MetadataOverride(models=json.dumps([film]).encode())
    generate(newer, model="p.ckpt", override=override)
    assert newer.requests[-1].notes == ()
    assert len(images(generate(server, model=MODELS["v1"], override=override))) == 1
    assert 'unknown version "f_2031": dropped' in server.requests[-1].notes[0]


@pytest.mark.parametrize("version", FAMILIES)
def test_every_family_answers_in_its_shapes(server: Simulator, version: str) -> None:
    family = FAMILIES[version]
    fields = IMAGE if version in NEEDS_IMAGE else {}
    replies = generate(
        server, model=MODELS[version], num_frames=10, start_width=128, start_height=128,
        **fields,
    )  # fmt: skip
    frames = {1: 10, 4: 9, 8: 9}[family.temporal_scale] if family.is_video else 1
    latent_frames = -(-frames // family.temporal_scale)
    results = images(replies)
    assert [result.shape for result in results] == [(1, 128, 128, 3)] * frames
    assert all(result.dtype == np.float16 for result in results)
    assert max(float(np.abs(result).max()) for result in results) <= 1
    if version == "wurstchen_v3.0_stage_c":
        expected = {(1, 3, 3, 3), (1, 32, 32, 4)}
    else:
        assert family.latent_scale is not None
        cells = 128 // family.latent_scale
        rows = preview.audio_row_count(latent_frames, cells) if family.audio == "output" else 0
        expected = {(latent_frames, cells + rows, cells, family.latent_channels)}
    shown = previews(replies)
    assert {latent.shape for latent in shown} == expected
    assert all(np.isfinite(latent).all() for latent in shown)
    sounds = [tensor.decode(blob) for blob in blobs(replies, "generatedAudio")]
    if family.audio == "output":
        assert family.fps is not None
        assert family.audio_sample_rate is not None
        (sound,) = sounds
        assert sound.shape == (2, round(frames / family.fps * family.audio_sample_rate))
        assert sound.dtype == np.float32
        assert 0.05 < float(np.abs(sound).max()) <= 1
        audio = [r for r in replies if r.generatedAudio]
        assert not any(r.HasField("scaleFactor") for r in audio)
        assert replies[-len(audio) :] == audio
    else:
        assert not sounds


def test_frames_of_a_video_differ_and_the_latents_follow_them(server: Simulator) -> None:
    replies = generate(
        server, model="wan_v2.1_1.3b_480p_f16.ckpt", num_frames=13, steps=8, start_width=128,
        start_height=128,
    )  # fmt: skip
    frames = images(replies)
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(frames))
    rgb = preview.latent_to_rgb(previews(replies)[-1], FAMILIES["wan_v2.1_1.3b"].preview)
    assert rgb is not None
    assert rgb.shape == (4, 16, 16, 3)
    assert not np.array_equal(rgb[0], rgb[1])


@pytest.mark.parametrize(
    ("model", "loras"),
    [
        ("sd_xl_base_1.0_f16.ckpt", ["layer_xl_transparent_attn_v1.0_lora_f16.ckpt"]),
        ("flux_1_dev_q5p.ckpt", ["layer_flux_1_transparent_lora_f16.ckpt"]),
        ("qwen_image_layered_1.0_bf16_q6p.ckpt", []),
    ],
)
def test_transparent_results_have_alpha_first(
    server: Simulator, model: str, loras: list[str]
) -> None:
    replies = generate(
        server, model=model, loras=[LoraSettings(file=file) for file in loras], batch_size=3,
        start_width=128, start_height=128,
    )  # fmt: skip
    results = images(replies)
    assert [result.shape for result in results] == [(1, 128, 128, 4)] * 3
    for result in results[1:]:
        alpha = result[..., 0]
        assert alpha.min() == 0
        assert alpha.max() == 1
        assert result[..., 1:].min() < -0.2


def test_a_batch_has_different_pictures(server: Simulator) -> None:
    first, second = images(generate(server, batch_size=2, start_width=128, start_height=128))
    assert np.abs(first.astype(np.float32) - second.astype(np.float32)).mean() > 0.05


def test_every_preset_can_be_run(server: Simulator) -> None:
    presets = [preset for family in FAMILIES.values() for preset in family.presets]
    files = {preset.model for preset in presets}
    files |= {file for preset in presets for file in preset.lora_files}
    assert files <= CATALOG.files


def test_the_catalogue_would_pass_a_strict_decoder() -> None:
    path = resources.files("drawthings.dt_core.simulator").joinpath("inventory.json")
    data = json.loads(path.read_text("utf-8"))
    assert set(MODELS) == set(FAMILIES)
    files = [row["file"] for kind in data if kind != "files" for row in data[kind]]
    assert len(files) == len(set(files))
    modifiers = {(row["version"], row.get("modifier", "none")) for row in data["models"]}
    for version, family in FAMILIES.items():
        for modifier in family.modifiers_seen:
            assert (version, modifier) in modifiers, (version, modifier)
    kinds = {row["type"] for row in data["controlNets"]}
    assert kinds == {
        "controlnet", "t2iadapter", "ipadapterplus", "ipadapterfull", "controlnetlora",
        "inject_kv", "ipadapterfaceidplus", "controlnetunion", "pulid", "redux", "llava",
    }  # fmt: skip
    for row in data["models"]:
        objective = row.get("objective")
        assert objective is None or len(objective) == 1
        assert all(isinstance(value, (str, bool, int, float, list, dict)) for value in row.values())
    for row in data["loras"]:
        if "weight" in row:
            assert {"lower_bound", "upper_bound"} <= set(row["weight"])


@pytest.mark.parametrize(
    "text", ["", "x" * 500, "海边的灯塔" * 40, "\x00\n\t🌅 مرحبا \ud7ff", "a b"]
)
def test_any_prompt_can_be_drawn(server: Simulator, text: str) -> None:
    assert images(generate(server, prompt=text, negativePrompt=text))
    lines = wrap(clean(text), 12, 100, 3)
    assert len(lines) <= 3
