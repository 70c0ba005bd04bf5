"""What the server would ignore or replace (docs/protocol.md 11.3): one sentence for each
cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.events import Started
from drawthings.dt_core.pictures.values import Mask, Picture
from drawthings.dt_core.preflight import CHECKS, crashes
from drawthings.dt_core.request.parts import Control, Lora, Reference
from drawthings.dt_core.settings.choices import ControlInputType, LoraMode, Sampler, SeedMode
from drawthings.dt_core.simulator import Simulator
from preflight_requests import (
    CHROMA,
    COARSE,
    DEV,
    HIRES,
    IMAGE,
    KONTEXT,
    LAYERED,
    LTX,
    MODELS,
    QWEN,
    SD3,
    SDXL,
    STAGE_B,
    SVD,
    THIN,
    TURBO,
    V1,
    WAN,
    controlled,
    files,
    request,
    warnings,
)

OTHER = Picture(1 - IMAGE.pixels)

# name: settings, parts of the request, the check that says it, a piece of what it says
SAID: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    # files
    "a model without a description": (
        {"model": "bare.ckpt", "steps": 8}, {}, "model_undescribed", "bare.ckpt",
    ),
    "stage B in place of a model": ({"model": STAGE_B}, {}, "second_stage", "Cascade"),
    "a LoRA that the server lacks": (
        {}, {"loras": (Lora("nowhere.ckpt"),)}, "loras_fit", "nowhere.ckpt",
    ),
    "a LoRA of another family": (
        {}, {"loras": (Lora("sdxl_offset_v1.0_lora_f16.ckpt"),)}, "loras_fit", "SDXL",
    ),
    "a LoRA of weight 0": (
        {}, {"loras": (Lora("flux_1_realism_lora_f16.ckpt", 0.0),)}, "lora_weights", "weight 0",
    ),
    "a LoRA beyond its range": (
        {}, {"loras": (Lora("flux_1_turbo_alpha_lora_f16.ckpt", 2.0),)}, "lora_weights",
        "from 0 to 1.5",
    ),
    "a LoRA for a refiner that is not there": (
        {}, {"loras": (Lora("flux_1_realism_lora_f16.ckpt", 1.0, LoraMode.REFINER),)},
        "lora_modes", "refiner",
    ),
    "a control that the server lacks": ({}, controlled("nowhere.ckpt"), "controls_fit", "nowhere"),
    "a control of another family": ({}, controlled("depth"), "controls_fit", "skipped"),
    "a control of weight 0": ({"model": V1}, controlled("depth", weight=0), "controls_fit", "0"),
    "a union control without a type": (
        {}, controlled("controlnet_union_pro_flux_1_2.0_f16.ckpt"), "controls_fit", "input type",
    ),
    "a control without its side files": (
        {}, controlled("lonely.ckpt"), "controls_fit", "nowhere.ckpt",
    ),
    "a refiner that the server lacks": (
        {"model": SDXL, "refiner_model": "nowhere.ckpt"}, {}, "refiner", "nowhere.ckpt",
    ),
    "the model as its own refiner": (
        {"model": SDXL, "refiner_model": SDXL}, {}, "refiner", "itself",
    ),
    "a refiner of another family": (
        {"model": SDXL, "refiner_model": DEV}, {}, "refiner", "does not fit",
    ),
    "an upscaler that the server lacks": (
        {"upscaler": "nowhere.ckpt"}, {}, "post_processing", "nowhere.ckpt",
    ),
    "a factor without an upscaler": (
        {"upscaler_scale_factor": 2}, {}, "no_effect", "only with Upscaler",
    ),
    "a face restorer that the server lacks": (
        {"face_restoration": "nowhere.ckpt"}, {}, "post_processing", "nowhere.ckpt",
    ),
    # pictures
    "a mask without an image": ({}, {"mask": Mask(COARSE)}, "mask_needs_image", "needs an image"),
    "a mask that marks nothing": (
        {"strength": 0.5}, {"image": IMAGE, "mask": Mask(np.zeros((9, 9), np.float32))},
        "mask_needs_image", "nothing",
    ),
    "a thin mask on coarse latents": (
        {"model": LTX, "strength": 0.5}, {"image": IMAGE, "mask": Mask(THIN)},
        "mask_alignment", "32 px",
    ),
    "an edit model without a picture": ({"model": KONTEXT}, {}, "image_needed", "edit model"),
    "an inpainting model without an image": (
        {"model": "sd_v1.5_inpainting_f16.ckpt"}, {}, "image_needed", "inpainting",
    ),
    "a layered model without an image": ({"model": LAYERED}, {}, "image_needed", "layered"),
    "an image at strength 1": ({}, {"image": IMAGE}, "image_without_effect", "strength"),
    "a first frame for a model that takes none": (
        {"model": WAN}, {"image": IMAGE}, "image_without_effect", "strength",
    ),
    "more frames than the video has": (
        {"model": WAN, "strength": 0.5, "num_frames": 5},
        {"image": IMAGE, "frames": (IMAGE,) * 8}, "frames_taken", "5 of the 9",
    ),
    "frames for a picture": (
        {"strength": 0.5}, {"image": IMAGE, "frames": (IMAGE,)}, "frames_taken", "1 of the 2",
    ),
    "references for a model that reads none": (
        {}, {"references": (Reference(IMAGE),)}, "references_without_effect", "ignored",
    ),
    "colours of an image that is not there": (
        {"color_calibration": 1}, {}, "no_effect", "image",
    ),
    "mask blur without a mask": ({"mask_blur": 3.0}, {}, "no_effect", "Mask blur"),
    "a shrinking mask with a hard edge": (
        {"strength": 0.5, "mask_blur_outset": -4, "mask_blur": 0.0},
        {"image": IMAGE, "mask": Mask(COARSE)}, "no_effect", "blur",
    ),
    # controls
    "an edge map beside an image": (
        {"model": V1, "strength": 0.5}, {"image": IMAGE, **controlled("canny")},
        "control_pictures", "computes the canny map",
    ),
    "soft edges beside an image": (
        {"model": V1, "strength": 0.5}, {"image": IMAGE, **controlled("softedge")},
        "control_pictures", "computes the softedge map",
    ),
    "lines beside an image": (
        {"model": V1, "strength": 0.5}, {"image": IMAGE, **controlled("mlsd")},
        "control_pictures", "computes the mlsd map",
    ),
    "an edge map and a second pass": (
        {"model": V1, **HIRES}, controlled("canny"), "control_pictures", "second pass",
    ),
    "an inpaint control with a picture of its own": (
        {"model": V1, "strength": 0.5}, {"image": IMAGE, **controlled("inpaint")},
        "control_pictures", "works on the input image",
    ),
    "an inpaint control without an image": (
        {"model": V1}, controlled("inpaint", None), "control_pictures", "input image",
    ),
    "a depth control without anything": (
        {"model": V1}, controlled("depth", None), "control_pictures", "no depth input",
    ),
    "a normal map that nothing can make": (
        {"model": V1, "strength": 0.5}, {"image": IMAGE, **controlled("normalbae", None)},
        "control_pictures", "no normalbae input",
    ),
    "a scribble adapter with an image only": (
        {"model": V1, "strength": 0.5},
        {"image": IMAGE, **controlled("t2iadapter_sketch_1.x_f16.ckpt", None)},
        "control_pictures", "no scribble input",
    ),
    "an image prompt without a picture": (
        {}, controlled("flux_1_redux_siglip_l27_384_f16.ckpt", None), "control_pictures",
        "no shuffle input",
    ),
    "an image prompt beside a reference": (
        {},
        {
            "references": (Reference(IMAGE),),
            **controlled("flux_1_redux_siglip_l27_384_f16.ckpt", OTHER),
        },
        "image_prompts_share", "seen by every one",
    ),
    "a control picture for a model that takes none": (
        {}, {"controls": (Control("", input_type=ControlInputType.DEPTH, picture=IMAGE),)},
        "pictures_without_control", "takes none by itself",
    ),
    "a fill area on layers": (
        {"model": LAYERED, "strength": 0.5},
        {
            "image": IMAGE,
            "mask": Mask(
                np.zeros((128, 128), np.float32), fill=np.eye(128, dtype=np.float32)
            ),
        },
        "mask_on_layers", "fill area",
    ),
    "a colour ControlNet": (
        {"model": V1}, controlled("v1_color.ckpt"), "control_pictures", "does nothing",
    ),
    "a control that never begins": (
        {"model": V1}, controlled("depth", start=0.5, end=0.5), "control_fields", "never acts",
    ),
    "down sampling of a depth map": (
        {"model": V1}, controlled("depth", down_sampling_rate=2.0), "control_fields", "down",
    ),
    "target blocks of a depth map": (
        {"model": V1}, controlled("depth", target_blocks=("up_blocks.1",)), "control_fields",
        "target blocks",
    ),
    # settings
    "a prompt to expand": ({"expand_prompt_to_json": True}, {}, "not_read", "JSON"),
    "hires fix larger than the picture": (
        {**HIRES, "hires_fix_start_width": 128}, {}, "hires_fix_runs", "smaller",
    ),
    "hires fix of strength 1": (
        {**HIRES, "hires_fix_strength": 1.0}, {}, "hires_fix_runs", "below 1",
    ),
    "hires fix of an image": (
        {**HIRES, "strength": 0.5}, {"image": IMAGE}, "hires_fix_runs", "input image",
    ),
    "a shift that is computed": ({"shift": 3.0}, {}, "shift_replaced", "Shift 3"),
    "a shift beside the switch": (
        {"shift": 3.0, "resolution_dependent_shift": True}, {}, "shift_replaced", "Shift 3",
    ),
    "a negative prompt at guidance 1": (
        {"model": QWEN, "guidance_scale": 1.0}, {"negative_prompt": "blur"}, "no_effect",
        "guidance is 1",
    ),
    "a negative prompt with embedded guidance": (
        {}, {"negative_prompt": "blur"}, "no_effect", "speed-up",
    ),
    "a negative prompt on a distilled model": (
        {"model": TURBO}, {"negative_prompt": "blur"}, "no_effect", "SDXL Turbo",
    ),
    "a negative prompt beside a distilling LoRA": (
        {"model": V1},
        {"negative_prompt": "blur", "loras": (Lora("lcm_sd_v1.5_lora_f16.ckpt"),)},
        "no_effect", "LoRA",
    ),
    "a negative prompt with LCM": (
        {"model": V1, "sampler": Sampler.LCM}, {"negative_prompt": "blur"}, "no_effect", "LCM",
    ),
    "a negative prompt with TCD Trailing": (
        {"model": QWEN, "sampler": Sampler.TCD_TRAILING}, {"negative_prompt": "blur"},
        "no_effect", "TCD Trailing",
    ),
    "a negative prompt on LongCat": (
        {"model": MODELS["longcat_video_avatar_v1.5"]},
        {"negative_prompt": "blur", "image": IMAGE}, "no_effect", "without guidance",
    ),
    "CFG-Zero without guidance": ({"cfg_zero_star": True}, {}, "no_effect", "CFG-Zero*"),
    "embedded guidance that does not count": (
        {"guidance_embed": 5.0, "guidance_scale": 3.0}, {}, "guidance_embed", "guidance, 3",
    ),
    "the trap of guidance 1 and embedded guidance 3.5": (
        {"guidance_embed": 3.5, "guidance_scale": 1.0}, {}, "guidance_embed", "guidance, 1",
    ),
    "speed-up without embedded guidance": (
        {"model": CHROMA, "speed_up_with_guidance_embed": True}, {}, "guidance_embed", "Chroma",
    ),
    "speed-up of HiDream without embedded guidance": (
        {"model": "hidream_i1_full_q5p.ckpt", "speed_up_with_guidance_embed": True}, {},
        "guidance_embed", "HiDream",
    ),
    "image guidance of a plain model": (
        {"model": V1, "image_guidance_scale": 2.0}, {}, "no_effect", "instruction",
    ),
    "TeaCache without coefficients": (
        {"model": "plain_wan.ckpt", "tea_cache": True}, {}, "no_effect", "coefficients",
    ),
    "causal blocks longer than the video": (
        {"model": WAN, "num_frames": 9, "causal_inference_enabled": True}, {},
        "causal_inference", "3 latent frames",
    ),
    "frames off the grid of four": (
        {"model": WAN, "num_frames": 80}, {}, "frames_rounded", "77 frames of 80",
    ),
    "frames off the grid of eight": (
        {"model": LTX, "num_frames": 120}, {"image": IMAGE}, "frames_rounded", "113",
    ),
    "a batch at strength 0": (
        {"strength": 0.0, "batch_size": 2}, {"image": IMAGE}, "batch_at_strength_0", "one picture",
    ),
    "Karras on a flow model": (
        {"sampler": Sampler.DPMPP_2M_KARRAS}, {}, "sampler_fits", "Trailing",
    ),
    "gamma without TCD": ({"stochastic_sampling_gamma": 0.7}, {}, "no_effect", "TCD"),
    "noise that differs between machines": (
        {"seed_mode": SeedMode.LEGACY}, {}, "seed_mode", "Legacy",
    ),
    "a CLIP-L text that is switched off": (
        {"clip_l_text": "a cat"}, {}, "no_effect", "Separate CLIP-L",
    ),
    "a weight that is read as text": (
        {}, {"prompt": "a (red:1.3) cat"}, "words", "knows no weights",
    ),
    "a textual inversion of another family": (
        {"model": SDXL}, {"prompt": "a cat", "negative_prompt": "<easynegative>"}, "words",
        "is for Stable Diffusion v1",
    ),
    # the one loop over the table
    "TeaCache elsewhere": ({"model": SDXL, "tea_cache": True}, {}, "no_effect", "TeaCache"),
    "causal inference elsewhere": (
        {"model": LTX, "causal_inference_enabled": True}, {"image": IMAGE}, "no_effect", "Causal",
    ),
    "CLIP skip elsewhere": ({"model": QWEN, "clip_skip": 2}, {}, "no_effect", "CLIP skip"),
    "a T5 text elsewhere": (
        {"model": SD3, "separate_t5": True, "t5_text": "x"}, {}, "no_effect", "T5",
    ),
    "SDXL sizes elsewhere": ({"crop_top": 64}, {}, "no_effect", "Crop top"),
    "a second stage elsewhere": ({"stage_2_steps": 20}, {}, "no_effect", "Stage 2"),
    "an image prior elsewhere": ({"image_prior_steps": 9}, {}, "no_effect", "prior"),
    "SVD's motion elsewhere": (
        {"fps_id": 9, "motion_bucket_id": 2, "cond_aug": 0.5, "start_frame_cfg": 2.0}, {},
        "no_effect", "FPS, Motion scale and 2 more have",
    ),
    "several pictures of a video": ({"model": WAN, "batch_size": 2}, {}, "no_effect", "Batch size"),
    "frames of a picture": ({"num_frames": 81}, {}, "no_effect", "Frames"),
    "guidance of LongCat": (
        {"model": MODELS["longcat_video_avatar_v1.5"], "guidance_scale": 7.0}, {"image": IMAGE},
        "no_effect", "Guidance",
    ),
    "hires fix on SVD": ({"model": SVD, **HIRES}, {"image": IMAGE}, "no_effect", "High resolution"),
    "a refiner of Stable Cascade": (
        {"model": MODELS["wurstchen_v3.0_stage_c"], "refiner_model": SDXL}, {}, "no_effect",
        "Refiner",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "parts", "name", "piece"), SAID.values(), ids=SAID)
def test_what_the_server_ignores_is_said_once(
    settings: dict[str, Any], parts: dict[str, Any], name: str, piece: str
) -> None:
    ((found, sentence),) = warnings(settings, **parts)
    assert found == name
    assert piece in sentence
    assert sentence.endswith(".")


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator(catalog=files(), response_compression=False) as running:
        yield running


def test_warnings_never_block(server: Simulator) -> None:
    """Each of these requests is sent, with its sentence, and gives a picture."""
    client = Client(ServerProfile(server.address))
    for name, (settings, parts, _, piece) in SAID.items():
        started, *_ = client.generate(request(settings, **parts))
        assert isinstance(started, Started)
        (sentence,) = started.warnings
        assert piece in sentence, name
        assert server.requests[-1].outcome == "done"


def test_every_warning_check_has_a_row() -> None:
    said = {row[2] for row in SAID.values()}
    assert {function.__name__ for function in CHECKS if function not in crashes.CHECKS} == said
