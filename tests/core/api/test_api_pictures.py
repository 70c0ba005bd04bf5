"""What goes into a generation from a script: pictures, controls, hints, descriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core import (
    ControlInputType,
    ControlNetConfig,
    DrawThingsClient,
    DrawThingsWarning,
    ImageGenerationConfig,
    LoRAConfig,
    ModelNotFound,
    NoImages,
    RequestError,
    SettingsError,
    encode_image_to_tensor,
    save_images,
)
from drawthings.dt_core.api.arguments import Asked
from drawthings.dt_core.api.running import Work
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Script
from drawthings.dt_core.wire import tensor
from PIL import Image
from scripts import FLUX, KONTEXT, config, connect, last, red


@pytest.fixture
def client(server: Simulator) -> Iterator[DrawThingsClient]:
    with connect(server) as made:
        yield made


# --- pictures in


@pytest.mark.parametrize("kind", ["PIL", "path", "str", "bytes", "array", "floats"])
def test_pictures_go_in_as_scripts_have_them(
    client: DrawThingsClient, server: Simulator, tmp_path: Path, kind: str
) -> None:
    image = red()
    image.save(tmp_path / "in.png")
    given: dict[str, Any] = {
        "PIL": image,
        "path": tmp_path / "in.png",
        "str": str(tmp_path / "in.png"),
        "bytes": (tmp_path / "in.png").read_bytes(),
        "array": np.asarray(image),
        "floats": np.asarray(image, np.float32) / 255,
    }
    client.generate_image("x", config(strength=0.5), input_image=given[kind])

    sent = last(server).image
    assert sent is not None
    assert sent.shape[-3:] == (64, 128, 3)
    assert np.allclose(sent.reshape(-1, 3)[0], [1, -1, -1])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16", "CMYK", "1"])
def test_pictures_of_every_mode_are_read(
    client: DrawThingsClient, server: Simulator, mode: str
) -> None:
    image = red().convert("I").convert("I;16") if mode == "I;16" else red().convert(mode)
    client.generate_image("x", config(strength=0.5), input_image=image)

    assert last(server).image is not None


def test_16_bits_of_a_level_are_scaled_and_not_cut(
    client: DrawThingsClient, server: Simulator, tmp_path: Path
) -> None:
    Image.fromarray(np.full((64, 128), 32_768, np.uint16)).save(tmp_path / "deep.png")
    client.generate_image("x", config(strength=0.5), input_image=tmp_path / "deep.png")

    sent = last(server).image
    assert sent is not None
    assert np.abs(sent).max() < 0.01, "middle grey is 0"


def test_a_photo_is_turned_as_its_exif_data_says(
    client: DrawThingsClient, server: Simulator, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    red((64, 128)).save(tmp_path / "turned.jpg", exif=exif)
    client.generate_image("x", config(strength=0.5), input_image=tmp_path / "turned.jpg")

    sent = last(server).image
    assert sent is not None
    assert sent.shape[-3:-1] == (64, 128)


@pytest.mark.parametrize("given", [b"no picture", "no/such/file.png", 7, ["a.png"]])
def test_what_is_no_picture_is_refused(client: DrawThingsClient, given: Any) -> None:
    with pytest.raises(RequestError, match="picture"):
        client.generate_image("x", config(), input_image=given)


def test_white_of_a_mask_is_repainted_and_black_kept(
    client: DrawThingsClient, server: Simulator
) -> None:
    mask = Image.new("L", (128, 64), 0)
    mask.paste(255, (64, 0, 128, 64))
    client.generate_image(
        "x", config(strength=0.5, mask_blur=0), input_image=red(), mask_image=mask
    )

    sent = last(server).mask
    assert sent is not None
    codes = np.squeeze(np.asarray(sent)).astype(int) & 7
    assert set(codes[:, :64].ravel()) == {0}, "kept (docs/protocol.md 4.3)"
    assert set(codes[:, 64:].ravel()) == {2}, "repainted"


def test_a_mask_without_its_picture_is_refused(client: DrawThingsClient) -> None:
    with pytest.raises(RequestError, match="input_image"):
        client.generate_image("x", config(), mask_image=red())


def test_references_reach_an_edit_model(client: DrawThingsClient, server: Simulator) -> None:
    client.generate_image("x", config(KONTEXT), references=[red(), red((64, 64))])

    (hint,) = last(server).hints
    assert (hint.kind, len(hint.arrays)) == ("shuffle", 2)


# --- LoRAs, controls, hints


def test_loras_and_controls_reach_the_server(client: DrawThingsClient, server: Simulator) -> None:
    lora, depth = "flux_1_canny_dev_lora_f16.ckpt", "controlnet_depth_flux_1_f16.ckpt"
    client.generate_image(
        "x",
        config(
            FLUX,
            loras=[LoRAConfig(lora, 0.4)],
            controls=[ControlNetConfig(depth, 0.7, input_override=ControlInputType.Depth)],
        ),
        hints={"depth": red()},
    )

    sent = last(server).configuration
    assert sent is not None
    assert [(row.file, row.weight) for row in sent["loras"]] == [(lora, pytest.approx(0.4))]
    assert [(row.file, row.weight) for row in sent["controls"]] == [(depth, pytest.approx(0.7))]
    assert [hint.kind for hint in last(server).hints] == ["depth"]


@pytest.mark.parametrize(
    "hints",
    [
        {"depth": red()},
        {"Depth": [red()]},
        [("depth", red())],
        [("depth", red(), 0.5)],
        [{"hint_type": "depth", "image": red()}],
        [{"type": ControlInputType.DEPTH, "picture": red(), "weight": 1}],
    ],
    ids=["mapping", "list in a mapping", "pairs", "with weight", "dicts", "other dicts"],
)
def test_hints_are_written_in_several_ways(
    client: DrawThingsClient, server: Simulator, hints: Any
) -> None:
    depth = ControlNetConfig("controlnet_depth_flux_1_f16.ckpt")
    client.generate_image("x", config(FLUX, controls=[depth]), hints=hints)

    assert [hint.kind for hint in last(server).hints] == ["depth"]


def test_a_hint_says_which_input_a_union_control_takes(
    client: DrawThingsClient, server: Simulator
) -> None:
    union = ControlNetConfig("controlnet_union_pro_flux_1_2.0_f16.ckpt")
    client.generate_image("x", config(FLUX, controls=[union]), hints={"depth": red()})

    sent = last(server).configuration
    assert sent is not None
    assert [row.input_override for row in sent["controls"]] == [ControlInputType.DEPTH]
    assert [hint.kind for hint in last(server).hints] == ["depth"]


def test_the_picture_of_a_control_without_a_file_is_sent_alone(
    client: DrawThingsClient, server: Simulator
) -> None:
    depth = ControlNetConfig("", input_override=ControlInputType.Depth, image=red())
    client.generate_image("x", config("flux_1_depth_dev_q5p.ckpt", controls=[depth]))

    sent = last(server).configuration
    assert sent is not None
    assert sent["controls"] == ()
    assert [hint.kind for hint in last(server).hints] == ["depth"]


def test_shuffle_hints_are_references_with_weights(
    client: DrawThingsClient, server: Simulator
) -> None:
    client.generate_image("x", config(KONTEXT), hints=[("shuffle", red(), 0.5)])

    ((_, weight),) = last(server).hints[0].tensors
    assert weight == 0.5


@pytest.mark.parametrize("hints", [{"magic": red()}, ["depth"], [("depth",)], {"depth": None}])
def test_hints_that_cannot_be_are_refused(client: DrawThingsClient, hints: Any) -> None:
    with pytest.raises((RequestError, SettingsError)):
        client.generate_image("x", config(FLUX), hints=hints)


# --- what the server does not know or will not do


def test_metadata_override_describes_what_the_server_does_not(
    client: DrawThingsClient, server: Simulator
) -> None:
    mine = {"file": "flux_1_canny_dev_lora_f16.ckpt", "name": "Mine", "version": "flux1"}
    for override in ({"loras": [mine]}, {"loras": json.dumps([mine]).encode()}):
        client.generate_image(
            "x", config(FLUX, loras=[LoRAConfig(mine["file"])]), metadata_override=override
        )
        (sent,) = json.loads(last(server).message.override.loras)
        assert sent["name"] == "Mine"


@pytest.mark.parametrize("override", [{"lorries": []}, {"loras": "x"}, {"models": {"a": 1}}])
def test_an_override_that_cannot_be_is_refused(client: DrawThingsClient, override: Any) -> None:
    with pytest.raises(SettingsError, match="metadata_override"):
        client.generate_image("x", config(), metadata_override=override)


def test_a_model_that_is_not_there_is_refused_with_the_nearest(client: DrawThingsClient) -> None:
    with pytest.raises(ModelNotFound, match=r"It has: z_image_turbo_1.0_q6p.ckpt"):
        client.generate_image("x", config("z_image_turbo.ckpt"))


def test_what_would_crash_the_server_is_refused(client: DrawThingsClient) -> None:
    with pytest.raises(RequestError, match="Steps is 0"):
        client.generate_image("x", config(steps=0))


def test_what_has_no_effect_is_warned_of_at_the_scripts_line(client: DrawThingsClient) -> None:
    with pytest.warns(DrawThingsWarning, match="does not look at reference pictures") as warned:
        client.generate_image("x", config(), references=[red()])
    assert [one.filename for one in warned] == [__file__]


def test_defaults_warn_of_nothing_on_any_family(client: DrawThingsClient) -> None:
    families = {model.version: model.file for model in client.list_models()}
    assert len(families) > 30
    for model in families.values():
        order = Asked.of("x", ImageGenerationConfig(model), input_image=red()).order
        work = Work(client.clients, order)
        told = [*work.notes, *(finding.sentence for finding in work.findings())]
        because = ("the image has no effect", "makes no picture of its own")
        assert [say for say in told if not any(words in say for words in because)] == [], model


def test_a_generation_without_a_picture_raises() -> None:
    script = Script.from_json('{"faults": [{"fault": "empty"}]}')
    with Simulator(faults=script) as broken, connect(broken) as client:
        with pytest.raises(NoImages):
            client.generate_image("x", config())


@pytest.mark.parametrize("scale_factor", [2, 0])
def test_a_scale_factor_other_than_1_is_refused(
    client: DrawThingsClient, scale_factor: int
) -> None:
    with pytest.raises(SettingsError, match="upscaler_scale_factor"):
        client.generate_image("x", config(), "", scale_factor)


# --- tensors and files


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "fpzip"])
def test_a_picture_is_encoded_as_the_server_takes_it(compress: bool) -> None:
    gradient = np.linspace(0, 255, 256 * 64 * 3).astype(np.uint8).reshape(64, 256, 3)
    data = encode_image_to_tensor(Image.fromarray(gradient), compress=compress)

    header = tensor.read_header(data)
    assert (header.datatype.name, header.codec) == ("F16", "fpzip" if compress else "raw")
    assert header.datatype.value == 0x20000
    values = tensor.decode(data)
    assert values.shape == (1, 64, 256, 3)
    assert np.allclose(values[0], gradient / 127.5 - 1, atol=1e-3)


def test_saved_pictures_are_numbered_and_never_written_over(tmp_path: Path) -> None:
    first = save_images([b"one", b"two"], tmp_path / "new" / "folder", "fox")
    second = save_images([b"three"], tmp_path / "new" / "folder", "fox")

    assert [path.name for path in first + second] == [
        "fox_0001.png",
        "fox_0002.png",
        "fox_0003.png",
    ]
    assert [path.read_bytes() for path in first] == [b"one", b"two"]
