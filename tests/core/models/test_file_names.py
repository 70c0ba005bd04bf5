"""What names of files tell: the models that servers know by themselves, and newer ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.models.file_names import (
    family_of_file,
    guessed,
    latent_info,
    preset_for,
    weights_of,
    without_weights,
)
from drawthings.dt_core.preflight import effects

DATA = Path(__file__).resolve().parents[2] / "data" / "built_in_models.json"
BUILT_IN: dict[str, str] = json.loads(DATA.read_text(encoding="utf-8"))["models"]


def test_there_are_129() -> None:
    assert len(BUILT_IN) == 129


@pytest.mark.parametrize("file", BUILT_IN)
def test_every_built_in_model_is_known_by_its_name_alone(file: str) -> None:
    family = family_of_file(file)

    assert family is not None
    assert family.version == BUILT_IN[file] == latent_info(file)["version"]
    assert weights_of(file)
    assert (preset_for(file, family) is None) == (not family.presets)


@pytest.mark.parametrize("file", BUILT_IN)
def test_their_names_would_be_guessed_right_too(file: str) -> None:
    other = f"my_{without_weights(file)}_tune_q8p.ckpt"

    assert family_of_file(other) is None
    found = guessed(other)
    assert found is not None
    assert found.version == BUILT_IN[file]


@pytest.mark.parametrize(
    ("file", "stem", "weights"),
    [
        ("qwen_image_2512_bf16_q6p.ckpt", "qwen_image_2512", "q6p"),
        ("wan_v2.1_14b_720p_q6p_svd.ckpt", "wan_v2.1_14b_720p", "svd"),
        ("sd_xl_base_1.0_q6p_q8p.ckpt", "sd_xl_base_1.0", "q8p"),
        ("krea_2_turbo_i4x.ckpt", "krea_2_turbo", "i4x"),
        ("mine.ckpt", "mine", ""),
    ],
)
def test_weights_are_taken_off_said_once_or_more(file: str, stem: str, weights: str) -> None:
    assert without_weights(file) == stem
    assert weights_of(file) == weights


@pytest.mark.parametrize(
    "file",
    [
        "flux_3_dev_i8x.ckpt",
        "moss_image_q8p.ckpt",
        "qwen_image_3_q8p.ckpt",
        "wan_v3.0_14b_q8p.ckpt",
        "ltx_3_q8p.ckpt",
        "ideogram_5_q8p.ckpt",
        "something_q8p.ckpt",
    ],
)
def test_a_name_like_a_family_but_newer_is_unknown(file: str) -> None:
    assert guessed(file) is None


def test_a_model_without_a_preset_gets_its_familys_and_says_so() -> None:
    at = effects.chosen({"model": "sd_v1.4_f16.ckpt"})
    advice = effects.recommended(at)
    named = effects.recommended(effects.chosen({"model": "ltx_2.3_22b_distilled_1.1_q6p.ckpt"}))

    assert advice is not None
    assert named is not None
    assert [str(note) for note in advice.notes if "another model" in str(note)]
    assert not [note for note in named.notes if "another model" in str(note)]


def test_a_preset_goes_by_the_longest_beginning_of_the_name() -> None:
    family = FAMILIES["ltx2.3"]
    found = preset_for("ltx_2.3_22b_distilled_1.1_q6p.ckpt", family)

    assert found is not None
    assert found.model.startswith("ltx_2.3_22b_distilled")
