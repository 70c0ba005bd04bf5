"""Congruence: what the preflight refuses, the simulator would not survive; and nothing of
it is ever sent. One row for every row of docs/protocol.md 11.1 that a request can reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.errors import DrawThingsError, RequestError, SettingsError
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.pictures.values import Mask, Picture
from drawthings.dt_core.preflight import Level, check, crashes
from drawthings.dt_core.request.message import build
from drawthings.dt_core.request.parts import Control, Lora, Reference
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.configuration import Configuration, ControlSettings
from drawthings.dt_core.simulator import Catalog, Simulator
from drawthings.dt_core.simulator.inventory import KINDS
from drawthings.dt_core.wire import protobuf
from simulator_wire import channel, stub

V1, SDXL, SVD = "sd_v1.5_f16.ckpt", "sd_xl_base_1.0_f16.ckpt", "svd_i2v_1.0_f16.ckpt"
DEV, CANNY = "flux_1_dev_q5p.ckpt", "controlnet_canny_1.x_v1.1_f16.ckpt"
CASCADE, O1 = "wurstchen_3.0_stage_c_f16.ckpt", "hidream_o1_dev_2604_f16.ckpt"
T2I_DEPTH = "t2iadapter_depth_1.x_f16.ckpt"
GARMENT = "oot_diffusion_hd_garment_f16.ckpt"
SEGMENTS = "controlnet_seg_1.x_v1.1_f16.ckpt"
VACE, WAN = "wan_v2.1_1.3b_vace_480p_f16.ckpt", "wan_v2.1_1.3b_480p_f16.ckpt"
IMAGE = Picture(np.full((128, 128, 3), 0.5, np.float32))
MARKED = np.zeros((128, 128), np.float32)
MARKED[:64] = 1
MASK = Mask(MARKED)
HIRES = {
    "hires_fix": True,
    "hires_fix_start_width": 64,
    "hires_fix_start_height": 64,
    "hires_fix_strength": 0.5,
}
GOOD: dict[str, Any] = {
    "model": DEV, "start_width": 128, "start_height": 128, "steps": 2, "seed": 7,
    "sampler": Sampler.EULER_A_TRAILING,
}  # fmt: skip

# What the server's own files do not bring: rows of custom models and LoRAs.
EXTRA: dict[str, list[dict[str, Any]]] = {
    "models": [
        {
            "name": "Cascade without B", "file": "lone_stage_c.ckpt", "prefix": "",
            "version": "wurstchen_v3.0_stage_c", "upcast_attention": False, "default_scale": 2,
        },
        {
            "name": "Z with depth", "file": "z_depth.ckpt", "prefix": "", "version": "z_image",
            "upcast_attention": False, "default_scale": 2, "modifier": "depth",
        },
    ],
    "loras": [
        {
            "name": "Inpainting Z", "file": "z_inpaint.ckpt", "prefix": "", "version": "z_image",
            "modifier": "inpainting",
        },
    ],
    "controlNets": [
        {
            "name": "Tile adapter", "file": "t2i_tile.ckpt", "version": "v1", "type": "t2iadapter",
            "global_average_pooling": False, "modifier": "tile",
        },
    ],
}  # fmt: skip

# name: settings, parts of the request, the check that refuses it
CRASHES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "width in pixels": ({"start_width": 1024 * 64}, {}, "size"),
    "height in pixels": ({"start_height": 1024 * 64}, {}, "size"),
    "a giant canvas": ({"start_width": 600 * 64}, {}, "size"),
    "no width": ({"start_width": 0}, {}, "size"),
    "more pictures than any memory holds": ({"batch_size": 10**6}, {}, "size"),
    "more frames than any memory holds": ({"model": WAN, "num_frames": 10**6 + 1}, {}, "size"),
    "no batch": ({"batch_size": 0}, {}, "counts"),
    "no steps": ({"steps": 0}, {}, "counts"),
    "one step of Euler A": (
        {"model": V1, "steps": 1, "sampler": Sampler.EULER_A}, {}, "steps_and_sampler",
    ),
    "one step of UniPC": (
        {"model": SDXL, "steps": 1, "sampler": Sampler.UNIPC}, {}, "steps_and_sampler",
    ),
    "one step of LCM": (
        {"model": "pixart_sigma_xl_2_1024_ms_f16.ckpt", "steps": 1, "sampler": Sampler.LCM}, {},
        "steps_and_sampler",
    ),
    "one step of TCD": (
        {"model": "kandinsky_f16.ckpt", "steps": 1, "sampler": Sampler.TCD}, {},
        "steps_and_sampler",
    ),
    "one step of AYS on SVD": (
        {"model": SVD, "steps": 1, "sampler": Sampler.UNIPC_AYS}, {"image": IMAGE},
        "steps_and_sampler",
    ),
    "more steps than a Trailing schedule": ({"model": V1, "steps": 1001}, {}, "steps_and_sampler"),
    "as many steps as DDIM's schedule": (
        {"model": V1, "steps": 1000, "sampler": Sampler.DDIM}, {}, "steps_and_sampler",
    ),
    "as many steps as PLMS's schedule": (
        {"model": V1, "steps": 1000, "sampler": Sampler.PLMS}, {}, "steps_and_sampler",
    ),
    "more steps than Int32 holds": ({"steps": 2**31}, {}, "steps_and_sampler"),
    "strength below 0": ({"strength": -0.1}, {"image": IMAGE}, "strength"),
    "strength above 1 on SVD": ({"model": SVD, "strength": 1.5}, {"image": IMAGE}, "strength"),
    "strength above 1 with PLMS and a mask": (
        {"model": V1, "strength": 1.5, "sampler": Sampler.PLMS}, {"image": IMAGE, "mask": MASK},
        "strength",
    ),
    "mask at strength 0 on a flow model": (
        {"strength": 0.0}, {"image": IMAGE, "mask": MASK}, "strength",
    ),
    "mask at strength 0 on PixArt": (
        {"model": "pixart_sigma_xl_2_1024_ms_f16.ckpt", "strength": 0.0},
        {"image": IMAGE, "mask": MASK}, "strength",
    ),
    "decoding tile 0": ({"tiled_decoding": True, "decoding_tile_width": 0}, {}, "tiles"),
    "diffusion tile 0": ({"tiled_diffusion": True, "diffusion_tile_height": 0}, {}, "tiles"),
    "hires fix on HiDream O1": ({"model": O1, **HIRES}, {}, "hires_fix"),
    "hires fix of Cascade with an image": (
        {"model": CASCADE, "strength": 0.5, **HIRES}, {"image": IMAGE}, "hires_fix",
    ),
    "Cascade without its second stage": ({"model": "lone_stage_c.ckpt"}, {}, "model_described"),
    "a control that starts at infinity": (
        {"model": V1}, {"controls": (Control(CANNY, start=1e30, picture=IMAGE),)}, "control_range",
    ),
    "a T2I adapter for depth with an image only": (
        {"model": V1, "strength": 0.5}, {"image": IMAGE, "controls": (Control(T2I_DEPTH),)},
        "adapter_inputs",
    ),
    "a T2I adapter of a kind that nothing makes": (
        {"model": V1}, {"controls": (Control("t2i_tile.ckpt", picture=IMAGE),)}, "adapter_inputs",
    ),
    "inpainting on a family without it": (
        {"model": "z_image_1.0_q6p.ckpt"}, {"loras": (Lora("z_inpaint.ckpt"),)}, "modifiers",
    ),
    "depth on a family without it": (
        {"model": "z_depth.ckpt", "strength": 0.5}, {"image": IMAGE}, "modifiers",
    ),
}  # fmt: skip

# What does not crash, but ends without a picture (docs/protocol.md 5.6).
EMPTY: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "one step of a Karras sampler": (
        {"model": V1, "steps": 1, "sampler": Sampler.DPMPP_2M_KARRAS}, {}, "steps_and_sampler",
    ),
    "SVD with one frame": ({"model": SVD, "num_frames": 1}, {"image": IMAGE}, "counts"),
    "SVD without an image": ({"model": SVD}, {}, "image_required"),
}  # fmt: skip

# What a value refuses to hold, so that no request can be made of it.
UNMAKEABLE: dict[str, Any] = {
    "strength NaN": lambda: Configuration(strength=float("nan")),
    "hires fix strength infinite": lambda: Configuration(hires_fix_strength=float("inf")),
    "guidance end NaN": lambda: ControlSettings("x.ckpt", guidance_end=float("nan")),
    "sizes off the grid": lambda: Configuration(start_width=100),
    "more px than the wire's 16 bits hold": lambda: Configuration(start_width=65536 * 64),
    "NaN pixels": lambda: Picture(np.full((64, 64, 3), np.nan, np.float32)),
    "integer pixels": lambda: Picture(np.zeros((64, 64, 3), np.int32)),
    "two channels": lambda: Picture(np.zeros((64, 64, 2), np.float32)),
    "a mask of rank 3": lambda: Mask(np.zeros((1, 64, 64), np.float32)),
}

# What looks like a row of the table and is none.
SAFE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one Trailing step": ({"model": V1, "steps": 1}, {}),
    "one step of Euler A on a flow model": ({"steps": 1, "sampler": Sampler.EULER_A}, {}),
    "one step on Stable Cascade": ({"model": CASCADE, "steps": 1, "sampler": Sampler.EULER_A}, {}),
    "an image of any size": (
        {"strength": 0.5}, {"image": Picture(np.zeros((50, 70, 3), np.float32))},
    ),
    "a mask of any size": (
        {"strength": 0.5}, {"image": IMAGE, "mask": Mask(np.ones((30, 20), np.float32))},
    ),
    "a mask at strength 0 on a U-Net": (
        {"model": V1, "strength": 0.0}, {"image": IMAGE, "mask": MASK},
    ),
    "a mask that marks nothing, at strength 0": (
        {"strength": 0.0}, {"image": IMAGE, "mask": Mask(np.zeros((8, 8), np.float32))},
    ),
    "hires fix of Cascade without an image": ({"model": CASCADE, **HIRES}, {}),
    "hires fix on SVD, which ignores it": ({"model": SVD, **HIRES}, {"image": IMAGE}),
    "a scribble": (
        {"model": V1},
        {"controls": (Control("controlnet_scribble_1.x_v1.1_f16.ckpt", picture=IMAGE),)},
    ),
    "a depth map of another shape": (
        {"model": V1},
        {"controls": (Control("controlnet_depth_1.x_v1.1_f16.ckpt",
                              picture=Picture(np.zeros((64, 192, 3), np.float32))),)},
    ),
    "a pose with hires fix": (
        {"model": V1, "steps": 20, **HIRES},
        {"controls": (Control("controlnet_openpose_1.x_v1.1_f16.ckpt", picture=IMAGE),)},
    ),
    "an adapter for depth with its picture": (
        {"model": V1, "strength": 0.5},
        {"image": IMAGE, "controls": (Control(T2I_DEPTH, picture=IMAGE),)},
    ),
    "garments as a reference": (
        {"model": "oot_diffusion_hd_f16.ckpt"},
        {"image": IMAGE, "references": (Reference(IMAGE),), "controls": (Control(GARMENT),)},
    ),
    "a control that ends before it starts": (
        {"model": V1}, {"controls": (Control(CANNY, start=0.9, end=0.1, picture=IMAGE),)},
    ),
    "a LoRA of another family that would inpaint": ({}, {"loras": (Lora("z_inpaint.ckpt"),)}),
    "a depth model without any depth": ({"model": "z_depth.ckpt"}, {}),
    "odd numbers": (
        {"clip_skip": 99, "refiner_start": -3.0, "cfg_zero_init_steps": -5, "seed": 2**32 - 1,
         "tiled_decoding": True, "decoding_tile_overlap": 6400}, {},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    built_in = Catalog.load()
    tables = {kind: [*built_in.all(kind), *EXTRA.get(kind, [])] for kind in KINDS}
    files = {row["file"] for rows in EXTRA.values() for row in rows} | built_in.files
    with Simulator(catalog=Catalog(tables, files)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Simulator) -> Client:
    return Client(ServerProfile(server.address))


def request(settings: dict[str, Any], parts: dict[str, Any]) -> GenerationRequest:
    return GenerationRequest(Configuration(**{**GOOD, **settings}), **parts)


def send_unchecked(server: Simulator, client: Client, asked: GenerationRequest) -> list[Any]:
    message = build(resolve(asked, client.catalog()))
    with channel(server) as opened:
        return list(stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")(message, timeout=60))


def errors(client: Client, asked: GenerationRequest) -> set[str]:
    found = check(resolve(asked, client.catalog()))
    return {finding.check for finding in found if finding.level is Level.ERROR}


def assert_refused_before_it_is_sent(
    server: Simulator, client: Client, asked: GenerationRequest, expected: str
) -> None:
    assert errors(client, asked) == {expected}
    before = len(server.requests)
    with pytest.raises(RequestError) as caught:
        list(client.generate(asked))
    assert str(caught.value).endswith(".")
    assert len(server.requests) == before


@pytest.mark.parametrize(("settings", "parts", "expected"), CRASHES.values(), ids=CRASHES)
def test_what_is_refused_would_have_crashed_the_server(
    server: Simulator,
    client: Client,
    settings: dict[str, Any],
    parts: dict[str, Any],
    expected: str,
) -> None:
    asked = request(settings, parts)
    with pytest.raises(grpc.RpcError) as caught:
        send_unchecked(server, client, asked)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("would crash the server: ")
    assert_refused_before_it_is_sent(server, client, asked, expected)


@pytest.mark.parametrize(("settings", "parts", "expected"), EMPTY.values(), ids=EMPTY)
def test_what_is_refused_would_have_ended_without_a_picture(
    server: Simulator,
    client: Client,
    settings: dict[str, Any],
    parts: dict[str, Any],
    expected: str,
) -> None:
    asked = request(settings, parts)
    send_unchecked(server, client, asked)
    assert server.requests[-1].outcome == "empty"
    assert_refused_before_it_is_sent(server, client, asked, expected)


@pytest.mark.parametrize("make", UNMAKEABLE.values(), ids=UNMAKEABLE)
def test_what_values_refuse_needs_no_check(make: Any) -> None:
    with pytest.raises((SettingsError, RequestError)):
        make()


@pytest.mark.parametrize(("settings", "parts"), SAFE.values(), ids=SAFE)
def test_what_only_looks_dangerous_is_sent_and_survives(
    server: Simulator, client: Client, settings: dict[str, Any], parts: dict[str, Any]
) -> None:
    list(client.generate(request(settings, parts)))
    assert server.requests[-1].outcome == "done"


def test_an_adapter_for_garments_needs_a_garment(server: Simulator, client: Client) -> None:
    """Another control's picture makes the server believe that it has one."""
    asked = request(
        {"model": V1}, {"controls": (Control(GARMENT), Control(SEGMENTS, picture=IMAGE))}
    )
    assert errors(client, asked) == {"adapter_inputs"}
    with pytest.raises(DrawThingsError):
        list(client.generate(asked))


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("longcat_video_avatar_1.5_q8p.ckpt", {"image": IMAGE}),
        ("longcat_video_avatar_1.5_q8p.ckpt", {"image": IMAGE, "mask": MASK}),
        (WAN, {}),
    ],
)
def test_sound_that_does_not_fit_is_refused(
    server: Simulator, client: Client, model: str, parts: dict[str, Any]
) -> None:
    """The message cannot even be built."""
    sound = (np.zeros(32_000, np.float32), np.zeros(51_200, np.float32))
    asked = request({"model": model, "num_frames": 81}, {**parts, "audio_features": sound})
    assert_refused_before_it_is_sent(server, client, asked, "audio_features")
    with pytest.raises(RequestError):
        send_unchecked(server, client, asked)


def test_every_crash_check_has_a_row() -> None:
    covered = {row[2] for table in (CRASHES, EMPTY) for row in table.values()}
    untested = {function.__name__ for function in crashes.CHECKS} - covered
    assert untested == {"model_chosen", "audio_features"}  # test_preflight.py, and above
