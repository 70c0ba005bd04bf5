"""Requests that would take the server down, or that cannot give a picture.

Each check stands for rows of docs/protocol.md 11.1; what `request.build` can never
produce (other tensor types, sizes off the grid) has no check.
"""

from __future__ import annotations

from ..errors import RequestError
from ..models.families import Family
from ..pictures.values import MAX_SIDE_PX
from ..request import frames
from ..request.hints import hint_name
from ..request.resolved import Resolved
from ..settings.choices import Sampler
from . import facts
from .findings import Check, Sentences, error

MAX_PIXELS = 1 << 30  # of one run: no memory holds that many

_DIVIDES_AT_ONE_STEP = {Sampler.EULER_A, Sampler.UNIPC, Sampler.LCM, Sampler.TCD}
_AYS = {Sampler.DPMPP_2M_AYS, Sampler.EULER_A_AYS, Sampler.DPMPP_SDE_AYS, Sampler.UNIPC_AYS}
_KARRAS = {Sampler.DPMPP_2M_KARRAS, Sampler.DPMPP_SDE_KARRAS}
_ADAPTER_KINDS = frozenset({"canny", "depth", "scribble", "pose", "color"})
# Modifiers that only some families implement (docs/protocol.md 11.1).
_NEEDS_FAMILY = frozenset({"inpainting", "depth"})


def model_chosen(at: Resolved) -> Sentences:
    if not at.settings["model"]:
        yield error("No model is chosen: pick one in DT Model Loader.")


def model_described(at: Resolved) -> Sentences:
    if at.model is None or at.family is None or not at.family.supports("stage_2"):
        return
    if not at.model.description.get("stage_models"):
        yield error(
            f"The server's description of {at.model.name} names no second stage, which would "
            "crash it: import the model again with its stage B."
        )


def size(at: Resolved) -> Sentences:
    fits = True
    for name, label in (("start_width", "Width"), ("start_height", "Height")):
        side = at.settings[name]
        if not 64 <= side <= MAX_SIDE_PX:
            fits = False
            yield error(f"{label} is {side} px: it must be 64 to {MAX_SIDE_PX} px.")
    settings, family = at.settings, at.family
    video = family is not None and family.is_video
    count = settings["num_frames"] if video else settings["batch_size"]
    if fits and settings["start_width"] * settings["start_height"] * count > MAX_PIXELS:
        yield error(
            f"{count} {'frames' if video else 'pictures'} of {at.settings['start_width']}x"
            f"{at.settings['start_height']} px fit in no server's memory: ask for fewer or smaller."
        )


def counts(at: Resolved) -> Sentences:
    settings = at.settings
    if settings["batch_size"] < 1:
        yield error("Batch size is 0: it must be at least 1.")
    if settings["steps"] < 1:
        yield error("Steps is 0: it must be at least 1.")
    wanted = settings["num_frames"]
    rule = at.family.frames_rule if at.family is not None else None
    if at.family is not None and rule is not None and wanted < rule.minimum:
        yield error(f"{at.family.name} needs at least {rule.minimum} frames, not {wanted}.")


def steps_and_sampler(at: Resolved) -> Sentences:
    """Step counts that index past a schedule or divide by zero."""
    steps, sampler = at.settings["steps"], at.settings["sampler"]
    if steps > 1000:
        yield error(f"Steps is {steps}: the server's schedules end at 1000.")
    elif steps == 1000 and sampler in {Sampler.DDIM, Sampler.PLMS}:
        yield error(f"Steps is {steps}: {sampler.label} must stay below 1000.")
    if steps != 1:
        return
    ddpm = at.family is None or _has_ddpm_schedule(at.family)
    svd = at.family is None or at.family.supports("svd_motion")
    if (ddpm and sampler in _DIVIDES_AT_ONE_STEP) or (svd and sampler in _AYS):
        yield error(f"One step with {sampler.label} crashes the server: use 2 steps or more.")
    elif ddpm and sampler in _KARRAS:
        yield error(f"One step with {sampler.label} gives no picture: use 2 steps or more.")


def _has_ddpm_schedule(family: Family) -> bool:
    """Not flow, not the v-objective of SVD, not the cosine of Stable Cascade's two stages."""
    return family.objective.startswith("epsilon") and family.latent_scale == 8


def strength(at: Resolved) -> Sentences:
    for name, label in (("strength", "Strength"), ("hires_fix_strength", "Hires fix strength")):
        if not 0 <= at.settings[name] <= 1:
            yield error(f"{label} is {at.settings[name]:g}: it must be 0 to 1.")
    if at.settings["strength"] != 0 or not facts.masked(at) or at.family is None:
        return
    # Transformers must sample at least one step. PixArt is one too: it has no CLIP.
    pixart = _has_ddpm_schedule(at.family) and not at.family.supports("clip_skip")
    if at.family.is_flow or pixart:
        yield error(
            f"Strength 0 with a mask crashes the server on {at.family.name}: raise the strength."
        )


def tiles(at: Resolved) -> Sentences:
    for kind in ("decoding", "diffusion"):
        if not at.settings[f"tiled_{kind}"]:
            continue
        if 0 in (at.settings[f"{kind}_tile_width"], at.settings[f"{kind}_tile_height"]):
            yield error(f"Tiled {kind} is on with a tile size of 0: set at least 64 px.")


def hires_fix(at: Resolved) -> Sentences:
    settings, family = at.settings, at.family
    if not settings["hires_fix"] or family is None:
        return
    if family.supports("stage_2"):
        sizes = settings["hires_fix_start_width"] or settings["hires_fix_start_height"]
        if sizes and not facts.on_text_path(at):
            yield error(
                f"High resolution fix with an input image crashes the server on {family.name}: "
                "switch it off."
            )
    elif not family.supports("hires_fix") and facts.hires_fix_acts(at):
        yield error(f"{family.name} cannot do high resolution fix: switch it off.")


def image_required(at: Resolved) -> Sentences:
    family = at.family
    if family is not None and family.needs_image and at.request.image is None:
        yield error(f"{facts.model_name(at)} makes something of a picture: connect an image.")


def control_range(at: Resolved) -> Sentences:
    for control in at.controls:
        for value, label in ((control.start, "start"), (control.end, "end")):
            if not 0 <= value <= 1:
                yield error(
                    f"The {label} of the control {control.file!r} is {value:g}: it must be 0 to 1."
                )


def adapter_inputs(at: Resolved) -> Sentences:
    """Adapters that the server reserves inputs for and then gets none."""
    with_image = at.request.image is not None
    hints = {
        hint_name(control, at.catalog, with_image=with_image)
        for control, _, _ in facts.usable_controls(at)
        if control.picture is not None
    }
    shuffled = "shuffle" in hints or any(row.weight > 0 for row in at.request.references)
    image = with_image or facts.hires_fix_acts(at)
    for control, known, kind in facts.usable_controls(at):
        given = control.picture is not None
        if known.type == "t2iadapter" and kind not in _ADAPTER_KINDS:
            if image or given:
                yield error(
                    f"The T2I adapter {known.name!r} takes no {kind} input on the server and "
                    "would crash it: remove it."
                )
        elif known.type == "t2iadapter" and kind == "depth" and image and not given:
            yield error(f"The T2I adapter {known.name!r} needs a depth picture: connect one.")
        elif known.type == "inject_kv" and not shuffled and "custom" in hints:
            yield error(f"The control {known.name!r} needs a picture: connect one.")


def modifiers(at: Resolved) -> Sentences:
    family = at.family
    found = facts.modifier(at)
    if family is None or found not in _NEEDS_FAMILY or found in family.modifiers_seen:
        return
    depth = at.request.image is not None or any(
        kind == "depth" and control.picture is not None
        for control, _, kind in facts.usable_controls(at)
    )
    if found == "depth" and not depth:
        return
    loras = [row.name for _, row in facts.usable_loras(at) if row.modifier == found]
    if at.model is not None and at.model.modifier:
        who, advice = f"The model {at.model.name!r} is described as", "choose another model"
    else:
        who, advice = f"The LoRA {loras[0]!r} makes it", "remove it"
    yield error(
        f"{who} a {found} model, which the server cannot do for {family.name} and would crash: "
        f"{advice}."
    )


def audio_features(at: Resolved) -> Sentences:
    """Sound of a wrong length ends in an empty result (docs/protocol.md 4.4)."""
    if at.request.audio_features:
        try:
            frames.check_audio_features(at, at.request.audio_features)
        except RequestError as problem:
            yield error(str(problem))


CHECKS: tuple[Check, ...] = (
    model_chosen,
    model_described,
    size,
    counts,
    steps_and_sampler,
    strength,
    tiles,
    hires_fix,
    image_required,
    control_range,
    adapter_inputs,
    modifiers,
    audio_features,
)
