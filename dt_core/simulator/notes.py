"""What the real server ignores or replaces in silence (docs/protocol.md 11.3), said aloud.

`choosing` notes the files; these notes are about everything else.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..settings.choices import Sampler
from .intake import Asked
from .plan import CASCADE, Plan, embeds_guidance

_READ_HINTS = frozenset({"custom", "depth", "scribble", "pose", "color", "shuffle", "audio"})
_PREFERS_IMAGE = frozenset({"canny", "mlsd", "softedge"})


def explain(asked: Asked, plan: Plan) -> Iterator[str]:
    yield from _image(asked, plan)
    yield from _hints(asked, plan)
    yield from _guidance(asked, plan)
    yield from _settings(asked, plan)


def _image(asked: Asked, plan: Plan) -> Iterator[str]:
    configuration = asked.configuration
    image, family = asked.image, plan.chosen.family
    canvas = (configuration["start_width"], configuration["start_height"])
    if image is None:
        if asked.message.HasField("mask"):
            yield "mask without an image: ignored"
        return
    if plan.path == "unchanged":
        given = "strength" in configuration
        yield f"strength {plan.strength:g}{'' if given else ' (the default)'}: image returned as is"
    size = (image.shape[2], image.shape[1])
    scaled = tuple(side // max(1, asked.message.scaleFactor) for side in size)
    if plan.path in {"image", "mask"} and scaled != canvas:
        yield f"the image's size wins over the canvas of {canvas[0]}x{canvas[1]}"
    if plan.path == "text":
        uses = _uses_image(asked, plan)
        if not uses and plan.mask is None:
            yield "strength 1 and nothing that looks at the image: it has no influence"
        elif uses and size[0] * canvas[1] != size[1] * canvas[0]:
            yield f"the image of {size[0]}x{size[1]} is stretched to the canvas"
    if plan.mask is not None and plan.mask.effect == "none":
        yield "the mask marks nothing to repaint (codes, not grey values): ignored"
    if plan.mask is not None and asked.mask is not None and bool(((asked.mask & 7) > 4).any()):
        yield "the mask has codes above 4: neither repainted nor pasted back"
    if image.shape[0] > 1 and not family.is_video:
        yield f"{image.shape[0]} image frames on a still-image model: the first is used"


def _uses_image(asked: Asked, plan: Plan) -> bool:
    return bool(
        plan.chosen.modifier != "none"
        or plan.chosen.controls
        or plan.chosen.family.audio == "input"  # the avatar starts from it, without a modifier
        or asked.configuration["color_calibration"]
        or plan.chosen.family.supports("init_image_required")
    )


def _hints(asked: Asked, plan: Plan) -> Iterator[str]:
    seen: set[str] = set()
    for hint in asked.hints:
        if hint.kind in seen and hint.kind in _READ_HINTS:
            which = "last" if hint.kind in {"scribble", "color"} else "first"
            yield f"several {hint.kind} hints: only the {which} counts"
        if hint.arrays and hint.kind not in _READ_HINTS and hint.kind not in seen:
            yield f'the server never reads {hint.kind} hints: send it as "custom"'
        seen.add(hint.kind)
    modifier = plan.chosen.modifier
    kinds = {control.kind for control in plan.chosen.controls}
    takes_shuffle = plan.chosen.edits or any(
        control.kind == "shuffle" for control in plan.chosen.controls
    )
    shuffles = asked.hint("shuffle")
    if shuffles and not takes_shuffle:
        yield "reference pictures, but nothing that looks at them: ignored"
    elif any(weight == 0 for _, weight in shuffles):
        yield "a reference picture has weight 0 (the default): it has no effect"
    if asked.hint("custom") and asked.image is not None:
        for kind in sorted(_PREFERS_IMAGE & (kinds | {modifier})):
            yield f"the {kind} map is ignored: the server makes its own from the image"
    depths = asked.hint("depth")
    if depths and "depth" in kinds | {modifier}:
        height, width = depths[0][0].shape[1:3]
        if width * plan.height != height * plan.width:
            yield "the depth hint has another aspect ratio: the server resizes it wrongly"
    if "scribble" in kinds and asked.hint("custom") and not asked.hint("scribble"):
        yield "a scribble control does not read custom hints"


def _guidance(asked: Asked, plan: Plan) -> Iterator[str]:
    configuration = asked.configuration
    consistent = [row["name"] for _, row in plan.chosen.loras if row.get("is_consistency_model")]
    if consistent:
        yield f"LoRA {consistent[0]} turns guidance (CFG) off"
    if asked.message.negativePrompt and not plan.uses_cfg:
        yield "negative prompt: without effect, because no CFG runs"
    if embeds_guidance(asked, plan.chosen) and "guidance_embed" in configuration:
        guidance = f"{configuration['guidance_scale']:g}"
        yield f"guidance_embed is ignored: the embedded guidance is guidance_scale {guidance}"
    if "shift" in configuration and plan.shift != configuration["shift"]:
        yield f"shift {configuration['shift']:g} replaced by {plan.shift:.2f} for the resolution"


def _settings(asked: Asked, plan: Plan) -> Iterator[str]:
    configuration, family = asked.configuration, plan.chosen.family
    if configuration["batch_count"] > 1:
        yield f"batch_count {configuration['batch_count']} is not read: one batch only"
    if configuration["batch_size"] > 1 and family.kind != "image":
        yield f"batch_size {configuration['batch_size']} replaced by 1: {family.name}"
    if plan.path == "unchanged" and configuration["batch_size"] > 1:
        yield "strength 0 returns one picture, whatever batch_size says"
    if family.is_video and configuration["num_frames"] not in {0, plan.frames}:
        yield f"num_frames {configuration['num_frames']} rounded down to {plan.frames}"
    if configuration["hires_fix"] and plan.first_pass is None and family.version != CASCADE:
        yield "hires fix is off: wrong sizes or strength, or an image on its path"
    if configuration["sampler"] < Sampler.EULER_A_TRAILING and family.is_flow:
        yield f"{configuration['sampler'].label} does not suit a flow model"
    if configuration["steps"] == 0 and plan.path != "unchanged":
        yield "0 steps: a meaningless picture"
    if plan.chosen.refiner is None and any(lora.mode for lora, _ in plan.chosen.loras):
        yield "LoRA modes without a refiner: treated as All"
    if "seed_mode" not in configuration:
        yield "seed_mode 0 (the default): real results differ between machines"
