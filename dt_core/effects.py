"""Which settings do nothing for a model, and why; and what a model is recommended to start with.

The same facts that `preflight` warns of after the fact, told beforehand: for a form that
dims what does not matter. Nothing is said where the model's family is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .choices import Sampler
from .configuration import Configuration
from .families import Family, Preset
from .preflight import facts
from .request import GenerationRequest, Resolved, resolve
from .settings import NOT_READ, SETTINGS, UNIT_PX, setting
from .themes import SWITCHES

__all__ = ["NEGATIVE_PROMPT", "Recommendation", "idle", "recommended"]

NEGATIVE_PROMPT = "negative_prompt"  # no setting, but as idle as one without guidance

_ONLY_FOR_GUIDANCE = ("cfg_zero_star", "cfg_zero_init_steps", "zero_negative_prompt")
_RECOMMENDED = ("steps", "guidance_scale", "sampler", "start_width", "start_height")
_WEIGHTS = re.compile(r"_(q\d+p|bf16|f16|fp16)(_svd)?\.ckpt$")


def idle(at: Resolved, unknown: frozenset[str] = frozenset()) -> dict[str, str]:
    """The settings without effect, with a sentence for each; also NEGATIVE_PROMPT.

    `at` holds the values that are chosen: a setting may be idle for another one's value.
    Nothing is said because of the settings in `unknown`, whose values only a run can tell.
    """
    if at.family is None:
        return {}
    found: dict[str, str] = {}
    for row in SETTINGS:
        reason = _why_idle(at, row.name, at.family, unknown)
        if reason:
            found[row.name] = reason
    guidance = facts.why_no_guidance(at)
    if guidance and not unknown & {"sampler", "guidance_scale", "image_guidance_scale"}:
        sentence = f"Not read: {guidance}."
        found[NEGATIVE_PROMPT] = sentence
        for name in _ONLY_FOR_GUIDANCE:
            # The zeroed first steps of CFG-Zero* act without guidance too.
            if not (name.startswith("cfg_zero") and at.settings["cfg_zero_init_steps"] > 0):
                found.setdefault(name, sentence)
    return found


def _why_idle(at: Resolved, name: str, family: Family, unknown: frozenset[str]) -> str:
    row = setting(name)
    if row.families == NOT_READ:
        return ""  # for the app, or carried out by dt_core.batches
    if row.families is not None and not family.supports(row.families):
        return f"{family.name} does not read it."
    switch = SWITCHES.get(name)
    if switch is not None and switch not in unknown and not at.settings[switch]:
        return f"Counts only with {setting(switch).label}."
    tcd = at.settings["sampler"] in {Sampler.TCD, Sampler.TCD_TRAILING}
    if name == "stochastic_sampling_gamma" and "sampler" not in unknown and not tcd:
        return "Only the samplers TCD and TCD Trailing read it."
    if name == "image_guidance_scale" and at.model and facts.modifier(at) != "editing":
        return "Only models that edit by instruction read it."
    if name == "strength" and at.request.image is None and not family.needs_image:
        return "Counts only with an image."
    return ""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Where to start with a model: `settings` by name, sizes in px, and sentences beside it."""

    name: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...]


def recommended(at: Resolved) -> Recommendation | None:
    """What the model's makers recommend: steps, guidance, sampler, size, shift.

    A preset of the model, whatever its quantization, else only the size of its
    description. None if neither is known.
    """
    family = at.family
    if family is None:
        return None
    file = str(at.settings["model"] or at.request.model)
    presets = [row for row in family.presets if _stem(row.model) == _stem(file)]
    # Of several the one that needs no LoRA, then the one that hurries least.
    preset = min(
        presets, key=lambda row: (len(row.lora_files), -row.settings.get("steps", 0)), default=None
    )
    settings = _of_preset(preset) if preset else {}
    scale = at.model.default_scale if at.model else None
    side = (scale or family.default_scale or 0) * UNIT_PX
    if side:
        settings.setdefault("start_width", side)
        settings.setdefault("start_height", side)
    if not settings:
        return None
    name = at.model.name if at.model else preset.name if preset else family.name
    notes = tuple(f"Use it with the LoRA {lora}." for lora in preset.lora_files) if preset else ()
    return Recommendation(name, MappingProxyType(settings), notes)


def _of_preset(preset: Preset) -> dict[str, Any]:
    found = {name: preset.settings[name] for name in _RECOMMENDED if name in preset.settings}
    if preset.settings.get("resolution_dependent_shift"):
        found["shift"] = 0  # of the sampler: automatic
    elif "shift" in preset.settings:
        found["shift"] = preset.settings["shift"]
    if "sampler" in found:
        found["sampler"] = Sampler.from_label(found["sampler"])
    return found


def _stem(file: str) -> str:
    return _WEIGHTS.sub("", file)


def chosen(model: str, settings: Mapping[str, Any], catalog: Any = None) -> Resolved:
    """The values of a form as `idle` and `recommended` take them."""
    named = Configuration.of({**settings, "model": model})
    return resolve(GenerationRequest(settings=named), catalog)
