"""What a request becomes on the wire, field by field."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
import pytest
from catalogs import catalog
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.pictures.values import Mask, Picture
from drawthings.dt_core.request.message import build
from drawthings.dt_core.request.parts import Control, Lora, Reference
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings import flatbuffer
from drawthings.dt_core.settings.choices import (
    ControlInputType,
    ControlMode,
    LoraMode,
    Sampler,
    SeedMode,
)
from drawthings.dt_core.settings.configuration import Configuration, ControlSettings
from drawthings.dt_core.settings.table import CONTROL_SETTINGS
from drawthings.dt_core.wire import tensor

SMALL = Configuration(model="flux.ckpt", start_width=128, start_height=64)


def picture(width: int, height: int, value: float = 0.5) -> Picture:
    return Picture(np.full((height, width, 3), value, np.float32))


def built(request: GenerationRequest, known: Catalog | None = None, **more: Any) -> Any:
    return build(resolve(request, known if known is not None else catalog()), **more)


def blob(message: Any, digest: bytes) -> np.ndarray:
    """The tensor of `contents` that a hash names."""
    contents = {hashlib.sha256(data).digest(): data for data in message.contents}
    return tensor.decode(contents[digest])


def test_a_plain_request_says_what_the_server_needs() -> None:
    message = built(GenerationRequest(SMALL, prompt="a", negative_prompt="b"), secret="s")
    assert (message.prompt, message.negativePrompt, message.scaleFactor) == ("a", "b", 1)
    assert (message.chunked, message.sharedSecret, message.device) == (True, "s", 2)
    assert not message.HasField("image")
    assert not message.HasField("mask")
    settings = flatbuffer.decode(message.configuration)
    assert (settings["start_width"], settings["start_height"]) == (128, 64)
    for name in ("strength", "seed_mode", "steps", "sampler", "guidance_scale"):
        assert name in settings, name
    assert settings["strength"] == 1
    assert settings["seed_mode"] == SeedMode.SCALE_ALIKE


def test_no_secret_is_no_field() -> None:
    assert not built(GenerationRequest(SMALL)).HasField("sharedSecret")


def test_settings_win_over_the_defaults() -> None:
    request = GenerationRequest(SMALL.replace(steps=3, strength=0.0, sampler=Sampler.TCD))
    settings = flatbuffer.decode(built(request).configuration)
    assert (settings["steps"], settings["strength"], settings["sampler"]) == (3, 0, Sampler.TCD)
    assert "strength" in settings


def test_the_models_own_size_is_taken_where_none_is_given() -> None:
    settings = resolve(GenerationRequest(Configuration(model="v1.ckpt")), catalog()).settings
    assert (settings["start_width"], settings["start_height"]) == (512, 512)


def test_display_names_become_file_names() -> None:
    request = GenerationRequest(
        Configuration(model="FLUX"), loras=(Lora("Flux_Style"),), controls=(Control("Flux_Union"),)
    )
    settings = resolve(request, catalog()).settings
    assert settings["model"] == "flux.ckpt"
    assert settings["loras"][0].file == "flux_style.ckpt"
    assert settings["controls"][0].file == "flux_union.ckpt"


def test_loras_and_controls_reach_the_configuration_in_order() -> None:
    request = GenerationRequest(
        SMALL,
        loras=(Lora("flux_style.ckpt", -0.5, LoraMode.BASE), Lora("range.ckpt", 1.5)),
        controls=(
            Control(
                "flux_union.ckpt", 0.7, 0.1, 0.9, ControlMode.PROMPT, ControlInputType.CANNY,
                target_blocks=("up",), down_sampling_rate=2.0, global_average_pooling=False,
            ),
        ),
    )  # fmt: skip
    settings = flatbuffer.decode(built(request).configuration)
    assert [(row.file, row.weight, row.mode) for row in settings["loras"]] == [
        ("flux_style.ckpt", -0.5, LoraMode.BASE),
        ("range.ckpt", 1.5, LoraMode.ALL),
    ]
    (row,) = settings["controls"]
    assert (row.file, row.weight, row.guidance_start, row.guidance_end) == (
        "flux_union.ckpt", pytest.approx(0.7), pytest.approx(0.1), pytest.approx(0.9),
    )  # fmt: skip
    assert (row.control_mode, row.input_override) == (ControlMode.PROMPT, ControlInputType.CANNY)
    assert (row.target_blocks, row.down_sampling_rate) == (("up",), 2)
    assert row.global_average_pooling is False


def test_an_image_is_cropped_to_the_shape_of_the_result() -> None:
    array = np.zeros((200, 200, 3), np.float32)
    array[50:150] = 1  # what stays of a square in a 2:1 result
    message = built(GenerationRequest(SMALL, image=Picture(array)))
    sent = blob(message, message.image)
    assert (sent.shape, sent.dtype.name) == ((1, 64, 128, 3), "float16")
    assert sent == pytest.approx(1)


def test_a_mask_becomes_codes_of_the_images_crop() -> None:
    coverage = np.zeros((20, 20), np.float32)  # of another size than the image
    coverage[5:15, :10] = 1
    request = GenerationRequest(SMALL, image=picture(200, 200), mask=Mask(coverage))
    message = built(request)
    codes = blob(message, message.mask)
    assert (codes.shape, codes.dtype.name) == ((64, 128), "uint8")
    assert set(np.unique(codes)) == {0, 2}
    assert (codes[:, :60] == 2).all()
    assert (codes[:, 68:] == 0).all()


def test_a_mask_without_an_image_is_not_sent() -> None:
    message = built(GenerationRequest(SMALL, mask=Mask(np.ones((64, 128), np.float32))))
    assert not message.HasField("mask")


def test_references_share_one_hint_in_order_at_their_own_size() -> None:
    references = (
        Reference(picture(100, 50, 0.0)),
        Reference(picture(10, 10, 0.5), 0.0),
        Reference(picture(30, 40, 1.0), 0.5),
    )
    message = built(GenerationRequest(SMALL, references=references))
    (hint,) = message.hints
    assert hint.hintType == "shuffle"
    assert [entry.weight for entry in hint.tensors] == [1, 0.5]
    shapes = [blob(message, entry.tensor).shape for entry in hint.tensors]
    assert shapes == [(1, 50, 100, 3), (1, 40, 30, 3)]


def test_the_same_picture_is_sent_once() -> None:
    same = picture(128, 64)
    message = built(
        GenerationRequest(SMALL, image=same, references=(Reference(same), Reference(same)))
    )
    assert len(message.contents) == 1
    assert len(message.hints[0].tensors) == 2


@pytest.mark.parametrize(
    ("file", "hint", "channels", "low", "high"),
    [
        ("v1_depth.ckpt", "depth", 1, -1, 1),
        ("v1_canny.ckpt", "custom", 3, -1, 1),
        ("v1_scribble.ckpt", "scribble", 3, 0, 1),
        ("v1_pose.ckpt", "custom", 3, -1, 1),
        ("v1_ip.ckpt", "shuffle", 3, -1, 1),
    ],
)
def test_a_controls_picture_goes_where_the_server_reads_it(
    file: str, hint: str, channels: int, low: float, high: float
) -> None:
    array = np.zeros((64, 128, 3), np.float32)
    array[:, 64:] = 1
    request = GenerationRequest(
        SMALL.replace(model="v1.ckpt"), controls=(Control(file, picture=Picture(array)),)
    )
    message = built(request)
    (sent,) = message.hints
    assert sent.hintType == hint
    assert sent.tensors[0].weight == 1
    values = blob(message, sent.tensors[0].tensor)
    assert (values.shape, values.dtype.name) == ((1, 64, 128, channels), "float16")
    assert (values.min(), values.max()) == (low, high)


def test_a_union_control_goes_by_the_chosen_input_type() -> None:
    for kind, hint in ((ControlInputType.DEPTH, "depth"), (ControlInputType.LINEART, "custom")):
        control = Control("flux_union.ckpt", input_type=kind, picture=picture(128, 64))
        assert [h.hintType for h in built(GenerationRequest(SMALL, controls=(control,))).hints] == [
            hint
        ]


def test_an_inpaint_control_sends_no_picture_of_its_own() -> None:
    control = Control("v1_inpaint.ckpt", picture=picture(128, 64))
    request = GenerationRequest(SMALL.replace(model="v1.ckpt"), controls=(control,))
    assert not built(request).hints


def test_two_controls_cannot_share_the_one_custom_picture() -> None:
    controls = (
        Control("v1_canny.ckpt", picture=picture(128, 64)),
        Control("v1_custom.ckpt", picture=picture(128, 64, 0.25)),
    )
    with pytest.raises(RequestError, match="Two controls"):
        built(GenerationRequest(SMALL.replace(model="v1.ckpt"), controls=controls))


def test_a_lora_without_a_weight_takes_the_described_one() -> None:
    loras = (Lora("range.ckpt", None), Lora("flux_style.ckpt", None), Lora("new.ckpt", None))
    settings = resolve(GenerationRequest(SMALL, loras=loras), catalog()).settings
    assert [row.weight for row in settings["loras"]] == [0.8, 0.6, 0.6]


def test_the_servers_own_descriptions_of_what_is_used_are_sent_back() -> None:
    request = GenerationRequest(
        Configuration(model="cascade.ckpt", upscaler="x4.ckpt", refiner_model="refiner.ckpt"),
        prompt="an <easy> picture",
        loras=(Lora("v1_style.ckpt"),),
        controls=(Control("v1_depth.ckpt"),),
    )
    override = built(request).override
    files = {
        kind: [row["file"] for row in json.loads(getattr(override, kind))]
        for kind in ("models", "loras", "controlNets", "textualInversions", "upscalers")
    }
    assert files == {
        "models": ["cascade.ckpt", "refiner.ckpt", "cascade_b.ckpt"],
        "loras": ["v1_style.ckpt"],
        "controlNets": ["v1_depth.ckpt"],
        "textualInversions": ["easy.ckpt"],
        "upscalers": ["x4.ckpt"],
    }
    flux = json.loads(built(GenerationRequest(SMALL)).override.models)[0]
    assert flux["hypothetical_key"] == {"new": [1]}


def test_without_a_catalogue_nothing_is_described_and_the_family_is_guessed() -> None:
    request = GenerationRequest(
        Configuration(model="flux_1_dev_q5p.ckpt", start_width=64, start_height=64)
    )
    resolved = resolve(request, Catalog())
    assert resolved.family is not None
    assert resolved.family.version == "flux1"
    assert json.loads(build(resolved).override.models) == []


def test_a_control_and_its_settings_are_told_apart_by_no_field_but_the_unread_one() -> None:
    told = ControlSettings(
        "c.ckpt", 0.7, 0.1, 0.9, True, False, 2.0, ControlMode.PROMPT, ("up",),
        ControlInputType.DEPTH,
    )  # fmt: skip
    control = Control.of(told)

    assert control.settings("v1") == dataclasses.replace(told, no_prompt=False)
    assert (control.start, control.end) == (0.1, 0.9)
    assert (control.mode, control.input_type) == (ControlMode.PROMPT, ControlInputType.DEPTH)
    defaults = {row.name: row.default for row in CONTROL_SETTINGS}
    assert dataclasses.asdict(ControlSettings("")) == defaults
    assert Control("").settings("") == ControlSettings("") == ControlSettings(**defaults)
