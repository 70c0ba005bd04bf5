"""What the backend says on nodes is known to the page, which translates it."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.preflight import effects
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.simulator import Catalog as Files
from drawthings.dt_core.simulator.inventory import KINDS
from drawthings.tools import build_messages
from matters_by_family import COUNTS
from preflight_requests import KNOWN, catalog_of

TEXTS = Path(__file__).resolve().parents[3] / "web" / "text"
PATTERNS = [
    re.compile("(.+?)".join(re.escape(part) for part in re.split(r"\{\w+\}", text)))
    for text in json.loads((TEXTS / "sentences.json").read_text(encoding="utf-8")).values()
]
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


def is_known(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in PATTERNS)


def is_known_reason(sentence: str) -> bool:
    """As the page looks: a reason stands at the end of a sentence, or alone as one."""
    reason = sentence.removesuffix(".")
    return is_known(sentence) or is_known(reason) or is_known(reason[0].lower() + reason[1:])


def test_every_reason_why_something_does_nothing_can_be_translated() -> None:
    unknown = set()
    for model, settings, connected in itertools.product(COUNTS, SETTINGS, CONNECTED):
        loras = [LIGHTNING] if model.startswith("qwen") else []
        values = {**settings, "model": model}
        at = effects.chosen(values, KNOWN, loras=loras, connected=frozenset(connected))
        unknown |= {reason for reason in effects.idle(at).values() if not is_known_reason(reason)}

    assert unknown == set()


def test_what_is_said_beside_a_recommendation_can_be_translated() -> None:
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

    assert {note.split()[0] for note in notes} == {"Use", "It"}
    assert [note for note in notes if not is_known(note)] == []


WARNINGS = build_messages.collect()["preflight warnings"]


@pytest.mark.parametrize("warning", WARNINGS)
def test_every_warning_of_a_run_can_be_translated(warning: str) -> None:
    said = re.sub(r"‹(\w[\w ]*)›", lambda hole: "have" if hole[1] == "have" else "X", warning)

    assert is_known(said)
