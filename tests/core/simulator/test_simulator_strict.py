"""Every request of docs/protocol.md 11.1 is refused with its reason, and its like is not."""

from __future__ import annotations

import contextlib
import json
import struct
import zlib
from typing import Any

import grpc
import numpy as np
import pytest
from drawthings.dt_core.settings.configuration import ControlSettings, LoraSettings
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.intake import HINT_KINDS
from drawthings.dt_core.wire import protobuf, tensor
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from simulator_wire import (
    channel,
    codes,
    generate,
    hint,
    images,
    picture,
    raw,
    request,
    settings,
    stub,
)

V1, SDXL, DEV = "sd_v1.5_f16.ckpt", "sd_xl_base_1.0_f16.ckpt", "flux_1_dev_q5p.ckpt"
CASCADE = "wurstchen_3.0_stage_c_f16.ckpt"
MARK = 0.8125  # a float32 to find again in the bytes


def control(kind: str, **changes: Any) -> list[ControlSettings]:
    return [ControlSettings(file=f"{kind}_1.x_v1.1_f16.ckpt", **changes)]


def t2i(kind: str) -> list[ControlSettings]:
    return [ControlSettings(file=f"t2iadapter_{kind}_1.x_f16.ckpt")]


def with_nan(value: float, **fields: Any) -> bytes:
    data = settings(**fields)
    assert data.count(struct.pack("<f", MARK)) == 1
    return data.replace(struct.pack("<f", MARK), struct.pack("<f", value))


def header(codec: int = 0, kind: int = 1, form: int = 2, datatype: int = 0x20000) -> bytes:
    return struct.pack("<I4i12i", codec, kind, form, datatype, 0, 1, 64, 64, 3, *[0] * 8)


def image_of(data: bytes, **more: Any) -> dict[str, Any]:
    return {"image": data, **more}


def zipped() -> bytes:
    packer = zlib.compressobj(-1, zlib.DEFLATED, -15, 9)
    body = packer.compress(picture().tobytes()) + packer.flush()
    return header(0x217) + body[: len(body) // 2]


def override(**models: Any) -> Any:
    return protobuf.MetadataOverride(**{k: json.dumps(v).encode() for k, v in models.items()})


NO_STAGES = {
    "name": "x", "file": CASCADE, "prefix": "", "version": "wurstchen_v3.0_stage_c",
    "upcast_attention": False, "default_scale": 16,
}  # fmt: skip
WRONG_LORA = {
    "name": "x", "file": "z_image_detail_lora_f16.ckpt", "prefix": "", "version": "z_image",
}  # fmt: skip
IMAGE = {"image": raw(picture())}
SMALL = {"hires_fix_start_width": 64, "hires_fix_start_height": 64, "hires_fix_strength": 0.5}
BIG = {"start_width": 128, "start_height": 128, "hires_fix": True, **SMALL}
INFINITE = picture()
INFINITE[0, 0, 0, 0] = np.inf
NAN_STRENGTH = with_nan(float("nan"), strength=MARK)
NAN_HIRES = with_nan(float("inf"), hires_fix=True, hires_fix_strength=MARK)
NAN_START = with_nan(
    float("nan"), model=V1, controls=control("controlnet_depth", guidance_start=MARK)
)
LORA = [LoraSettings(file="z_image_detail_lora_f16.ckpt")]
KONTEXT = "flux_1_kontext_dev_q5p.ckpt"

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "width in pixels": ({"start_width": 1024 * 64}, "below 1024"),
    "height in pixels": ({"start_height": 1024 * 64}, "below 1024"),
    "a giant canvas": ({"start_width": 600 * 64}, "memory"),
    "no canvas": ({"start_width": 0}, "no size"),
    "scaleFactor 0, strength < 1": ({**IMAGE, "scaleFactor": 0, "strength": 0.5}, "scaleFactor"),
    "scaleFactor 0, mask": ({**IMAGE, "scaleFactor": 0, "mask": raw(codes())}, "scaleFactor"),
    "scaleFactor that divides not": ({**IMAGE, "scaleFactor": 3}, "does not divide"),
    "steps 0": ({"steps": 0}, "at least one"),
    "mask with strength 0": ({**IMAGE, "strength": 0.0, "mask": raw(codes(code=2))}, "strength 0"),
    "1 step of Euler A": ({"model": V1, "steps": 1, "sampler": 1}, "divides by zero"),
    "1 step of LCM": ({"model": SDXL, "steps": 1, "sampler": 6}, "divides by zero"),
    "1 step of AYS on SVD": (
        {**IMAGE, "model": "svd_i2v_1.0_f16.ckpt", "steps": 1, "sampler": 18}, "divides by zero",
    ),
    "1001 Trailing steps": ({"model": V1, "steps": 1001, "sampler": 10}, "1000"),
    "1000 DDIM steps": ({"model": V1, "steps": 1000, "sampler": 2}, "1000"),
    "too many steps": ({"steps": 2**31}, "do not fit"),
    "strength NaN": ({**IMAGE, "config": NAN_STRENGTH}, "strength"),
    "hires strength infinite": ({"config": NAN_HIRES}, "hires_fix_strength"),
    "guidance_start NaN": ({"config": NAN_START}, "guidance_start"),
    "infinite pixels in canny": (
        {"model": V1, "image": raw(INFINITE), "controls": control("controlnet_canny")}, "canny",
    ),
    "two frames in canny": (
        {"model": "flux_1_canny_dev_q5p.ckpt", "image": raw(np.repeat(picture(), 2, axis=0))},
        "canny",
    ),
    "image not a multiple of 64": (
        {"image": raw(picture(96, 64)), "strength": 0.5}, "multiple of 64",
    ),
    "SVD at strength 1 too": (
        {"image": raw(picture(96, 64)), "model": "svd_i2v_1.0_f16.ckpt"}, "multiple of 64",
    ),
    "image of rank 3": ({"image": raw(picture()[0]), "strength": 0.5}, "dimensions"),
    "Cascade with another size": (
        {"image": raw(picture(128, 64)), "model": CASCADE, "strength": 0.5}, "canvas",
    ),
    "hires fix on HiDream O1": ({"model": "hidream_o1_dev_2604_f16.ckpt", **BIG}, "hires fix"),
    "reference not a multiple of 16": (
        {"image": raw(picture(72, 64)), "model": KONTEXT, **BIG}, "16 px",
    ),
    "Cascade without stages": (
        {"model": CASCADE, "override": override(models=[NO_STAGES])}, "stage_models",
    ),
    "mask of rank 3": ({**IMAGE, "mask": raw(np.zeros((1, 64, 64), np.uint8))}, "dimensions"),
    "mask of another size": ({**IMAGE, "mask": raw(codes(32, 64))}, "mask is 32x64"),
    "batch_size 0": ({"batch_size": 0}, "batch_size is 0"),
    "batch_size without limit": ({"batch_size": 10**6}, "memory"),
    "strength below 0": ({**IMAGE, "strength": -0.5}, "below 0"),
    "strength above 1 on SeedVR2": (
        {**IMAGE, "strength": 1.5, "model": "seedvr2_3b_q8p.ckpt"}, "above 1",
    ),
    "mask, PLMS, strength above 1": (
        {**IMAGE, "strength": 1.5, "sampler": 3, "mask": raw(codes(code=2)), "model": V1}, "PLMS",
    ),
    "uint8 scribble": (
        {"model": V1, "controls": control("controlnet_scribble"),
         "hints": [hint("scribble", np.zeros((1, 64, 64, 3), np.uint8))]}, "uint8",
    ),
    "custom with 1 channel": (
        {"model": V1, "controls": control("controlnet_seg"),
         "hints": [hint("custom", picture()[..., :1])]}, "channels",
    ),
    "depth with 3 channels": (
        {"model": V1, "controls": control("controlnet_depth"), "hints": [hint("depth", picture())]},
        "1 channel",
    ),
    "reference with 1 channel": (
        {"model": KONTEXT, "hints": [hint("shuffle", picture()[..., :1])]}, "channels",
    ),
    "T2I depth from an image": ({**IMAGE, "model": V1, "controls": t2i("depth")}, "T2I adapter"),
    "KV injection from custom": (
        {"model": V1, "controls": [ControlSettings(file="oot_diffusion_hd_garment_f16.ckpt")],
         "hints": [hint("custom", picture())]}, "shuffle",
    ),
    "pose of another size": (
        {"model": V1, "controls": control("controlnet_openpose"),
         "hints": [hint("pose", picture(32, 64))]}, "pose",
    ),
    "decoding tile 0": ({"tiled_decoding": True, "decoding_tile_width": 0}, "tile size"),
    "diffusion tile 0": ({"tiled_diffusion": True, "diffusion_tile_height": 0}, "tile size"),
    "unknown datatype": (image_of(header(datatype=0x3000) + bytes(9)), "datatype"),
    "unknown format": (image_of(header(form=3) + bytes(9)), "format"),
    "GPU tensor": (image_of(header(kind=2) + picture().tobytes()), "memory"),
    "uint8 image": (image_of(raw(np.zeros((1, 64, 64, 3), np.uint8))), "integer"),
    "int32 hint": ({"hints": [hint("canny", np.zeros((1, 8, 8, 3), np.int32))]}, "integer"),
    "dims that are 0": (
        image_of(struct.pack("<I4i12i", 0, 1, 2, 0x20000, 0, *[0] * 12) + bytes(9)), "shape",
    ),
    **{
        f"a {kind} hint of rank {array.ndim}": ({"hints": [hint(kind, array)]}, "dimensions")
        for kind in ("custom", "depth", "pose", "color", "shuffle")
        for array in (picture()[0], picture()[0, :, 0, 0], picture()[None])
    },
    "a used scribble of rank 2": (
        {"model": V1, "controls": control("controlnet_scribble"),
         "hints": [hint("scribble", picture()[0, :, :, 0])]}, "the shape [64, 64]",
    ),
    "bfloat16 image": (
        image_of(header(datatype=0x80000) + picture().tobytes()), "bfloat16",
    ),
    "damaged fpzip": (image_of(tensor.encode(picture(256, 256), "fpzip")[:76]), "fpzip"),
    "truncated zip": (image_of(zipped()), "truncated"),
    "no configuration": ({"config": b""}, ""),
    "a broken configuration": ({"config": settings()[:40]}, ""),
    "inpainting LoRA on Z Image": (
        {"model": "z_image_1.0_q6p.ckpt", "loras": LORA,
         "override": override(loras=[{**WRONG_LORA, "modifier": "inpainting"}])}, "inpainting",
    ),
    "depth LoRA on Z Image": (
        {"model": "z_image_1.0_q6p.ckpt", "loras": LORA,
         "hints": [hint("depth", picture()[..., :1])],
         "override": override(loras=[{**WRONG_LORA, "modifier": "depth"}])}, "depth",
    ),
}  # fmt: skip

ACCEPTED: dict[str, dict[str, Any]] = {
    "scaleFactor 0 without an image": {"scaleFactor": 0},
    "scaleFactor 0, image at strength 1": {**IMAGE, "scaleFactor": 0},
    "an image of any size at strength 1": {"image": raw(picture(50, 70))},
    "scaleFactor 2": {"image": raw(picture(128, 128)), "scaleFactor": 2, "strength": 0.5},
    "steps 0 on v1": {"model": V1, "steps": 0},
    "1 Trailing step": {"model": V1, "steps": 1, "sampler": 10},
    "strength above 1": {**IMAGE, "strength": 1.5},
    "batch_size 0 on video": {"model": "wan_v2.1_1.3b_480p_f16.ckpt", "batch_size": 0},
    "no prompt, odd numbers": {
        "clip_skip": 99, "refiner_start": -3.0, "cfg_zero_init_steps": -5, "seed": 2**32 - 1,
        "upscaler_scale_factor": 7, "loras": [LoraSettings(file="")],
        "controls": [ControlSettings(file="")],
    },
    "overlap above the tile": {"tiled_decoding": True, "decoding_tile_overlap": 6400},
    "uint8 scribble without its control": {
        "hints": [hint("scribble", np.zeros((1, 64, 64, 3), np.uint8))],
    },
    "hints that are never read, of odd ranks": {
        "hints": [hint(kind, array) for kind in ("canny", "seg", "tile", "scribble")
                  for array in (picture()[0], picture()[0, :, 0, 0], picture()[None])],
    },
    "an image of one row at strength 1": {"image": raw(picture(4096, 1))},
    "float32 image": {"image": raw(picture().astype(np.float32)), "strength": 0.5},
    "f16 scribble": {
        "model": V1, "controls": control("controlnet_scribble"),
        "hints": [hint("scribble", picture())],
    },
    "guidance_end before guidance_start": {
        "model": V1, "hints": [hint("depth", picture()[..., :1])],
        "controls": control("controlnet_depth", guidance_start=0.9, guidance_end=0.1),
    },
}  # fmt: skip


@pytest.mark.parametrize(("fields", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_crash_the_server_is_refused(
    server: Simulator, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        generate(server, **fields)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("would crash the server: ")
    assert reason in error.details()
    record = server.requests[-1]
    assert (record.outcome, record.reason) == ("refused", error.details())


TENSORS = st.builds(
    lambda codec, memory, form, datatype, dims, payload: (
        struct.pack("<I4i12i", codec, memory, form, datatype, 0, *dims, *[0] * (12 - len(dims)))
        + payload
    ),
    st.sampled_from([0, 0x217, 0x511]),
    st.sampled_from([1, 1, 1, 2]),
    st.sampled_from([1, 2, 2, 4, 9]),
    st.sampled_from([0x20000, 0x20000, 0x4000, 0x10000, 0x1000, 0x2000, 0x80000, 7]),
    st.lists(st.sampled_from([1, 2, 3, 4, 64, -1]), max_size=12),
    st.sampled_from([b"", bytes(7), bytes(24_576), b"\x7e" * 24_576, b"\xff" * 24_576]),
)


@settings_of(max_examples=80, deadline=None, derandomize=True)
@given(TENSORS, TENSORS, st.sampled_from(sorted(HINT_KINDS)), TENSORS, st.booleans(),
       st.sampled_from([0.0, 0.5, 1.0]))  # fmt: skip
def test_any_header_gives_a_picture_or_a_reason(
    server: Simulator, image: bytes, mask: bytes, kind: str, data: bytes, with_image: bool,
    strength: float,
) -> None:  # fmt: skip
    weighted = protobuf.TensorAndWeight(tensor=data, weight=1)
    fields = {"image": image, "mask": mask} if with_image else {}
    with channel(server) as opened:
        message = request(
            model=V1, strength=strength, controls=control("controlnet_depth"),
            hints=[protobuf.HintProto(hintType=kind, tensors=[weighted, weighted])], **fields,
        )  # fmt: skip
        call = stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")(message, timeout=60)
        with contextlib.suppress(grpc.RpcError):
            list(call)
    record = server.requests[-1]
    expected = {"done": "OK", "empty": "OK", "refused": "INVALID_ARGUMENT"}
    assert call.code().name == expected[record.outcome or "none"], call.details()
    assert call.details() == (record.reason if record.outcome == "refused" else "")


@pytest.mark.parametrize("fields", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_only_looks_dangerous_is_not_refused(
    server: Simulator, fields: dict[str, Any]
) -> None:
    assert images(generate(server, **fields))
    assert server.requests[-1].outcome == "done"
