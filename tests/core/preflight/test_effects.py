"""What a form may dim, and what it may offer."""

from __future__ import annotations

from typing import Any

import pytest
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.preflight import effects
from drawthings.dt_core.preflight.idle import NEGATIVE_PROMPT, reasons
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.table import NOT_READ, SETTINGS
from drawthings.dt_core.settings.themes import SWITCHES
from drawthings.dt_core.simulator import Catalog as Files
from drawthings.dt_core.simulator.inventory import KINDS
from matters_by_family import COUNTS, GROUPS, RECOMMENDED
from preflight_requests import CHROMA, DEV, KNOWN, QWEN, SCHNELL, WAN, catalog_of

TURBO = "z_image_turbo_1.0_q6p.ckpt"
SDXL = "sd_xl_base_1.0_f16.ckpt"
REFINER = "sd_xl_refiner_1.0_f16.ckpt"
HIGH_NOISE = "wan_v2.2_a14b_hne_t2v_q6p_svd.ckpt"
FILES = {"refiner_model", "upscaler"}
EVERYTHING_ON: dict[str, Any] = {
    **{switch: True for switch in SWITCHES.values() if switch not in FILES},
    "speed_up_with_guidance_embed": False,
    "guidance_scale": 5.0,
    "start_width": 1024,
    "start_height": 1024,
    "hires_fix_start_width": 512,
    "hires_fix_start_height": 512,
}


def idle(
    model: str,
    catalog: Any = KNOWN,
    loras: tuple[str, ...] = (),
    connected: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
    **values: Any,
) -> dict[str, str]:
    at = effects.chosen(
        {**values, "model": model}, catalog, loras=loras, connected=frozenset(connected)
    )
    return {name: str(why) for name, why in effects.idle(at, frozenset(unknown)).items()}


def offered(model: str, *loras: str, catalog: Any = KNOWN) -> effects.Recommendation | None:
    return effects.recommended(effects.chosen({"model": model}, catalog, loras=loras))


@pytest.mark.parametrize("model", COUNTS)
def test_a_models_settings_are_dimmed_as_the_table_says(model: str) -> None:
    found = idle(model, connected=("reference", "control"), **EVERYTHING_ON)
    counting = {
        group for group, names in GROUPS.items() if not any(name in found for name in names)
    }
    assert counting == {group.strip() for group in COUNTS[model].split(",")}


def test_the_table_has_every_family() -> None:
    models = {row.file: row.version for row in KNOWN.models}
    assert {models[file] for file in COUNTS} == FAMILIES.keys()
    without_a_picture = {"wurstchen_v3.0_stage_b", "seedvr2_7b"}
    assert {models[row[0]] for row in RECOMMENDED} >= FAMILIES.keys() - without_a_picture


def test_every_reason_is_a_sentence() -> None:
    for model in COUNTS:
        for sentence in idle(model).values():
            assert sentence[0].isupper() or not sentence[0].isalpha()
            assert sentence.endswith(".")


@pytest.mark.parametrize("row", RECOMMENDED, ids=" with ".join)
def test_a_model_is_offered_what_the_table_says(row: tuple[str, ...]) -> None:
    found = offered(*row)
    assert found is not None
    values = dict(found.settings)
    parts = [f"{values.pop('start_width')}x{values.pop('start_height')}"]
    for name in ("steps", "guidance_scale", "sampler", "shift"):
        value = values.pop(name, "-")
        parts.append(getattr(value, "label", str(value)))
    if "num_frames" in values:
        parts.append(f"{values.pop('num_frames')} frames")
    if "refiner_model" in values:
        parts.append(f"{values.pop('refiner_model')} from {values.pop('refiner_start')}")
    parts += [f"with {str(note).split()[-1].removesuffix('.')}" for note in found.notes]
    assert not values
    assert ", ".join(parts) == RECOMMENDED[row]


def test_an_unknown_model_leaves_everything_alone() -> None:
    assert idle("my_own_model_f16.ckpt") == {}


@pytest.mark.parametrize("version", FAMILIES)
def test_what_the_family_table_denies_is_idle(version: str) -> None:
    family = FAMILIES[version]
    model = next(row.file for row in KNOWN.models if row.version == version)
    found = idle(model, **EVERYTHING_ON)
    for row in SETTINGS:
        if row.families == NOT_READ:  # it acts elsewhere: rounds, the app's own list
            assert row.name not in found
        elif row.families is not None and not family.supports(row.families):
            assert family.name in found[row.name]


def test_a_setting_whose_switch_is_off_counts_only_with_it() -> None:
    off = idle(SDXL, tiled_decoding=False)
    on = idle(SDXL, tiled_decoding=True)
    assert off["decoding_tile_width"] == "Used only with Tiled decoding."
    assert "decoding_tile_width" not in on


def test_only_tcd_reads_gamma() -> None:
    name = "stochastic_sampling_gamma"
    assert name in idle(SDXL, sampler=Sampler.DPMPP_2M_KARRAS)
    assert name not in idle(SDXL, sampler=Sampler.TCD)


@pytest.mark.parametrize("sampler", [Sampler.LCM, Sampler.TCD, Sampler.EULER_A_SUBSTEP])
def test_samplers_without_guidance_leave_its_scale_idle(sampler: Sampler) -> None:
    why = f"The sampler {sampler.label} switches guidance off."
    assert idle(SDXL, sampler=sampler, guidance_scale=5.0)["guidance_scale"] == why
    # Embedded guidance is no second pass: it stays.
    assert "guidance_scale" not in idle(DEV, sampler=sampler, guidance_scale=5.0)
    assert "guidance_scale" not in idle("flux_1_dev_q5p.ckpt", None, sampler=sampler)
    assert "guidance_scale" not in idle(SDXL, unknown=("sampler",), sampler=sampler)


def test_guidance_of_1_is_no_reason_to_dim_guidance() -> None:
    assert "guidance_scale" not in idle(SDXL, guidance_scale=1.0)
    pix2pix = idle("instruct_pix2pix_22000_f16.ckpt", guidance_scale=1.0, image_guidance_scale=1.0)
    assert not {"guidance_scale", "image_guidance_scale"} & pix2pix.keys()


@pytest.mark.parametrize("model", [SCHNELL, "sd_xl_turbo_f16.ckpt", "hidream_i1_fast_q5p.ckpt"])
def test_distilled_models_read_neither_guidance_nor_negative_prompt(model: str) -> None:
    found = idle(model, guidance_scale=5.0)
    assert "is a distilled model" in found["guidance_scale"]
    assert found["guidance_scale"] == found[NEGATIVE_PROMPT]


def test_a_distilling_lora_switches_guidance_off_and_one_that_may_come_says_nothing() -> None:
    lora = "lcm_sd_xl_base_1.0_lora_f16.ckpt"
    assert "LoRA" in idle(SDXL, loras=(lora,), guidance_scale=5.0)["guidance_scale"]
    assert "guidance_scale" not in idle(SDXL, guidance_scale=5.0)
    edits = "hidream_e1_full_lora_f16.ckpt"
    plain = "hidream_i1_full_q5p.ckpt"
    assert "image_guidance_scale" in idle(plain)
    assert "image_guidance_scale" not in idle(plain, loras=(edits,))
    assert "image_guidance_scale" not in idle(plain, unknown=("lora",))


def test_the_speed_up_decides_which_guidance_counts() -> None:
    on = idle(DEV, speed_up_with_guidance_embed=True, guidance_scale=4.0)
    assert on["guidance_embed"] == "Not used while Guidance embed speed-up is on."
    assert "speed-up is on" in on[NEGATIVE_PROMPT]
    assert "guidance_scale" not in on
    off = idle(DEV, speed_up_with_guidance_embed=False, guidance_scale=4.0)
    assert not {"guidance_embed", "guidance_scale", NEGATIVE_PROMPT} & off.keys()
    assert "no embedded guidance" in idle(CHROMA)["speed_up_with_guidance_embed"]


def test_a_shift_that_is_computed_is_idle() -> None:
    why = "Resolution dependent shift is on."
    assert idle(DEV, shift=3.0, resolution_dependent_shift=True)["shift"] == why
    assert "shift" not in idle(DEV, shift=3.0, resolution_dependent_shift=False)
    assert "shift" not in idle(SDXL, shift=3.0, resolution_dependent_shift=True)
    distilled = idle(SCHNELL, shift=3.0, resolution_dependent_shift=True)
    assert "shift" not in distilled
    assert "distilled" in distilled["resolution_dependent_shift"]


def test_what_needs_an_image_or_a_mask_says_so() -> None:
    masks = {"mask_blur", "mask_blur_outset", "preserve_original_after_inpaint"}
    found = idle(SDXL)
    assert {found[name] for name in masks} == {"Used only with a mask."}
    assert found["strength"] == found["color_calibration"] == "Used only with an image."
    assert masks <= idle(SDXL, connected=("image",)).keys()
    assert not {*masks, "strength"} & idle(SDXL, connected=("image", "mask")).keys()
    assert idle(SDXL, connected=("mask",))["mask"] == "Used only with an image."
    assert not {*masks, "strength"} & idle(SDXL, unknown=("image", "mask")).keys()
    assert "strength" not in idle("svd_i2v_1.0_f16.ckpt")  # it always has one


def test_an_image_below_strength_1_leaves_hires_fix_idle() -> None:
    names = {"hires_fix", "hires_fix_start_width", "hires_fix_strength"}
    on: dict[str, Any] = {key: EVERYTHING_ON[key] for key in EVERYTHING_ON if "hires" in key}
    found = idle(SDXL, connected=("image",), strength=0.5, **on)
    assert {found[name] for name in names} == {
        "It works only without an input image, or with one at strength 1 and no mask."
    }
    assert not names & idle(SDXL, connected=("image",), strength=1.0, **on).keys()


def test_an_image_that_is_all_noise_is_told() -> None:
    assert "noise" in idle(QWEN, connected=("image",), strength=1.0)["image"]
    cases: list[dict[str, Any]] = [{"strength": 0.5}, {"strength": 1.0, "color_calibration": 1}]
    for more in cases:
        assert "image" not in idle(QWEN, connected=("image",), **more)
    edit = "qwen_image_edit_2509_q6p.ckpt"
    assert "image" not in idle(edit, connected=("image",), strength=1.0)
    assert "image" not in idle(QWEN, connected=("image",), unknown=("control",), strength=1.0)


def test_references_count_where_a_model_or_a_control_looks_at_them() -> None:
    assert "does not look" in idle(QWEN, connected=("reference",))["reference"]
    assert "reference" not in idle(QWEN, connected=("reference",), unknown=("control",))
    assert "reference" not in idle(QWEN)


def test_a_refiner_brings_its_own_settings() -> None:
    assert "aesthetic_score" in idle(SDXL)
    with_refiner = idle(SDXL, refiner_model=REFINER)
    assert not {"aesthetic_score", "refiner_start"} & with_refiner.keys()
    assert "aesthetic_score" not in idle(SDXL, unknown=("refiner_model",))
    unfit = idle(SDXL, refiner_model=DEV)
    assert unfit["refiner_start"] == "The refiner is not used with this model."
    assert "aesthetic_score" in unfit


def test_wan_without_coefficients_has_no_tea_cache() -> None:
    assert "coefficients" in idle("plain_wan.ckpt", tea_cache=True)["tea_cache"]
    assert "tea_cache" not in idle(WAN, tea_cache=True)


def test_the_zeroed_first_steps_act_without_guidance() -> None:
    one: dict[str, Any] = {"guidance_scale": 1.0, "cfg_zero_star": True}
    assert "cfg_zero_star" not in idle(QWEN, **one, cfg_zero_init_steps=2)
    assert "cfg_zero_star" in idle(QWEN, **one, cfg_zero_init_steps=0)


def test_nothing_is_dimmed_that_would_lift_its_own_reason() -> None:
    """Else a form that disables what is idle could never be brought out of it."""
    one = {"guidance_scale": 1.0, "start_frame_cfg": 1.0, "image_guidance_scale": 1.0}
    for model in COUNTS:
        for values in ({}, EVERYTHING_ON, one, {**EVERYTHING_ON, **one}):
            for connected in ((), ("image",), ("image", "mask")):
                at = effects.chosen(
                    {**values, "model": model}, KNOWN, connected=frozenset(connected)
                )
                found = reasons(at)
                for name, reason in found.items():
                    assert name not in reason.hangs_on, name
                    for cause in reason.hangs_on & found.keys():
                        # What is off for a deeper reason does not come back by its switch.
                        assert not found[cause].hangs_on & {name}, (name, cause)


def test_what_only_a_run_can_tell_is_no_reason() -> None:
    found = idle(SDXL, unknown=("sampler", "tiled_decoding"))
    assert "stochastic_sampling_gamma" not in found
    assert "decoding_tile_width" not in found
    assert "decoding_tile_width" in idle(SDXL)


def test_guidance_1_reads_no_negative_prompt() -> None:
    assert idle(SDXL, guidance_scale=1.0)[NEGATIVE_PROMPT] == "Guidance is 1."
    assert NEGATIVE_PROMPT not in idle(SDXL, guidance_scale=7.0)


def test_a_preset_is_recommended_whatever_the_quantization() -> None:
    for file in (TURBO, "z_image_turbo_1.0_q8p.ckpt"):
        found = offered(file, catalog=None)
        assert found is not None
        assert found.name == "Z Image Turbo 1.0"
        assert found.settings["sampler"] is Sampler.UNIPC_TRAILING


def test_nothing_is_recommended_for_an_unknown_model() -> None:
    assert offered("my_own_model_f16.ckpt") is None


def test_a_refiner_that_the_server_lacks_is_named_and_not_offered() -> None:
    built_in = Files.load()
    low_noise = HIGH_NOISE.replace("hne", "lne")
    tables = {
        kind: [row for row in built_in.all(kind) if row["file"] != low_noise] for kind in KINDS
    }
    found = offered(HIGH_NOISE, catalog=catalog_of(Files(tables, built_in.files - {low_noise})))
    assert found is not None
    assert not {"refiner_model", "refiner_start"} & found.settings.keys()
    assert [*map(str, found.notes)] == [
        f"It is one half of two: the server lacks the refiner {low_noise}."
    ]
