"""Which settings and inputs do nothing, and why: the rules of docs/protocol.md 2.2 and 4.

Told twice in the same words: by a form beforehand (`effects`) and by the preflight
(`ignored`). A reason is the end of the sentence "… has no effect: …". What cannot be known
is no reason: where the model's description is missing, rules that need it are silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..models.families import FAMILIES, Family
from ..request.resolved import Resolved
from ..settings.choices import Sampler
from ..settings.table import NOT_READ, SETTINGS, Kind, setting, title
from ..settings.themes import SWITCHES
from ..text import Template, Text
from . import facts

NEGATIVE_PROMPT, IMAGE, MASK = "negative_prompt", "image", "mask"
REFERENCE, CONTROL, LORA = "reference", "control", "lora"

_MASK_SETTINGS = ("mask_blur", "mask_blur_outset", "preserve_original_after_inpaint")
_CONTROL_FEATURES = (
    "controlnet", "t2i_adapter", "ip_adapter", "pulid", "redux", "llava_prompt",
)  # fmt: skip
_OF_NEGATIVE_PASS = (
    NEGATIVE_PROMPT,
    "zero_negative_prompt",
    "negative_original_image_width",
    "negative_original_image_height",
    "negative_aesthetic_score",
)
_SCALES = ("guidance_scale", "image_guidance_scale", "start_frame_cfg")
_HIRES = ("hires_fix", "hires_fix_start_width", "hires_fix_start_height", "hires_fix_strength")

_NOT_USED = Template("not_used_by", "not used by {family}")
_ONLY_WITH = Template("used_only_with", "used only with {setting}")
_NO_EMBEDDED = Template("no_embedded_guidance", "{model} has no embedded guidance")
_NOT_WHILE = Template("not_used_while", "not used while {setting} is on")
_DISTILLED = Template("distilled", "{model} is a distilled model")
_IS_ON = Template("is_on", "{setting} is on")
_ONLY_TCD = Template("only_tcd", "used only by the samplers TCD and TCD Trailing")
_ONLY_EDITING = Template("only_editing", "used only by models that edit by instruction")
_NO_TEA_CACHE = Template("no_tea_cache", "{model} comes without TeaCache coefficients")
_NO_REFINER = Template("refiner_not_used", "the refiner is not used with this model")
_ONLY_WITH_IMAGE = Template("only_with_image", "used only with an image")
_ONLY_WITH_MASK = Template("only_with_mask", "used only with a mask")
_OUTSET = Template("outset_needs_blur", "a negative one is used only with {setting}")
_NO_REFERENCES = Template("no_references", "{model} does not look at reference pictures")
_ONLY_NOISE = Template("only_noise_counts", "at strength 1 only noise counts")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the settings or inputs `names` do nothing, as long as `hangs_on` stay as they are.

    `hangs_on` are settings, and IMAGE, MASK, CONTROL or LORA for what is connected. `told`
    says whether the preflight warns of it too; what is off beside its switch is just off.
    """

    names: tuple[str, ...]
    why: Text
    hangs_on: frozenset[str] = frozenset()
    told: bool = True


def reasons(at: Resolved, unknown: frozenset[str] = frozenset()) -> dict[str, Reason]:
    """The first reason for each setting or input that does nothing; none for an unknown family.

    Nothing is said because of what is in `unknown`, which only a run can tell.
    """
    found: dict[str, Reason] = {}
    if at.family is None:
        return found
    for rule in _RULES:
        for reason in rule(at, at.family):
            if not reason.hangs_on & unknown:
                for name in reason.names:
                    found.setdefault(name, reason)
    return found


Rule = Callable[[Resolved, Family], Iterator[Reason]]


def _because(
    names: Iterable[str], why: Text, *hangs_on: str, told: bool = True
) -> Iterator[Reason]:
    """One reason, which never stands in the way of what would lift it."""
    depends = frozenset(hangs_on)
    yield Reason(tuple(name for name in names if name not in depends), why, depends, told)


def _family(at: Resolved, family: Family) -> Iterator[Reason]:
    """What no model of the family has, nor its refiner."""
    second = _second_families(at, family)
    groups: dict[tuple[str, bool], list[str]] = {}
    for row in SETTINGS:
        key = row.families
        if key is None or key == NOT_READ or family.supports(key):
            continue
        if not any(other.supports(key) for other in second):
            may = any(FAMILIES[version].supports(key) for version in family.refiner_versions)
            groups.setdefault((key, may), []).append(row.name)
    why = _NOT_USED(family=family.name)
    for (_, by_refiner), names in groups.items():
        yield from _because(names, why, *(("refiner_model",) if by_refiner else ()))
    if family.supports("aesthetic_score"):  # the SDXL refiner as the model itself
        yield from _because(("target_image_width", "target_image_height"), why)
    if not any(family.supports(feature) for feature in _CONTROL_FEATURES):
        yield from _because((CONTROL,), why, told=False)  # each control is told by its own check


def _second_families(at: Resolved, family: Family) -> list[Family]:
    """Those that the refiner may have; none without one."""
    refiner = str(at.settings["refiner_model"] or "")
    known = at.catalog.model(refiner) if at.catalog and refiner else None
    if not refiner or (known is not None and not facts.refiner_acts(at)):
        return []
    versions = family.refiner_versions if known is None else (known.version,)
    return [FAMILIES[version] for version in versions if version in FAMILIES]


def _switched_off(at: Resolved, _: Family) -> Iterator[Reason]:
    for name, switch in SWITCHES.items():
        if not at.settings[switch]:
            text = setting(name).kind is Kind.STR
            told = text or switch == "upscaler"
            why = _ONLY_WITH(setting=title(switch))
            yield from _because((name,), why, switch, told=told)


def _without_guidance(at: Resolved, family: Family) -> Iterator[Reason]:
    why = facts.why_no_guidance(at)
    if why is None:
        return
    hangs_on = ["sampler", *_SCALES, "speed_up_with_guidance_embed", LORA]
    if facts.is_consistency(at) or not family.supports("cfg"):
        hangs_on = []
    yield from _because(_OF_NEGATIVE_PASS, why, *hangs_on)
    # The zeroed first steps act without guidance; while CFG-Zero* is off, they can be chosen.
    if at.settings["cfg_zero_star"] and at.settings["cfg_zero_init_steps"] <= 0:
        yield from _because(("cfg_zero_star",), why, "cfg_zero_init_steps", *hangs_on)
    # With guidance of 1 it is the scale itself that would switch guidance on.
    maybe_embedded = family.supports("speed_up_with_guidance_embed") and at.model is None
    if (
        why.template is not facts.GUIDANCE_1
        and not facts.embeds_guidance(at)
        and not maybe_embedded
    ):
        rest = [name for name in hangs_on if name not in _SCALES]
        yield from _because(_SCALES, why, *rest, told=False)


def _embedded_guidance(at: Resolved, family: Family) -> Iterator[Reason]:
    speed_up = "speed_up_with_guidance_embed"
    if at.model is None or not family.supports(speed_up):
        return
    if not at.model.guidance_embed:
        # A check of its own tells it, to those who switched it on.
        yield from _because((speed_up,), _NO_EMBEDDED(model=at.model.name), told=False)
    elif facts.embeds_guidance(at):
        why = _NOT_WHILE(setting=title(speed_up))
        yield from _because(("guidance_embed",), why, speed_up, told=False)


def _shift(at: Resolved, family: Family) -> Iterator[Reason]:
    switch = "resolution_dependent_shift"
    if family.supports(switch) and facts.is_consistency(at):
        yield from _because((switch,), _DISTILLED(model=facts.model_name(at)), told=False)
    elif facts.shift_is_computed(at):
        yield from _because(("shift",), _IS_ON(setting=title(switch)), switch, told=False)


def _sampler(at: Resolved, _: Family) -> Iterator[Reason]:
    if at.settings["sampler"] not in {Sampler.TCD, Sampler.TCD_TRAILING}:
        yield from _because(("stochastic_sampling_gamma",), _ONLY_TCD(), "sampler")


def _model(at: Resolved, family: Family) -> Iterator[Reason]:
    if at.model is None:
        return
    if facts.modifier(at) != "editing":
        hangs_on = () if at.model.modifier else (LORA,)
        yield from _because(("image_guidance_scale",), _ONLY_EDITING(), *hangs_on)
    by_description = family.supports("tea_cache") and family.supports("causal_inference")
    if by_description and not at.model.description.get("tea_cache_coefficients"):
        names = [row.name for row in SETTINGS if row.families == "tea_cache"]
        yield from _because(names, _NO_TEA_CACHE(model=at.model.name))


def _refiner(at: Resolved, _: Family) -> Iterator[Reason]:
    if at.settings["refiner_model"] and not facts.refiner_acts(at):
        # Why it does not is told by a check of its own.
        yield from _because(("refiner_start",), _NO_REFINER(), "refiner_model", told=False)


def _without_image(at: Resolved, family: Family) -> Iterator[Reason]:
    if at.request.image is None:
        if not family.needs_image:
            yield from _because(("strength",), _ONLY_WITH_IMAGE(), IMAGE, told=False)
        yield from _because(("color_calibration",), _ONLY_WITH_IMAGE(), IMAGE)
        # A mask alone is told by a check of its own.
        yield from _because((MASK,), _ONLY_WITH_IMAGE(), IMAGE, told=False)
    if at.request.image is None or at.request.mask is None:
        told = at.request.mask is None
        why = _ONLY_WITH_MASK() if told else _ONLY_WITH_IMAGE()
        yield from _because(_MASK_SETTINGS, why, IMAGE, MASK, told=told)
    elif at.settings["mask_blur_outset"] < 0 and at.settings["mask_blur"] <= 0:
        why = _OUTSET(setting=title("mask_blur"))
        yield from _because(("mask_blur_outset",), why, "mask_blur")


def _hires_fix(at: Resolved, family: Family) -> Iterator[Reason]:
    if not family.supports("hires_fix") or family.supports("stage_2"):
        return  # sizes mean something else on Stable Cascade
    if not facts.on_text_path(at):
        yield from _because(_HIRES, facts.ONLY_FROM_TEXT(), "strength", IMAGE, MASK, told=False)


def _pictures(at: Resolved, _: Family) -> Iterator[Reason]:
    """Each of these is told by a check of its own."""
    if at.model is None:
        return
    if at.request.references and not facts.reads_references(at):
        why = _NO_REFERENCES(model=at.model.name)
        yield from _because((REFERENCE,), why, LORA, CONTROL, told=False)
    if facts.image_is_lost(at):
        hangs_on = ("strength", "color_calibration", MASK, CONTROL, LORA)
        yield from _because((IMAGE,), _ONLY_NOISE(), *hangs_on, told=False)


_RULES: tuple[Rule, ...] = (
    _family,
    _switched_off,
    _without_guidance,
    _embedded_guidance,
    _shift,
    _sampler,
    _model,
    _refiner,
    _without_image,
    _hires_fix,
    _pictures,
)
