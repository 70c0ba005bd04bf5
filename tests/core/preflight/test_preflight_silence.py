"""The preflight says nothing of what has its effect, nor of what the user did not set."""

from __future__ import annotations

from typing import Any

import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.events import Started
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures.values import Mask
from drawthings.dt_core.preflight import check
from drawthings.dt_core.request.parts import Lora, Reference
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.choices import ControlInputType, LoraMode, Sampler
from drawthings.dt_core.settings.configuration import DEFAULTS, Configuration
from drawthings.dt_core.settings.table import NOT_READ, SETTINGS, Kind
from drawthings.dt_core.simulator import Simulator
from preflight_requests import (
    COARSE,
    HIRES,
    IMAGE,
    KONTEXT,
    LTX,
    MODELS,
    PIX2PIX,
    SCHNELL,
    SDXL,
    SVD,
    THIN,
    V1,
    WAN,
    controlled,
    files,
    request,
    warnings,
)

# What could be taken for one of these and is none.
UNSAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "rounds that dt_core.batches makes": ({"batch_count": 3}, {}),
    "a LoRA for the refiner's family": (
        {"model": SDXL, "refiner_model": MODELS["sdxl_refiner_v0.9"]},
        {"loras": (Lora("lcm_sd_xl_refiner_1.0_lora_f16.ckpt", 1.0, LoraMode.REFINER),)},
    ),
    "a LoRA beyond the app's range without one of its own": (
        {}, {"loras": (Lora("flux_1_realism_lora_f16.ckpt", 4.0),)},
    ),
    "a union control with a type": (
        {},
        controlled("controlnet_union_pro_flux_1_2.0_f16.ckpt", input_type=ControlInputType.CANNY),
    ),
    "an upscaler with its factor": (
        {"upscaler": "realesrgan_x4plus_f16.ckpt", "upscaler_scale_factor": 2}, {},
    ),
    "a face restorer": ({"face_restoration": "restoreformer_v1.0_f16.ckpt"}, {}),
    "a mask on whole cells": (
        {"model": LTX, "strength": 0.5}, {"image": IMAGE, "mask": Mask(COARSE)},
    ),
    "a thin mask on fine latents": (
        {"strength": 0.5}, {"image": IMAGE, "mask": Mask(THIN)},
    ),
    "an edit model with a reference": ({"model": KONTEXT}, {"references": (Reference(IMAGE),)}),
    "an edit model at strength 1": ({"model": KONTEXT}, {"image": IMAGE}),
    "the first frame of LTX": ({"model": LTX}, {"image": IMAGE}),
    "an image for colours only": ({"color_calibration": 1}, {"image": IMAGE}),
    "an image prompt by reference": (
        {}, {"references": (Reference(IMAGE),),
             **controlled("flux_1_redux_siglip_l27_384_f16.ckpt", None)},
    ),
    "edges of the image": ({"model": V1, "strength": 0.5}, {"image": IMAGE,
                                                           **controlled("canny", None)}),
    "depth estimated from the image": (
        {"model": V1, "strength": 0.5}, {"image": IMAGE, **controlled("depth", None)},
    ),
    "a tile made of the image": (
        {"model": V1, "strength": 0.5},
        {"image": IMAGE, **controlled("tile", None, down_sampling_rate=4.0)},
    ),
    "VACE without a picture": (
        {"model": WAN}, controlled("wan_v2.1_1.3b_vace_480p_f16.ckpt", None),
    ),
    "hires fix that runs": (HIRES, {}),
    "sizes of hires fix while it is off": ({**HIRES, "hires_fix": False, "model": SVD},
                                           {"image": IMAGE}),
    "a shift with the switch off": ({"shift": 3.0, "resolution_dependent_shift": False}, {}),
    "the same where no switch exists": (
        {"model": SDXL, "shift": 3.0, "resolution_dependent_shift": False}, {},
    ),
    "a shift on a distilled model": ({"model": SCHNELL, "shift": 3.0}, {}),
    "a negative prompt that is read": ({"model": SDXL}, {"negative_prompt": "blur"}),
    "an empty negative prompt": ({}, {"negative_prompt": " "}),
    "a negative prompt of real guidance": (
        {"speed_up_with_guidance_embed": False, "guidance_embed": 2.0},
        {"negative_prompt": "blur"},
    ),
    "CFG-Zero's first steps without guidance": (
        {"cfg_zero_star": True, "cfg_zero_init_steps": 1}, {},
    ),
    "SVD at guidance 1 with a ramp": (
        {"model": SVD, "guidance_scale": 1.0, "start_frame_cfg": 2.0, "num_frames": 14},
        {"negative_prompt": "blur", "image": IMAGE},
    ),
    "instructions at guidance 1": (
        {"model": PIX2PIX, "guidance_scale": 1.0, "image_guidance_scale": 2.0},
        {"negative_prompt": "blur", "image": IMAGE},
    ),
    "embedded guidance as the app writes it": ({"guidance_embed": 3.5, "guidance_scale": 4.5}, {}),
    "TeaCache on FLUX": ({"tea_cache": True, "tea_cache_threshold": 0.2}, {}),
    "thresholds of TeaCache while it is off": ({"model": SDXL, "tea_cache_threshold": 0.2}, {}),
    "frames on the grid": ({"model": WAN, "num_frames": 81}, {}),
    "any frames of SVD": ({"model": SVD, "num_frames": 25}, {"image": IMAGE}),
    "Wan's experts": (
        {"model": "wan_v2.2_a14b_hne_t2v_q6p_svd.ckpt", "num_frames": 81, "refiner_start": 0.125,
         "refiner_model": "wan_v2.2_a14b_lne_t2v_q6p_svd.ckpt"}, {},
    ),
    "gamma of TCD": ({"sampler": Sampler.TCD_TRAILING, "stochastic_sampling_gamma": 0.7}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "parts"), UNSAID.values(), ids=UNSAID)
def test_what_has_an_effect_is_not_complained_of(
    settings: dict[str, Any], parts: dict[str, Any]
) -> None:
    assert warnings(settings, **parts) == []


# What the simulator notes all the same: it sees neither what the user set nor whose work
# something is.
NOTED = {
    "rounds that dt_core.batches makes",
    "a LoRA for the refiner's family",
    "a mask on whole cells",
    "the first frame of LTX",
    "VACE without a picture",
    "an empty negative prompt",
    "embedded guidance as the app writes it",
}


def test_the_simulator_has_nothing_to_add() -> None:
    with Simulator(catalog=files(), response_compression=False) as server:
        client = Client(ServerProfile(server.address))
        for name, (settings, parts) in UNSAID.items():
            for event in client.generate(request(settings, **parts)):
                assert not isinstance(event, Started) or event.warnings == ()
            assert bool(server.requests[-1].notes) is (name in NOTED), name


def needs_image(version: str) -> dict[str, Any]:
    edits = FAMILIES[version].needs_image or FAMILIES[version].modifiers_seen[0] != "none"
    return {"image": IMAGE} if edits else {}


@pytest.mark.parametrize("version", sorted(set(FAMILIES) - {"wurstchen_v3.0_stage_b"}))
def test_a_plain_request_is_never_complained_of(version: str) -> None:
    assert warnings({"model": MODELS[version]}, **needs_image(version)) == []


@pytest.mark.parametrize("version", sorted(set(FAMILIES) - {"wurstchen_v3.0_stage_b"}))
def test_all_the_defaults_said_aloud_are_never_complained_of(version: str) -> None:
    """As a whole configuration pasted from the app says them."""
    spoken = {
        row.name: DEFAULTS[row.name]
        for row in SETTINGS
        if not row.deprecated and row.kind not in {Kind.STR, Kind.CONTROLS, Kind.LORAS}
    }
    taken = {"start_width", "start_height", "sampler", "num_frames"}
    rest = {name: value for name, value in spoken.items() if name not in taken}
    found = warnings({"model": MODELS[version], **rest}, **needs_image(version))
    assert found == []


@pytest.mark.parametrize("version", FAMILIES)
def test_every_setting_that_a_family_lacks_is_named(version: str) -> None:
    """One value of each group is enough; groups behind a switch are switched on."""
    family = FAMILIES[version]
    named = ("clip_skip", "stage_2_cfg", "clip_weight", "crop_left", "aesthetic_score", "cond_aug",
             "tea_cache", "t5_text_encoder", "separate_open_clip_g", "causal_inference_enabled",
             "zero_negative_prompt", "cfg_zero_star", "image_guidance_scale")  # fmt: skip
    for row in SETTINGS:
        if row.name not in named or row.families in {None, NOT_READ}:
            continue
        value = (not row.default) if row.kind is Kind.BOOL else row.default + 1
        found = warnings(
            {"model": MODELS[version], "guidance_scale": 3.0, row.name: value, "num_frames": 41},
            **needs_image(version),
        )
        said = any(
            sentence.startswith(row.label) and "not used by" in sentence for _, sentence in found
        )
        assert said is not family.supports(str(row.families)), (row.name, found)


def test_a_server_that_tells_nothing_is_not_suspected() -> None:
    """Without a catalogue nothing is known to be missing."""
    parts = {"loras": (Lora("nowhere.ckpt"),), **controlled("elsewhere.ckpt")}
    settings = {"model": "mine.ckpt", "start_width": 64, "start_height": 64, "upscaler": "u.ckpt"}
    asked = GenerationRequest(Configuration(**settings), **parts)
    for known in (None, Catalog()):
        assert check(resolve(asked, known)) == ()
