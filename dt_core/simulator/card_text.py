"""What the card says about a request: facts, labels of pictures, settings, notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from ..settings.choices import Choice as Named
from ..settings.table import SETTINGS, Kind
from .card import Card
from .intake import Array, Asked
from .lettering import clean
from .plan import Plan, embeds_guidance

_MAX_THUMBNAIL = 512  # px
_SHOWN_ELSEWHERE = frozenset(
    [
        "start_width",
        "start_height",
        "seed",
        "steps",
        "guidance_scale",
        "strength",
        "model",
        "sampler",
        "loras",
        "controls",
        "num_frames",
        "shift",
        "resolution_dependent_shift",
        "id",
        "name",
        "batch_count",
    ]
)


def make_card(asked: Asked, plan: Plan) -> Card:
    message = asked.message
    return Card(
        prompt=message.prompt,
        negative=message.negativePrompt,
        model=str(plan.chosen.model["name"]),
        family=plan.chosen.family.name,
        facts=tuple(_facts(asked, plan)),
        loras=tuple(f"{row['name']} x{_number(lora.weight)}" for lora, row in plan.chosen.loras),
        controls=tuple(
            f"{control.name} x{_number(control.settings.weight)}"
            for control in plan.chosen.controls
        ),
        pictures=tuple(_pictures(asked, plan)),
        settings=tuple(_settings(asked)),
        notes=tuple(asked.notes),
    )


def to_pixels(array: Array, low: float = -1.0) -> Array:
    """A picture of the wire, `low` to 1, as float32 RGB 0..1 [H, W, 3]."""
    values = np.nan_to_num(np.asarray(array, np.float32), nan=0.0, posinf=1.0, neginf=low)
    if values.ndim == 4:
        values = values[0]
    if values.shape[2] not in {3, 4}:
        values = np.repeat(values[..., :1], 3, axis=2)
    result: Array = np.clip((values[..., :3] - low) / (1 - low), 0, 1)
    return result


def _facts(asked: Asked, plan: Plan) -> Iterator[tuple[str, str]]:
    configuration = asked.configuration
    yield "Seed", str(configuration["seed"])
    yield "Size", f"{plan.width}x{plan.height}"
    steps = str(plan.steps)
    if plan.start:
        steps = f"{plan.runs if not plan.two_phases else plan.steps} of {plan.steps}"
    yield "Steps", steps
    embedded = embeds_guidance(asked, plan.chosen)
    guidance = _number(configuration["guidance_scale"])
    yield "Guidance", f"{guidance} embed." if embedded else guidance
    yield "Sampler", configuration["sampler"].label
    if asked.image is not None:
        yield "Strength", _number(plan.strength)
    yield "Shift", f"{plan.shift:.3g}"
    if plan.frames:
        yield "Frames", str(plan.frames)
    if plan.first_pass is not None:
        yield "First pass", f"{plan.first_pass[0]}x{plan.first_pass[1]}"
    if plan.chosen.refiner is not None:
        yield "Refiner", clean(str(plan.chosen.refiner["name"]))
    if plan.chosen.modifier != "none":
        yield "Modifier", clean(plan.chosen.modifier)
    if plan.chosen.upscale > 1:
        yield "Upscaled", f"x{plan.chosen.upscale}"


def _pictures(asked: Asked, plan: Plan) -> Iterator[tuple[str, Image.Image]]:
    image = asked.image
    number = 0
    if image is not None and image.ndim == 4:
        number = 1
        yield "Picture 1 (init)" if plan.chosen.shows_image else "init image", _thumbnail(image)
    if asked.mask is not None and plan.mask is not None:
        shown = plan.mask.repaint.astype(np.float32) + 0.5 * plan.mask.empty
        yield "mask", _thumbnail(np.clip(shown, 0, 1)[None, :, :, None], 0.0)
    for array, weight in asked.hint("shuffle"):
        number += 1
        suffix = "" if weight == 1 else f" x{_number(weight)}"
        yield f"Picture {number}{suffix}", _thumbnail(array)
    for hint in asked.hints:
        if hint.kind in {"shuffle", "audio"}:
            continue
        for array in hint.arrays:
            if array.ndim == 4 and array.dtype.kind == "f":
                low = 0.0 if hint.kind in {"scribble", "pose"} else -1.0
                yield f"{hint.kind} hint", _thumbnail(array, low)


def _thumbnail(array: Array, low: float = -1.0) -> Image.Image:
    stride = max(1, max(array.shape[1:3]) // _MAX_THUMBNAIL)
    pixels = to_pixels(array[:, ::stride, ::stride], low)
    return Image.fromarray((pixels * 255 + 0.5).astype(np.uint8))


def _settings(asked: Asked) -> Iterator[str]:
    configuration = asked.configuration
    for row in SETTINGS:
        if row.name in _SHOWN_ELSEWHERE or row.name not in configuration:
            continue
        value = configuration[row.name]
        if value != row.default and row.kind not in {Kind.LORAS, Kind.CONTROLS}:
            yield f"{row.label.lower()} {clean(_plain(value))}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Named):
        return value.label
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.4g}"
