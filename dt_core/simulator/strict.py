"""Requests that would take the real server down (docs/protocol.md 11.1).

Each rule looks at one row of that table and names the reason. The simulator answers with
INVALID_ARGUMENT in place of dying.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..settings.choices import Sampler
from .choosing import IMAGE_PROMPTS, Choice
from .intake import Array, Asked
from .mask_codes import read_mask
from .plan import CASCADE, DDPM, hires_fix_acts, stays_on_image_path
from .schedule import AYS, TRAILING

PREFIX = "would crash the server: "

_NEEDS_STEPS = frozenset(
    [
        "ideogram_4",
        "krea_2",
        "pixart",
        "auraflow",
        "sd3",
        "sd3_large",
        "flux1",
        "z_image",
        "flux2",
        "flux2_9b",
        "flux2_4b",
        "hidream_i1",
    ]
)
_NO_INPAINTING = frozenset(
    [
        "flux2",
        "flux2_9b",
        "flux2_4b",
        "qwen_image",
        "cosmos2.5_2b",
        "krea_2",
        "z_image",
        "ernie_image",
        "ideogram_4",
        "hidream_i1",
        "hidream_o1",
        "ltx2",
        "ltx2.3",
    ]
)
_DEPTH_FAMILIES = frozenset(
    "v1 v2 sdxl_base_v0.9 sdxl_refiner_v0.9 ssd_1b svd_i2v kandinsky2.1 sd3 sd3_large pixart "
    f"auraflow flux1 seedvr2_3b seedvr2_7b {CASCADE} wurstchen_v3.0_stage_b".split()
)
_ONE_STEP_TRAPS = frozenset({Sampler.EULER_A, Sampler.UNIPC, Sampler.LCM, Sampler.TCD})
_T2I_NEVER = frozenset({"mlsd", "tile", "blur", "gray", "lowquality"})
_OF_RANK_4 = frozenset({"custom", "depth", "pose", "color", "shuffle"})
_MAX_SIDE_PX = 16_384
_MAX_PIXELS = 1 << 30  # of all pictures of one run together


def first_trap(asked: Asked, chosen: Choice) -> str:
    """Why the request would crash the server, in one sentence; "" if it would not."""
    if asked.traps:
        return asked.traps[0]
    for rule in _RULES:
        for reason in rule(asked, chosen):
            return reason
    return ""


def _canvas(asked: Asked, chosen: Choice) -> Iterator[str]:
    configuration = asked.configuration
    sides = {name: configuration[name] for name in ("start_width", "start_height")}
    for name, px in sides.items():
        if px >= 1024 * 64:
            yield f"{name} {px // 64} is in units of 64 px and must be below 1024"
        if px > _MAX_SIDE_PX:
            yield f"{name} {px // 64} asks for {px} px, more than any memory holds"
        if px == 0 and asked.image is None:
            yield f"{name} is 0, which makes a picture of no size"
    if chosen.family.kind == "image" and configuration["batch_size"] == 0:
        yield "batch_size is 0"
    count = configuration["num_frames"] if chosen.family.is_video else configuration["batch_size"]
    pixels = sides["start_width"] * sides["start_height"] * count
    if pixels > _MAX_PIXELS and (chosen.family.kind != "upscaler"):
        yield f"{count} pictures of this size end in memory exhaustion"


def _steps(asked: Asked, chosen: Choice) -> Iterator[str]:
    configuration, version = asked.configuration, chosen.family.version
    steps, sampler = configuration["steps"], configuration["sampler"]
    label = sampler.label
    if steps > 2**31 - 1:
        yield f"{steps} steps do not fit the progress messages"
    if version in _NEEDS_STEPS:
        if steps == 0:
            yield f"steps is 0, and {chosen.family.name} needs at least one"
        if _effective_mask(asked, chosen) and configuration["strength"] == 0:
            yield f"a mask with strength 0 leaves no step, and {chosen.family.name} needs one"
    if version in DDPM:
        if steps == 1 and sampler in _ONE_STEP_TRAPS:
            yield f"steps is 1, and {label} divides by zero then"
        if steps > 1000 and sampler in TRAILING:
            yield f"{steps} steps are more than the 1000 of the schedule of {label}"
        if steps >= 1000 and sampler in {Sampler.DDIM, Sampler.PLMS}:
            yield f"{steps} steps do not fit the 1000 of the schedule of {label}"
    if version == "svd_i2v" and steps == 1 and sampler in AYS:
        yield f"steps is 1, and {label} divides by zero then"


def _strength(asked: Asked, chosen: Choice) -> Iterator[str]:
    configuration = asked.configuration
    strength, sampler = configuration["strength"], configuration["sampler"]
    if asked.image is None:
        if configuration["hires_fix"] and not math.isfinite(configuration["hires_fix_strength"]):
            yield "hires_fix_strength is not a finite number"
        return
    if not math.isfinite(strength):
        yield "strength is not a finite number"
    if asked.mask is None:
        if strength < 0:
            yield f"strength is {strength:g}, below 0"
        if strength > 1 and stays_on_image_path(chosen.family.version):
            yield f"strength is {strength:g}, above 1"
    elif sampler == Sampler.PLMS and not 0 <= strength <= 1:
        yield f"strength is {strength:g}, outside 0 to 1, with a mask and PLMS"


def _image(asked: Asked, chosen: Choice) -> Iterator[str]:
    image, scale, version = asked.image, asked.message.scaleFactor, chosen.family.version
    if image is None:
        return
    if image.ndim != 4:
        yield f"the image has {image.ndim} dimensions in place of 4"
        return
    if image.shape[3] != 3:
        yield f"the image has {image.shape[3]} channels in place of 3"
    height, width = image.shape[1:3]
    strict = (
        asked.configuration["strength"] < 1
        or asked.mask is not None
        or stays_on_image_path(version)
    )
    if strict:
        if scale <= 0:
            yield f"scaleFactor is {scale}: send 1"
        if height % (64 * scale) or width % (64 * scale):
            yield f"the image is {width}x{height} px, not a multiple of {64 * scale} px"
    elif scale > 1 and (height % scale or width % scale):
        yield f"scaleFactor {scale} does not divide the image of {width}x{height} px"
    if version == CASCADE and strict:
        configuration = asked.configuration
        canvas = (configuration["start_width"], configuration["start_height"])
        hires = configuration["hires_fix"] and configuration["hires_fix_start_width"] > 0
        if (width // scale, height // scale) != canvas or hires:
            yield "Stable Cascade needs an image of exactly the canvas size, without hires fix"


def _mask(asked: Asked, _: Choice) -> Iterator[str]:
    if asked.image is None or asked.mask is None:
        return
    if asked.mask.ndim != 2:
        yield f"the mask has {asked.mask.ndim} dimensions in place of 2"
        return
    scale = asked.message.scaleFactor
    wanted = (asked.image.shape[1] // scale, asked.image.shape[2] // scale)
    if asked.mask.shape != wanted:
        got = "x".join(map(str, asked.mask.shape[::-1]))
        yield f"the mask is {got} px and the image {wanted[1]}x{wanted[0]} px"


def _hires(asked: Asked, chosen: Choice) -> Iterator[str]:
    text_path = asked.image is None or asked.configuration["strength"] >= 1
    if not (text_path and asked.mask is None and hires_fix_acts(asked, chosen)):
        return
    if chosen.family.version == "hidream_o1":
        yield "hires fix on HiDream O1 ends in a size mismatch"
    if asked.image is not None and chosen.edits:
        height, width = asked.image.shape[1:3]
        if height % 16 or width % 16:
            yield "the reference of the second pass is not a multiple of 16 px"


def _descriptions(asked: Asked, chosen: Choice) -> Iterator[str]:
    version, modifier = chosen.family.version, chosen.modifier
    if version == CASCADE and not chosen.model.get("stage_models"):
        yield "the description of a Stable Cascade model has no stage_models"
    if modifier == "inpainting" and version in _NO_INPAINTING:
        yield f"{chosen.family.name} does not implement the modifier inpainting"
    has_depth = bool(asked.hint("depth")) or asked.image is not None
    if modifier == "depth" and version not in _DEPTH_FAMILIES and has_depth:
        yield f"{chosen.family.name} does not implement the modifier depth"


def _tiles(asked: Asked, _: Choice) -> Iterator[str]:
    configuration = asked.configuration
    for switch, prefix in (("tiled_decoding", "decoding"), ("tiled_diffusion", "diffusion")):
        if configuration[switch] and 0 in (
            configuration[f"{prefix}_tile_width"],
            configuration[f"{prefix}_tile_height"],
        ):
            yield f"{switch} is on with a tile size of 0"


def _controls(asked: Asked, chosen: Choice) -> Iterator[str]:
    kinds = {control.kind for control in chosen.controls}
    for control in chosen.controls:
        for name in ("guidance_start", "guidance_end"):
            value = getattr(control.settings, name)
            if not math.isfinite(value) or abs(value) > 1e9:
                yield f"{name} of control {control.name} is not a usable number"
        if control.type == "t2iadapter":
            lacks_depth = control.kind == "depth" and not asked.hint("depth")
            if lacks_depth or control.kind in _T2I_NEVER:
                yield f"the T2I adapter {control.name} gets no {control.kind} input"
        if control.type == "inject_kv" and not asked.hint("shuffle"):
            yield f"{control.name} needs a shuffle hint"
    if "canny" in {*kinds, chosen.modifier} and asked.image is not None:
        if asked.image.shape[0] > 1:
            yield f"{asked.image.shape[0]} image frames go through canny, which takes one"
        if not np.isfinite(asked.image).all():
            yield "NaN or infinite pixels go through canny"
    yield from _hint_shapes(asked, chosen, kinds)


def _hint_ranks(asked: Asked, _: Choice) -> Iterator[str]:
    """Of all hints that the generator looks up, whether or not they act."""
    for hint in asked.hints:
        for array in hint.arrays if hint.kind in _OF_RANK_4 else ():
            if array.ndim != 4:
                yield f"the {hint.kind} hint has {array.ndim} dimensions in place of 4"


def _hint_shapes(asked: Asked, chosen: Choice, kinds: set[str]) -> Iterator[str]:
    prompts = any(control.type in IMAGE_PROMPTS for control in chosen.controls)
    used = {
        "custom": bool(chosen.controls) or chosen.modifier == "canny",
        "color": "color" in kinds,
        "shuffle": prompts or chosen.edits or "shuffle" in kinds,
        "depth": "depth" in {*kinds, chosen.modifier},
        "scribble": "scribble" in kinds,
        "pose": "pose" in kinds,
    }
    for kind, matters in used.items():
        channels = 1 if kind == "depth" else 3
        for array, _ in asked.hint(kind) if matters else ():
            if kind == "scribble" and array.dtype == np.uint8:
                yield "the scribble hint is uint8: send float16"
            if array.ndim != 4 or array.shape[3] != channels:
                yield f"the {kind} hint has the shape {list(array.shape)}: it needs {channels}" + (
                    " channels" if channels > 1 else " channel"
                )
    if used["pose"] and asked.hint("pose"):
        yield from _pose(asked, [array for array, _ in asked.hint("pose")], chosen)


def _pose(asked: Asked, poses: list[Array], chosen: Choice) -> Iterator[str]:
    """First tensor for text-to-image, last for other paths and second passes."""
    configuration = asked.configuration
    final = (configuration["start_height"], configuration["start_width"])
    on_text_path = asked.image is None or configuration["strength"] >= 1
    passes = [(poses[-1], final)]
    if on_text_path and asked.mask is None:
        passes = [(poses[0], final)]
        if hires_fix_acts(asked, chosen):
            first = (
                configuration["hires_fix_start_height"],
                configuration["hires_fix_start_width"],
            )
            passes = [(poses[0], first), (poses[-1], final)]
    elif asked.image is not None:
        passes = [(poses[-1], asked.image.shape[1:3])]
    for pose, size in passes:
        if tuple(pose.shape[1:3]) != tuple(size):
            yield f"the pose hint is not {size[1]}x{size[0]} px, the size of its pass"


def _effective_mask(asked: Asked, chosen: Choice) -> bool:
    if asked.image is None or asked.mask is None or asked.mask.ndim != 2:
        return False
    reading = read_mask(asked.mask, chosen.transparent)
    return reading.effect == "part" and not reading.empty.any()


_RULES: tuple[Callable[[Asked, Choice], Iterator[str]], ...] = (
    _canvas,
    _steps,
    _strength,
    _image,
    _mask,
    _hires,
    _descriptions,
    _tiles,
    _hint_ranks,
    _controls,
)
