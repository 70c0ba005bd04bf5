"""Each check of the preflight, one by one: what it finds, and that it is silent otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from catalogs import catalog
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.pictures.values import Mask, Picture
from drawthings.dt_core.preflight import Level, check, refuse
from drawthings.dt_core.request.parts import Control, Lora, Reference
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.configuration import Configuration

GOOD = Configuration(
    model="flux.ckpt", start_width=128, start_height=128, sampler=Sampler.EULER_A_TRAILING
)
IMAGE = Picture(np.zeros((128, 128, 3), np.float32))
MASK = Mask(np.ones((128, 128), np.float32))


def findings(settings: dict[str, Any] | None = None, **parts: Any) -> list[tuple[str, str]]:
    request = GenerationRequest(GOOD.replace(**(settings or {})), **parts)
    return [(found.level.value, found.check) for found in check(resolve(request, catalog()))]


def test_a_good_request_has_no_findings() -> None:
    assert findings() == []
    assert findings({"strength": 0.5}, image=IMAGE, mask=MASK) == []
    assert findings(loras=(Lora("flux_style.ckpt"),)) == []


@pytest.mark.parametrize(
    ("settings", "parts", "expected"),
    [
        ({"start_width": 0}, {}, "size"),
        ({"start_height": 64 * 1024}, {}, "size"),
        ({"batch_size": 0}, {}, "counts"),
        ({"steps": 0}, {}, "counts"),
        ({"model": "svd.ckpt", "num_frames": 1}, {"image": IMAGE}, "counts"),
        ({"steps": 1001}, {}, "steps_and_sampler"),
        ({"steps": 1000, "sampler": Sampler.DDIM}, {}, "steps_and_sampler"),
        ({"model": "v1.ckpt", "steps": 1, "sampler": Sampler.EULER_A}, {}, "steps_and_sampler"),
        ({"model": "v1.ckpt", "steps": 1, "sampler": Sampler.LCM}, {}, "steps_and_sampler"),
        ({"model": "v1.ckpt", "steps": 1, "sampler": 0}, {}, "steps_and_sampler"),
        (
            {"model": "svd.ckpt", "steps": 1, "sampler": Sampler.UNIPC_AYS},
            {"image": IMAGE},
            "steps_and_sampler",
        ),
        ({"strength": -0.1}, {"image": IMAGE}, "strength"),
        ({"strength": 1.1}, {"image": IMAGE}, "strength"),
        ({"strength": 0.0}, {"image": IMAGE, "mask": MASK}, "strength"),
        ({"tiled_decoding": True, "decoding_tile_width": 0}, {}, "tiles"),
        ({"tiled_diffusion": True, "diffusion_tile_height": 0}, {}, "tiles"),
        (
            {
                "model": "cascade.ckpt",
                "hires_fix": True,
                "hires_fix_start_width": 64,
                "hires_fix_start_height": 64,
                "strength": 0.5,
            },
            {"image": IMAGE},
            "hires_fix",
        ),
        ({"model": "svd.ckpt"}, {}, "image_required"),
        (
            {"model": "v1.ckpt"},
            {"controls": (Control("v1_adapter_tile.ckpt", picture=IMAGE),)},
            "adapter_inputs",
        ),
        (
            {"model": "v1.ckpt"},
            {"image": IMAGE, "controls": (Control("v1_adapter_depth.ckpt"),)},
            "adapter_inputs",
        ),
        ({"model": "qwen.ckpt"}, {"loras": (Lora("qwen_inpaint.ckpt"),)}, "modifiers"),
    ],
)
def test_what_would_crash_the_server_is_refused(
    settings: dict[str, Any], parts: dict[str, Any], expected: str
) -> None:
    assert ("error", expected) in findings(settings, **parts)
    request = GenerationRequest(GOOD.replace(**settings), **parts)
    with pytest.raises(RequestError):
        refuse(check(resolve(request, catalog())))


@pytest.mark.parametrize(
    ("settings", "parts", "expected"),
    [
        ({}, {"mask": MASK}, "mask_needs_image"),
        (
            {"strength": 0.5},
            {"image": IMAGE, "mask": Mask(np.zeros((8, 8), np.float32))},
            "mask_needs_image",
        ),
        ({"model": "kontext.ckpt"}, {}, "image_needed"),
        ({}, {"image": IMAGE}, "image_without_effect"),
        ({}, {"loras": (Lora("v1_style.ckpt"),)}, "loras_fit"),
        ({}, {"loras": (Lora("nowhere.ckpt"),)}, "loras_fit"),
        ({}, {"controls": (Control("v1_depth.ckpt", picture=IMAGE),)}, "controls_fit"),
        ({}, {"controls": (Control("nowhere.ckpt"),)}, "controls_fit"),
        ({}, {"controls": (Control("flux_union.ckpt", picture=IMAGE),)}, "controls_fit"),
        (
            {"model": "v1.ckpt", "strength": 0.5},
            {"image": IMAGE, "controls": (Control("v1_canny.ckpt", picture=IMAGE),)},
            "control_pictures",
        ),
    ],
)
def test_what_the_server_ignores_is_a_warning_and_never_blocks(
    settings: dict[str, Any], parts: dict[str, Any], expected: str
) -> None:
    assert findings(settings, **parts) == [("warning", expected)]
    request = GenerationRequest(GOOD.replace(**settings), **parts)
    (sentence,) = refuse(check(resolve(request, catalog())))
    assert str(sentence).endswith(".")


def test_a_missing_model_choice_is_an_error() -> None:
    request = GenerationRequest(Configuration(start_width=64, start_height=64))
    (found,) = check(resolve(request, None))
    assert (found.level, found.check) == (Level.ERROR, "model_chosen")


def test_an_edit_model_with_a_reference_is_content() -> None:
    assert findings({"model": "kontext.ckpt"}, references=(Reference(IMAGE),)) == []


def test_errors_come_before_warnings_and_are_all_told() -> None:
    request = GenerationRequest(GOOD.replace(batch_size=0, steps=0), mask=MASK)
    with pytest.raises(RequestError, match=r"Batch size is 0.*Steps is 0"):
        refuse(check(resolve(request, catalog())))
