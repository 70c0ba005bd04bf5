"""What the server will make of a request, as far as checks need to know it.

Every question is answered from the resolved request alone, by the rules of
docs/protocol.md 2.2, 4 and 7; where the catalogue does not tell, the answer is the one
that finds less.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..models.catalog import ControlInfo, LoraInfo
from ..models.families import Family, family
from ..request.hints import hires_first_pass, input_kind
from ..request.parts import Control
from ..request.resolved import Resolved
from ..settings.choices import Sampler
from ..settings.configuration import DEFAULTS, LoraSettings
from ..settings.table import setting
from ..text import Template, Text

REFERENCE_MODIFIERS = frozenset(
    {"kontext", "kontext_kv", "qwenimage_edit_plus", "qwenimage_edit_2511"}
)
DEPTH_ESTIMATOR = "depth_anything_v2.0_f16.ckpt"
_NO_GUIDANCE = frozenset(
    {
        Sampler.LCM,
        Sampler.EULER_A_SUBSTEP,
        Sampler.DPMPP_SDE_SUBSTEP,
        Sampler.TCD,
        Sampler.TCD_TRAILING,
    }
)
GUIDANCE_1 = Template("guidance_is_1", "guidance is 1")
ONLY_FROM_TEXT = Template(
    "only_from_text",
    "it works only without an input image, or with one at strength 1 and no mask",
)
_SUBSTEP = frozenset({Sampler.EULER_A_SUBSTEP, Sampler.DPMPP_SDE_SUBSTEP})

_UNKNOWN_FAMILY = Template("unknown_family", "an unknown family")
_DISTILLED = Template(
    "distilled_without_guidance", "{model} is a distilled model that runs without guidance"
)
_LORA_SWITCHES = Template("lora_switches_guidance", "the LoRA '{name}' switches guidance off")
_SPEED_UP = Template("speed_up_is_on", "guidance embed speed-up is on")
_NO_GUIDANCE_AT_ALL = Template("without_guidance", "{family} runs without guidance")
_SAMPLER_SWITCHES = Template(
    "sampler_switches_guidance", "the sampler {sampler} switches guidance off"
)


def chosen(at: Resolved, name: str) -> bool:
    """Whether the user set `name` to something else than it would be anyway."""
    given = at.request.settings.explicit
    return name in given and given[name] not in (setting(name).default, DEFAULTS[name])


def family_name(version: str) -> str | Text:
    found = family(version)
    return found.name if found else version or _UNKNOWN_FAMILY()


def lacks(at: Resolved, file: str) -> bool:
    """Whether the server surely does not have `file`."""
    return at.catalog is not None and at.catalog.browsable and not at.catalog.has(file)


def model_name(at: Resolved) -> str:
    return at.model.name if at.model else str(at.settings["model"])


def stays_on_image(row: Family) -> bool:
    """Families that start from their image at any strength."""
    return row.needs_image and row.audio != "input"


def on_text_path(at: Resolved) -> bool:
    """Whether the run starts from noise alone (docs/protocol.md 4.2)."""
    if at.request.image is None:
        return True
    if at.request.mask is not None or (at.family is not None and stays_on_image(at.family)):
        return False
    return bool(at.settings["strength"] >= 1)


def hires_fix_acts(at: Resolved) -> bool:
    return bool(
        hires_first_pass(at) is not None
        and on_text_path(at)
        and at.settings["hires_fix_strength"] < 1
    )


def shift_is_computed(at: Resolved) -> bool:
    """Whether the picture's size decides over shift."""
    has = at.family is not None and at.family.supports("resolution_dependent_shift")
    return bool(has and at.settings["resolution_dependent_shift"] and not is_consistency(at))


def reads_references(at: Resolved) -> bool:
    """Whether the model, or a control, looks at reference pictures."""
    edits = at.family is not None and at.family.supports("reference_images")
    if edits and modifier(at) in REFERENCE_MODIFIERS:
        return True
    return any(kind == "shuffle" for _, _, kind in usable_controls(at))


def image_is_lost(at: Resolved) -> bool:
    """Whether nothing of the input image comes through the noise of strength 1."""
    if at.request.image is None or masked(at) or at.family is None or at.model is None:
        return False
    if at.settings["strength"] < 1 or modifier(at) or at.family.needs_image:
        return False
    return not any(True for _ in usable_controls(at)) and not at.settings["color_calibration"]


def refiner_acts(at: Resolved) -> bool:
    """Whether a refiner is named that the server has and that fits the model."""
    file = str(at.settings["refiner_model"] or "")
    if not file or at.family is None or file == at.settings["model"] or lacks(at, file):
        return False
    known = at.catalog.model(file) if at.catalog else None
    return known is None or known.version in at.family.refiner_versions


def versions(at: Resolved) -> set[str]:
    """The versions of which LoRAs are taken: the model's and its refiner's."""
    found = {at.model.version} if at.model else set()
    refiner = at.catalog.model(str(at.settings["refiner_model"] or "")) if at.catalog else None
    if refiner is not None and refiner_acts(at):
        found.add(refiner.version)
    return found


def usable_loras(at: Resolved) -> Iterator[tuple[LoraSettings, LoraInfo]]:
    """The described LoRAs that fit the model."""
    for lora in at.loras:
        known = at.catalog.lora(lora.file) if at.catalog else None
        if known is not None and known.version in versions(at):
            yield lora, known


def usable_controls(at: Resolved) -> Iterator[tuple[Control, ControlInfo, str]]:
    """The described controls that fit the model, with the input kind that each works on."""
    for control in at.controls:
        known = at.catalog.control(control.file) if at.catalog else None
        if known is None or at.model is None or control.weight <= 0:
            continue
        kind = input_kind(control, at.catalog)
        if known.version == at.model.version and kind:
            yield control, known, kind


def modifier(at: Resolved) -> str:
    """The model's modifier, else that of the first LoRA that has one (docs/protocol.md 7.7)."""
    if at.model is None or at.model.modifier:
        return at.model.modifier if at.model else ""
    return next((row.modifier for _, row in usable_loras(at) if row.modifier), "")


def is_transparent(at: Resolved) -> bool:
    """Whether the results have alpha: the layered model, or a LoRA with such a decoder."""
    key = "alternative_decoder_version"
    layers = any(row.description.get(key) == "transparent" for _, row in usable_loras(at))
    return layers or modifier(at) == "qwenimage_layered"


def is_consistency(at: Resolved) -> bool:
    return at.model is not None and at.model.is_consistency_model


def embeds_guidance(at: Resolved) -> bool:
    """Whether guidance is one embedded number, without a negative pass."""
    return bool(
        at.model is not None
        and at.model.guidance_embed
        and at.settings["speed_up_with_guidance_embed"]
    )


def why_no_guidance(at: Resolved) -> Text | None:
    """Why no negative pass runs (docs/protocol.md 2.2, slot 5); None if one does."""
    settings, sampler = at.settings, at.settings["sampler"]
    if is_consistency(at):
        return _DISTILLED(model=model_name(at))
    for _, lora in usable_loras(at):
        if lora.is_consistency_model:
            return _LORA_SWITCHES(name=lora.name)
    if embeds_guidance(at):
        return _SPEED_UP()
    if at.family is not None and not at.family.supports("cfg"):
        return _NO_GUIDANCE_AT_ALL(family=at.family.name)
    cascade = at.family is not None and at.family.supports("stage_2")
    if sampler in _NO_GUIDANCE and not (cascade and sampler in _SUBSTEP):
        return _SAMPLER_SWITCHES(sampler=sampler.label)
    scales = [settings["guidance_scale"]]
    if modifier(at) == "editing":
        scales.append(settings["image_guidance_scale"])
    if at.family is not None and at.family.supports("svd_motion"):
        scales.append(settings["start_frame_cfg"])
    if all(abs(scale - 1) <= 0.001 for scale in scales):
        return GUIDANCE_1()
    return None


def masked(at: Resolved) -> bool:
    """Whether a mask acts: it marks something of an image."""
    mask = at.request.mask
    return mask is not None and at.request.image is not None and mask.marks
