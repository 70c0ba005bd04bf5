"""What a form may dim, and what it may offer."""

from __future__ import annotations

from typing import Any

import pytest
from drawthings.dt_core import effects
from drawthings.dt_core.choices import Sampler
from drawthings.dt_core.families import FAMILIES
from drawthings.dt_core.settings import NOT_READ, SETTINGS
from drawthings.dt_core.themes import SWITCHES

TURBO = "z_image_turbo_1.0_q6p.ckpt"
SDXL = "sd_xl_base_1.0_f16.ckpt"


def idle(model: str, **values: Any) -> dict[str, str]:
    return effects.idle(effects.chosen(model, values))


def test_an_unknown_model_leaves_everything_alone() -> None:
    assert idle("my_own_model_f16.ckpt") == {}


@pytest.mark.parametrize("version", FAMILIES)
def test_what_the_family_table_denies_is_idle_and_what_it_has_is_not(version: str) -> None:
    family = FAMILIES[version]
    if not family.presets:
        pytest.skip("no official model")
    files = {"refiner_model", "upscaler"}
    on = {switch: True for switch in SWITCHES.values() if switch not in files}
    found = idle(family.presets[0].model, **on)
    for row in SETTINGS:
        if row.families == NOT_READ:  # it acts elsewhere: rounds, the app's own list
            assert row.name not in found
        elif row.families is not None and not family.supports(row.families):
            assert family.name in found[row.name]


def test_a_setting_whose_switch_is_off_counts_only_with_it() -> None:
    off = idle(SDXL, tiled_decoding=False)
    on = idle(SDXL, tiled_decoding=True)
    assert off["decoding_tile_width"].startswith("Counts only with")
    assert "decoding_tile_width" not in on


def test_only_tcd_reads_gamma() -> None:
    name = "stochastic_sampling_gamma"
    assert name in idle(SDXL, sampler=Sampler.DPMPP_2M_KARRAS)
    assert name not in idle(SDXL, sampler=Sampler.TCD)


def test_the_zeroed_first_steps_act_without_guidance() -> None:
    flow = "qwen_image_1.0_q6p.ckpt"
    names = {"cfg_zero_star", "cfg_zero_init_steps"}
    assert (
        not names & idle(flow, guidance_scale=1.0, cfg_zero_star=True, cfg_zero_init_steps=2).keys()
    )
    assert names <= idle(flow, guidance_scale=1.0, cfg_zero_star=True, cfg_zero_init_steps=0).keys()


def test_what_only_a_run_can_tell_is_no_reason() -> None:
    at = effects.chosen(SDXL, {})
    found = effects.idle(at, frozenset({"sampler", "tiled_decoding"}))
    assert "stochastic_sampling_gamma" not in found
    assert "decoding_tile_width" not in found
    assert "decoding_tile_width" in effects.idle(at)


def test_guidance_1_reads_no_negative_prompt() -> None:
    assert "guidance is 1" in idle(SDXL, guidance_scale=1.0)[effects.NEGATIVE_PROMPT]
    assert effects.NEGATIVE_PROMPT not in idle(SDXL, guidance_scale=7.0)


def test_a_preset_is_recommended_whatever_the_quantization() -> None:
    for file in (TURBO, "z_image_turbo_1.0_q8p.ckpt"):
        found = effects.recommended(effects.chosen(file, {}))
        assert found is not None
        assert found.name == "Z Image Turbo 1.0"
        assert dict(found.settings) == {
            "steps": 8,
            "guidance_scale": 1,
            "sampler": Sampler.UNIPC_TRAILING,
            "shift": 3,
            "start_width": 1024,
            "start_height": 1024,
        }


def test_a_shift_that_follows_the_resolution_is_recommended_as_automatic() -> None:
    found = effects.recommended(effects.chosen("z_image_1.0_q6p.ckpt", {}))
    assert found is not None
    assert found.settings["shift"] == 0


def test_nothing_is_recommended_for_an_unknown_model() -> None:
    assert effects.recommended(effects.chosen("my_own_model_f16.ckpt", {})) is None


def test_of_several_presets_the_one_without_loras_and_hurry_counts() -> None:
    schnell = effects.recommended(effects.chosen("flux_1_schnell_q5p.ckpt", {}))
    assert schnell is not None
    assert schnell.settings["steps"] == 4
    qwen = effects.recommended(effects.chosen("qwen_image_1.0_q6p.ckpt", {}))
    assert qwen is not None
    assert qwen.settings["steps"] == 30
    assert qwen.notes == ()
