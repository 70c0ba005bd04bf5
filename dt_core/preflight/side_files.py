"""Files that the server skips without a word: LoRAs, controls, refiner, upscaler."""

from __future__ import annotations

from ..request.resolved import Resolved
from ..settings.choices import LoraMode
from ..text import Template
from . import facts
from .findings import Check, Sentences, warning

_SIDE_FILES = ("image_encoder", "preprocessor", "autoencoder")
_FACE_PARSER = "parsenet_v1.0_f16.ckpt"

_UNDESCRIBED = Template(
    "not_described",
    "The server has '{file}' but no description of it, and takes it for Stable Diffusion v1: "
    "import it there.",
)
_SECOND_STAGE = Template(
    "second_stage",
    "{name} is the second stage of {first} and makes no picture of its own: choose that.",
)
_NO_LORA = Template(
    "no_lora", "The server has no LoRA '{file}' or no description of it: it is skipped."
)
_LORA_FAMILY = Template(
    "lora_family", "The LoRA '{name}' is for {family}, the model is {model}: it is skipped."
)
_WEIGHT_0 = Template("lora_weight_0", "The LoRA '{name}' has weight 0: it changes nothing.")
_WEIGHT_RANGE = Template(
    "lora_range", "The LoRA '{name}' is made for weights from {low} to {high}, and has {weight}."
)
_WHOLE_RUN = Template(
    "lora_without_refiner",
    "Without a refiner the LoRA '{name}' acts on the whole run, whatever its mode.",
)
_NO_CONTROL = Template("no_control", "The server has no control '{file}': it is skipped.")
_CONTROL_FAMILY = Template(
    "control_family", "The control '{name}' is for {family}, the model is {model}: it is skipped."
)
_CONTROL_WEIGHT = Template("control_weight", "The control '{name}' has weight {weight}: skipped.")
_CONTROL_LACKS = Template(
    "control_lacks_file", "The control '{name}' is skipped: the server lacks {missing}."
)
_UNION = Template(
    "union_control",
    "The union control '{name}' needs an input type: without one it is skipped.",
)
_NO_REFINER = Template("no_refiner", "The server has no refiner '{file}': it is ignored.")
_REFINES_ITSELF = Template("refiner_is_model", "The refiner is the model itself: it is ignored.")
_REFINER_FAMILY = Template(
    "refiner_family",
    "The refiner '{name}' is for {family} and does not fit {model}: it is ignored.",
)
_NO_UPSCALER = Template(
    "no_upscaler", "The server has no upscaler '{upscaler}': nothing is enlarged."
)
_NO_FACES = Template("no_faces", "Faces are not restored: the server lacks {missing}.")


def model_undescribed(at: Resolved) -> Sentences:
    file = str(at.settings["model"] or "")
    if at.catalog is None or at.model is not None or at.family is not None:
        return
    if at.catalog.browsable and at.catalog.has(file):
        yield warning(_UNDESCRIBED(file=file))


def second_stage(at: Resolved) -> Sentences:
    if at.catalog is None or at.model is None:
        return
    for model in at.catalog.models:
        stages = model.description.get("stage_models")
        if isinstance(stages, list) and at.model.file in stages:
            yield warning(_SECOND_STAGE(name=at.model.name, first=model.name))
            return


def loras_fit(at: Resolved) -> Sentences:
    if at.catalog is None or not at.catalog.browsable:
        return
    versions = facts.versions(at)
    for lora in at.loras:
        known = at.catalog.lora(lora.file)
        if known is None:
            yield warning(_NO_LORA(file=lora.file))
        elif at.model is not None and known.version not in versions:
            yield warning(
                _LORA_FAMILY(
                    name=known.name,
                    family=facts.family_name(known.version),
                    model=facts.family_name(at.model.version),
                )
            )


def lora_weights(at: Resolved) -> Sentences:
    for lora, known in facts.usable_loras(at):
        low, high = known.lower_weight, known.upper_weight
        if lora.weight == 0:
            yield warning(_WEIGHT_0(name=known.name))
        elif "weight" in known.description and not low <= lora.weight <= high:
            yield warning(
                _WEIGHT_RANGE(
                    name=known.name, low=float(low), high=float(high), weight=float(lora.weight)
                )
            )


def lora_modes(at: Resolved) -> Sentences:
    names = [row.name for lora, row in facts.usable_loras(at) if lora.mode is not LoraMode.ALL]
    if names and not facts.refiner_acts(at):
        yield warning(_WHOLE_RUN(name=names[0]))


def controls_fit(at: Resolved) -> Sentences:
    if at.catalog is None or not at.catalog.browsable:
        return
    usable = {id(control) for control, _, _ in facts.usable_controls(at)}
    for control in at.controls:
        known = at.catalog.control(control.file)
        if known is None:
            yield warning(_NO_CONTROL(file=control.file))
            continue
        sides = [known.description.get(key) for key in _SIDE_FILES]
        missing = [str(file) for file in sides if file and facts.lacks(at, str(file))]
        if at.model is not None and known.version != at.model.version:
            yield warning(
                _CONTROL_FAMILY(
                    name=known.name,
                    family=facts.family_name(known.version),
                    model=facts.family_name(at.model.version),
                )
            )
        elif control.weight <= 0:
            yield warning(_CONTROL_WEIGHT(name=known.name, weight=float(control.weight)))
        elif missing:
            yield warning(_CONTROL_LACKS(name=known.name, missing=missing))
        elif at.model is not None and id(control) not in usable:
            yield warning(_UNION(name=known.name))


def refiner(at: Resolved) -> Sentences:
    file = str(at.settings["refiner_model"] or "")
    if not file or at.family is None or not at.family.supports("refiner"):
        return  # another check tells of the family
    known = at.catalog.model(file) if at.catalog else None
    if facts.lacks(at, file):
        yield warning(_NO_REFINER(file=file))
    elif file == at.settings["model"]:
        yield warning(_REFINES_ITSELF())
    elif known is not None and known.version not in at.family.refiner_versions:
        yield warning(
            _REFINER_FAMILY(
                name=known.name,
                family=facts.family_name(known.version),
                model=at.family.name,
            )
        )


def post_processing(at: Resolved) -> Sentences:
    settings = at.settings
    upscaler = str(settings["upscaler"] or "")
    if upscaler and facts.lacks(at, upscaler):
        yield warning(_NO_UPSCALER(upscaler=upscaler))
    restorer = str(settings["face_restoration"] or "")
    if restorer:
        missing = [file for file in (restorer, _FACE_PARSER) if facts.lacks(at, file)]
        if missing:
            yield warning(_NO_FACES(missing=missing))


CHECKS: tuple[Check, ...] = (
    model_undescribed,
    second_stage,
    loras_fit,
    lora_weights,
    lora_modes,
    controls_fit,
    refiner,
    post_processing,
)
