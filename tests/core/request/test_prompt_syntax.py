"""What a prompt's brackets mean to whom, and what the user is told of it."""

from __future__ import annotations

import pytest
from catalogs import catalog
from drawthings.dt_core.models.catalog import Catalog, Model
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.request import prompt_syntax
from drawthings.dt_core.request.prompt_syntax import (
    keywords,
    understands_embeddings,
    understands_weights,
    with_keyword,
)

KOLORS = Model(
    "kolors.ckpt", "Kolors", "sdxl_base_v0.9", 16, "", False, False, None,
    {"text_encoder_version": "chatglm3_6b"},
)  # fmt: skip


def notes(
    prompt: str, version: str, known: Catalog | None = None, row: Model | None = None
) -> tuple[str, ...]:
    return tuple(map(str, prompt_syntax.notes(prompt, version, known, row)))


def test_keywords_are_found_in_lower_case_and_once() -> None:
    assert keywords("<Easy> and <b c>, <easy>, <lora:x:1>, 1 < 2 > 0") == ("easy",)
    assert keywords("") == ()


def test_a_keyword_is_put_at_the_end_unless_it_is_there() -> None:
    assert with_keyword("a cat", "easy") == "a cat <easy>"
    assert with_keyword("", "easy") == "<easy>"
    assert with_keyword("a <EASY> cat", "easy") == "a <EASY> cat"


def test_weights_act_on_clip_families() -> None:
    assert {version for version in FAMILIES if understands_weights(version)} == {
        "v1", "v2", "sdxl_base_v0.9", "sdxl_refiner_v0.9", "ssd_1b", "svd_i2v",
        "wurstchen_v3.0_stage_c", "wurstchen_v3.0_stage_b", "sd3", "sd3_large",
    }  # fmt: skip
    assert understands_weights("model_of_2031")
    assert not understands_weights("sdxl_base_v0.9", KOLORS)
    assert not understands_embeddings("sdxl_base_v0.9", KOLORS)
    assert not understands_embeddings("flux1")


@pytest.mark.parametrize("version", ["flux1", "z_image", "qwen_image", "hidream_i1"])
def test_weights_elsewhere_are_told(version: str) -> None:
    (note,) = notes("a (red:1.3) cat", version)
    assert FAMILIES[version].name in note
    assert "(red:1.3)" in note


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("a (red:1.3) cat", "v1"),
        ("a (red:1.3) cat", "model_of_2031"),
        ("a picture (16:9) of a cat (and a dog)", "z_image"),
        ("a [small] cat", "flux1"),
        ("", "flux1"),
    ],
)
def test_plain_prompts_have_no_notes(text: str, version: str) -> None:
    assert notes(text, version, catalog()) == ()


def test_sd3_weights_are_told_to_act_in_part() -> None:
    (note,) = notes("(red:1.3)", "sd3")
    assert "CLIP part" in note


def test_embeddings_that_do_not_act_are_told() -> None:
    (note,) = notes("<easy>", "flux1", catalog())
    assert "no textual inversions" in note
    (note,) = notes("<unknown>", "v1", catalog())
    assert "The server has no textual inversion <unknown>" in note
    (note,) = notes("<easy>", "v2", catalog())
    assert FAMILIES["v1"].name in note
    assert FAMILIES["v2"].name in note


def test_embeddings_that_may_act_name_the_server_that_ignores_them() -> None:
    assert ["gRPCServerCLI" in note for note in notes("<Easy>", "v1", catalog())] == [True]
    assert ["gRPCServerCLI" in note for note in notes("<any>", "v1", Catalog())] == [True]


def test_forms_of_other_programs_are_told() -> None:
    (lora,) = notes("a cat <lora:style:0.8>", "v1", catalog())
    assert "beside the prompt" in lora
    (embedding,) = notes("a cat, embedding:easy", "v1", catalog())
    assert "write <easy>" in embedding


def test_kolors_is_told_by_its_own_name() -> None:
    (note,) = notes("(red:1.3)", "sdxl_base_v0.9", catalog(), KOLORS)
    assert note.startswith("Kolors")
