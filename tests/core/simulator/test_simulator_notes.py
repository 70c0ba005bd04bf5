"""What the server ignores in silence, the simulator ignores and says (docs/protocol.md 11.3)."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.settings import flatbuffer
from drawthings.dt_core.settings.choices import LoraMode
from drawthings.dt_core.settings.configuration import ControlSettings, LoraSettings
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.wire import protobuf, tensor
from simulator_wire import codes, generate, hint, images, picture, plan, raw, settings, signposts

V1, SDXL, DEV = "sd_v1.5_f16.ckpt", "sd_xl_base_1.0_f16.ckpt", "flux_1_dev_q5p.ckpt"
EDIT = "qwen_image_edit_2509_q6p.ckpt"
IMAGE = {"image": raw(picture())}


def controlled(file: str, **changes: Any) -> dict[str, Any]:
    return {"model": V1, "controls": [ControlSettings(file=file, **changes)]}


CANNY = controlled("controlnet_canny_1.x_v1.1_f16.ckpt")
UNION = {
    "model": SDXL,
    "controls": [ControlSettings(file="controlnet_union_promax_sdxl_v1.0_f16.ckpt")],
}
BAD_ROW = protobuf.MetadataOverride(loras=json.dumps([{"name": "x", "file": "y"}]).encode())

NOTED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown model": ({"model": "typo.ckpt", "num_frames": 9}, 'default model "ltx_2.3_22b'),
    "no model": ({"model": None, "num_frames": 9}, "no model was named"),
    "strength left out": ({**IMAGE, "strength": None}, "strength 0 (the default)"),
    "a reference of weight 0": (
        {"model": EDIT, "hints": [hint("shuffle", picture(), weight=0)]}, "weight 0",
    ),
    "several shuffle hints": (
        {"model": EDIT, "hints": [hint("shuffle", picture()), hint("shuffle", picture())]},
        "only the first",
    ),
    "references nobody reads": ({"hints": [hint("shuffle", picture())]}, "ignored"),
    "a canny map beside an image": (
        {**CANNY, **IMAGE, "hints": [hint("custom", picture())]}, "canny map is ignored",
    ),
    "a missing hash": ({"image": bytes(32)}, "treated as absent"),
    "an undecodable image": ({"image": b"x" * 40}, "treated as absent"),
    "a mask without an image": ({"mask": raw(codes(code=2))}, "mask without an image"),
    "a hint that is never read": ({"hints": [hint("canny", picture())]}, 'send it as "custom"'),
    "an unknown hint": ({"hints": [hint("Depth", picture())]}, 'unknown hint "Depth"'),
    "a float mask": (
        {**IMAGE, "strength": 0.5, "mask": raw(np.ones((64, 64), np.float32))}, "not uint8",
    ),
    "a grey mask": ({**IMAGE, "strength": 0.5, "mask": raw(codes(code=255))}, "ignored"),
    "an image of another size": (
        {"image": raw(picture(128, 64)), "strength": 0.5}, "size wins over the canvas",
    ),
    "an image of another aspect": (
        {"image": raw(picture(128, 64)), "model": EDIT}, "stretched to the canvas",
    ),
    "an image without influence": (IMAGE, "no influence"),
    "a depth hint of another aspect": (
        {**controlled("controlnet_depth_1.x_v1.1_f16.ckpt"),
         "hints": [hint("depth", picture(128, 64)[..., :1])]}, "resizes it wrongly",
    ),
    "shift on flux": ({"model": DEV, "shift": 5.0}, "shift 5 replaced by"),
    "a negative prompt on flux": ({"model": DEV, "negativePrompt": "x"}, "no CFG runs"),
    "guidance_embed on flux": ({"model": DEV, "guidance_embed": 2.0}, "guidance_embed is ignored"),
    "a consistency LoRA": (
        {"model": V1, "loras": [LoraSettings(file="lcm_sd_v1.5_lora_f16.ckpt")]}, "turns guidance",
    ),
    "a LoRA that is missing": ({"loras": [LoraSettings(file="typo.ckpt")]}, "not on the server"),
    "a LoRA of another family": (
        {"model": V1, "loras": [LoraSettings(file="sdxl_offset_v1.0_lora_f16.ckpt")]},
        "is for sdxl_base_v0.9",
    ),
    "a control that is missing": (controlled("typo.ckpt"), "not on the server"),
    "a control of another family": (
        controlled("controlnet_canny_2.x_f16.ckpt"), "is for v2: skipped",
    ),
    "a control of weight 0": (
        controlled("controlnet_canny_1.x_v1.1_f16.ckpt", weight=0.0), "no weight",
    ),
    "a control without input": (CANNY, "got no canny input"),
    "a union control without type": (UNION, "union model"),
    "hires fix without sizes": ({"hires_fix": True}, "hires fix is off"),
    "an upscaler that is missing": ({"upscaler": "typo.ckpt"}, "upscaler"),
    "a restorer that is missing": ({"face_restoration": "typo.ckpt"}, "face restorer"),
    "a refiner that is missing": ({"refiner_model": "typo.ckpt"}, "refiner"),
    "an incompatible refiner": ({"refiner_model": V1}, "incompatible"),
    "LoRA modes without refiner": (
        {"model": V1,
         "loras": [LoraSettings(file="tcd_sd_v1.5_lora_f16.ckpt", mode=LoraMode.REFINER)]},
        "treated as All",
    ),
    "batch_count": ({"batch_count": 3}, "batch_count 3 is not read"),
    "batch_size on video": (
        {"model": "wan_v2.1_1.3b_480p_f16.ckpt", "batch_size": 2, "num_frames": 5}, "replaced by 1",
    ),
    "frames off the rule": (
        {"model": "wan_v2.1_1.3b_480p_f16.ckpt", "num_frames": 8}, "rounded down to 5",
    ),
    "a bad element in the override": ({"override": BAD_ROW}, "dropped"),
    "seed_mode left out": ({"seed_mode": None}, "seed_mode 0"),
    "a DDPM sampler on a flow model": ({"sampler": 0}, "does not suit"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "note"), NOTED.values(), ids=NOTED.keys())
def test_what_the_server_ignores_is_noted(
    server: Simulator, fields: dict[str, Any], note: str
) -> None:
    assert images(generate(server, **fields))
    assert any(note in text for text in server.requests[-1].notes), server.requests[-1].notes


def header(codec: int, *dims: int) -> bytes:
    return struct.pack("<I4i12i", codec, 1, 2, 0x20000, 0, *dims, *[0] * (12 - len(dims)))


RAW, ZIP, FPZIP = 0, 0x217, 0xF7217
SHAPE = (1, 64, 64, 3)
DROPPED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "has 0 of the 68 bytes"),
    "half a header": (header(RAW, *SHAPE)[:40], "has 40 of the 68 bytes"),
    "a hash without its content": (bytes(32), "hash without its content"),
    "data that is cut off": (raw(picture())[:-100], "has 24476 of its 24576 bytes"),
    "dims without data": (header(RAW, 1, 40_000, 40_000, 3), "ends after its header"),
    "zip without data": (header(ZIP, *SHAPE), "ends after its header"),
    "fpzip without data": (header(FPZIP, *SHAPE), "ends after its header"),
    "zip that is none": (header(ZIP, *SHAPE) + b"\xff" * 64, "is damaged zip"),
    "fpzip that is none": (header(FPZIP, *SHAPE) + bytes(64), "does not begin as fpzip"),
    "an unknown codec": (header(0x511, *SHAPE) + bytes(64), "unknown codec 0x511"),
}


@pytest.mark.parametrize(("data", "reason"), DROPPED.values(), ids=DROPPED.keys())
def test_a_picture_that_cannot_be_read_is_dropped_and_said(
    server: Simulator, data: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        replies = generate(
            server, image=data, mask=data, hints=[protobuf.HintProto(
                hintType="shuffle", tensors=[protobuf.TensorAndWeight(tensor=data, weight=1)]
            )],
        )  # fmt: skip
    assert signposts(replies)[1] == "imageEncoded"
    assert plan(replies) == {"textEncoded", "sampling 4", "imageDecoded"}  # text to image
    record = server.requests[-1]
    assert (record.image, record.mask, record.hints[0].tensors) == (None, None, ())
    for what in ("image", "mask", "shuffle hint"):
        (note,) = [note for note in record.notes if note.startswith(f"the {what} ")]
        assert reason in note
        assert "drops it in silence" in note
        assert note in caplog.text


def test_a_dropped_picture_is_told_on_the_drawn_one(server: Simulator) -> None:
    size = {"start_width": 256, "start_height": 256, "model": V1}
    plain = images(generate(server, **size))[0]
    dropped = images(generate(server, image=raw(picture())[:-100], **size))[0]
    assert not np.array_equal(plain, dropped)


@pytest.mark.parametrize("letter", ["a", "字", " ", "\n", "\U0001f600"], ids=ascii)
def test_texts_of_millions_of_letters_give_a_picture(server: Simulator, letter: str) -> None:
    endless = letter * 3_000_000
    replies = generate(
        server, prompt=endless, negativePrompt=endless, t5_text=endless, separate_t5=True,
        start_width=256, start_height=256, hints=[protobuf.HintProto(hintType=endless[:9999])],
    )  # fmt: skip
    assert images(replies)[0].shape == (1, 256, 256, 3)


@pytest.mark.parametrize(
    "row",
    [
        {"frames_per_second": "many"}, {"modifier": 7}, {"stage_models": "x"},
        {"guidance_embed": "yes"}, {"autoencoder": ["x"]},
    ],
)  # fmt: skip
def test_a_description_with_a_key_of_another_type_is_dropped(
    server: Simulator, row: dict[str, Any]
) -> None:
    whole = {
        "name": "mine", "file": V1, "prefix": "", "version": "ltx2", "upcast_attention": False,
        "default_scale": 16,
    }  # fmt: skip
    override = protobuf.MetadataOverride(models=json.dumps([{**whole, **row}]).encode())
    assert images(generate(server, model=V1, override=override))
    assert f'has an unreadable "{next(iter(row))}": dropped' in server.requests[-1].notes[0]


def test_an_ordinary_request_has_no_notes(server: Simulator) -> None:
    generate(server, prompt="a cat", negativePrompt="", model=V1)
    assert server.requests[-1].notes == ()


def test_notes_are_on_the_picture(server: Simulator) -> None:
    size = {"start_width": 256, "start_height": 256}
    plain = images(generate(server, model=V1, **size))[0]
    noted = images(generate(server, model=V1, batch_count=2, **size))[0]
    assert not np.array_equal(plain, noted)


def test_an_unknown_model_becomes_a_video(server: Simulator) -> None:
    replies = generate(server, model="typo.ckpt", num_frames=9)
    assert len(images(replies)) == 9
    assert any(r.generatedAudio for r in replies)


def test_an_empty_model_name_counts_as_present(server: Simulator) -> None:
    data = settings(model="m")
    config = data.replace(b"\x01\x00\x00\x00m\x00", b"\x00\x00\x00\x00\x00\x00")
    assert "model" in flatbuffer.empty_texts(config)
    generate(server, config=config)
    assert "counts as present" in server.requests[-1].notes[0]


def test_the_requests_description_wins_but_makes_no_file_appear(server: Simulator) -> None:
    row = {
        "name": "mine", "file": V1, "prefix": "", "version": "flux2", "upcastAttention": False,
        "defaultScale": 16,
    }  # fmt: skip
    override = protobuf.MetadataOverride(
        models=json.dumps([row, {**row, "file": "n.ckpt"}]).encode()
    )
    replies = generate(server, model=V1, override=override)
    shown = next(r.previewImage for r in replies if r.HasField("previewImage"))
    assert tensor.decode(shown).shape[3] == 32
    generate(server, model="n.ckpt", override=override, num_frames=1)
    assert "not on the server" in server.requests[-1].notes[0]


EMPTY: dict[str, dict[str, Any]] = {
    "a Karras sampler with 1 step": {"model": V1, "steps": 1, "sampler": 0},
    "SVD without an image": {"model": "svd_i2v_1.0_f16.ckpt"},
    "SVD with one frame": {**IMAGE, "model": "svd_i2v_1.0_f16.ckpt", "num_frames": 1},
    "sound on a model without": {"hints": [hint("audio", np.zeros((2, 8), np.float32))]},
}


@pytest.mark.parametrize("fields", EMPTY.values(), ids=EMPTY.keys())
def test_soft_failures_end_ok_without_pictures(server: Simulator, fields: dict[str, Any]) -> None:
    replies = generate(server, **fields)
    assert plan(replies)
    assert not images(replies)
    assert not any(r.HasField("downloadSize") for r in replies)
    assert replies[-1] == protobuf.ImageGenerationResponse(scaleFactor=1)
    assert server.requests[-1].outcome == "empty"
    assert server.requests[-1].reason
