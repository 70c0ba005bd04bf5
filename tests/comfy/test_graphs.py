"""Graphs beyond the examples, through ComfyUI's own nodes before and after ours."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.comfyui_client import Client, Result
from PIL import Image
from running_example import decode

STILL = "z_image_turbo_1.0_q6p.ckpt"
WITH_SOUND = "ltx_2.3_22b_distilled_q8p.ckpt"
_seeds = itertools.count(3_000_000)

Prompt = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def loader(file: str = STILL) -> dict[str, Any]:
    return node("DTModelLoader", model=file)


def sampler(**changes: Any) -> dict[str, Any]:
    inputs = {"seed": next(_seeds), "steps": 2, "guidance": 1.0, "sampler": "UniPC Trailing"}
    inputs |= {"width": 128, "height": 64, "strength": 1.0, "batch_size": 1, "shift": 0.0}
    return node("DTSampler", model=["model", 0], **{**inputs, **changes})


def picture() -> dict[str, Any]:
    return node("LoadImage", image="dusk_lake.png")


def mask() -> dict[str, Any]:
    return node("LoadImageMask", image="dusk_lake_mask.png", channel="red")


def saved(images: list[Any]) -> dict[str, Any]:
    return node("SaveImage", images=images, filename_prefix="graphs")


def run(client: Client, **graph: Any) -> Result:
    result = client.run(graph)
    assert result.outcome == "success", result.error
    return result


def lake() -> Any:
    from drawthings.tools.comfyui import SAMPLE_PICTURES

    return decode((SAMPLE_PICTURES / "dusk_lake.png").read_bytes())


def test_a_film_with_sound_goes_into_comfyuis_own_save_nodes(
    client: Client, simulator: Simulator
) -> None:
    result = run(
        client,
        model=loader(WITH_SOUND),
        frames=node("DTVideoOptions", num_frames=9),
        film=sampler(options=["frames", 0]),
        video=node("SaveVideo", video=["film", 2], filename_prefix="v", format="mp4", codec="h264"),
        sound=node("SaveAudio", audio=["film", 3], filename_prefix="a"),
    )
    assert simulator.requests[-1].configuration["num_frames"] == 9  # type: ignore[index]
    outputs = {e.data["node"]: e.data["output"] for e in result.of_kind("executed")}
    (film,) = outputs["video"]["images"]
    assert client.view(film)[4:8] == b"ftyp"  # an MP4
    (sound,) = outputs["sound"]["audio"]
    assert client.view(sound).startswith(b"fLaC")


def test_what_hangs_on_a_missing_sound_stops_and_the_rest_goes_on(client: Client) -> None:
    result = client.run(
        {
            "model": loader(),
            "sampler": sampler(),
            "sound": node("SaveAudio", audio=["sampler", 3], filename_prefix="a"),
            "image": saved(["sampler", 0]),
        }
    )
    assert result.files("image")
    said = json.dumps([event.data for event in result.events])
    assert "no sound" in said


def test_a_random_seed_is_drawn_anew_each_time(client: Client, simulator: Simulator) -> None:
    graph = {"model": loader(), "sampler": sampler(seed=-1), "image": saved(["sampler", 0])}
    before = len(simulator.requests)
    run(client, **graph)
    run(client, **graph)
    first, second = (record.configuration for record in simulator.requests[before:])
    assert first is not None
    assert second is not None
    assert first["seed"] != second["seed"]


def test_transparent_pictures_are_saved_with_their_alpha(
    client: Client, simulator: Simulator
) -> None:
    layered = next(
        row["file"]
        for row in simulator.catalog.all("models")
        if row.get("modifier") == "qwenimage_layered"
    )
    result = run(
        client,
        model=loader(layered),
        start=picture(),
        sampler=sampler(image=["start", 0], batch_size=2),
        image=saved(["sampler", 5]),
    )
    files = result.files("image")
    assert len(files) == 2
    with Image.open(io.BytesIO(client.view(files[1]))) as layer:
        assert layer.mode == "RGBA"
        low, high = layer.getchannel("A").getextrema()
    assert low < high


@pytest.mark.parametrize("soft", [True, False])
def test_a_mask_of_ours_reaches_the_server(
    client: Client, simulator: Simulator, soft: bool
) -> None:
    run(
        client,
        model=loader(),
        start=picture(),
        white=mask(),
        ours=node("DTMask", repaint=["white", 0], soft=soft),
        sampler=sampler(image=["start", 0], mask=["ours", 0], width=960, height=640),
        image=saved(["sampler", 0]),
    )
    codes = simulator.requests[-1].mask
    assert codes is not None
    assert set(np.unique(codes & 7)) == {0, 2} or set(np.unique(codes & 7)) == {2, 3}
    assert bool((codes & 0xF8).any()) <= soft


def test_outpainting_grows_the_picture_and_keeps_the_old_part(
    client: Client, simulator: Simulator
) -> None:
    result = run(
        client,
        model=loader(),
        start=picture(),
        grown=node("DTOutpaint", image=["start", 0], left=128, top=0, right=0, bottom=0, feather=0),
        sampler=sampler(
            image=["grown", 0], mask=["grown", 2], width=["grown", 3], height=["grown", 4]
        ),
        image=saved(["sampler", 0]),
    )
    (file,) = result.files("image")
    pixels = decode(client.view(file))
    assert pixels.shape == (640, 1088, 3)
    assert np.abs(pixels[:, 144:] - lake()[:, 16:]).max() <= 1
    codes = simulator.requests[-1].mask
    assert codes is not None
    assert set(np.unique(codes[:, :128] & 7)) == {1}


def test_crop_and_stitch_change_nothing_outside(client: Client, simulator: Simulator) -> None:
    result = run(
        client,
        model=loader(),
        start=picture(),
        white=mask(),
        crop=node(
            "DTInpaintCrop",
            image=["start", 0],
            mask=["white", 0],
            width=256,
            height=256,
            context_px=32,
            context_share=0.2,
            feather=16,
        ),
        sampler=sampler(image=["crop", 0], mask=["crop", 1], width=["crop", 2], height=["crop", 3]),
        back=node("DTInpaintStitch", stitch=["crop", 4], image=["sampler", 0]),
        image=saved(["back", 0]),
    )
    assert simulator.requests[-1].image.shape == (1, 256, 256, 3)  # type: ignore[union-attr]
    (file,) = result.files("image")
    changed = np.abs(decode(client.view(file)) - lake()).max(axis=2) > 1
    assert changed.any()
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows.min() > 300  # the mask lies low in the middle
    assert columns.min() > 150
    assert columns.max() < 900


def test_upscaling_doubles_the_picture_without_sampling(
    client: Client, simulator: Simulator
) -> None:
    result = run(
        client,
        model=loader(),
        start=picture(),
        large=node(
            "DTUpscale",
            model=["model", 0],
            image=["start", 0],
            upscaler="realesrgan_x2plus_f16.ckpt",
            factor="native",
            face_restoration="none",
        ),
        image=saved(["large", 0]),
    )
    (file,) = result.files("image")
    assert decode(client.view(file)).shape == (1280, 1920, 3)
    settings = simulator.requests[-1].configuration
    assert settings is not None
    assert settings["strength"] == 0


def test_a_configuration_of_the_app_steers_the_sampler(
    client: Client, simulator: Simulator
) -> None:
    copied = {"steps": 3, "guidanceScale": 2.5, "width": 192, "height": 128, "someNewKey": 1}
    run(
        client,
        model=loader(),
        config=node(
            "DTConfig",
            configuration=json.dumps(copied),
            use_size=True,
            use_seed=False,
            use_model=False,
        ),
        sampler=sampler(options=["config", 0], lora=["config", 1]),
        image=saved(["sampler", 0]),
    )
    settings = simulator.requests[-1].configuration
    assert settings is not None
    assert (settings["steps"], settings["guidance_scale"]) == (3, 2.5)
    assert (settings["start_width"], settings["start_height"]) == (192, 128)
