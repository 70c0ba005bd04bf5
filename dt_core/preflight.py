"""The checks between a request and the wire.

An *error* would crash the server or cannot work (docs/protocol.md 11.1): it is never
sent. A *warning* is what the server silently ignores or replaces (11.3): it is sent, and
said. Every check is one small function in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from .catalog import LoraInfo
from .choices import Sampler
from .errors import RequestError
from .families import family
from .hints import input_kind
from .request import Resolved

MAX_SIDE_PX = 511 * 64  # from 512 units on, the server tries pictures of 32k px
_EDIT_MODIFIERS = frozenset(
    {"kontext", "kontext_kv", "qwenimage_edit_plus", "qwenimage_edit_2511", "qwenimage_layered"}
)


class Level(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a request; `check` names the function that found it."""

    level: Level
    check: str
    sentence: str


_Sentences = Iterator[tuple[Level, str]]


def _error(sentence: str) -> tuple[Level, str]:
    return Level.ERROR, sentence


def _warning(sentence: str) -> tuple[Level, str]:
    return Level.WARNING, sentence


def check(resolved: Resolved) -> tuple[Finding, ...]:
    """All findings, errors first."""
    findings = [
        Finding(level, function.__name__.strip("_"), sentence)
        for function in CHECKS
        for level, sentence in function(resolved)
    ]
    return tuple(sorted(findings, key=lambda finding: finding.level is not Level.ERROR))


def refuse(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """The warnings' sentences. Raises RequestError with all errors, if there are any."""
    errors = [finding.sentence for finding in findings if finding.level is Level.ERROR]
    if errors:
        raise RequestError(" ".join(errors))
    return tuple(finding.sentence for finding in findings)


def _model_chosen(at: Resolved) -> _Sentences:
    if not at.settings["model"]:
        yield _error("No model is chosen: pick one in DT Model Loader.")


def _size(at: Resolved) -> _Sentences:
    for name, label in (("start_width", "Width"), ("start_height", "Height")):
        side = at.settings[name]
        if not 64 <= side <= MAX_SIDE_PX:
            yield _error(f"{label} is {side} px: it must be 64 to {MAX_SIDE_PX} px.")


def _counts(at: Resolved) -> _Sentences:
    settings = at.settings
    if settings["batch_size"] < 1:
        yield _error("Batch size is 0: it must be at least 1.")
    if settings["steps"] < 1:
        yield _error("Steps is 0: it must be at least 1.")
    frames = settings["num_frames"]
    if at.family is not None and at.family.frames_rule and frames < at.family.frames_rule.minimum:
        yield _error(
            f"{at.family.name} needs at least {at.family.frames_rule.minimum} frames, not {frames}."
        )


_DIVIDES_AT_ONE_STEP = {Sampler.EULER_A, Sampler.UNIPC, Sampler.LCM, Sampler.TCD}
_AYS = {Sampler.DPMPP_2M_AYS, Sampler.EULER_A_AYS, Sampler.DPMPP_SDE_AYS, Sampler.UNIPC_AYS}
_KARRAS = {Sampler.DPMPP_2M_KARRAS, Sampler.DPMPP_SDE_KARRAS}


def _steps_and_sampler(at: Resolved) -> _Sentences:
    """Step counts that index past a schedule (docs/protocol.md 11.1)."""
    steps, sampler = at.settings["steps"], at.settings["sampler"]
    if steps > 1000:
        yield _error(f"Steps is {steps}: the server's schedules end at 1000.")
    if steps >= 1000 and sampler in {Sampler.DDIM, Sampler.PLMS}:
        yield _error(f"Steps is {steps}: {sampler.label} must stay below 1000.")
    if steps != 1 or (at.family is not None and at.family.is_flow):
        return
    if sampler in _DIVIDES_AT_ONE_STEP or (
        sampler in _AYS and (at.family is None or at.family.supports("svd_motion"))
    ):
        yield _error(f"One step with {sampler.label} crashes the server: use 2 steps or more.")
    elif sampler in _KARRAS:
        yield _error(f"One step with {sampler.label} gives no picture: use 2 steps or more.")


def _strength(at: Resolved) -> _Sentences:
    for name, label in (("strength", "Strength"), ("hires_fix_strength", "Hires fix strength")):
        if not 0 <= at.settings[name] <= 1:
            yield _error(f"{label} is {at.settings[name]:g}: it must be 0 to 1.")
    masked = at.request.mask is not None and at.request.image is not None
    if masked and at.settings["strength"] == 0 and at.family is not None and at.family.is_flow:
        yield _error(
            f"Strength 0 with a mask crashes the server on {at.family.name}: raise the strength."
        )


def _tiles(at: Resolved) -> _Sentences:
    for kind, label in (("decoding", "decoding"), ("diffusion", "diffusion")):
        if not at.settings[f"tiled_{kind}"]:
            continue
        if 0 in (at.settings[f"{kind}_tile_width"], at.settings[f"{kind}_tile_height"]):
            yield _error(f"Tiled {label} is on with a tile size of 0: set at least 64 px.")


def _hires_fix(at: Resolved) -> _Sentences:
    settings = at.settings
    if not settings["hires_fix"] or at.family is None:
        return
    if not at.family.supports("hires_fix"):
        yield _error(f"{at.family.name} cannot do hires fix: switch it off.")
    elif at.family.supports("stage_2") and at.request.image is not None:
        yield _error(
            f"Hires fix with an input image crashes the server on {at.family.name}: switch it off."
        )


def _mask_needs_image(at: Resolved) -> _Sentences:
    if at.request.mask is None:
        return
    if at.request.image is None:
        yield _warning("The mask is ignored: a mask needs an image.")
    elif not (at.request.mask.coverage >= 0.5).any():
        yield _warning(
            "The mask marks nothing: the server repaints the whole picture at the given strength."
        )


def _image_needed(at: Resolved) -> _Sentences:
    request, model = at.request, at.model
    if model is None or request.image is not None:
        return
    if model.family is not None and model.family.needs_image:
        yield _error(f"{model.name} makes something of a picture: connect an image.")
    elif model.modifier in _EDIT_MODIFIERS and not request.references:
        yield _warning(
            f"{model.name} is an edit model and got no picture: connect an image or a reference."
        )
    elif model.modifier in {"inpainting", "editing"}:
        yield _warning(f"{model.name} is made for {model.modifier} and got no image.")


def _image_without_effect(at: Resolved) -> _Sentences:
    request = at.request
    if request.image is None or request.mask is not None or at.controls or at.model is None:
        return
    plain = not at.model.modifier and not any(lora.modifier for lora in _known_loras(at))
    family = at.family
    if plain and at.settings["strength"] >= 1 and family is not None:
        if family.supports("first_frame_image") or family.needs_image:
            return
        yield _warning("At strength 1 the image has no effect: lower the strength.")


def _known_loras(at: Resolved) -> list[LoraInfo]:
    catalog = at.catalog
    found = [catalog.lora(lora.file) for lora in at.loras] if catalog else []
    return [lora for lora in found if lora is not None]


def _loras_fit(at: Resolved) -> _Sentences:
    if at.catalog is None or not at.catalog.browsable:
        return
    for lora in at.loras:
        known = at.catalog.lora(lora.file)
        if known is None:
            yield _warning(
                f"The server has no LoRA {lora.file!r} or no description of it: it is skipped."
            )
        elif at.model is not None and known.version != at.model.version:
            yield _warning(
                f"The LoRA {known.name!r} is for {_family_name(known.version)}, the model is "
                f"{_family_name(at.model.version)}: it is skipped."
            )


def _controls_fit(at: Resolved) -> _Sentences:
    if at.catalog is None or not at.catalog.browsable:
        return
    for control in at.controls:
        known = at.catalog.control(control.file)
        if known is None:
            yield _warning(f"The server has no control {control.file!r}: it is skipped.")
        elif at.model is not None and known.version != at.model.version:
            yield _warning(
                f"The control {known.name!r} is for {_family_name(known.version)}, the model is "
                f"{_family_name(at.model.version)}: it is skipped."
            )
        elif not input_kind(control, at.catalog):
            yield _warning(
                f"The union control {known.name!r} needs an input type: without one it is skipped."
            )


_FROM_IMAGE_FIRST = frozenset({"canny", "mlsd", "softedge"})
_ADAPTER_KINDS = frozenset({"canny", "depth", "scribble", "pose", "color"})


def _control_pictures(at: Resolved) -> _Sentences:
    for control in at.controls:
        kind = input_kind(control, at.catalog)
        known = at.catalog.control(control.file) if at.catalog else None
        name = known.name if known else control.file
        adapter = known is not None and known.type == "t2iadapter"
        if adapter and kind not in _ADAPTER_KINDS:
            yield _error(
                f"The T2I adapter {name!r} takes no {kind} input on the server and would crash it."
            )
        if adapter and kind == "depth" and control.picture is None:
            yield _error(f"The T2I adapter {name!r} needs a depth picture: connect one.")
        if known is not None and known.type == "inject_kv" and control.picture is None:
            yield _error(f"The control {name!r} needs a picture: connect one.")
        if (
            kind in _FROM_IMAGE_FIRST
            and control.picture is not None
            and at.request.image is not None
        ):
            yield _warning(
                f"The picture of the control {name!r} is ignored: with an input image the server "
                f"computes the {kind} map from that."
            )
        if control.weight <= 0:
            yield _warning(f"The control {name!r} has weight {control.weight:g}: it is skipped.")


# Modifiers that only some families implement; elsewhere they crash the server.
_NEEDS_FAMILY = {"inpainting", "depth"}


def _lora_modifiers(at: Resolved) -> _Sentences:
    if at.family is None or at.model is None or at.model.modifier:
        return
    for lora in _known_loras(at):
        if lora.modifier in _NEEDS_FAMILY and lora.modifier not in at.family.modifiers_seen:
            yield _error(
                f"The LoRA {lora.name!r} turns {at.family.name} into a {lora.modifier} "
                "model, which the server cannot do and would crash: remove it."
            )


def _family_name(version: str) -> str:
    found = family(version)
    return found.name if found else version or "an unknown family"


CHECKS: tuple[Callable[[Resolved], _Sentences], ...] = (
    _model_chosen,
    _size,
    _counts,
    _steps_and_sampler,
    _strength,
    _tiles,
    _hires_fix,
    _mask_needs_image,
    _image_needed,
    _image_without_effect,
    _loras_fit,
    _controls_fit,
    _control_pictures,
    _lora_modifiers,
)
