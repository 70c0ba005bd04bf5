"""Files that the server skips without a word: LoRAs, controls, refiner, upscaler."""

from __future__ import annotations

from ..request.resolved import Resolved
from ..settings.choices import LoraMode
from . import facts
from .findings import Check, Sentences, warning

_SIDE_FILES = ("image_encoder", "preprocessor", "autoencoder")
_FACE_PARSER = "parsenet_v1.0_f16.ckpt"


def model_undescribed(at: Resolved) -> Sentences:
    file = str(at.settings["model"] or "")
    if at.catalog is None or at.model is not None or at.family is not None:
        return
    if at.catalog.browsable and at.catalog.has(file):
        yield warning(
            f"The server has {file!r} but no description of it, and takes it for Stable "
            "Diffusion v1: import it there."
        )


def second_stage(at: Resolved) -> Sentences:
    if at.catalog is None or at.model is None:
        return
    for model in at.catalog.models:
        stages = model.description.get("stage_models")
        if isinstance(stages, list) and at.model.file in stages:
            yield warning(
                f"{at.model.name} is the second stage of {model.name} and makes no picture of "
                "its own: choose that."
            )
            return


def loras_fit(at: Resolved) -> Sentences:
    if at.catalog is None or not at.catalog.browsable:
        return
    versions = facts.versions(at)
    for lora in at.loras:
        known = at.catalog.lora(lora.file)
        if known is None:
            yield warning(
                f"The server has no LoRA {lora.file!r} or no description of it: it is skipped."
            )
        elif at.model is not None and known.version not in versions:
            yield warning(
                f"The LoRA {known.name!r} is for {facts.family_name(known.version)}, the model is "
                f"{facts.family_name(at.model.version)}: it is skipped."
            )


def lora_weights(at: Resolved) -> Sentences:
    for lora, known in facts.usable_loras(at):
        low, high = known.lower_weight, known.upper_weight
        if lora.weight == 0:
            yield warning(f"The LoRA {known.name!r} has weight 0: it changes nothing.")
        elif "weight" in known.description and not low <= lora.weight <= high:
            yield warning(
                f"The LoRA {known.name!r} is made for weights from {low:g} to {high:g}, and has "
                f"{lora.weight:g}."
            )


def lora_modes(at: Resolved) -> Sentences:
    names = [row.name for lora, row in facts.usable_loras(at) if lora.mode is not LoraMode.ALL]
    if names and not facts.refiner_acts(at):
        yield warning(
            f"Without a refiner the LoRA {names[0]!r} acts on the whole run, whatever its mode."
        )


def controls_fit(at: Resolved) -> Sentences:
    if at.catalog is None or not at.catalog.browsable:
        return
    usable = {id(control) for control, _, _ in facts.usable_controls(at)}
    for control in at.controls:
        known = at.catalog.control(control.file)
        if known is None:
            yield warning(f"The server has no control {control.file!r}: it is skipped.")
            continue
        sides = [known.description.get(key) for key in _SIDE_FILES]
        missing = [str(file) for file in sides if file and facts.lacks(at, str(file))]
        if at.model is not None and known.version != at.model.version:
            yield warning(
                f"The control {known.name!r} is for {facts.family_name(known.version)}, the model "
                f"is {facts.family_name(at.model.version)}: it is skipped."
            )
        elif control.weight <= 0:
            yield warning(f"The control {known.name!r} has weight {control.weight:g}: skipped.")
        elif missing:
            yield warning(
                f"The control {known.name!r} is skipped: the server lacks {', '.join(missing)}."
            )
        elif at.model is not None and id(control) not in usable:
            yield warning(
                f"The union control {known.name!r} needs an input type: without one it is skipped."
            )


def refiner(at: Resolved) -> Sentences:
    file = str(at.settings["refiner_model"] or "")
    if not file or at.family is None or not at.family.supports("refiner"):
        return  # another check tells of the family
    known = at.catalog.model(file) if at.catalog else None
    if facts.lacks(at, file):
        yield warning(f"The server has no refiner {file!r}: it is ignored.")
    elif file == at.settings["model"]:
        yield warning("The refiner is the model itself: it is ignored.")
    elif known is not None and known.version not in at.family.refiner_versions:
        yield warning(
            f"The refiner {known.name!r} is for {facts.family_name(known.version)} and does not "
            f"fit {at.family.name}: it is ignored."
        )


def post_processing(at: Resolved) -> Sentences:
    settings = at.settings
    upscaler = str(settings["upscaler"] or "")
    if upscaler and facts.lacks(at, upscaler):
        yield warning(f"The server has no upscaler {upscaler!r}: nothing is enlarged.")
    restorer = str(settings["face_restoration"] or "")
    if restorer:
        missing = [file for file in (restorer, _FACE_PARSER) if facts.lacks(at, file)]
        if missing:
            yield warning(f"Faces are not restored: the server lacks {', '.join(missing)}.")


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
