"""Sentences are templates with values, and what the page shows is translated."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.preflight import effects
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.table import title
from drawthings.dt_core.simulator import Catalog as Files
from drawthings.dt_core.simulator.inventory import KINDS
from drawthings.dt_core.text import TEMPLATES, Template, in_turn
from matters_by_family import COUNTS
from preflight_requests import KNOWN, catalog_of
from spoken import LANGUAGES, translations, untranslated

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"sampler": Sampler.LCM},
    {"sampler": Sampler.DDIM_TRAILING, "guidance_scale": 1.0},
    {"cfg_zero_star": True, "mask_blur": 0.0, "mask_blur_outset": -4},
    {"resolution_dependent_shift": True, "speed_up_with_guidance_embed": True},
    {"resolution_dependent_shift": False, "speed_up_with_guidance_embed": False},
    {"strength": 0.5, "hires_fix": True},
    {"refiner_model": "sd_xl_refiner_1.0_f16.ckpt"},
)
CONNECTED = ((), ("image",), ("image", "mask", "reference", "negative_prompt"))
HIGH_NOISE = "wan_v2.2_a14b_hne_t2v_q6p_svd.ckpt"
LOW_NOISE = "wan_v2.2_a14b_lne_t2v_q6p_svd.ckpt"
LIGHTNING = "qwen_image_1.0_lightning_4_step_v2.0_lora_f16.ckpt"

_HOLE = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_holes_of_its_template(language: str) -> None:
    told = translations(language)
    holes = {key: set(_HOLE.findall(text)) for key, text in told.items()}

    assert set(holes.keys() & TEMPLATES.keys()) >= {"has_no_effect", "reason_alone"}
    for key in holes.keys() & TEMPLATES.keys():
        assert holes[key] == set(TEMPLATES[key].holes), key


def test_every_reason_why_something_does_nothing_is_translated() -> None:
    unknown: set[str] = set()
    for model, settings, connected in itertools.product(COUNTS, SETTINGS, CONNECTED):
        loras = [LIGHTNING] if model.startswith("qwen") else []
        values = {**settings, "model": model}
        at = effects.chosen(values, KNOWN, loras=loras, connected=frozenset(connected))
        unknown |= untranslated(*effects.idle(at).values())

    assert unknown == set()


def test_what_is_said_beside_a_recommendation_is_translated() -> None:
    presets = [preset for family in FAMILIES.values() for preset in family.presets]
    full = Files.load()
    half = catalog_of(Files({kind: full.all(kind) for kind in KINDS}, full.files - {LOW_NOISE}))
    # One of two LoRAs chooses a preset, and the other one is named.
    offered = [
        effects.recommended(effects.chosen({"model": row.model}, None, loras=row.lora_files[:1]))
        for row in presets
    ]
    offered.append(effects.recommended(effects.chosen({"model": HIGH_NOISE}, half)))
    notes = {note for found in offered if found is not None for note in found.notes}

    assert {note.template.key for note in notes} == {"with_lora", "half_of_two"}
    assert untranslated(*notes) == set()


def test_a_text_says_itself_in_english_and_gives_the_page_what_it_needs() -> None:
    label = title("mask_blur")
    text = TEMPLATES["has_no_effect"](label=label, why=TEMPLATES["used_only_with"](setting=label))

    assert str(text) == "Mask blur has no effect: used only with Mask blur."
    told = text.as_json()
    assert told["key"] == "has_no_effect"
    assert told["text"] == str(text)
    assert told["values"]["label"] == {"key": "label_mask_blur", "values": {}, "text": "Mask blur"}
    assert told["values"]["why"]["values"]["setting"]["key"] == "label_mask_blur"


def test_lists_and_numbers_are_told_as_people_write_them() -> None:
    several = TEMPLATES["no_faces"](missing=["a.ckpt", "b.ckpt", "c.ckpt"])
    number = TEMPLATES["shift_replaced"](shift=0.1 + 0.2)

    assert str(several) == "Faces are not restored: the server lacks a.ckpt, b.ckpt and c.ckpt."
    assert several.as_json()["values"]["missing"] == ["a.ckpt", "b.ckpt", "c.ckpt"]
    assert str(number).startswith("Shift 0.3 is replaced")
    assert number.as_json()["values"]["shift"] == "0.3"


def test_a_reason_alone_begins_with_a_capital_letter() -> None:
    alone = TEMPLATES["reason_alone"](why=TEMPLATES["only_with_image"]())

    assert str(alone) == "Used only with an image."
    assert str(in_turn(alone, alone)) == "Used only with an image. Used only with an image."


def test_a_template_knows_its_holes_and_its_name_is_its_own() -> None:
    with pytest.raises(TypeError, match="has_no_effect takes"):
        TEMPLATES["has_no_effect"](label="x")
    with pytest.raises(ValueError, match="two templates are called 'has_no_effect'"):
        Template("has_no_effect", "Something else.")
