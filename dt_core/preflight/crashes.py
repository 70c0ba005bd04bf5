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
from ..settings.table import title
from ..text import Template
from . import facts
from .findings import Check, Sentences, error

MAX_PIXELS = 1 << 30  # of one run: no memory holds that many

_DIVIDES_AT_ONE_STEP = {Sampler.EULER_A, Sampler.UNIPC, Sampler.LCM, Sampler.TCD}
_AYS = {Sampler.DPMPP_2M_AYS, Sampler.EULER_A_AYS, Sampler.DPMPP_SDE_AYS, Sampler.UNIPC_AYS}
_KARRAS = {Sampler.DPMPP_2M_KARRAS, Sampler.DPMPP_SDE_KARRAS}
_ADAPTER_KINDS = frozenset({"canny", "depth", "scribble", "pose", "color"})
# Modifiers that only some families implement (docs/protocol.md 11.1).
_NEEDS_FAMILY = frozenset({"inpainting", "depth"})

_NO_MODEL = Template("no_model", "No model is chosen: choose one.")
_NO_SECOND_STAGE = Template(
    "no_second_stage",
    "The server's description of {name} names no second stage, which would crash it: import the "
    "model again with its stage B.",
)
_SIDE = Template("side_out_of_range", "{side} is {given} px: it must be {low} to {high} px.")
_TOO_MANY_FRAMES = Template(
    "too_many_frames",
    "{count} frames of {width}x{height} px fit in no server's memory: ask for fewer or smaller.",
)
_TOO_MANY_PICTURES = Template(
    "too_many_pictures",
    "{count} pictures of {width}x{height} px fit in no server's memory: ask for fewer or smaller.",
)
_NO_PICTURES = Template("batch_size_0", "Batch size is 0: it must be at least 1.")
_NO_STEPS = Template("steps_0", "Steps is 0: it must be at least 1.")
_TOO_FEW_FRAMES = Template(
    "too_few_frames", "{family} needs at least {minimum} frames, not {wanted}."
)
_TOO_MANY_STEPS = Template(
    "too_many_steps", "Steps is {steps}: the server's schedules end at 1000."
)
_STEPS_OF_SAMPLER = Template(
    "steps_of_sampler", "Steps is {steps}: {sampler} must stay below 1000."
)
_ONE_STEP_CRASHES = Template(
    "one_step_crashes", "One step with {sampler} crashes the server: use 2 steps or more."
)
_ONE_STEP_IS_EMPTY = Template(
    "one_step_is_empty", "One step with {sampler} gives no picture: use 2 steps or more."
)
_SHARE = Template("share_out_of_range", "{label} is {given}: it must be 0 to 1.")
_STRENGTH_0 = Template(
    "strength_0_crashes",
    "Strength 0 with a mask crashes the server on {family}: raise the strength.",
)
_TILED_DECODING = Template(
    "tiled_decoding_0", "Tiled decoding is on with a tile size of 0: set at least 64 px."
)
_TILED_DIFFUSION = Template(
    "tiled_diffusion_0", "Tiled diffusion is on with a tile size of 0: set at least 64 px."
)
_HIRES_OF_IMAGE = Template(
    "hires_of_image",
    "High resolution fix with an input image crashes the server on {family}: switch it off.",
)
_NO_HIRES = Template("no_hires", "{family} cannot do high resolution fix: switch it off.")
_NEEDS_IMAGE = Template("needs_image", "{name} makes something of a picture: give it an image.")
_CONTROL_START = Template(
    "control_start", "The start of the control '{file}' is {given}: it must be 0 to 1."
)
_CONTROL_END = Template(
    "control_end", "The end of the control '{file}' is {given}: it must be 0 to 1."
)
_ADAPTER_KIND = Template(
    "adapter_kind",
    "The T2I adapter '{name}' takes no {kind} input on the server and would crash it: remove it.",
)
_ADAPTER_DEPTH = Template(
    "adapter_depth", "The T2I adapter '{name}' needs a depth picture: give it one."
)
_CONTROL_PICTURE = Template("control_picture", "The control '{name}' needs a picture: give it one.")
_MODEL_CRASHES = Template(
    "model_crashes",
    "The model '{name}' is described as a {kind} model, which the server cannot do for {family} "
    "and would crash: choose another model.",
)
_LORA_CRASHES = Template(
    "lora_crashes",
    "The LoRA '{name}' makes it a {kind} model, which the server cannot do for {family} and would "
    "crash: remove it.",
)


def model_chosen(at: Resolved) -> Sentences:
    if not at.settings["model"]:
        yield error(_NO_MODEL())


def model_described(at: Resolved) -> Sentences:
    if at.model is None or at.family is None or not at.family.supports("stage_2"):
        return
    if not at.model.description.get("stage_models"):
        yield error(_NO_SECOND_STAGE(name=at.model.name))


def size(at: Resolved) -> Sentences:
    fits = True
    for name in ("start_width", "start_height"):
        side = at.settings[name]
        if not 64 <= side <= MAX_SIDE_PX:
            fits = False
            yield error(_SIDE(side=title(name), given=side, low=64, high=MAX_SIDE_PX))
    settings, family = at.settings, at.family
    video = family is not None and family.is_video
    count = settings["num_frames"] if video else settings["batch_size"]
    width, height = settings["start_width"], settings["start_height"]
    if fits and width * height * count > MAX_PIXELS:
        too_many = _TOO_MANY_FRAMES if video else _TOO_MANY_PICTURES
        yield error(too_many(count=count, width=width, height=height))


def counts(at: Resolved) -> Sentences:
    settings = at.settings
    if settings["batch_size"] < 1:
        yield error(_NO_PICTURES())
    if settings["steps"] < 1:
        yield error(_NO_STEPS())
    wanted = settings["num_frames"]
    rule = at.family.frames_rule if at.family is not None else None
    if at.family is not None and rule is not None and wanted < rule.minimum:
        yield error(_TOO_FEW_FRAMES(family=at.family.name, minimum=rule.minimum, wanted=wanted))


def steps_and_sampler(at: Resolved) -> Sentences:
    """Step counts that index past a schedule or divide by zero."""
    steps, sampler = at.settings["steps"], at.settings["sampler"]
    if steps > 1000:
        yield error(_TOO_MANY_STEPS(steps=steps))
    elif steps == 1000 and sampler in {Sampler.DDIM, Sampler.PLMS}:
        yield error(_STEPS_OF_SAMPLER(steps=steps, sampler=sampler.label))
    if steps != 1:
        return
    ddpm = at.family is None or _has_ddpm_schedule(at.family)
    svd = at.family is None or at.family.supports("svd_motion")
    if (ddpm and sampler in _DIVIDES_AT_ONE_STEP) or (svd and sampler in _AYS):
        yield error(_ONE_STEP_CRASHES(sampler=sampler.label))
    elif ddpm and sampler in _KARRAS:
        yield error(_ONE_STEP_IS_EMPTY(sampler=sampler.label))


def _has_ddpm_schedule(family: Family) -> bool:
    """Not flow, not the v-objective of SVD, not the cosine of Stable Cascade's two stages."""
    return family.objective.startswith("epsilon") and family.latent_scale == 8


def strength(at: Resolved) -> Sentences:
    for name in ("strength", "hires_fix_strength"):
        if not 0 <= at.settings[name] <= 1:
            yield error(_SHARE(label=title(name), given=float(at.settings[name])))
    if at.settings["strength"] != 0 or not facts.masked(at) or at.family is None:
        return
    # Transformers must sample at least one step. PixArt is one too: it has no CLIP.
    pixart = _has_ddpm_schedule(at.family) and not at.family.supports("clip_skip")
    if at.family.is_flow or pixart:
        yield error(_STRENGTH_0(family=at.family.name))


def tiles(at: Resolved) -> Sentences:
    for kind, sizeless in (("decoding", _TILED_DECODING), ("diffusion", _TILED_DIFFUSION)):
        if not at.settings[f"tiled_{kind}"]:
            continue
        if 0 in (at.settings[f"{kind}_tile_width"], at.settings[f"{kind}_tile_height"]):
            yield error(sizeless())


def hires_fix(at: Resolved) -> Sentences:
    settings, family = at.settings, at.family
    if not settings["hires_fix"] or family is None:
        return
    if family.supports("stage_2"):
        sizes = settings["hires_fix_start_width"] or settings["hires_fix_start_height"]
        if sizes and not facts.on_text_path(at):
            yield error(_HIRES_OF_IMAGE(family=family.name))
    elif not family.supports("hires_fix") and facts.hires_fix_acts(at):
        yield error(_NO_HIRES(family=family.name))


def image_required(at: Resolved) -> Sentences:
    family = at.family
    if family is not None and family.needs_image and at.request.image is None:
        yield error(_NEEDS_IMAGE(name=facts.model_name(at)))


def control_range(at: Resolved) -> Sentences:
    for control in at.controls:
        for value, label in ((control.start, _CONTROL_START), (control.end, _CONTROL_END)):
            if not 0 <= value <= 1:
                yield error(label(file=control.file, given=float(value)))


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
                yield error(_ADAPTER_KIND(name=known.name, kind=kind))
        elif known.type == "t2iadapter" and kind == "depth" and image and not given:
            yield error(_ADAPTER_DEPTH(name=known.name))
        elif known.type == "inject_kv" and not shuffled and "custom" in hints:
            yield error(_CONTROL_PICTURE(name=known.name))


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
        yield error(_MODEL_CRASHES(name=at.model.name, kind=found, family=family.name))
    else:
        yield error(_LORA_CRASHES(name=loras[0], kind=found, family=family.name))


def audio_features(at: Resolved) -> Sentences:
    """Sound of a wrong length ends in an empty result (docs/protocol.md 4.4)."""
    if at.request.audio_features:
        try:
            frames.check_audio_features(at, at.request.audio_features)
        except RequestError as problem:
            yield error(problem.text)


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
