"""Which settings do nothing for a model, and why; and what a model is recommended to start with.

For a form that dims what does not matter: the rules of `preflight.idle`, told beforehand.
Nothing is said where the model's family is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..models.families import Family, Preset
from ..models.file_names import preset_for, without_weights
from ..pictures.values import Mask, Picture
from ..request.parts import Lora, Reference
from ..request.resolved import GenerationRequest, Resolved, resolve
from ..settings.choices import Sampler
from ..settings.configuration import Configuration
from ..settings.table import UNIT_PX
from ..text import Template, Text
from . import facts
from .idle import CONTROL, IMAGE, LORA, MASK, NEGATIVE_PROMPT, REFERENCE, reasons

__all__ = ["INPUTS", "Recommendation", "chosen", "idle", "recommended"]

# Inputs that are no settings, but as idle as one where nothing reads them.
INPUTS = (NEGATIVE_PROMPT, IMAGE, MASK, REFERENCE, CONTROL, LORA)

_OF_SAMPLER = ("steps", "guidance_scale", "sampler", "start_width", "start_height")
_OF_OPTIONS = ("num_frames", "refiner_model", "refiner_start")
_DOT = Picture(np.zeros((1, 1, 3), np.float32))  # stands for any picture
_PATCH = Mask(np.ones((1, 1), np.float32))  # stands for any mask

_OF_ANOTHER = Template(
    "preset_of_another", "These are the values of {preset}, another model of {family}."
)
_ALONE = Template("reason_alone", "{why}.", capital=True)
_WITH_LORA = Template("with_lora", "Use it with the LoRA {file}.")
_HALF = Template("half_of_two", "It is one half of two: the server lacks the refiner {refiner}.")


def chosen(
    settings: Mapping[str, Any],
    catalog: Any = None,
    *,
    loras: Sequence[str] = (),
    connected: frozenset[str] = frozenset(),
) -> Resolved:
    """What a form holds, as `idle` and `recommended` take it.

    `settings` names the model; `loras` are files, `connected` some of INPUTS.
    """
    request = GenerationRequest(
        settings=Configuration.of(settings),
        negative_prompt="-" if NEGATIVE_PROMPT in connected else "",
        image=_DOT if IMAGE in connected else None,
        mask=_PATCH if MASK in connected else None,
        references=(Reference(_DOT),) if REFERENCE in connected else (),
        loras=tuple(Lora(file) for file in loras),
    )
    return resolve(request, catalog)


def idle(at: Resolved, unknown: frozenset[str] = frozenset()) -> dict[str, Text]:
    """The settings, and INPUTS, without effect, with a sentence for each.

    `at` holds the values that are chosen: a setting may be idle for another one's value.
    Nothing is said because of what is in `unknown`, which only a run can tell.
    """
    return {name: _ALONE(why=reason.why) for name, reason in reasons(at, unknown).items()}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Where to start with a model: `settings` by name, sizes in px, and sentences beside it."""

    name: str
    settings: Mapping[str, Any]
    notes: tuple[Text, ...]


def recommended(at: Resolved) -> Recommendation | None:
    """What the model's makers recommend: steps, guidance, sampler, size, shift, frames, refiner.

    A preset of the model, whatever its quantization; with one of the LoRAs that a preset is
    made for, that preset. Else what the descriptions of model and family tell. Nothing that
    does nothing. None if nothing is known.
    """
    family = at.family
    if family is None:
        return None
    used_loras = [lora.file for lora in at.loras if lora.weight]
    preset = preset_for(str(at.settings["model"] or ""), family, used_loras)
    settings = _of_preset(preset, family) if preset else {}
    scale = at.model.default_scale if at.model else None
    side = (scale or family.default_scale or 0) * UNIT_PX
    if side:
        settings.setdefault("start_width", side)
        settings.setdefault("start_height", side)
    if family.frames_rule is not None and len(family.frames_rule.typical) == 1:
        settings.setdefault("num_frames", family.frames_rule.typical[0])
    used = {without_weights(lora.file) for lora in at.loras}
    missing = (
        [file for file in preset.lora_files if without_weights(file) not in used] if preset else []
    )
    notes = [_WITH_LORA(file=file) for file in missing]
    if preset is not None and not _is_for(preset, str(at.settings["model"] or "")):
        notes.append(_OF_ANOTHER(preset=preset.name, family=family.name))
    refiner = _refiner_of(settings, at)
    if refiner is not None:
        settings["refiner_model"] = refiner
        if facts.lacks(at, refiner):
            del settings["refiner_model"]
            notes.append(_HALF(refiner=refiner))
    settings = _counting(settings, at)
    if not settings:
        return None
    name = at.model.name if at.model else preset.name if preset else family.name
    return Recommendation(name, MappingProxyType(settings), tuple(notes))


def _is_for(preset: Preset, file: str) -> bool:
    """Whether the preset was made for the model, or for one whose name it continues."""
    model, name = without_weights(file), without_weights(preset.model)
    return model == name or model.startswith(f"{name}_")


def _counting(settings: Mapping[str, Any], at: Resolved) -> dict[str, Any]:
    """Without what would do nothing, such as the guidance of a distilled model."""
    then = Configuration.of({**at.request.settings.explicit, **settings})
    request = GenerationRequest(then, image=_DOT, loras=at.request.loras)
    # Shift switches off by itself what would replace it.
    idle = reasons(resolve(request, at.catalog), frozenset({"resolution_dependent_shift"}))
    return {key: value for key, value in settings.items() if key not in idle}


def _of_preset(preset: Preset, family: Family) -> dict[str, Any]:
    names = (*_OF_SAMPLER, *_OF_OPTIONS)
    found = {name: preset.settings[name] for name in names if name in preset.settings}
    automatic = "resolution_dependent_shift"
    if preset.settings.get(automatic) and family.supports(automatic):
        found["shift"] = 0  # of the sampler: automatic
    elif "shift" in preset.settings:
        found["shift"] = preset.settings["shift"]
    if "sampler" in found:
        found["sampler"] = Sampler.from_label(found["sampler"])
    return found


def _refiner_of(settings: Mapping[str, Any], at: Resolved) -> str | None:
    """The file that takes over, as the server has it, for one half of two such as Wan 2.2."""
    if "refiner_model" not in settings:
        return None
    # The description names the one of the same quantization.
    described = at.model.description.get("default_refiner") if at.model else None
    wanted = str(described or settings["refiner_model"])
    if at.catalog is None or not facts.lacks(at, wanted):
        return wanted
    same = (
        row.file
        for row in at.catalog.models
        if without_weights(row.file) == without_weights(wanted)
    )
    return next((file for file in same if not facts.lacks(at, file)), wanted)
